import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../src/problem.ts'
import type { Caller } from './tenants.ts'

const bearer = /^Bearer +([\x21-\x7e]+)$/i

/** Whether a caller's scopes hold one that an operation needs. `*` is everything but what has a scope of its own: bulk, spend, secrets. */
function holds(scopes: readonly string[], needed: string): boolean {
  if (scopes.includes(needed)) return true
  const [section, action] = needed.split(':')
  if (action === undefined) return false
  return scopes.includes('*') || (action === 'read' && (scopes.includes('*:read') || scopes.includes(`${section}:write`)))
}

const refused = () =>
  new Problem('authentication-required', 'Send `Authorization: Bearer vg_...` with a valid API key.', {
    headers: { 'www-authenticate': 'Bearer realm="voxgate"' }
  })

function admit(request: FastifyRequest, caller: Caller | undefined): void {
  if (!caller) throw refused()
  if (!caller.enabled) throw new Problem('tenant-disabled', 'The tenant of this API key is disabled.')
  for (const scope of request.routeOptions.config.operation?.scopes ?? []) {
    if (!holds(caller.scopes, scope))
      throw new Problem('scope-missing', `This API key lacks the scope \`${scope}\`.`, {
        headers: { 'www-authenticate': `Bearer realm="voxgate", error="insufficient_scope", scope="${scope}"` }
      })
  }
  request.tenant = caller
}

/** The caller's key -> `request.tenant`, on every route of the instance it is registered on. */
export default fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('tenant')
    app.addHook('onRequest', (request, reply, next) => {
      const key = bearer.exec(request.headers.authorization ?? '')?.[1]
      // Who tries keys out has nothing looked up any more; keys that are known go on working from the same address.
      const caller = key && (app.limits.floods(request) && !app.tenants.knows(key) ? undefined : app.tenants.authenticate(key))
      if (caller instanceof Promise) {
        caller
          .then(found => admit(request, found))
          .then(
            () => next(),
            error => app.limits.refuse(request, reply, error, next)
          )
        return
      }
      try {
        admit(request, caller || undefined)
      } catch (error) {
        return app.limits.refuse(request, reply, error, next)
      }
      next()
    })
  },
  { name: 'auth', dependencies: ['tenants', 'limits'] }
)

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls: the tenant of the API key. */
    tenant: Caller
  }
}
