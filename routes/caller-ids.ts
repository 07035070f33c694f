import { bearsCallerNumber, CallerId } from '../schemas/caller-id.ts'
import { flag, id, idOrName, maybe, oneOf, paging, ref, strict, text } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { done, first, page } from '../src/api/replies.ts'

const tag = 'Caller ids'
const calleridId = { ...idOrName('The caller id', '14155550100'), description: 'The caller id: its id, or its number after a tilde.' }
const byNumber = { '~calleridId': 'calleridNumber' } as const

export default {
  listCallerIds: endpoint({
    http: 'GET /caller-ids',
    rpc: 'GetCallerIDs',
    summary: 'List caller ids',
    tag,
    input: strict({
      calleridId: maybe(id('Only the caller id with this id.')),
      calleridNumber: maybe(text('Only the caller id with this number.', { minLength: 1, maxLength: 50, examples: ['14155550100'] })),
      active: maybe(flag('Only caller ids that can be used, or only those that cannot.')),
      orderBy: maybe(oneOf(['caller_number', 'verified_until'], 'What the list is sorted by, upwards.')),
      ...paging
    }),
    reply: page(ref(CallerId))
  }),
  getCallerId: endpoint({
    http: 'GET /caller-ids/:calleridId',
    rpc: 'GetCallerIDs',
    summary: 'Get a caller id',
    tag,
    input: strict({ calleridId }),
    rename: byNumber,
    reply: first(ref(CallerId), 'calleridId', bearsCallerNumber)
  }),
  deleteCallerId: endpoint({
    http: 'DELETE /caller-ids/:calleridId',
    rpc: 'DelCallerID',
    summary: 'Delete a caller id',
    description: 'The upstream keeps a trace of the number, against spam: it is not forgotten altogether.',
    tag,
    input: strict({ calleridId }),
    rename: byNumber,
    reply: done
  })
}
