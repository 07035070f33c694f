import type { A2pFailed, A2pMessage, SmsMessage } from '../../../schemas/sms.ts'
import { codeOf } from '../../voximplant/error-codes.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { between, matches, now, present } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { addCharge } from './history.ts'
import { phoneNumbers } from './phone-numbers.ts'

const messages = table<SmsMessage, 'messageId'>('smsMessages', 'messageId', 1001)
const a2pMessages = table<A2pMessage, 'messageId'>('a2pMessages', 'messageId', 5001)

const maxText = 765
const maxA2pText = 1600
const maxDestinations = 100
const maxCount = 1000
const price = 0.0075
/** By their number at the upstream, from 1. */
const deliveryStatuses = ['QUEUED', 'DISPATCHED', 'ABORTED', 'REJECTED', 'DELIVERED', 'FAILED', 'EXPIRED', 'UNKNOWN']

/** The GSM-7 alphabet, and the characters that take two septets in it. */
const gsm7 = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà^{}\\[~\]|€\f]*$/
const twoSeptets = /[\^{}\\[~\]|€\f]/g

/** The number of parts a text is sent in. Parts of a longer text are shorter, as each carries a header that joins them. */
function fragmentsOf(text: string): number {
  const [length, alone, joined] = gsm7.test(text) ? [text.length + (text.match(twoSeptets)?.length ?? 0), 160, 153] : [text.length, 70, 67]
  return length <= alone ? 1 : Math.ceil(length / joined)
}

const digits = (number: string): string => number.replace(/^\+/, '')
const isNumber = (text: string): boolean => /^\d{5,15}$/.test(text)

/** What a message costs, with its transaction. */
function charge(account: AccountState, to: string, fragments: number, performedAt = now()) {
  const cost = Number((fragments * price).toFixed(4))
  const { transactionId } = addCharge(account, cost, {
    performedAt,
    resourceType: 'SMSOUT',
    transactionDescription: `SMS to ${to}`
  })
  return { fragments, cost, transactionId }
}

/** One page of the messages that the filters of both histories select, newest first. */
function historyOf<Row extends SmsMessage | A2pMessage>(rows: Row[], params: Params, timeOf: (row: Row) => string | undefined) {
  const from = params.text('fromDate')
  const to = params.text('toDate')
  if (from !== undefined && to !== undefined && from > to) reject('INVALID_DATE_RANGE', 'fromDate')
  const ids = params.ids('messageId')
  const times = between(from, to)
  const source = params.text('sourceNumber')
  const destination = params.text('destinationNumber')
  const count = params.number('count') ?? maxCount
  if (count > maxCount) reject('INVALID_RANGE', 'count')
  const selected = rows
    .filter(
      row =>
        matches(times, timeOf(row)) &&
        matches(ids, row.messageId) &&
        matches(source && digits(source), row.sourceNumber) &&
        matches(destination && digits(destination), row.destinationNumber)
    )
    .reverse()
  const offset = params.number('offset') ?? 0
  return { result: selected.slice(offset, offset + count), totalCount: selected.length }
}

/** The rented number a message is sent from. */
function checkSource(account: AccountState, source: string): string {
  const [row] = phoneNumbers.where(account, { phoneNumber: source, childAccountId: present(false) })
  if (!row) return reject('INVALID_SOURCE', 'source')
  if (!row.isSmsSupported) reject('NOT_SUPPORT_SMS', 'source')
  if (!row.isSmsEnabled) reject('SMS_DISABLED_FOR_NUMBER', 'source')
  return source
}

export const methods: Methods = {
  SendSmsMessage(params, account) {
    const sourceNumber = checkSource(account, digits(params.required('source')))
    const destinationNumber = digits(params.required('destination'))
    const text = params.required('smsBody')
    if (!isNumber(destinationNumber)) reject('INVALID_DESTINATION', 'destination')
    if (text.length > maxText) reject('TOO_LONG', 'smsBody')
    const { messageId, fragments } = messages.add(account, {
      sourceNumber,
      destinationNumber,
      direction: 'OUT',
      processedDate: now(),
      statusId: '1',
      text: params.flag('storeBody') ? text : undefined,
      ...charge(account, destinationNumber, fragmentsOf(text))
    })
    return { result: 1, messageId, fragmentsCount: fragments }
  },

  GetSmsHistory(params, account) {
    const direction = params.text('direction')?.toUpperCase()
    if (direction && !['IN', 'OUT'].includes(direction)) reject('INVALID_SMS_DIRECTION_PARAMETER', 'direction')
    return historyOf(messages.where(account, { direction: direction || undefined }), params, row => row.processedDate)
  },

  A2PSendSms(params, account) {
    const sourceNumber = params.required('srcNumber')
    const numbers = params.requiredTexts('dstNumbers')
    const text = params.required('text')
    // A sender's name, or a number.
    if (!/^([A-Za-z0-9 ._&-]{1,11}|\+?\d{5,15})$/.test(sourceNumber)) reject('INVALID_SRC_NUMBER', 'srcNumber')
    if (numbers.length > maxDestinations) reject('INVALID_RANGE', 'dstNumbers')
    if (text.length > maxA2pText) reject('INVALID_TEXT', 'text')
    const fragments = fragmentsOf(text)
    const failed: A2pFailed[] = []
    const result = []
    for (const number of numbers) {
      const destinationNumber = digits(number)
      const fail = (errorCode: number, errorDescription: string) => failed.push({ destinationNumber: number, errorCode, errorDescription })
      if (!isNumber(destinationNumber)) fail(codeOf.INVALID_DESTINATION, 'Invalid destination number')
      // No country has this code: a call can provoke a failure with it.
      else if (destinationNumber.startsWith('999')) fail(codeOf.NO_ROUTE_FOR_DST_NUMBERS, 'No route to the destination number')
      else {
        const { messageId } = a2pMessages.add(account, {
          sourceNumber: digits(sourceNumber),
          destinationNumber,
          processingDate: now(),
          statusId: '1',
          deliveryStatus: 'DELIVERED',
          text: params.flag('storeBody') ? text : undefined,
          ...charge(account, destinationNumber, fragments)
        })
        result.push({ messageId, destinationNumber })
      }
    }
    return { result, failed, fragmentsCount: fragments }
  },

  A2PGetSmsHistory(params, account) {
    const status = params.number('deliveryStatus')
    const deliveryStatus = status === undefined ? undefined : (deliveryStatuses[status - 1] ?? reject('INVALID_STATUS', 'deliveryStatus'))
    return historyOf(a2pMessages.where(account, { deliveryStatus }), params, row => row.processingDate)
  }
}

export function seed(account: AccountState): void {
  const desk = '14155550100'
  for (const [day, direction, other, text] of [
    [5, 'IN', '14155550102', 'Is my table ready?'],
    [5, 'OUT', '14155550102', 'Your table is ready'],
    [12, 'OUT', '14155550103', undefined],
    [19, 'IN', '14155550104', 'STOP'],
    [26, 'OUT', '442079460102', undefined]
  ] as const) {
    const out = direction === 'OUT'
    const time = `2026-01-${String(day).padStart(2, '0')}T${out ? '10' : '09'}:30:00Z`
    messages.add(account, {
      sourceNumber: out ? desk : other,
      destinationNumber: out ? other : desk,
      direction,
      processedDate: time,
      statusId: '1',
      text,
      ...(out ? charge(account, other, 1, time) : { fragments: 1, cost: 0 })
    })
  }
  for (const [i, deliveryStatus] of ['DELIVERED', 'DELIVERED', 'FAILED', 'EXPIRED', 'DELIVERED', 'QUEUED'].entries()) {
    const destinationNumber = `1415555${String(110 + i).padStart(4, '0')}`
    const time = `2026-01-${String(6 + i * 4).padStart(2, '0')}T12:00:00Z`
    a2pMessages.add(account, {
      sourceNumber: 'ACME',
      destinationNumber,
      processingDate: time,
      deliveryStatus,
      statusId: deliveryStatus === 'DELIVERED' ? '1' : deliveryStatus === 'QUEUED' ? '3' : '2',
      errorMessage: deliveryStatus === 'FAILED' ? 'Number is unreachable' : undefined,
      ...charge(account, destinationNumber, 1, time)
    })
  }
}
