import { type TSchema, Type } from '@sinclair/typebox'
import { CallSession } from '../schemas/call-session.ts'
import {
  flag,
  idList,
  idOrName,
  idsOrNames,
  integer,
  json,
  list,
  listItem,
  maybe,
  name,
  oneOf,
  paging,
  ref,
  strict,
  TimezoneOfResponse,
  text,
  timestamp
} from '../schemas/common.ts'
import { Transaction, TransactionType } from '../schemas/transaction.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { page } from '../src/api/replies.ts'

const tag = 'History'
const span = 'Give both `fromDate` and `toDate`; without either, the upstream takes a span of its own, usually the last month.'
const fixed = { timezone: 'Etc/GMT' }

/** A page of which the upstream names the time zone, the one that was asked for. */
const pageInUtc = <T extends TSchema>(item: T) => page(item, { timezone: TimezoneOfResponse })

const dates = (what: string, verb: string) => ({
  fromDate: timestamp(`Only ${what} that ${verb} at this instant or later.`),
  toDate: timestamp(`Only ${what} that ${verb} at this instant or earlier.`, { examples: ['2026-01-16T09:30:00Z'] })
})
/** When sessions began, and when transactions were made. */
export const datesOfSessions = dates('sessions', 'began')
export const datesOfTransactions = dates('transactions', 'were made')
const maybeBoth = <T extends TSchema>({ fromDate, toDate }: { fromDate: T; toDate: T }) => ({
  fromDate: maybe(fromDate),
  toDate: maybe(toDate)
})
const shown = {
  descOrder: maybe(flag('Whether the newest come first.')),
  withTotalCount: maybe(flag('Whether `total` is counted; `false` leaves it out, and the answer comes sooner.')),
  ...paging,
  offset: maybe(integer('How many items to skip: up to 10,000.', { minimum: 0, maximum: 10000, examples: [0] }))
}

/** Which call sessions the brief history has. */
export const briefCallFilters = {
  callSessionHistoryId: maybe(idList('Only the sessions with these ids.', { examples: [[7001, 7002]], max: 1000 })),
  callSessionHistoryCustomData: maybe(text('Only sessions that were given this text.', { minLength: 1, examples: ['{"order":42}'] })),
  applicationId: maybe(idOrName('Only sessions of this application', 'support')),
  ruleName: maybe(name('Only sessions started by the rule of this name; needs `applicationId`.', { examples: ['incoming'] })),
  localNumber: maybe(
    list(listItem(), "Only sessions with calls of these numbers on the upstream's side.", { examples: [['14155550100']] })
  ),
  remoteNumber: maybe(list(listItem(), 'Only sessions with calls of these numbers on the other side.', { examples: [['14155550101']] }))
}

/** The upstream ignores the name of a rule without its application. */
export const ruleWithApplication = { ruleName: 'applicationId' } as const

/** Which call sessions a history has, and what of them. */
export const callFilters = {
  ...briefCallFilters,
  userId: maybe(idList('Only sessions with calls of these users.')),
  remoteNumberList: maybe(
    json(
      Type.Array(Type.String({ minLength: 1, examples: ['14155550101'] }), {
        minItems: 1,
        description: 'As `remoteNumber`, which it overrules, for any number of numbers and any characters in them.',
        examples: [['14155550101', '14155550102']]
      })
    )
  ),
  minDuration: maybe(integer('Only calls of this many seconds or more.', { minimum: 0, examples: [10] })),
  maxDuration: maybe(integer('Only calls of this many seconds or fewer.', { minimum: 0, examples: [600] })),
  childAccountId: maybe(idList('Only sessions of these child accounts.', { examples: [[100002]] })),
  childrenCallsOnly: maybe(flag('Whether only sessions of child accounts are answered.')),
  withCalls: maybe(flag('Whether `calls` is answered.')),
  withRecords: maybe(flag('Whether `records` is answered.')),
  withOtherResources: maybe(flag('Whether `otherResourceUsage` is answered.'))
}

/** Which transactions a history has. */
export const transactionFilters = {
  useAccountingDates: maybe(flag('Whether `fromDate` and `toDate` are read as dates of accounting, not of the transaction itself.')),
  transactionId: maybe(idList('Only the transactions with these ids.', { examples: [[9001, 9002]], max: 1000 })),
  transactionType: maybe(
    list(TransactionType, 'Only transactions of these types.', { examples: [['resource_charge', 'phone_number_charge']] })
  ),
  paymentReference: maybe(text('Only transactions with this reference of a payment.', { minLength: 1, examples: ['INV-2026-01'] })),
  userId: maybe(idList('Only transactions of these users.')),
  usersTransactionsOnly: maybe(flag('Whether only transactions of users are answered.')),
  childAccountId: maybe(idList('Only transactions of these child accounts.', { examples: [[100002]] })),
  childrenTransactionsOnly: maybe(flag('Whether only transactions of child accounts are answered.')),
  applicationId: maybe(idOrName('Only transactions for this application', 'support')),
  subscriptionId: maybe(idsOrNames('Only transactions for these subscriptions', 'Phone number 14155550100', { example: 301 })),
  resourceType: maybe(list(listItem(), 'Only charges for these resources.', { examples: [['PSTNOUT', 'ASR']] })),
  priceGroupName: maybe(list(listItem(), 'Only charges by these groups of prices.', { examples: [['USA']] })),
  isUncommitted: maybe(flag('Whether only money on hold is answered: set aside, but not taken yet.'))
}

export default {
  listCallSessions: endpoint({
    http: 'GET /call-sessions',
    rpc: 'GetCallHistory',
    summary: 'List call sessions',
    description: `Sessions that have run, with their calls, recordings and other costs where asked for. ${span}`,
    tag,
    input: strict({
      ...maybeBoth(datesOfSessions),
      ...callFilters,
      ...shown
    }),
    requires: ruleWithApplication,
    fixed,
    reply: pageInUtc(ref(CallSession))
  }),
  listTransactions: endpoint({
    http: 'GET /transactions',
    rpc: 'GetTransactionHistory',
    summary: 'List transactions',
    description: `Payments and charges of the account. ${span}`,
    tag,
    input: strict({
      ...maybeBoth(datesOfTransactions),
      ...transactionFilters,
      withExtendedInfo: maybe(
        flag('Whether the application, the subscription, the resource and the group of prices of each transaction are answered.')
      ),
      decimalSeparator: maybe(
        oneOf(['.', ','], 'The mark before the fraction where the upstream writes numbers as text. Answers in JSON do not change with it.')
      ),
      ...shown
    }),
    fixed,
    reply: pageInUtc(ref(Transaction))
  })
}
