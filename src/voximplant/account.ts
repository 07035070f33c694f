import { SealError } from '../vault/vault.ts'
import type { SigningKey } from './token.ts'

/** Whom calls are made for: tenants, and the child accounts of their accounts. */

/** What a tenant calls the upstream with. One object per stored version: tokens are cached by it. */
export type Credential = ({ kind: 'key' } & SigningKey) | { kind: 'api-key'; accountId: number; apiKey: string }

/** Whom a call is made for, and where. */
export interface Account {
  tenantId: string
  /** Never another tenant's, also not that of one that is created again under the same id. */
  tenantUid: string
  /** Scheme, host and port of the upstream. */
  origin: string
  credential: Credential
  /** Headers of the tenant's own, in lower case. */
  headers?: Record<string, string> | undefined
}

/** What of a tenant decides how it reaches the upstream. */
interface TenantReach {
  tenantId: string
  uid: string
  apiHost?: string | undefined
  settings: { defaultHeaders?: Record<string, string> | undefined }
}

const originOf = ({ apiHost }: TenantReach, origin: string): string => (apiHost ? `https://${apiHost}` : origin)

/** Families of `x-` headers that proxies route by, or that say who calls. */
const routing =
  /^x-(?:forwarded|original|rewrite|real-ip|client-ip|cluster-client-ip|true-client-ip|remote|proxy|envoy|http-method|method-override|host|accel|sendfile|auth|api-key)(?:-|$)/

/**
 * Whether a tenant may have a default header of this name: one that tells about the client, and nothing that the connection, the form, the route
 * or the credentials depend on.
 */
export const isDefaultHeader = (name: string): boolean =>
  /^(?:accept-language|user-agent|x-[a-z0-9-]+)$/i.test(name) && !routing.test(name.toLowerCase())

const headersOf = ({ settings: { defaultHeaders } }: TenantReach): Record<string, string> | undefined =>
  defaultHeaders && Object.fromEntries(Object.entries(defaultHeaders).map(([name, value]) => [name.toLowerCase(), value]))

/**
 * A tenant's account. Throws SealError when its row holds a header that nobody could have set: the service checks what it stores.
 * @param origin the upstream for tenants without a host of their own
 */
export function accountOf(tenant: TenantReach, credential: Credential, origin: string): Account {
  const headers = headersOf(tenant)
  for (const name of Object.keys(headers ?? {}))
    if (!isDefaultHeader(name)) throw new SealError(`the default header ${name} may not be set`)
  return { tenantId: tenant.tenantId, tenantUid: tenant.uid, origin: originOf(tenant, origin), credential, headers }
}

/** Whether an account still reaches the upstream as its tenant wants it to. */
export const reaches = (account: Account, tenant: TenantReach, origin: string): boolean =>
  account.origin === originOf(tenant, origin) && JSON.stringify(account.headers) === JSON.stringify(headersOf(tenant))

const children = new WeakMap<Account, Map<number, Account>>()
const mostChildren = 1000

/** The same account's proof, in the name of a child account. One object per account and child: tokens are cached by it. */
export function childOf(account: Account, childId: number): Account {
  const known = children.get(account) ?? new Map<number, Account>()
  let child = known.get(childId)
  if (!child) {
    child = { ...account, credential: { ...account.credential, accountId: childId } }
    if (known.size >= mostChildren) known.delete(known.keys().next().value!)
    children.set(account, known.set(childId, child))
  }
  return child
}
