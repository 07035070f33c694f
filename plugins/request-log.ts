import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** One log line per request, of names and numbers only: no URL with its query, no header, no body. The id goes back as `X-Request-Id`. */
export default fp(
  async (app: FastifyInstance) => {
    app.addHook('onRequest', (request, reply, next) => {
      reply.header('x-request-id', request.id)
      next()
    })
    if (app.log.level === 'silent' || app.log.level === undefined) return
    app.addHook('onResponse', (request, reply, next) => {
      request.log.info(
        {
          method: request.method,
          route: request.routeOptions.url,
          status: reply.statusCode,
          tenant: request.tenant?.tenantId,
          key: request.tenant?.keyId,
          ms: Math.round(reply.elapsedTime * 100) / 100
        },
        'request'
      )
      next()
    })
  },
  { name: 'request-log' }
)
