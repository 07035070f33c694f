import type { OutboundTestNumber } from '../../../schemas/outbound-test-number.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { now } from '../query.ts'
import { type AccountState, table } from '../state.ts'

/** The code of every verification call: the sandbox makes no real ones. */
const code = '12345'
const maxCallsPerDay = 5
const maxCalls = 100
const maxCodesPerCall = 5

interface Row extends OutboundTestNumber {
  numberId: number
  /** How many more codes can be tried since the last call; none before the first. */
  codesLeft?: number
}

const numbers = table<Row, 'numberId'>('outboundTestNumbers', 'numberId')
/** A table of its own: another number does not allow further calls. */
const calls = table<{ callId: number; made: string }, 'callId'>('outboundTestCalls', 'callId')

/** A few countries by calling code; the longest match counts. */
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

const requireNumber = (account: AccountState): Row => numbers.rows(account)[0] ?? reject('TEST_NUMBER_NO_NUMBER')

export const methods: Methods = {
  AddOutboundTestPhoneNumber(params, account) {
    const phoneNumber = params.required('phoneNumber').replace(/^\+/, '')
    if (!/^[1-9]\d{6,14}$/.test(phoneNumber)) reject('INVALID_PHONE_NUMBER', 'phoneNumber')
    if (numbers.rows(account).length > 0) reject('TEST_NUMBER_ALREADY_EXISTS', 'phoneNumber')
    numbers.add(account, { phoneNumber, isVerified: false, countryCode: countryOf(phoneNumber) })
  },

  GetOutboundTestPhoneNumbers: (_, account) => ({ result: numbers.rows(account) }),

  DelOutboundTestPhoneNumber(_, account) {
    numbers.remove(account, [requireNumber(account)])
  },

  VerifyOutboundTestPhoneNumber(_, account) {
    const row = requireNumber(account)
    const made = now()
    if (row.isVerified) reject('TEST_NUMBER_VERIFIED')
    const before = calls.rows(account)
    const today = before.filter(call => call.made.slice(0, 10) === made.slice(0, 10)).length
    if (before.length >= maxCalls) reject('TEST_NUMBER_VERIFICATION_LIMIT')
    if (today >= maxCallsPerDay) reject('TEST_NUMBER_VERIFICATION_DAILY_LIMIT')
    calls.add(account, { made })
    row.codesLeft = maxCodesPerCall
    return { dailyAttemptsLeft: maxCallsPerDay - today - 1 }
  },

  ActivateOutboundTestPhoneNumber(params, account) {
    const attempt = params.required('verificationCode')
    const row = requireNumber(account)
    if (row.isVerified) reject('TEST_NUMBER_VERIFIED')
    if (!/^\d{5}$/.test(attempt)) reject('INVALID_TEST_NUMBER_VERIFICATION_CODE', 'verificationCode')
    if (row.codesLeft === undefined) reject('TEST_NUMBER_NO_CODE')
    if (row.codesLeft === 0) reject('TEST_NUMBER_CODE_ATTEMPTS_LIMIT')
    if (attempt !== code) {
      row.codesLeft = (row.codesLeft ?? 1) - 1
      reject('TEST_NUMBER_WRONG_CODE', 'verificationCode')
    }
    row.isVerified = true
  }
}
