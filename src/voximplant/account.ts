import type { Tenant } from '../tenants/model.ts'
import type { Account, Credential } from './client.ts'

/** Whom calls are made for: tenants, and the child accounts of their accounts. */

/** How a tenant reaches the upstream. */
type Reach = Pick<Tenant, 'tenantId' | 'uid' | 'apiHost' | 'settings'>

const originOf = ({ apiHost }: Reach, origin: string): string => (apiHost ? `https://${apiHost}` : origin)

const headersOf = ({ settings: { defaultHeaders } }: Reach): Record<string, string> | undefined =>
  defaultHeaders && Object.fromEntries(Object.entries(defaultHeaders).map(([name, value]) => [name.toLowerCase(), value]))

/** A tenant's account. @param origin the upstream for tenants without a host of their own */
export const accountOf = (tenant: Reach, credential: Credential, origin: string): Account => ({
  tenantId: tenant.tenantId,
  tenantUid: tenant.uid,
  origin: originOf(tenant, origin),
  credential,
  headers: headersOf(tenant)
})

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
