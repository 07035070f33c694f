import type { FastifyInstance } from 'fastify'
import type { Operation } from '../src/api/operation.ts'
import { createRoutes } from '../src/api/route.ts'
import type { Config } from '../src/config.ts'
import auth from './auth.ts'
import uploads from './uploads.ts'

export interface ApiOptions {
  operations: readonly Operation[]
  config: Pick<Config, 'server' | 'upstream' | 'uploads' | 'idempotency'>
}

/** The routes of all operations, behind API keys and rate limits. */
export default async function api(app: FastifyInstance, { operations, config }: ApiOptions): Promise<void> {
  const maxBytes = config.uploads.maxBytes
  await app.register(auth)
  // After authentication, which names the caller.
  app.addHook('onRequest', app.limits.limitCaller)
  const { upstream, idempotency, callAudit, tenants } = app
  const toRoute = createRoutes({
    operations,
    upstream: upstream.calls,
    base: config.server.basePath,
    lookupTimeoutMs: config.upstream.timeoutMs,
    maxUploadBytes: maxBytes,
    idempotency: { records: idempotency, counts: idempotency.counts, callers: tenants, maxRecords: config.idempotency.maxRecords },
    audit: callAudit
  })
  for (const operation of operations) if (!operation.upload) app.route(toRoute(operation))
  await app.register(uploads, { operations: operations.filter(({ upload }) => upload), toRoute, maxBytes })
}
