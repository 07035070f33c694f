import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { maxId } from '../schemas/common.ts'
import { grants } from '../src/api/scopes.ts'
import { invalid } from '../src/api/validation.ts'
import { Problem } from '../src/problems/problem.ts'
import { bearerToken } from '../src/tenants/api-keys.ts'
import type { Caller } from './tenants.ts'

const challenge = { 'www-authenticate': 'Bearer realm="voxgate"' }
/** The answer to a key that is none of ours. */
export const refused = () =>
  new Problem('authentication-required', 'Send `Authorization: Bearer vg_...` with a valid API key.', { headers: challenge })

/** Told only to somebody whose key was right, which is why they may know. */
const ended = {
  'key-expired': 'This API key has expired.',
  'key-revoked': 'This API key is revoked.'
} as const

/** Throws Problem unless the caller may make this request. The child account that it names. */
function check(request: FastifyRequest, caller: Caller | undefined): number | undefined {
  if (!caller) throw refused()
  if (caller.ended) throw new Problem(caller.ended, ended[caller.ended], { headers: challenge })
  if (!caller.enabled) throw new Problem('tenant-disabled', 'The tenant of this API key is disabled.')
  if (caller.networks.some(networks => !networks(request.callerAddress)))
    throw new Problem('address-not-allowed', `This API key does not work from ${request.callerAddress}.`)
  for (const scope of request.routeOptions.config.operation?.scopes ?? []) {
    if (!grants(caller.scopes, scope))
      throw new Problem('scope-missing', `This API key lacks the scope \`${scope}\`.`, {
        headers: { 'www-authenticate': `Bearer realm="voxgate", error="insufficient_scope", scope="${scope}"` }
      })
  }
  const child = request.headers[childAccountHeader]
  return child === undefined ? undefined : childAccountOf(caller, child)
}

function admit(request: FastifyRequest, caller: Caller | undefined): void {
  // Also of a request that is refused: it is counted and logged for the tenant.
  if (caller) request.tenant = caller
  request.childAccount = check(request, caller)
}

/** The header that names a child account, for which a call is then made. */
export const childAccountHeader = 'voxgate-child-account'

function childAccountOf({ childAccounts }: Caller, given: string | string[]): number {
  // What is sent twice comes joined by a comma, and is no number.
  const id = typeof given === 'string' && /^[1-9]\d{0,15}$/.test(given) ? Number(given) : Number.NaN
  if (!(id <= maxId))
    throw invalid([{ in: 'header', pointer: '/Voxgate-Child-Account', detail: 'must be the id of one account, a positive integer' }])
  if (childAccounts !== 'any' && !childAccounts?.has(id))
    throw new Problem('child-account-not-allowed', `This API key may not act for the account ${id}.`)
  return id
}

/** The caller's key -> `request.tenant`, on every route of the instance it is registered on. */
export default fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('tenant')
    app.decorateRequest('childAccount', undefined)
    app.decorateRequest('readmit', function (this: FastifyRequest) {
      const { tenant } = this
      const found = app.tenants.again(tenant)
      if (found === tenant) return
      // The same key, and by its tenant's immutable id the same tenant.
      const look = (caller: Caller | undefined) => {
        check(this, caller?.tenantUid === tenant.tenantUid ? caller : undefined)
      }
      return found instanceof Promise ? found.then(look) : look(found)
    })
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

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls: the tenant of the API key. */
    tenant: Caller
    /**
     * Looks at the caller again, right before a call leaves for it: its key may have been revoked, its tenant disabled or deleted since the request
     * began. Throws the Problem that a new request would get. Nothing to wait for unless memory cannot tell.
     */
    readmit(): void | Promise<void>
    /** The child account that the call is made for; undefined for the tenant's own. */
    childAccount: number | undefined
  }
}
