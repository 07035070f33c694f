import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createThrottle, sourceOf } from '../src/admin/throttle.ts'
import { type AdminToken, administratorOf } from '../src/admin/tokens.ts'
import { Problem } from '../src/problem.ts'
import type { Actor } from '../src/tenants/model.ts'
import type { Store } from '../src/tenants/store.ts'

export interface AdminAuthOptions {
  tokens: readonly AdminToken[]
  store: Store
}

const bearer = /^Bearer +([\x21-\x7e]+)$/i

/** An administrator's token -> `request.actor`, on every route of the instance it is registered on. */
export default fp(
  async (app: FastifyInstance, { tokens, store }: AdminAuthOptions) => {
    const throttle = createThrottle()
    const writing = new Set<Promise<unknown>>()

    /** Failed attempts are written down, without what was tried. The throttle bounds how many that are. */
    const note = (request: FastifyRequest) => {
      const written: Promise<unknown> = store
        .record({
          actor: { kind: 'admin', id: 'unknown', address: request.ip, requestId: String(request.id) },
          action: 'admin.authenticate',
          outcome: 'refused'
        })
        .catch(error => request.log.error({ err: error }, 'a refused admin token could not be written to the audit log'))
        .finally(() => writing.delete(written))
      writing.add(written)
    }

    app.decorateRequest('actor')
    app.addHook('onRequest', (request, _reply, next) => {
      const { authorization } = request.headers
      const source = sourceOf(request.ip)
      const now = performance.now()
      const wait = throttle.wait(source, now)
      if (wait > 0)
        return next(
          new Problem('rate-limited', 'Too many failed attempts came from your address; wait, also with a token that is right.', {
            headers: { 'retry-after': String(Math.ceil(wait / 1000)) }
          })
        )
      const id = administratorOf(tokens, bearer.exec(authorization ?? '')?.[1] ?? '')
      if (id === undefined) {
        // Without a token, nothing was guessed.
        if (authorization !== undefined) {
          throttle.failed(source, now)
          note(request)
        }
        return next(
          new Problem('admin-token-required', 'Send `Authorization: Bearer ...` with a valid admin token.', {
            headers: { 'www-authenticate': 'Bearer realm="voxgate-admin"' }
          })
        )
      }
      request.actor = { kind: 'admin', id, address: request.ip, requestId: String(request.id) }
      next()
    })
    app.addHook('onClose', async () => {
      await Promise.all(writing)
    })
  },
  { name: 'admin-auth' }
)

declare module 'fastify' {
  interface FastifyRequest {
    /** Which administrator calls; under `/admin` only. */
    actor: Actor
  }
}
