import { id, maybe, paging, ref, strict } from '../schemas/common.ts'
import { SipWhitelistDescription, SipWhitelistItem, SipWhitelistNetwork } from '../schemas/sip-whitelist-item.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page } from '../src/api/replies.ts'

const tag = 'SIP whitelist'
const sipWhitelistId = id('The entry.')
const entry = { sipWhitelistNetwork: SipWhitelistNetwork, description: maybe(SipWhitelistDescription) }

export default {
  createSipWhitelistItem: endpoint({
    http: 'POST /sip-whitelist',
    rpc: 'AddSipWhiteListItem',
    summary: 'Let SIP calls of a network in',
    tag,
    input: strict(entry),
    reply: created({ sipWhitelistId: id('The id of the new entry.') }, '/sip-whitelist/:sipWhitelistId')
  }),
  listSipWhitelistItems: endpoint({
    http: 'GET /sip-whitelist',
    rpc: 'GetSipWhiteList',
    summary: 'List the networks whose SIP calls are let in',
    tag,
    input: strict({ sipWhitelistId: maybe(id('Only the entry with this id.')), ...paging }),
    reply: page(ref(SipWhitelistItem))
  }),
  getSipWhitelistItem: endpoint({
    http: 'GET /sip-whitelist/:sipWhitelistId',
    rpc: 'GetSipWhiteList',
    summary: 'Get a network whose SIP calls are let in',
    tag,
    input: strict({ sipWhitelistId }),
    reply: first(ref(SipWhitelistItem), 'sipWhitelistId')
  }),
  updateSipWhitelistItem: endpoint({
    http: 'PUT /sip-whitelist/:sipWhitelistId',
    rpc: 'SetSipWhiteListItem',
    summary: 'Replace a network whose SIP calls are let in',
    tag,
    input: strict({ sipWhitelistId, ...entry }),
    example: { sipWhitelistNetwork: '192.0.2.128/25' },
    reply: done
  }),
  deleteSipWhitelistItem: endpoint({
    http: 'DELETE /sip-whitelist/:sipWhitelistId',
    rpc: 'DelSipWhiteListItem',
    summary: 'Stop letting SIP calls of a network in',
    tag,
    input: strict({ sipWhitelistId }),
    reply: done
  })
}
