import type { AuthorizedIp } from '../../../schemas/authorized-ip.ts'
import type { UpstreamErrorName } from '../../voximplant/error-codes.ts'
import { refuse } from '../codec.ts'
import { contains, type Network, readNetwork, writeNetwork } from '../network.ts'
import { now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

interface Row extends AuthorizedIp {
  entryId: number
}

const entries = table<Row>('authorizedIps', 'entryId')

const networkOf = (text: string): Network => readNetwork(text) ?? refuse('INVALID_AUTHORIZED_IP', 'authorizedIp')

/** A single address. */
function addressOf(text: string, field: string, error: UpstreamErrorName): Network {
  const network = readNetwork(text)
  return network?.prefix === 32 ? network : refuse(error, field)
}

/** The entries that a call's `authorized_ip`, `contains_ip` and `allowed` select. */
function matching(
  account: AccountState,
  { authorizedIp, containsIp, allowed }: { authorizedIp?: string; containsIp?: string; allowed?: boolean }
): Row[] {
  const wanted = authorizedIp === undefined ? undefined : writeNetwork(networkOf(authorizedIp))
  const inside = containsIp === undefined ? undefined : addressOf(containsIp, 'containsIp', 'INVALID_CONTAINS_IP')
  return entries
    .rows(account)
    .filter(
      row =>
        (wanted === undefined || row.authorizedIp === wanted) &&
        (inside === undefined || contains(networkOf(row.authorizedIp), inside)) &&
        (allowed === undefined || row.allowed === allowed)
    )
}

export const methods: Record<string, Method> = {
  AddAuthorizedAccountIP(params, account) {
    const authorizedIp = writeNetwork(networkOf(params.need('authorizedIp', params.text('authorizedIp'))))
    // An address stands on one list: to allow it takes it from the forbidden ones.
    entries.remove(account, row => row.authorizedIp === authorizedIp)
    entries.add(account, {
      authorizedIp,
      allowed: params.flag('allowed') ?? true,
      description: params.text('description'),
      created: now()
    })
    return { result: 1 }
  },

  GetAuthorizedAccountIPs(params, account) {
    const note = params.text('description')
    const rows = matching(account, {
      authorizedIp: params.text('authorizedIp'),
      containsIp: params.text('containsIp'),
      allowed: params.flag('allowed')
    })
    return pageOf(
      rows.filter(row => note === undefined || row.description === note),
      params
    )
  },

  CheckAuthorizedAccountIP(params, account) {
    const asked = networkOf(params.need('authorizedIp', params.text('authorizedIp')))
    const [closest] = entries
      .rows(account)
      .filter(row => contains(networkOf(row.authorizedIp), asked))
      .sort((a, b) => networkOf(b.authorizedIp).prefix - networkOf(a.authorizedIp).prefix)
    return { result: closest?.allowed ?? false, authorizedIp: closest?.authorizedIp }
  },

  DelAuthorizedAccountIP(params, account) {
    const authorizedIp = params.text('authorizedIp')
    const containsIp = params.text('containsIp')
    if (!authorizedIp && !containsIp) refuse('REQUIRED_IS_EMPTY', 'authorizedIp')
    const chosen = matching(account, {
      authorizedIp: authorizedIp === 'all' ? undefined : authorizedIp,
      containsIp,
      allowed: params.flag('allowed')
    })
    if (chosen.length === 0 && authorizedIp && authorizedIp !== 'all') refuse('AUTHORIZED_IP_NOT_FOUND', 'authorizedIp')
    return { result: entries.remove(account, row => chosen.includes(row)) }
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
