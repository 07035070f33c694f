import { Type } from '@sinclair/typebox'
import { id, idList, integer, list, listItem, maybe, oneOf, pageLimit, paging, ref, strict, text, timestamp } from '../schemas/common.ts'
import { A2pFailed, A2pMessage, A2pSent, SmsMessage, StoreBody } from '../schemas/sms.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, fields, page } from '../src/api/replies.ts'
import { Problem } from '../src/problems/problem.ts'

const tag = 'SMS'
const cut =
  'A text of more than 160 GSM-7 characters, or 70 where it holds any other character, is cut into parts, and every part is charged.'
const filters = {
  messageId: maybe(idList('Only the messages with these ids.', { examples: [[42, 43]] })),
  sourceNumber: maybe(text('Only messages from this number.', { minLength: 1, examples: ['14155550100'] })),
  destinationNumber: maybe(text('Only messages to this number.', { minLength: 1, examples: ['14155550101'] })),
  fromDate: maybe(timestamp('Only messages handled at this instant or later.')),
  toDate: maybe(timestamp('Only messages handled at this instant or earlier.', { examples: ['2026-01-16T09:30:00Z'] })),
  ...paging,
  limit: pageLimit(1000)
}

const a2pOutcomes = fields(
  {
    sent: Type.Array(ref(A2pSent), { description: 'The messages that the upstream took.' }),
    failed: maybe(Type.Array(ref(A2pFailed), { description: 'The messages that it did not take, and why.' })),
    fragmentsCount: maybe(integer('Into how many charged parts the text was cut.', { examples: [1] }))
  },
  { result: 'sent', description: 'What became of each message.' }
)

export default {
  sendSms: endpoint({
    http: 'POST /sms-messages',
    rpc: 'SendSmsMessage',
    summary: 'Send an SMS',
    description: `Sends from one of the account's phone numbers, for which SMS must be on. ${cut}`,
    tag,
    input: strict({
      source: text("The account's phone number it is sent from.", { minLength: 1, examples: ['14155550100'] }),
      destination: text('The phone number it is sent to.', { minLength: 1, examples: ['14155550101'] }),
      smsBody: text('The text; up to 765 characters.', { minLength: 1, maxLength: 765, examples: ['Your table is ready'] }),
      storeBody: maybe(StoreBody)
    }),
    reply: created(
      {
        messageId: maybe(id('The id of the message.', 42)),
        fragmentsCount: maybe(integer('Into how many charged parts the text was cut.', { examples: [1] }))
      },
      '/sms-messages?messageId=:messageId'
    )
  }),
  listSmsMessages: endpoint({
    http: 'GET /sms-messages',
    rpc: 'GetSmsHistory',
    summary: 'List sent and received SMS',
    tag,
    input: strict({
      ...filters,
      direction: maybe(oneOf(['IN', 'OUT'], 'Only received messages (IN), or only sent ones (OUT).'))
    }),
    fixed: { timezone: 'Etc/GMT' },
    reply: page(ref(SmsMessage))
  }),
  sendA2pMessages: endpoint({
    http: 'POST /a2p-messages',
    rpc: 'A2PSendSms',
    summary: 'Send a one-way SMS to several numbers',
    description: `Sends from a sender id that the upstream has set up for the account. Some numbers can fail while others succeed: read both lists. ${cut}`,
    tag,
    input: strict({
      srcNumber: text('The sender id it is sent from.', { minLength: 1, examples: ['ACME'] }),
      dstNumbers: list(listItem({ maxLength: 50 }), 'The numbers it is sent to; up to 100.', {
        examples: [['14155550101', '14155550102']]
      }),
      text: text('The text; up to 1600 characters.', { minLength: 1, maxLength: 1600, examples: ['Your table is ready'] }),
      storeBody: maybe(StoreBody)
    }),
    reply: {
      ...a2pOutcomes,
      read(response, context) {
        const isEmpty = (outcomes: unknown) => !Array.isArray(outcomes) || outcomes.length === 0
        if (isEmpty(response.result) && isEmpty(response.failed))
          throw new Problem('upstream-answer-invalid', 'The upstream did not return what became of the messages.')
        return a2pOutcomes.read(response, context)
      }
    }
  }),
  listA2pMessages: endpoint({
    http: 'GET /a2p-messages',
    rpc: 'A2PGetSmsHistory',
    summary: 'List one-way SMS',
    tag,
    input: strict({
      ...filters,
      deliveryStatus: maybe(
        integer(
          'Only messages that got this far: 1 queued, 2 dispatched, 3 aborted, 4 rejected, 5 delivered, 6 failed, 7 expired, 8 unknown.',
          { minimum: 1, maximum: 8, examples: [5] }
        )
      )
    }),
    reply: page(ref(A2pMessage))
  })
}
