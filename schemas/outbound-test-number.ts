import { type Static, Type } from '@sinclair/typebox'
import { flag, formattedName, maybe, text } from './common.ts'

export const TestPhoneNumber = formattedName(
  'A telephone number of your own.',
  '\\+?[0-9]{3,20}',
  'Digits with the country code (E.164), with a plus sign before them or without.',
  { examples: ['14155550100'] }
)
export const VerificationCode = text('The code from the verification call.', { minLength: 1, maxLength: 50, examples: ['12345'] })

export const OutboundTestNumber = Type.Object(
  {
    phoneNumber: text('The telephone number.', { examples: ['14155550100'] }),
    isVerified: maybe(flag('Whether the number has been verified, so that it can be called.')),
    countryCode: maybe(text('The country of the number (ISO 3166-1 alpha-2).', { examples: ['US'] }))
  },
  { $id: 'OutboundTestNumber', description: 'The one telephone number of your own to which test calls can be made.' }
)
export type OutboundTestNumber = Static<typeof OutboundTestNumber>
