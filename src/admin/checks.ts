import type { TenantChanges } from '../../schemas/tenant.ts'
import { isNetwork } from '../config/networks.ts'
import { invalid } from '../problems/invalid-request.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import { StoreRefusal } from '../tenants/model.ts'
import { isDefaultHeader } from '../voximplant/account.ts'
import { parseInstant } from '../voximplant/wire/times.ts'

/** What administrators may not do, as Problems. */

export const noTenant = (tenantId: string) => new Problem('not-found', `There is no tenant ${tenantId}.`)
export const noKey = (keyId: string) => new Problem('not-found', `There is no key ${keyId}.`)

const problemTypes = {
  'tenant-exists': 'tenant-exists',
  'tenant-missing': 'not-found',
  'account-differs': 'credentials-of-another-account',
  'key-missing': 'not-found',
  'key-ended': 'key-ended'
} as const

/** Rethrows an error of the store, as a Problem where an administrator can act on it. */
export const rethrow = (error: unknown): never => {
  if (!(error instanceof StoreRefusal)) throw error
  throw new Problem(problemTypes[error.reason], `${error.message[0]!.toUpperCase()}${error.message.slice(1)}.`, { cause: error })
}

export const inBody = (pointer: string, detail: string): Violation => ({ in: 'body', pointer, detail })

export const invalidNetworks = (networks: readonly string[] | null | undefined, pointer: string): Violation[] =>
  (networks ?? []).flatMap((network, i) =>
    isNetwork(network)
      ? []
      : [inBody(`${pointer}/${i}`, 'must be a network in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32, or an address')]
  )

export const invalidExpiry = (expiresAt: string | undefined, now: number): Violation[] =>
  expiresAt !== undefined && parseInstant(expiresAt)! <= now ? [inBody('/expiresAt', 'must lie in the future')] : []

/** Throws unless a host is allowed to receive credentials. @param hosts as UPSTREAM_HOSTS lists them */
export function checkHost(apiHost: string | null | undefined, hosts: string): void {
  if (!apiHost) return
  const name = apiHost.replace(/:\d+$/, '')
  const listed = hosts.split(',').map(item => item.trim())
  if (!listed.some(item => item === apiHost || item === name || (item.startsWith('*.') && name.endsWith(item.slice(1)))))
    throw invalid([inBody('/apiHost', `is none of the hosts that UPSTREAM_HOSTS lists (${listed.join(', ')})`)])
}

export function checkSettings(settings: NonNullable<TenantChanges['settings']> | undefined): void {
  const violations = [
    ...invalidNetworks(settings?.allowedCidrs, '/settings/allowedCidrs'),
    ...Object.keys(settings?.defaultHeaders ?? {}).flatMap(name =>
      isDefaultHeader(name)
        ? []
        : [
            inBody(
              `/settings/defaultHeaders/${name}`,
              'is not a header that can be set; accept-language, user-agent and x- headers are, unless they are about routes or callers'
            )
          ]
    )
  ]
  if (violations.length > 0) throw invalid(violations)
}

/** RFC 9110, section 13.1.1: `*` or a list of tags, compared strongly, so that a weak tag never matches. Throws unless one is the current tag. */
export function checkPrecondition(ifMatch: string, etag: string, tenantId: string): void {
  const tags = ifMatch.split(',').map(tag => tag.trim())
  if (tags.includes('*') || tags.includes(etag)) return
  const weak = tags.find(tag => tag.startsWith('W/'))
  if (weak !== undefined)
    throw new Problem(
      'precondition-failed',
      `If-Match holds the weak tag ${weak}, which never matches. A proxy that compresses responses weakens tags: send the tag without W/, or read the tenant without compression.`
    )
  const bare = tags.find(tag => !/^"[^"]*"$/.test(tag))
  if (bare !== undefined)
    throw invalid([{ in: 'header', pointer: '/If-Match', detail: 'must be `*` or tags in double quotes, as in the ETag header' }])
  throw new Problem('precondition-failed', `The tenant ${tenantId} is not in the state that If-Match names.`)
}
