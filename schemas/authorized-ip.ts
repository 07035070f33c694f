import { type Static, Type } from '@sinclair/typebox'
import { flag, formattedName, maybe, text, timestamp } from './common.ts'

/** An IPv4 address or network. */
export const AddressOrNetwork = (description: string) =>
  formattedName(
    description,
    '[0-9]{1,3}(?:\\.[0-9]{1,3}){3}(?:/(?:[0-9]{1,2}|[0-9]{1,3}(?:\\.[0-9]{1,3}){3}))?',
    'A dotted IPv4 address, or a network: an address, a slash and the length of the prefix.',
    { examples: ['192.0.2.0/24'] }
  )
export const AuthorizedIpDescription = text('A note on what the address is.', { maxLength: 255, examples: ['Office network'] })

export const AuthorizedIp = Type.Object(
  {
    authorizedIp: text('The IPv4 address or network.', { examples: ['192.0.2.0/24'] }),
    allowed: maybe(flag('Whether calls to the upstream from there are allowed (true) or rejected (false).')),
    description: maybe(text('The note on what the address is, where the upstream answers it.', { examples: ['Office network'] })),
    created: maybe(timestamp('When the address was put on the list.'))
  },
  {
    $id: 'AuthorizedIp',
    description: "An address or network from which the account's calls to the upstream are allowed, or forbidden."
  }
)
export type AuthorizedIp = Static<typeof AuthorizedIp>
