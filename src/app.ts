import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import admin from '../plugins/admin.ts'
import api from '../plugins/api.ts'
import audit from '../plugins/audit.ts'
import bodies from '../plugins/bodies.ts'
import bodyTimeout from '../plugins/body-timeout.ts'
import callerAddress from '../plugins/caller-address.ts'
import cors from '../plugins/cors.ts'
import docs from '../plugins/docs.ts'
import health from '../plugins/health.ts'
import idempotency from '../plugins/idempotency.ts'
import limits from '../plugins/limits.ts'
import loadShedding from '../plugins/load-shedding.ts'
import metrics from '../plugins/metrics.ts'
import otherMethods from '../plugins/other-methods.ts'
import pageHeaders from '../plugins/page-headers.ts'
import problems, { frameworkErrorHandler } from '../plugins/problems.ts'
import refusals from '../plugins/refusals.ts'
import requestLog from '../plugins/request-log.ts'
import requestTrace from '../plugins/request-trace.ts'
import responses from '../plugins/responses.ts'
import tenants from '../plugins/tenants.ts'
import voximplant from '../plugins/voximplant.ts'
import { adminTag } from '../routes/admin.ts'
import { catalogue, operations } from '../routes/catalogue.ts'
import { tags } from '../routes/index.ts'
import { adminNouns, nouns } from '../schemas/index.ts'
import { createAdminService } from './admin/service.ts'
import type { AdminToken } from './admin/tokens.ts'
import { createServer } from './api/server.ts'
import type { Config } from './config.ts'
import type { Store } from './tenants/store.ts'

export { operations }

export interface AppOptions {
  config: Config
  store: Store
  /** The upstream for tenants without their own host: scheme, host and port. */
  origin: string
  /** Additional certificate authorities for the upstream (PEM). */
  ca?: string
  /** Tokens for `/admin`, which is not served without any. */
  adminTokens?: readonly AdminToken[]
  logger?: FastifyServerOptions['logger']
}

type Documented = { schemas: typeof nouns; tags: typeof tags }

/** A server with the hooks of every request, in their order. */
async function createApp({ config, logger }: AppOptions, { schemas, tags }: Documented, redisUrl: string): Promise<FastifyInstance> {
  const { server } = config
  const app = createServer({ config, logger, schemas, frameworkErrors: frameworkErrorHandler(server.basePath) })
  await app.register(requestTrace) // first: all that follows needs the trace ids and the caller's disconnect
  await app.register(requestLog)
  await app.register(callerAddress, server) // before limits and networks, which need it
  await app.register(responses, config.responses)
  await app.register(bodyTimeout, server)
  await app.register(bodies)
  await app.register(pageHeaders)
  await app.register(limits, { ...config.limits, redisUrl })
  await app.register(cors, server) // before problems: pages have to read rejections too
  await app.register(otherMethods, server)
  await app.register(problems, server)
  if (server.docs) await app.register(docs, { ...server, tags }) // before the routes that it describes
  return app
}

/** The service, ready to listen. It reads no environment and opens no port. */
export async function build(options: AppOptions): Promise<FastifyInstance> {
  const { config, store, origin, ca } = options
  const servesAdmin = (options.adminTokens ?? []).length > 0 && config.admin.port === 0
  const both = { schemas: [...new Set([...nouns, ...adminNouns])], tags: [...tags, adminTag] }
  const app = await createApp(options, servesAdmin ? both : { schemas: nouns, tags }, config.limits.redisUrl)

  // What requests use.
  await app.register(tenants, { store, origin, ...config.tenants, lookupTimeoutMs: config.bulkhead.queueTimeoutMs })
  await app.register(voximplant, { config, ca })
  await app.register(audit, config.audit)
  await app.register(idempotency, { ...config.idempotency, drainTimeoutMs: config.upstream.timeoutMs })
  await app.register(refusals)
  await app.register(metrics, { ...config.server, ...config.metrics })
  await app.register(loadShedding, { ...config.loadShedding, ...config.bulkhead }) // before authentication: shedding has to be cheap

  // What is served.
  await app.register(health, { ...config.server, origin })
  await app.register(api, { operations, config, prefix: config.server.basePath })
  if (servesAdmin) await registerAdmin(app, options)
  app.refuseOtherMethods(config.server.basePath)
  return app
}

/** The admin API alone, for its own port. Closing it leaves the store open. */
export async function buildAdmin(options: AppOptions): Promise<FastifyInstance> {
  // Without Redis: replicas share the limits of callers, not those of administrators.
  const app = await createApp(options, { schemas: adminNouns, tags: [adminTag] }, '')
  await registerAdmin(app, options)
  app.refuseOtherMethods(options.config.server.basePath)
  return app
}

const registerAdmin = (app: FastifyInstance, { config, store, origin, ca, adminTokens = [] }: AppOptions) =>
  app.register(admin, {
    admin: createAdminService({ config, store, origin, ca, operations, getAccount: catalogue.account.getAccount }),
    store,
    tokens: adminTokens,
    base: config.server.basePath,
    prefix: config.server.basePath
  })
