import { randomUUID } from 'node:crypto'
import cors from '@fastify/cors'
import type { TSchema } from '@sinclair/typebox'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import adminAuth from '../plugins/admin-auth.ts'
import arrival from '../plugins/arrival.ts'
import audit from '../plugins/audit.ts'
import auth from '../plugins/auth.ts'
import bodies from '../plugins/bodies.ts'
import callerAddress from '../plugins/caller-address.ts'
import docs from '../plugins/docs.ts'
import health from '../plugins/health.ts'
import idempotency from '../plugins/idempotency.ts'
import journey from '../plugins/journey.ts'
import limits from '../plugins/limits.ts'
import metrics from '../plugins/metrics.ts'
import otherMethods from '../plugins/other-methods.ts'
import pageHeaders from '../plugins/page-headers.ts'
import problems, { problemOf, sendProblem } from '../plugins/problems.ts'
import refusals from '../plugins/refusals.ts'
import requestLog from '../plugins/request-log.ts'
import responses from '../plugins/responses.ts'
import shedding from '../plugins/shedding.ts'
import tenants from '../plugins/tenants.ts'
import uploads from '../plugins/uploads.ts'
import voximplant from '../plugins/voximplant.ts'
import { adminRoutes, adminTag } from '../routes/admin.ts'
import { operations } from '../routes/catalogue.ts'
import { tags } from '../routes/index.ts'
import { adminNouns, nouns } from '../schemas/index.ts'
import { administrator, clientOptions } from './admin/main.ts'
import type { AdminToken } from './admin/tokens.ts'
import { routeContext, toRoute } from './api/route.ts'
import { validatorCompiler } from './api/validation.ts'
import { type Config, corsOrigins, trustedProxies } from './config.ts'
import { replayedHeader } from './idempotency/header.ts'
import { originForm, respondToClientError } from './problems/malformed-request.ts'
import { logging } from './telemetry/logging.ts'
import { version } from './telemetry/version.ts'
import type { Store } from './tenants/store.ts'

/** The catalogue, for those who have an app. */
export { operations }

export interface AppOptions {
  config: Config
  store: Store
  /** The upstream for tenants without a host of their own: scheme, host and port. */
  origin: string
  /** Further certificate authorities to trust at the upstream (PEM). */
  ca?: string
  /** Who may use `/admin`; nobody by default, and then it is not there. */
  adminTokens?: readonly AdminToken[]
  logger?: FastifyServerOptions['logger']
}

/** Headers of responses that pages of other origins may read. */
const exposedHeaders = [
  'allow',
  'content-disposition',
  'etag',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'server-timing',
  'www-authenticate',
  'x-request-id',
  replayedHeader
]

/** The largest head of a request, in bytes: the longest list of ids that an operation takes has 41 KB. */
const maxHeaderSize = 65_536

/** A server with what every answer of ours has, and as yet no routes but those of its documents. */
async function createServer(
  { config, logger }: AppOptions,
  described: { nouns: readonly TSchema[]; tags: readonly { name: string; description: string }[] }
): Promise<FastifyInstance> {
  const base = config.BASE_PATH
  const trusts = trustedProxies(config)
  const origins = corsOrigins(config)
  const app: FastifyInstance = Fastify({
    ...logging(config.LOG_LEVEL, logger),
    bodyLimit: config.BODY_LIMIT,
    // The server knows one deadline only: the longest. `arrival` sees to the shorter one.
    requestTimeout: Math.max(config.REQUEST_TIMEOUT, config.UPLOAD_TIMEOUT),
    // A request without a host is refused by `problems`, with a document.
    // As many ids as one call may name fit into the query.
    http: { headersTimeout: config.REQUEST_TIMEOUT, requireHostHeader: false, maxHeaderSize },
    rewriteUrl: originForm,
    trustProxy: trusts,
    // Whatever comes before the last connection has ended is answered.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 600, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => {
      request.callerAddress = app.callerAddressOf(request.raw)
      // No hook has run: a page could not read the problem otherwise.
      const { origin } = request.headers
      if (origin !== undefined && (origins.includes(origin) || origins.includes('*')))
        reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': exposedHeaders.join(', '), vary: 'Origin' })
      app.limits.refuse(request, reply, problemOf(error), problem => sendProblem(problem, request, reply, base))
    },
    clientErrorHandler: (error, socket) => respondToClientError(error, socket, randomUUID(), base)
  })
  app.setValidatorCompiler(validatorCompiler)
  // Answers are built from declared fields by the wire: there is nothing left for a schema to filter.
  app.setSerializerCompiler(() => JSON.stringify)
  app.removeContentTypeParser('text/plain')
  for (const noun of described.nouns) app.addSchema(noun)

  await app.register(journey)
  await app.register(requestLog)
  await app.register(callerAddress, { trusts })
  await app.register(responses, {
    budget: { max: config.RESPONSE_MEMORY, share: config.TENANT_RESPONSE_MEMORY },
    timeoutMs: config.RESPONSE_TIMEOUT
  })
  await app.register(arrival, { timeout: config.REQUEST_TIMEOUT })
  await app.register(bodies)
  await app.register(pageHeaders)
  await app.register(limits, {
    key: { perSecond: config.KEY_RATE, burst: config.KEY_BURST },
    tenant: { perSecond: config.TENANT_RATE, burst: config.TENANT_BURST },
    address: { perSecond: config.ADDRESS_RATE, burst: config.ADDRESS_BURST },
    replicas: config.REPLICAS,
    // Only callers share their limits with other replicas.
    redis: config.REDIS_URL && described.tags !== adminTags ? { url: config.REDIS_URL, timeout: config.REDIS_TIMEOUT } : undefined
  })
  // Before problems, which refuse what is not served: pages read those responses too.
  if (origins.length > 0)
    await app.register(cors, {
      origin: origins.includes('*') ? '*' : origins,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders,
      // OPTIONS that is no preflight is answered like any other.
      strictPreflight: false,
      maxAge: 600
    })
  await app.register(otherMethods, { base })
  await app.register(problems, { base })
  if (config.DOCS) await app.register(docs, { base, version, tags: described.tags, remember: config.NODE_ENV !== 'production' })
  return app
}

const adminTags = [adminTag]

/** `/admin`, behind its own tokens: a scope that shares nothing with the callers' keys. */
const registerAdmin = (app: FastifyInstance, options: AppOptions) =>
  app.register(
    async admin => {
      await admin.register(adminAuth, { tokens: options.adminTokens ?? [], store: options.store, base: options.config.BASE_PATH })
      for (const route of adminRoutes(administrator(options), options.config.BASE_PATH)) admin.route(route)
    },
    { prefix: options.config.BASE_PATH }
  )

/** The service, ready to listen. It reads no environment and opens no port. */
export async function build(options: AppOptions): Promise<FastifyInstance> {
  const { config, store, origin, ca } = options
  const base = config.BASE_PATH
  const withAdmin = (options.adminTokens ?? []).length > 0 && config.ADMIN_PORT === 0
  const app = await createServer(
    options,
    withAdmin ? { nouns: [...new Set([...nouns, ...adminNouns])], tags: [...tags, adminTag] } : { nouns, tags }
  )
  await app.register(tenants, { store, cacheTtl: config.CACHE_TTL, origin, lookupTimeoutMs: config.QUEUE_TIMEOUT })
  await app.register(voximplant, {
    client: clientOptions(config, ca),
    uploadTimeout: config.UPLOAD_TIMEOUT,
    downloadTimeout: config.UPSTREAM_DOWNLOAD_TIMEOUT,
    sessionTimeout: config.UPSTREAM_SESSION_TIMEOUT,
    gate: { most: config.PROCESS_CONCURRENCY, queue: config.QUEUE_LENGTH, deadline: config.QUEUE_TIMEOUT },
    concurrency: config.TENANT_CONCURRENCY,
    sessions: config.SESSION_CONCURRENCY
  })
  // Before the next one, which repeats answers without calling again: what is not done is not written down.
  await app.register(audit, { retentionDays: config.AUDIT_RETENTION_DAYS, maxEntriesPerDay: config.AUDIT_MAX_ENTRIES_PER_DAY })
  await app.register(idempotency, {
    operations,
    base,
    ttl: config.IDEMPOTENCY_TTL,
    lease: config.IDEMPOTENCY_LEASE,
    unknownTtl: config.IDEMPOTENCY_UNKNOWN_TTL,
    maxRecords: config.IDEMPOTENCY_MAX_RECORDS,
    patience: config.UPSTREAM_TIMEOUT
  })
  await app.register(refusals)
  await app.register(metrics, {
    base,
    serve: config.METRICS_PORT === 0 && (config.METRICS_TOKEN !== '' || config.NODE_ENV !== 'production'),
    token: config.METRICS_TOKEN,
    tenants: config.METRICS_TENANTS
  })
  await app.register(shedding, {
    delay: config.SHED_DELAY,
    utilization: config.SHED_UTILIZATION,
    heap: config.SHED_HEAP,
    keep: config.SHED_KEEP,
    hold: config.QUEUE_TIMEOUT
  })
  await app.register(health, { base, origin })
  const context = routeContext(operations, { base, lookupTimeout: config.UPSTREAM_TIMEOUT })
  await app.register(
    async api => {
      await api.register(auth)
      api.addHook('onRequest', api.limits.caller)
      for (const operation of operations) if (!operation.upload) api.route(toRoute(operation, context))
      await api.register(uploads, { operations: operations.filter(operation => operation.upload), base, limit: config.UPLOAD_LIMIT })
    },
    { prefix: base }
  )
  if (withAdmin) await registerAdmin(app, options)
  app.refuseOtherMethods(base)
  return app
}

/** The admin API on its own, for a port of its own. The store stays open when it closes. */
export async function buildAdmin(options: AppOptions): Promise<FastifyInstance> {
  const app = await createServer(options, { nouns: adminNouns, tags: adminTags })
  await registerAdmin(app, options)
  app.refuseOtherMethods(options.config.BASE_PATH)
  return app
}
