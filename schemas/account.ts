import { type Static, Type } from '@sinclair/typebox'
import { marks } from '../src/voximplant/wire/marks.ts'
import { decimal, flag, hiding, id, integer, maybe, ref, text, timestamp } from './common.ts'

const limits = (means: string) => ({
  minAmount: maybe(decimal(`The smallest payment by ${means}.`, { examples: [10] })),
  currency: maybe(text('The currency of the amount.', { examples: ['USD'] }))
})

export const BillingLimits = Type.Object(
  {
    robokassa: maybe(Type.Object(limits('Robokassa'), { description: 'Limits of payments by Robokassa.' })),
    bankCard: maybe(
      Type.Object(
        {
          ...limits('bank card'),
          maxDayPayment: maybe(decimal('The largest sum of payments by bank card in one day, in `currency`.', { examples: [7642.17] }))
        },
        { description: 'Limits of payments by bank card.' }
      )
    ),
    invoice: maybe(Type.Object(limits('invoice'), { description: 'Limits of payments by invoice.' }))
  },
  { $id: 'BillingLimits', description: 'The limits of payments, by means of payment.' }
)

export const Account = hiding(
  Type.Object(
    {
      accountId: id('The id of the account.', 100001),
      accountName: maybe(text('The name of the account, part of the full names of its applications.', { examples: ['acme'] })),
      accountEmail: maybe(text('The email address of the account.', { examples: ['owner@example.com'] })),
      accountFirstName: maybe(text("The owner's first name.", { examples: ['Ada'] })),
      accountLastName: maybe(text("The owner's last name.", { examples: ['Lovelace'] })),
      active: maybe(flag('Whether the account has been activated.')),
      frozen: maybe(flag('Whether the upstream has blocked the account.', { examples: [false] })),
      created: maybe(timestamp('When the account was made.')),
      balance: maybe(
        decimal('The money on the account, in `currency`: as `liveBalance`, or as `fixedBalance` with `returnLiveBalance` false.', {
          examples: [25.4]
        })
      ),
      liveBalance: maybe(decimal('The money on the account with running calls counted, in `currency`.', { examples: [25.15] })),
      fixedBalance: maybe(
        decimal('The money on the account without what is on hold being taken off, in `currency`.', { examples: [25.4] })
      ),
      moneyOnHold: maybe(decimal('The money set aside for what is running or not charged yet, in `currency`.', { examples: [0.25] })),
      graceCredit: maybe(decimal('A credit that the upstream grants for a while beyond `creditLimit`, in `currency`.', { examples: [0] })),
      creditLimit: maybe(decimal('How far the balance may fall below zero, in `currency`.', { examples: [0] })),
      currency: maybe(text('The currency of the account (ISO 4217, or `RUR`).', { examples: ['USD'] })),
      minBalanceToNotify: maybe(decimal('The balance under which a notification is sent.', { examples: [5] })),
      creditLimitAwareBalanceNotifications: maybe(
        flag('Whether notifications of a low balance take the credit limit into account.', { examples: [false] })
      ),
      billingLimits: maybe(ref(BillingLimits)),
      customPricing: maybe(flag('Whether the account has prices of its own.', { examples: [false] })),
      taxpayerType: maybe(text('The kind of taxpayer the account belongs to, in a word of the upstream.', { examples: ['default'] })),
      bankCardProvider: maybe(text('The bank or provider that handles card payments.', { examples: ['ALFABANK'] })),
      isBankCardAutoChargeProhibited: maybe(flag('Whether the bank card may not be charged automatically.')),
      enabled3ds: maybe({ ...flag('Whether card payments are confirmed by 3-D Secure.'), ...marks({ name: 'enabled_3ds' }) }),
      allowInvoice: maybe(flag('Whether the account may pay by invoice.')),
      billingAddressName: maybe(text('Billing address: company or person.', { examples: ['Acme Inc.'] })),
      billingAddressCountryCode: maybe(text('Billing address: country (ISO 3166-1 alpha-2).', { examples: ['US'] })),
      billingAddressState: maybe(text('Billing address: state or province.', { examples: ['California'] })),
      billingAddressAddress: maybe(text('Billing address: street and number.', { examples: ['1 Main Street'] })),
      billingAddressZip: maybe(text('Billing address: postal code.', { examples: ['94016'] })),
      billingAddressPhone: maybe(text('Billing address: telephone.', { examples: ['+14155550100'] })),
      mobilePhone: maybe(text("The owner's mobile number.", { examples: ['+14155550100'] })),
      languageCode: maybe(text('The language of notifications (ISO 639-1).', { examples: ['en'] })),
      location: maybe(text('The time zone of the account (IANA name).', { examples: ['America/Los_Angeles'] })),
      accountNotifications: maybe(flag('Whether the account gets notifications.')),
      tariffChangingNotifications: maybe(flag('Whether changes of prices are notified.')),
      newsNotifications: maybe(flag('Whether news are sent.')),
      sendJsError: maybe(flag('Whether errors of scenarios are mailed.')),
      a2pSmsEnabled: maybe(flag('Whether one-way (A2P) SMS can be sent.')),
      supportRobokassa: maybe(flag('Whether Robokassa can be used to pay.')),
      supportBankCard: maybe(flag('Whether bank cards can be used to pay.')),
      supportInvoice: maybe(flag('Whether invoices can be used to pay.')),
      accountCustomData: maybe(text("The account's own note.", { examples: ['{"crm":42}'] })),
      maxSipRegistrations: maybe(integer('How many SIP registrations the account may have.', { examples: [10] })),
      recordStorageId: maybe(id('The storage that recordings are kept in.', 125)),
      recordStorageName: maybe(text('The name of that storage.', { examples: ['my-storage'] })),
      callbackUrl: maybe(text('Where the upstream posts its account callbacks.', { examples: ['https://example.com/voximplant'] })),
      accessEntries: maybe(
        Type.Array(Type.String(), { description: 'The upstream methods these credentials may call.', examples: [['GetUsers']] })
      ),
      withAccessEntries: maybe(flag('Whether the permissions are given by `accessEntries`.')),
      apiAddress: maybe(text('The host of the upstream that serves this account best.', { examples: ['api.voximplant.com'] })),
      debuggerAddress: maybe(text("The host for the upstream's debugger of scenarios.", { examples: ['api.voximplant.com'] }))
    },
    { $id: 'Account', description: "The tenant's Voximplant account." }
  ),
  'apiKey',
  'callbackSalt'
)
export type Account = Static<typeof Account>

export const CurrencyRates = Type.Record(Type.String({ pattern: '^[A-Z]{3}$' }), Type.Number(), {
  $id: 'CurrencyRates',
  description: 'How much of each currency one US dollar buys: currency code to rate. The rate of `USD` is always 1.',
  examples: [{ USD: 1, EUR: 0.92 }]
})
export type CurrencyRates = Static<typeof CurrencyRates>
