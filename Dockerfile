# By digest: the same base on every build. A newer one: `docker buildx imagetools inspect node:24-slim`, or `--build-arg NODE_IMAGE=node:24-slim@sha256:...`.
ARG NODE_IMAGE=node:24.21.0-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6

# Dependencies apart from sources, so that a change of a line does not install anew.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data DRAIN_DELAY=3000
# V8 would keep up to 190 MB for young objects, however small the container is.
ENV NODE_OPTIONS=--max-semi-space-size=16
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY routes ./routes
COPY plugins ./plugins
COPY schemas ./schemas
RUN mkdir -m 0700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}${process.env.BASE_PATH ?? ''}/health/live`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself, not npm: npm does not pass SIGTERM on.
CMD ["node", "src/server.ts"]
