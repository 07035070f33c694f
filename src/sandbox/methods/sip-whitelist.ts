import type { SipWhitelistItem } from '../../../schemas/sip-whitelist-item.ts'
import { type Params, refuse } from '../codec.ts'
import { readNetwork, writeNetwork } from '../network.ts'
import { chooseOne, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

const items = table<SipWhitelistItem>('sipWhitelist', 'sipWhitelistId')
const selector = { id: 'sipWhitelistId', unknownId: 'INVALID_SIP_WHITELIST_ID' } as const

/** The call's network, in the spelling that lists show. */
function networkOf(account: AccountState, params: Params, self?: SipWhitelistItem): string {
  const given = params.need('sipWhitelistNetwork', params.text('sipWhitelistNetwork'))
  const read = given.includes('/') ? readNetwork(given) : undefined
  const network = read
    ? `${writeNetwork(read).split('/', 1)[0]}/${read.prefix}`
    : refuse('INVALID_SIP_WHITELIST_NETWORK', 'sipWhitelistNetwork')
  if (items.rows(account).some(row => row !== self && row.sipWhitelistNetwork === network))
    refuse('VALUE_NOT_UNIQUE', 'sipWhitelistNetwork')
  return network
}

export const methods: Record<string, Method> = {
  AddSipWhiteListItem(params, account) {
    const { sipWhitelistId } = items.add(account, {
      sipWhitelistNetwork: networkOf(account, params),
      description: params.text('description')
    })
    return { result: 1, sipWhitelistId }
  },

  GetSipWhiteList(params, account) {
    const id = params.number('sipWhitelistId')
    return pageOf(
      items.rows(account).filter(row => id === undefined || row.sipWhitelistId === id),
      params
    )
  },

  SetSipWhiteListItem(params, account) {
    const row = chooseOne(items.rows(account), params, selector)
    row.sipWhitelistNetwork = networkOf(account, params, row)
    row.description = params.text('description') ?? row.description
    return { result: 1 }
  },

  DelSipWhiteListItem(params, account) {
    const { sipWhitelistId } = chooseOne(items.rows(account), params, selector)
    items.remove(account, row => row.sipWhitelistId === sipWhitelistId)
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  items.add(account, { sipWhitelistNetwork: '198.51.100.0/24', description: 'Carrier in Frankfurt' })
  items.add(account, { sipWhitelistNetwork: '203.0.113.16/28' })
}
