import type { OutboundTestNumber } from '../../../schemas/outbound-test-number.ts'
import { refuse } from '../codec.ts'
import { now } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

/** What every verification call tells: the sandbox calls nobody. */
const code = '12345'
const callsADay = 5
const callsInAll = 100
const codesACall = 5

interface Row extends OutboundTestNumber {
  numberId: number
  /** How many more codes can be tried since the last call; none before the first. */
  codesLeft?: number
}

const numbers = table<Row>('outboundTestNumbers', 'numberId')
/** Kept apart from the number: another number does not give new calls. */
const calls = table<{ callId: number; made: string }>('outboundTestCalls', 'callId')

/** A few countries by calling code; the longest that fits counts. */
const countries: Record<string, string> = {
  1: 'US',
  7: 'RU',
  77: 'KZ',
  33: 'FR',
  34: 'ES',
  39: 'IT',
  44: 'GB',
  49: 'DE',
  81: 'JP',
  91: 'IN'
}

const countryOf = (digits: string): string | undefined => countries[digits.slice(0, 2)] ?? countries[digits.slice(0, 1)]

const theNumber = (account: AccountState): Row => numbers.rows(account)[0] ?? refuse('TEST_NUMBER_NO_NUMBER')

export const methods: Record<string, Method> = {
  AddOutboundTestPhoneNumber(params, account) {
    const phoneNumber = params.need('phoneNumber', params.text('phoneNumber')).replace(/^\+/, '')
    if (!/^[1-9]\d{6,14}$/.test(phoneNumber)) refuse('INVALID_PHONE_NUMBER', 'phoneNumber')
    if (numbers.rows(account).length > 0) refuse('TEST_NUMBER_ALREADY_EXISTS', 'phoneNumber')
    numbers.add(account, { phoneNumber, isVerified: false, countryCode: countryOf(phoneNumber) })
    return { result: 1 }
  },

  GetOutboundTestPhoneNumbers: (_, account) => ({ result: numbers.rows(account) }),

  DelOutboundTestPhoneNumber(_, account) {
    const { numberId } = theNumber(account)
    numbers.remove(account, row => row.numberId === numberId)
    return { result: 1 }
  },

  VerifyOutboundTestPhoneNumber(_, account) {
    const row = theNumber(account)
    const made = now()
    if (row.isVerified) refuse('TEST_NUMBER_VERIFIED')
    const before = calls.rows(account)
    const today = before.filter(call => call.made.slice(0, 10) === made.slice(0, 10)).length
    if (before.length >= callsInAll) refuse('TEST_NUMBER_VERIFICATION_LIMIT')
    if (today >= callsADay) refuse('TEST_NUMBER_VERIFICATION_DAILY_LIMIT')
    calls.add(account, { made })
    row.codesLeft = codesACall
    return { dailyAttemptsLeft: callsADay - today - 1 }
  },

  ActivateOutboundTestPhoneNumber(params, account) {
    const given = params.need('verificationCode', params.text('verificationCode'))
    const row = theNumber(account)
    if (row.isVerified) refuse('TEST_NUMBER_VERIFIED')
    if (!/^\d{5}$/.test(given)) refuse('INVALID_TEST_NUMBER_VERIFICATION_CODE', 'verificationCode')
    if (row.codesLeft === undefined) refuse('TEST_NUMBER_NO_CODE')
    if (row.codesLeft === 0) refuse('TEST_NUMBER_CODE_ATTEMPTS_LIMIT')
    if (given !== code) {
      row.codesLeft = (row.codesLeft ?? 1) - 1
      refuse('TEST_NUMBER_WRONG_CODE', 'verificationCode')
    }
    row.isVerified = true
    return { result: 1 }
  }
}
