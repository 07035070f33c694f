import { type Static, Type } from '@sinclair/typebox'
import { decimal, id, maybe, oneOf, text, timestamp } from './common.ts'

/** Why money moved. */
export const TransactionType = oneOf([
  'gift_revoke',
  'resource_charge',
  'money_distribution',
  'subscription_charge',
  'subscription_installation_charge',
  'card_periodic_payment',
  'card_overrun_payment',
  'card_payment',
  'rub_card_periodic_payment',
  'rub_card_overrun_payment',
  'rub_card_payment',
  'robokassa_payment',
  'gift',
  'promo',
  'adjustment',
  'wire_transfer',
  'us_wire_transfer',
  'refund',
  'discount',
  'mgp_charge',
  'mgp_startup',
  'mgp_business',
  'mgp_big_business',
  'mgp_enterprise',
  'mgp_large_enterprise',
  'techsupport_charge',
  'tax_charge',
  'monthly_fee_charge',
  'grace_credit_payment',
  'grace_credit_provision',
  'mau_charge',
  'mau_overrun',
  'im_charge',
  'im_overrun',
  'fmc_charge',
  'sip_registration_charge',
  'development_fee',
  'money_transfer_to_child',
  'money_transfer_to_parent',
  'money_acceptance_from_child',
  'money_acceptance_from_parent',
  'phone_number_installation',
  'phone_number_charge',
  'toll_free_phone_number_installation',
  'toll_free_phone_number_charge',
  'services',
  'user_money_transfer',
  'paypal_payment',
  'paypal_overrun_payment',
  'paypal_periodic_payment'
])

const extended = 'with `withExtendedInfo`'

export const Transaction = Type.Object(
  {
    transactionId: id('The id of the transaction.', 9001),
    accountId: maybe(text('The account whose money moved.', { examples: ['100001'] })),
    performedAt: maybe(timestamp('When the money moved.')),
    amount: maybe(decimal('How much, in `currency`; below zero for a charge.', { examples: [-0.012] })),
    currency: maybe(text('The currency of the amount (ISO 4217, or `RUR`).', { examples: ['USD'] })),
    transactionType: maybe(text(`Why the money moved: ${TransactionType.enum.join(', ')}, or another.`, { examples: ['resource_charge'] })),
    transactionDescription: maybe(text('Why the money moved, in words.', { examples: ['Outgoing call to 14155550101'] })),
    applicationId: maybe(id(`The application it was spent for; ${extended}.`)),
    applicationName: maybe(text(`The name of that application; ${extended}.`, { examples: ['support'] })),
    subscriptionId: maybe(id(`The subscription it was spent for; ${extended}.`, 301)),
    subscriptionName: maybe(text(`The name of that subscription; ${extended}.`, { examples: ['Phone number 14155550100'] })),
    resourceType: maybe(text(`What was paid for; ${extended}.`, { examples: ['PSTNOUT'] })),
    priceGroupName: maybe(text(`The group of prices that applied; ${extended}.`, { examples: ['USA'] }))
  },
  { $id: 'Transaction', description: 'Money that came to the account or left it.' }
)
export type Transaction = Static<typeof Transaction>
