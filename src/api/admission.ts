import type { FastifyRequest } from 'fastify'
import { maxId } from '../../schemas/common.ts'
import { invalid } from '../problems/invalid-request.ts'
import { Problem } from '../problems/problem.ts'
import type { Caller } from '../tenants/caller.ts'
import type {} from './request.ts'
import { grants } from './scopes.ts'

const challenge = { 'www-authenticate': 'Bearer realm="voxgate"' }
/** The problem of a missing, malformed or unknown key: the same for all three. */
export const notAuthenticated = () =>
  new Problem('authentication-required', 'Send `Authorization: Bearer vg_...` with a valid API key.', { headers: challenge })

/** Reported only to callers whose key was right. */
const ended = {
  'key-expired': 'This API key has expired.',
  'key-revoked': 'This API key is revoked.'
} as const

/** Returns the child account that a request names. Throws Problem unless its caller may make it. */
export function checkCaller(request: FastifyRequest, caller: Caller | undefined): number | undefined {
  if (!caller) throw notAuthenticated()
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

/** Looks a caller up again. */
export interface CallerLookup {
  /** The caller as it is now; the same object when nothing has changed. A promise only where memory cannot tell. */
  again(caller: Caller): Caller | undefined | Promise<Caller | undefined>
}

/**
 * Checks the caller of a request again, right before a call leaves for it: its key may have been revoked, its tenant disabled or deleted since the
 * request began. Throws the Problem that a new request would get. A promise only where memory cannot tell.
 */
export function readmit(request: FastifyRequest, callers: CallerLookup): void | Promise<void> {
  const { tenant } = request
  const current = callers.again(tenant)
  if (current === tenant) return
  // The same key, and by its tenant's immutable id the same tenant.
  const check = (caller: Caller | undefined) => {
    checkCaller(request, caller?.tenantUid === tenant.tenantUid ? caller : undefined)
  }
  return current instanceof Promise ? current.then(check) : check(current)
}
