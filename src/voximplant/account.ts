import type { Tenant } from '../tenants/model.ts'
import { SealError } from '../vault/vault.ts'
import type { Account, Credential } from './client.ts'

/** Whom calls are made for: tenants, and the child accounts of their accounts. */

/** How a tenant reaches the upstream. */
type Reach = Pick<Tenant, 'tenantId' | 'uid' | 'apiHost' | 'settings'>

const originOf = ({ apiHost }: Reach, origin: string): string => (apiHost ? `https://${apiHost}` : origin)

/** Families of `x-` headers that proxies route by, or that say who calls. */
const routing =
  /^x-(?:forwarded|original|rewrite|real-ip|client-ip|cluster-client-ip|true-client-ip|remote|proxy|envoy|http-method|method-override|host|accel|sendfile|auth|api-key)(?:-|$)/

/**
 * Whether a tenant may have a default header of this name: one that tells about the client, and nothing that the connection, the form, the route
 * or the credentials depend on.
 */
export const isDefaultHeader = (name: string): boolean =>
  /^(?:accept-language|user-agent|x-[a-z0-9-]+)$/i.test(name) && !routing.test(name.toLowerCase())

const headersOf = ({ settings: { defaultHeaders } }: Reach): Record<string, string> | undefined =>
  defaultHeaders && Object.fromEntries(Object.entries(defaultHeaders).map(([name, value]) => [name.toLowerCase(), value]))

/**
 * A tenant's account. Throws SealError when its row holds a header that nobody could have set: the service checks what it stores.
 * @param origin the upstream for tenants without a host of their own
 */
export function accountOf(tenant: Reach, credential: Credential, origin: string): Account {
  const headers = headersOf(tenant)
  for (const name of Object.keys(headers ?? {}))
    if (!isDefaultHeader(name)) throw new SealError(`the default header ${name} may not be set`)
  return { tenantId: tenant.tenantId, tenantUid: tenant.uid, origin: originOf(tenant, origin), credential, headers }
}

/** Whether an account still reaches the upstream as its tenant wants it to. */
export const reaches = (account: Account, tenant: Reach, origin: string): boolean =>
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
