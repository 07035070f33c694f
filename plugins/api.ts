import type { FastifyInstance } from 'fastify'
import type { Operation } from '../src/api/operation.ts'
import { routeContext, toRoute } from '../src/api/route.ts'
import type { Config } from '../src/config.ts'
import auth from './auth.ts'
import uploads from './uploads.ts'

export interface ApiOptions {
  operations: readonly Operation[]
  config: Pick<Config, 'server' | 'upstream' | 'uploads'>
}

/** The routes of all operations, behind API keys and rate limits. */
export default async function api(app: FastifyInstance, { operations, config }: ApiOptions): Promise<void> {
  const base = config.server.basePath
  await app.register(auth)
  // After authentication, which names the caller.
  app.addHook('onRequest', app.limits.limitCaller)
  const context = routeContext(operations, { base, lookupTimeout: config.upstream.timeoutMs })
  for (const operation of operations) if (!operation.upload) app.route(toRoute(operation, context))
  await app.register(uploads, { operations: operations.filter(({ upload }) => upload), base, limit: config.uploads.maxBytes })
}
