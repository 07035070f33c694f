import type { A2pFailed, A2pMessage, SmsMessage } from '../../../schemas/sms.ts'
import { codeOf } from '../../voximplant/error-codes.ts'
import { type Params, refuse } from '../codec.ts'
import { now } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { addCharge } from './history.ts'
import type { Method } from './index.ts'
import { phoneNumbers } from './phone-numbers.ts'

const messages = table<SmsMessage>('smsMessages', 'messageId', 1001)
const a2pMessages = table<A2pMessage>('a2pMessages', 'messageId', 5001)

const maxText = 765
const maxA2pText = 1600
const maxDestinations = 100
const maxCount = 1000
const price = 0.0075
/** By their number at the upstream, from 1. */
const deliveryStatuses = ['QUEUED', 'DISPATCHED', 'ABORTED', 'REJECTED', 'DELIVERED', 'FAILED', 'EXPIRED', 'UNKNOWN']

/** The GSM-7 alphabet, and what takes two places in it. */
const gsm7 = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà^{}\\[~\]|€\f]*$/
const twofold = /[\^{}\\[~\]|€\f]/g

/** Into how many parts a text is cut. Every part of a cut text gives up some places for what joins them. */
function fragmentsOf(text: string): number {
  const [length, alone, joined] = gsm7.test(text) ? [text.length + (text.match(twofold)?.length ?? 0), 160, 153] : [text.length, 70, 67]
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

/** The rows that the filters of both histories leave, page by page, newest first. */
function historyOf<Row extends SmsMessage | A2pMessage>(rows: Row[], params: Params, timeOf: (row: Row) => string | undefined) {
  const from = params.text('fromDate')
  const to = params.text('toDate')
  if (from !== undefined && to !== undefined && from > to) refuse('INVALID_DATE_RANGE', 'fromDate')
  const ids = params.ids('messageId')
  const source = params.text('sourceNumber')
  const destination = params.text('destinationNumber')
  const count = params.number('count') ?? maxCount
  if (count > maxCount) refuse('INVALID_RANGE', 'count')
  const found = rows
    .filter(row => {
      const time = timeOf(row) ?? ''
      return (
        (from === undefined || time >= from) &&
        (to === undefined || time <= to) &&
        (ids === undefined || ids === 'all' || ids.includes(row.messageId)) &&
        (source === undefined || row.sourceNumber === digits(source)) &&
        (destination === undefined || row.destinationNumber === digits(destination))
      )
    })
    .reverse()
  const offset = params.number('offset') ?? 0
  return { result: found.slice(offset, offset + count), totalCount: found.length }
}

/** The rented number a message is sent from. */
function checkSource(account: AccountState, source: string): string {
  const row = phoneNumbers.rows(account).find(row => row.phoneNumber === source && row.childAccountId === undefined)
  if (!row) return refuse('INVALID_SOURCE', 'source')
  if (!row.isSmsSupported) refuse('NOT_SUPPORT_SMS', 'source')
  if (!row.isSmsEnabled) refuse('SMS_DISABLED_FOR_NUMBER', 'source')
  return source
}

export const methods: Record<string, Method> = {
  SendSmsMessage(params, account) {
    const sourceNumber = checkSource(account, digits(params.need('source', params.text('source'))))
    const destinationNumber = digits(params.need('destination', params.text('destination')))
    const text = params.need('smsBody', params.text('smsBody'))
    if (!isNumber(destinationNumber)) refuse('INVALID_DESTINATION', 'destination')
    if (text.length > maxText) refuse('TOO_LONG', 'smsBody')
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
    if (direction && !['IN', 'OUT'].includes(direction)) refuse('INVALID_SMS_DIRECTION_PARAMETER', 'direction')
    const rows = messages.rows(account).filter(row => !direction || row.direction === direction)
    return historyOf(rows, params, row => row.processedDate)
  },

  A2PSendSms(params, account) {
    const sourceNumber = params.need('srcNumber', params.text('srcNumber'))
    const numbers = params.need('dstNumbers', params.texts('dstNumbers'))
    const text = params.need('text', params.text('text'))
    // A sender's name, or a number.
    if (!/^([A-Za-z0-9 ._&-]{1,11}|\+?\d{5,15})$/.test(sourceNumber)) refuse('INVALID_SRC_NUMBER', 'srcNumber')
    if (numbers.length > maxDestinations) refuse('INVALID_RANGE', 'dstNumbers')
    if (text.length > maxA2pText) refuse('INVALID_TEXT', 'text')
    const fragments = fragmentsOf(text)
    const failed: A2pFailed[] = []
    const result = []
    for (const number of numbers) {
      const destinationNumber = digits(number)
      const fail = (errorCode: number, errorDescription: string) => failed.push({ destinationNumber: number, errorCode, errorDescription })
      if (!isNumber(destinationNumber)) fail(codeOf.INVALID_DESTINATION, 'Invalid destination number')
      // No country has this code: the way to see a failure.
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
    const wanted = status === undefined ? undefined : (deliveryStatuses[status - 1] ?? refuse('INVALID_STATUS', 'deliveryStatus'))
    const rows = a2pMessages.rows(account).filter(row => wanted === undefined || row.deliveryStatus === wanted)
    return historyOf(rows, params, row => row.processingDate)
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
