import { type Static, Type } from '@sinclair/typebox'
import { day, decimal, flag, id, maybe, oneOf, text, timestamp } from './common.ts'

/** How far the rental of a number has come. */
export const ActivationStatus = oneOf([
  'ACTIVE',
  'ACTIVATING',
  'DEACTIVATED',
  'PROVISIONING',
  'AWAITING_BUSINESS_PHONE_NUMBER_CONFIGURATION',
  'LEGAL_OWNERSHIP_LIMIT_REACHED',
  'GOSUSLUGI_DECLINED',
  'SELF_BAN_ENABLED'
])

/** How far the verification of the account has come, where a number asks for it. */
export const VerificationStatus = oneOf(['REQUIRED', 'IN_PROGRESS', 'VERIFIED'])

export const PhoneNumber = Type.Object(
  {
    phoneId: id('The id of the rented number.'),
    phoneNumber: maybe(text('The telephone number, with country code.', { examples: ['14155550100'] })),
    phoneCountryCode: maybe(text('The country of the number (ISO 3166-1 alpha-2).', { examples: ['US'] })),
    phoneRegionName: maybe(text('The region of the number.', { examples: ['California'] })),
    categoryName: maybe(text('The category: `MOBILE`, `GEOGRAPHIC`, `TOLLFREE` or `MOSCOW495`.', { examples: ['GEOGRAPHIC'] })),
    activationStatus: maybe(text('How far the rental has come.', { examples: ['ACTIVE'] })),
    phonePrice: maybe(decimal("What the number costs a month, in the account's currency.", { examples: [1.5] })),
    phonePurchaseDate: maybe(timestamp('When the number was rented.')),
    phoneNextRenewal: maybe(day('The day on which the next month is charged.', { examples: ['2026-02-15'] })),
    autoCharge: maybe(flag('Whether the next month is paid without asking.')),
    subscriptionId: maybe(id('The subscription by which the number is paid.', 501)),
    deactivated: maybe(flag('Whether the subscription is frozen.', { examples: [false] })),
    canceled: maybe(flag('Whether the subscription has been cancelled.', { examples: [false] })),
    applicationId: maybe(id('The application the number is bound to.')),
    applicationName: maybe(text('The name of that application.', { examples: ['support'] })),
    extendedApplicationName: maybe(text('The full name of that application.', { examples: ['support.acme.n1.voximplant.com'] })),
    ruleId: maybe(id('The rule the number is bound to.')),
    ruleName: maybe(text('The name of that rule.', { examples: ['incoming'] })),
    isSmsSupported: maybe(flag('Whether the number can send and get SMS, once that is switched on.')),
    isSmsEnabled: maybe(flag('Whether sending and getting SMS is switched on.')),
    incomingSmsCallbackUrl: maybe(
      text("Where the upstream posts SMS that come in; the account's callback address without it.", {
        examples: ['https://example.com/voximplant/sms']
      })
    ),
    emergencyCallsEnabled: maybe(flag('Whether emergency numbers can be called.', { examples: [false] })),
    emergencyCallsToBeEnabled: maybe(flag('Whether calls to emergency numbers have to be asked for.', { examples: [false] })),
    requiredVerification: maybe(text('The verification of the account that the number asks for.', { examples: ['Business'] })),
    verificationStatus: maybe(
      text('How far that verification has come: `REQUIRED`, `IN_PROGRESS` or `VERIFIED`.', { examples: ['VERIFIED'] })
    ),
    unverifiedHoldUntil: maybe(day('The day on which the number is withdrawn, unless the account is verified by then.')),
    canBeUsed: maybe(flag('Whether the number can be used although the account is not verified.')),
    modified: maybe(timestamp('When something last happened to the number.'))
  },
  { $id: 'PhoneNumber', description: 'A telephone number that the account rents.' }
)
export type PhoneNumber = Static<typeof PhoneNumber>

/** Whether a number addresses a rented number. */
export const bearsPhoneNumber = (row: Record<string, unknown>, number: string): boolean => row.phoneNumber === number
