import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { checkCaller } from '../src/api/admission.ts'
import { Problem } from '../src/problems/problem.ts'
import { bearerToken } from '../src/tenants/api-keys.ts'
import type { Caller } from '../src/tenants/caller.ts'

function admit(request: FastifyRequest, caller: Caller | undefined): void {
  // Also of a request that is refused: it is counted and logged for the tenant.
  if (caller) request.tenant = caller
  request.childAccount = checkCaller(request, caller)
}

/** The caller's key -> `request.tenant`, on every route of the instance it is registered on. */
export default fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('tenant')
    app.decorateRequest('childAccount', undefined)
    app.addHook('onRequest', (request, reply, next) => {
      const refuse = (error: unknown) => (error instanceof Problem ? app.limits.reject(request, reply, error, next) : next(error as Error))
      try {
        const key = bearerToken(request.headers.authorization)
        const caller = key === undefined ? undefined : app.tenants.authenticate(key, request)
        if (caller instanceof Promise) {
          caller.then(found => admit(request, found)).then(() => next(), refuse)
          return
        }
        admit(request, caller)
      } catch (error) {
        return refuse(error)
      }
      next()
    })
  },
  { name: 'auth', dependencies: ['tenants', 'limits'] }
)
