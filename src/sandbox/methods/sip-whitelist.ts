import type { SipWhitelistItem } from '../../../schemas/sip-whitelist-item.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { readNetwork, writeNetwork } from '../network.ts'
import { resource } from '../resource.ts'
import { type AccountState, table } from '../state.ts'

const items = table<SipWhitelistItem, 'sipWhitelistId'>('sipWhitelist', 'sipWhitelistId')
const whitelist = resource({ table: items, id: 'sipWhitelistId', notFound: 'INVALID_SIP_WHITELIST_ID' })

/** The call's network as lists show it, which no row but `self` may have. */
function networkOf(account: AccountState, params: Params, self?: SipWhitelistItem): string {
  const text = params.required('sipWhitelistNetwork')
  const network = text.includes('/') ? readNetwork(text) : undefined
  if (!network) return reject('INVALID_SIP_WHITELIST_NETWORK', 'sipWhitelistNetwork')
  const sipWhitelistNetwork = `${writeNetwork(network).split('/', 1)[0]}/${network.prefix}`
  if (items.where(account, { sipWhitelistNetwork }).some(row => row !== self)) reject('VALUE_NOT_UNIQUE', 'sipWhitelistNetwork')
  return sipWhitelistNetwork
}

export const methods: Methods = {
  AddSipWhiteListItem: (params, account) =>
    whitelist.add(account, { sipWhitelistNetwork: networkOf(account, params), description: params.text('description') }),

  GetSipWhiteList: (params, account) => whitelist.page(account, params, { sipWhitelistId: params.number('sipWhitelistId') }),

  SetSipWhiteListItem(params, account) {
    const row = whitelist.one(account, params)
    return whitelist.update(row, { sipWhitelistNetwork: networkOf(account, params, row), description: params.text('description') })
  },

  DelSipWhiteListItem: whitelist.remove
}

export function seed(account: AccountState): void {
  items.add(account, { sipWhitelistNetwork: '198.51.100.0/24', description: 'Carrier in Frankfurt' })
  items.add(account, { sipWhitelistNetwork: '203.0.113.16/28' })
}
