import { id, maybe, paging, ref, strict, text } from '../schemas/common.ts'
import { PstnBlacklistItem, PstnBlacklistPhone } from '../schemas/pstn-blacklist-item.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page } from '../src/api/replies.ts'

const tag = 'PSTN blacklist'
const pstnBlacklistId = id('The entry.')

export default {
  createPstnBlacklistItem: endpoint({
    http: 'POST /pstn-blacklist',
    rpc: 'AddPstnBlackListItem',
    summary: 'Block a calling number',
    description:
      'Calls from the number to telephone numbers rented from Voximplant are rejected. Calls over SIP are not: a scenario has to reject those.',
    tag,
    input: strict({ pstnBlacklistPhone: PstnBlacklistPhone }),
    reply: created({ pstnBlacklistId: id('The id of the new entry.') }, '/pstn-blacklist/:pstnBlacklistId')
  }),
  listPstnBlacklistItems: endpoint({
    http: 'GET /pstn-blacklist',
    rpc: 'GetPstnBlackList',
    summary: 'List blocked calling numbers',
    tag,
    input: strict({
      pstnBlacklistId: maybe(id('Only the entry with this id.')),
      pstnBlacklistPhone: maybe(text('Only entries for this number (E.164).', { minLength: 1, maxLength: 255, examples: ['14155550100'] })),
      ...paging
    }),
    reply: page(ref(PstnBlacklistItem))
  }),
  getPstnBlacklistItem: endpoint({
    http: 'GET /pstn-blacklist/:pstnBlacklistId',
    rpc: 'GetPstnBlackList',
    summary: 'Get a blocked calling number',
    tag,
    input: strict({ pstnBlacklistId }),
    reply: first(ref(PstnBlacklistItem), 'pstnBlacklistId')
  }),
  updatePstnBlacklistItem: endpoint({
    http: 'PUT /pstn-blacklist/:pstnBlacklistId',
    rpc: 'SetPstnBlackListItem',
    summary: 'Replace a blocked calling number',
    tag,
    input: strict({ pstnBlacklistId, pstnBlacklistPhone: PstnBlacklistPhone }),
    example: { pstnBlacklistPhone: '14155550198' },
    reply: done
  }),
  deletePstnBlacklistItem: endpoint({
    http: 'DELETE /pstn-blacklist/:pstnBlacklistId',
    rpc: 'DelPstnBlackListItem',
    summary: 'Unblock a calling number',
    tag,
    input: strict({ pstnBlacklistId }),
    reply: done
  })
}
