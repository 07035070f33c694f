import { type Static, Type } from '@sinclair/typebox'
import { decimal, flag, hiding, id, maybe, ref, text, timestamp } from './common.ts'

const limits = (means: string) => ({
  minAmount: maybe(decimal(`The smallest payment by ${means}.`, { examples: [10] })),
  currency: maybe(text('The currency of the amount.', { examples: ['USD'] }))
})

export const BillingLimits = Type.Object(
  {
    robokassa: maybe(Type.Object(limits('Robokassa'), { description: 'Limits of payments by Robokassa.' })),
    bankCard: maybe(Type.Object(limits('bank card'), { description: 'Limits of payments by bank card.' })),
    invoice: maybe(Type.Object(limits('invoice'), { description: 'Limits of payments by invoice.' }))
  },
  { $id: 'BillingLimits', description: 'The smallest payments, by means of payment.' }
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
      balance: maybe(decimal('The money on the account, in `currency`.', { examples: [25.4] })),
      creditLimit: maybe(decimal('How far the balance may fall below zero, in `currency`.', { examples: [0] })),
      currency: maybe(text('The currency of the account (ISO 4217, or `RUR`).', { examples: ['USD'] })),
      minBalanceToNotify: maybe(decimal('The balance under which a notification is sent.', { examples: [5] })),
      billingLimits: maybe(ref(BillingLimits)),
      billingAddressName: maybe(text('Billing address: company or person.', { examples: ['Acme Inc.'] })),
      billingAddressCountryCode: maybe(text('Billing address: country (ISO 3166-1 alpha-2).', { examples: ['US'] })),
      billingAddressState: maybe(text('Billing address: state or province.', { examples: ['California'] })),
      billingAddressAddress: maybe(text('Billing address: street and number.', { examples: ['1 Main Street'] })),
      billingAddressZip: maybe(text('Billing address: postal code.', { examples: ['94016'] })),
      billingAddressPhone: maybe(text('Billing address: telephone.', { examples: ['+14155550100'] })),
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
      callbackUrl: maybe(text('Where the upstream posts its account callbacks.', { examples: ['https://example.com/voximplant'] })),
      accessEntries: maybe(
        Type.Array(Type.String(), { description: 'The upstream methods these credentials may call.', examples: [['GetUsers']] })
      ),
      withAccessEntries: maybe(flag('Whether the permissions are given by `accessEntries`.')),
      apiAddress: maybe(text('The host of the upstream that serves this account best.', { examples: ['api.voximplant.com'] }))
    },
    { $id: 'Account', description: "The tenant's Voximplant account." }
  ),
  'apiKey',
  'callbackSalt'
)
export type Account = Static<typeof Account>

export const CurrencyRates = Type.Record(Type.String(), Type.Number(), {
  $id: 'CurrencyRates',
  description: 'How much of each currency one unit of the base currency buys: currency code to rate.',
  examples: [{ USD: 1, EUR: 0.92 }]
})
export type CurrencyRates = Static<typeof CurrencyRates>
