import cors from '@fastify/cors'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import arrival from '../plugins/arrival.ts'
import auth from '../plugins/auth.ts'
import docs from '../plugins/docs.ts'
import health from '../plugins/health.ts'
import journey from '../plugins/journey.ts'
import limits from '../plugins/limits.ts'
import metrics from '../plugins/metrics.ts'
import pageHeaders from '../plugins/page-headers.ts'
import problems, { answerFrameworkError } from '../plugins/problems.ts'
import requestLog from '../plugins/request-log.ts'
import tenants from '../plugins/tenants.ts'
import uploads from '../plugins/uploads.ts'
import voximplant from '../plugins/voximplant.ts'
import { sections, tags } from '../routes/index.ts'
import { nouns } from '../schemas/index.ts'
import type { Config } from './config.ts'
import { compileAll, type Operation, toRoute } from './endpoint.ts'
import { logging } from './logging.ts'
import type { Store } from './tenants/store.ts'
import { validatorCompiler } from './validation.ts'
import { version } from './version.ts'

/** Every endpoint, ready for requests: made once, shared by the service, its document and the sandbox. Throws on a contradictory declaration. */
export const operations: readonly Operation[] = compileAll(sections)

export interface AppOptions {
  config: Config
  store: Store
  /** The upstream for tenants without a host of their own: scheme, host and port. */
  origin: string
  /** Further certificate authorities to trust at the upstream (PEM). */
  ca?: string
  logger?: FastifyServerOptions['logger']
}

/** The service, ready to listen. It reads no environment and opens no port. */
export async function build({ config, store, origin, ca, logger }: AppOptions): Promise<FastifyInstance> {
  const base = config.BASE_PATH
  const app = Fastify({
    ...logging(config.LOG_LEVEL, logger),
    bodyLimit: config.BODY_LIMIT,
    // The server knows one deadline only: the longest. `arrival` sees to the shorter one.
    requestTimeout: Math.max(config.REQUEST_TIMEOUT, config.UPLOAD_TIMEOUT),
    http: { headersTimeout: config.REQUEST_TIMEOUT },
    trustProxy: config.TRUST_PROXY,
    routerOptions: { maxParamLength: 600, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => answerFrameworkError(error, request, reply, base)
  })
  app.setValidatorCompiler(validatorCompiler)
  // Answers are built from declared fields by the wire: there is nothing left for a schema to filter.
  app.setSerializerCompiler(() => JSON.stringify)
  app.removeContentTypeParser('text/plain')
  for (const noun of nouns) app.addSchema(noun)

  await app.register(journey)
  await app.register(requestLog)
  await app.register(arrival, { timeout: config.REQUEST_TIMEOUT })
  await app.register(pageHeaders)
  await app.register(limits, {
    key: { perSecond: config.KEY_RATE, burst: config.KEY_BURST },
    tenant: { perSecond: config.TENANT_RATE, burst: config.TENANT_BURST },
    address: { perSecond: config.ADDRESS_RATE, burst: config.ADDRESS_BURST },
    replicas: config.REPLICAS,
    redis: config.REDIS_URL ? { url: config.REDIS_URL, timeout: config.REDIS_TIMEOUT } : undefined
  })
  await app.register(problems, { base })
  if (config.CORS_ORIGINS)
    await app.register(cors, {
      origin: config.CORS_ORIGINS.split(',').map(item => item.trim()),
      exposedHeaders: ['link', 'location', 'retry-after', 'ratelimit', 'ratelimit-policy']
    })
  if (config.DOCS) await app.register(docs, { base, version, tags })
  await app.register(tenants, { store, cacheTtl: config.CACHE_TTL, origin })
  await app.register(voximplant, {
    client: {
      connectTimeout: config.UPSTREAM_CONNECT_TIMEOUT,
      headersTimeout: config.UPSTREAM_HEADERS_TIMEOUT,
      timeout: config.UPSTREAM_TIMEOUT,
      connections: config.UPSTREAM_CONNECTIONS,
      maxAnswerBytes: config.UPSTREAM_MAX_ANSWER,
      keepAlive: config.UPSTREAM_KEEP_ALIVE,
      retry: {
        retries: config.UPSTREAM_RETRIES,
        base: config.UPSTREAM_RETRY_BASE,
        most: config.UPSTREAM_RETRY_MAX,
        share: config.UPSTREAM_RETRY_SHARE,
        burst: config.UPSTREAM_RETRY_BURST
      },
      breaker: {
        failures: config.BREAKER_FAILURES,
        hostFailures: config.BREAKER_HOST_FAILURES,
        hostTenants: config.BREAKER_HOST_TENANTS,
        interval: config.BREAKER_INTERVAL,
        probeTimeout: config.BREAKER_PROBE_TIMEOUT
      },
      ca
    },
    uploadTimeout: config.UPLOAD_TIMEOUT,
    downloadTimeout: config.UPSTREAM_DOWNLOAD_TIMEOUT,
    sessionTimeout: config.UPSTREAM_SESSION_TIMEOUT,
    gate: { most: config.PROCESS_CONCURRENCY, queue: config.QUEUE_LENGTH, deadline: config.QUEUE_TIMEOUT },
    concurrency: config.TENANT_CONCURRENCY,
    sessions: config.SESSION_CONCURRENCY
  })
  await app.register(metrics, {
    base,
    serve: config.METRICS_PORT === 0 && (config.METRICS_TOKEN !== '' || config.NODE_ENV !== 'production'),
    token: config.METRICS_TOKEN,
    tenants: config.METRICS_TENANTS
  })
  await app.register(health, { base })
  const byId = new Map(operations.map(operation => [operation.id, operation]))
  await app.register(
    async api => {
      await api.register(auth)
      api.addHook('onRequest', api.limits.caller)
      for (const operation of operations) if (!operation.upload) api.route(toRoute(operation, id => byId.get(id)!, base))
      await api.register(uploads, { operations: operations.filter(operation => operation.upload), base, limit: config.UPLOAD_LIMIT })
    },
    { prefix: base }
  )
  app.refuseOtherVerbs(base)
  return app
}
