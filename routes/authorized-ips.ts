import { AddressOrNetwork, AuthorizedIp, AuthorizedIpDescription } from '../schemas/authorized-ip.ts'
import { flag, integer, ipv4, maybe, paging, ref, strict, text } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, fields, page } from '../src/api/replies.ts'

const tag = 'Authorized IPs'
const address = { ...ipv4, examples: ['192.0.2.7'] }

const listAuthorizedIps = endpoint({
  http: 'GET /authorized-ips',
  rpc: 'GetAuthorizedAccountIPs',
  summary: 'List allowed and forbidden addresses',
  tag,
  input: strict({
    authorizedIp: maybe(AddressOrNetwork('Only this entry.')),
    containsIp: maybe(text('Only networks that this IPv4 address belongs to.', address)),
    allowed: maybe(flag('Only allowed addresses, or only forbidden ones.')),
    description: maybe(text('Only entries with this note.', { minLength: 1, maxLength: 255, examples: ['Office network'] })),
    ...paging
  }),
  reply: page(ref(AuthorizedIp))
})

export default {
  createAuthorizedIp: endpoint({
    http: 'POST /authorized-ips',
    rpc: 'AddAuthorizedAccountIP',
    summary: 'Allow or forbid an address',
    description:
      "Puts an address or a network on the list of those from which the account may be managed, or of those from which it may not. Mind that Voxgate's own address must stay allowed.",
    tag,
    input: strict({
      authorizedIp: AddressOrNetwork('What is allowed or forbidden.'),
      allowed: maybe(flag('Whether it is allowed (true, also when left out) or forbidden (false).')),
      description: maybe(AuthorizedIpDescription)
    }),
    reply: created({}, '/authorized-ips?authorizedIp=:authorizedIp')
  }),
  listAuthorizedIps,
  checkAuthorizedIp: endpoint({
    http: 'GET /authorized-ips/check',
    rpc: 'CheckAuthorizedAccountIP',
    summary: 'Check whether an address or a network is allowed',
    description:
      'Returns the entry that decided, where there is one. An address or network that no entry covers is not allowed, although none forbids it.',
    tag,
    input: strict({ authorizedIp: AddressOrNetwork('The IPv4 address or network to check.') }),
    reply: fields(
      {
        allowed: flag('Whether the address is allowed.'),
        authorizedIp: maybe(text('The address or network of the entry that decided.', { examples: ['192.0.2.0/24'] }))
      },
      { result: 'allowed', description: 'Whether the address is allowed.' }
    )
  }),
  deleteAuthorizedIps: endpoint({
    http: 'DELETE /authorized-ips',
    rpc: 'DelAuthorizedAccountIP',
    summary: 'Take addresses off the lists',
    description:
      "Exactly one of `authorizedIp` and `containsIp` says which. Answers how many entries were removed. Mind that Voxgate's own address must stay allowed.",
    tag,
    input: strict({
      authorizedIp: maybe(AddressOrNetwork('The entry to remove.')),
      containsIp: maybe(text('Removes every network that this IPv4 address belongs to.', address)),
      allowed: maybe(flag('Removes from the allowed (true) or the forbidden (false) ones only; from both when left out.'))
    }),
    exactlyOne: ['authorizedIp', 'containsIp'],
    all: { authorizedIp: listAuthorizedIps },
    reply: fields(
      { removed: integer('How many entries were removed.', { minimum: 0, examples: [1] }) },
      { result: 'removed', description: 'How many entries were removed.' }
    )
  })
}
