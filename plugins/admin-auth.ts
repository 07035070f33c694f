import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { isSpelledOut } from '../src/admin/suggestions.ts'
import { type AdminToken, administratorOf } from '../src/admin/tokens.ts'
import { subnetOf } from '../src/config/networks.ts'
import { Lockout } from '../src/limits/lockout.ts'
import { Problem } from '../src/problems/problem.ts'
import { bearerToken } from '../src/tenants/api-keys.ts'
import type { Actor } from '../src/tenants/model.ts'
import type { Store } from '../src/tenants/store.ts'
import { noStore } from './page-headers.ts'

export interface AdminAuthOptions {
  tokens: readonly AdminToken[]
  store: Store
  /** The path the service is mounted under. */
  base: string
}

/** An administrator's token -> `request.actor`, on every route of the instance it is registered on. */
export default fp(
  async (app: FastifyInstance, { tokens, store, base }: AdminAuthOptions) => {
    const lockout = new Lockout()
    const writing = new Set<Promise<unknown>>()

    /** Audits a failed attempt, without the token. The lockout bounds their number. */
    const note = (request: FastifyRequest) => {
      const written: Promise<unknown> = store
        .record({
          actor: { kind: 'admin', id: 'unknown', address: request.callerAddress, requestId: String(request.id) },
          action: 'admin.authenticate',
          outcome: 'refused'
        })
        .catch(error => request.log.error({ err: error }, 'a refused admin token could not be written to the audit log'))
        .finally(() => writing.delete(written))
      writing.add(written)
    }

    app.decorateRequest('actor')
    app.addHook('onRequest', noStore)
    app.addHook('onRequest', (request, reply, next) => {
      if (isSpelledOut(request.originalUrl, base)) return next()
      app.limits.reject(request, reply, new Problem('not-found', 'Nothing is served at this address.'), next)
    })
    app.addHook('onRequest', (request, reply, next) => {
      const { authorization } = request.headers
      const source = subnetOf(request.callerAddress)
      const now = performance.now()
      const wait = lockout.msUntilAllowed(source, now)
      if (wait > 0)
        return next(
          new Problem('rate-limited', 'Too many failed attempts came from your address; wait, also with a token that is right.', {
            headers: { 'retry-after': String(Math.ceil(wait / 1000)) }
          })
        )
      const id = administratorOf(tokens, bearerToken(authorization) ?? '')
      if (id === undefined) {
        // Without a token, nothing was guessed.
        if (authorization !== undefined) {
          lockout.recordFailure(source, now)
          note(request)
        }
        const problem = new Problem('admin-token-required', 'Send `Authorization: Bearer ...` with a valid admin token.', {
          headers: { 'www-authenticate': 'Bearer realm="voxgate-admin"' }
        })
        return app.limits.reject(request, reply, problem, next)
      }
      request.actor = { kind: 'admin', id, address: request.callerAddress, requestId: String(request.id) }
      next()
    })
    app.addHook('onClose', async () => {
      await Promise.all(writing)
    })
  },
  { name: 'admin-auth', dependencies: ['caller-address', 'limits'] }
)

declare module 'fastify' {
  interface FastifyRequest {
    /** Which administrator calls; under `/admin` only. */
    actor: Actor
  }
}
