import { type Static, Type } from '@sinclair/typebox'
import { decimal, flag, id, integer, maybe, text, timestamp } from './common.ts'

export const StoreBody = flag('Whether the text is kept, to be answered with the history. Not kept without it.')

const sent = {
  messageId: id('The id of the message.', 42),
  sourceNumber: maybe(text('The number, or sender name, it was sent from.', { examples: ['14155550100'] })),
  destinationNumber: maybe(text('The number it was sent to.', { examples: ['14155550101'] })),
  text: maybe(text('The text, where it was kept.', { examples: ['Your table is ready'] })),
  fragments: maybe(integer('Into how many charged parts the text was cut.', { examples: [1] })),
  cost: maybe(decimal('The cost of the message, in the currency of the account.', { examples: [0.0075] })),
  statusId: maybe(text('How it went: 1 well, 2 failed, 3 not known yet.', { examples: ['1'] })),
  errorMessage: maybe(text('Why it failed.', { examples: ['Number is unreachable'] })),
  transactionId: maybe(id('The transaction that charged it.', 9001))
}

export const SmsMessage = Type.Object(
  {
    ...sent,
    direction: maybe(text('IN for a received message, OUT for a sent one.', { examples: ['OUT'] })),
    processedDate: maybe(timestamp('When the message was handled.'))
  },
  { $id: 'SmsMessage', description: 'An SMS that one of the phone numbers sent or received.' }
)
export type SmsMessage = Static<typeof SmsMessage>

export const A2pMessage = Type.Object(
  {
    ...sent,
    deliveryStatus: maybe(
      text('How far it got: QUEUED, DISPATCHED, ABORTED, REJECTED, DELIVERED, FAILED, EXPIRED or UNKNOWN.', { examples: ['DELIVERED'] })
    ),
    processingDate: maybe(timestamp('When the message was handled.'))
  },
  { $id: 'A2pMessage', description: 'A one-way SMS, sent by an application to a person (A2P).' }
)
export type A2pMessage = Static<typeof A2pMessage>

export const A2pSent = Type.Object(
  {
    messageId: id('The id of the message.', 42),
    destinationNumber: maybe(text('The number it is on its way to.', { examples: ['14155550101'] }))
  },
  { $id: 'A2pSent', description: 'A message that the upstream took.' }
)
export type A2pSent = Static<typeof A2pSent>

export const A2pFailed = Type.Object(
  {
    destinationNumber: text('The number it was meant for.', { examples: ['14155550102'] }),
    errorCode: maybe(integer('The error code of the upstream.', { examples: [506] })),
    errorDescription: maybe(text('The error in words.', { examples: ['No route to the destination number'] }))
  },
  { $id: 'A2pFailed', description: 'A message that the upstream did not take.' }
)
export type A2pFailed = Static<typeof A2pFailed>
