import { type Static, Type } from '@sinclair/typebox'
import { formattedName, id, maybe, text } from './common.ts'

export const SipWhitelistNetwork = formattedName(
  'The network whose SIP calls are let in.',
  '[0-9]{1,3}(?:\\.[0-9]{1,3}){3}/(?:[0-9]{1,2}|[0-9]{1,3}(?:\\.[0-9]{1,3}){3})',
  'A dotted IPv4 address, a slash, and the mask: as a length (192.0.2.0/24) or dotted (192.0.2.0/255.255.255.0).',
  { examples: ['192.0.2.0/24'] }
)
export const SipWhitelistDescription = text('A note on what the network is.', { maxLength: 255, examples: ['Carrier in Frankfurt'] })

export const SipWhitelistItem = Type.Object(
  {
    sipWhitelistId: id('The id of the entry.'),
    sipWhitelistNetwork: maybe(text('The network, with the length of its mask.', { examples: ['192.0.2.0/24'] })),
    description: maybe(text('The note on what the network is.', { examples: ['Carrier in Frankfurt'] }))
  },
  { $id: 'SipWhitelistItem', description: 'A network from which calls by SIP are let in.' }
)
export type SipWhitelistItem = Static<typeof SipWhitelistItem>
