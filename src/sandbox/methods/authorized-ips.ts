import type { AuthorizedIp } from '../../../schemas/authorized-ip.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { contains, type Network, readNetwork, writeNetwork } from '../network.ts'
import { now, pageOf, where } from '../query.ts'
import { type AccountState, table } from '../state.ts'

interface Row extends AuthorizedIp {
  entryId: number
}

const entries = table<Row, 'entryId'>('authorizedIps', 'entryId')

const networkOf = (text: string): Network => readNetwork(text) ?? reject('INVALID_AUTHORIZED_IP', 'authorizedIp')

/** The entries that `authorizedIp` and the call's `contains_ip` and `allowed` select. */
function selectEntries(account: AccountState, params: Params, authorizedIp: string | undefined): Row[] {
  const spelling = authorizedIp === undefined ? undefined : writeNetwork(networkOf(authorizedIp))
  const containsIp = params.text('containsIp')
  const address = containsIp === undefined ? undefined : readNetwork(containsIp)
  if (containsIp !== undefined && address?.prefix !== 32) reject('INVALID_CONTAINS_IP', 'containsIp')
  return entries
    .where(account, { authorizedIp: spelling, allowed: params.flag('allowed') })
    .filter(row => address === undefined || contains(networkOf(row.authorizedIp), address))
}

export const methods: Methods = {
  AddAuthorizedAccountIP(params, account) {
    const authorizedIp = writeNetwork(networkOf(params.required('authorizedIp')))
    // An address is on one list: allowing it removes it from the denied ones.
    entries.remove(account, entries.where(account, { authorizedIp }))
    entries.add(account, {
      authorizedIp,
      allowed: params.flag('allowed') ?? true,
      description: params.text('description'),
      created: now()
    })
  },

  GetAuthorizedAccountIPs: (params, account) =>
    pageOf(where(selectEntries(account, params, params.text('authorizedIp')), { description: params.text('description') }), params),

  CheckAuthorizedAccountIP(params, account) {
    const network = networkOf(params.required('authorizedIp'))
    const [closest] = entries
      .rows(account)
      .filter(row => contains(networkOf(row.authorizedIp), network))
      .sort((a, b) => networkOf(b.authorizedIp).prefix - networkOf(a.authorizedIp).prefix)
    return { result: closest?.allowed ?? false, authorizedIp: closest?.authorizedIp }
  },

  DelAuthorizedAccountIP(params, account) {
    const authorizedIp = params.text('authorizedIp')
    if (!authorizedIp && !params.text('containsIp')) reject('REQUIRED_IS_EMPTY', 'authorizedIp')
    const rows = selectEntries(account, params, authorizedIp === 'all' ? undefined : authorizedIp)
    if (rows.length === 0 && authorizedIp && authorizedIp !== 'all') reject('AUTHORIZED_IP_NOT_FOUND', 'authorizedIp')
    return { result: entries.remove(account, rows) }
  }
}

export function seed(account: AccountState): void {
  for (const [authorizedIp, allowed, description] of [
    ['192.0.2.0/24', true, 'Office network'],
    ['192.0.2.66', false, 'Printer in the lobby'],
    ['203.0.113.9', true, undefined]
  ] as const)
    entries.add(account, { authorizedIp, allowed, description, created: '2026-01-15T09:30:00Z' })
}
