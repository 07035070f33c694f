import { TransactionType } from '../../../schemas/transaction.ts'
import { type Params, refuse } from '../codec.ts'
import { type Cast, type Past, pastOf, type SessionRow, type TransactionRow } from '../demo-data/call-history.ts'
import { now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenApplications, rules, users } from '../tables.ts'
import type { Method } from './index.ts'

/** What has happened since the account was made; ids are clear of those of the past it may have been given. */
const newSessions = table<SessionRow>('callSessions', 'callSessionHistoryId', 20_001)
const newTransactions = table<TransactionRow>('transactions', 'transactionId', 20_001)
/** One row in an account that has a past: who took part in it. The past itself follows from that, and is not kept. */
const casts = table<Cast & { castId: number }>('casts', 'castId')
const told = new WeakMap<AccountState, Past>()

const none: Past = { sessions: [], transactions: [] }
const maxCount = 1000
const maxOffset = 10_000
const maxIds = 1000

function past(account: AccountState): Past {
  const [cast] = casts.rows(account)
  if (!cast) return none
  let known = told.get(account)
  if (!known) {
    known = pastOf(account.accountId, cast)
    told.set(account, known)
  }
  return known
}

/** Remembers a session that begins now. */
export const addSession = (account: AccountState, session: Partial<SessionRow>): SessionRow =>
  newSessions.add(account, {
    startDate: now(),
    accountId: account.accountId,
    calls: [],
    records: [],
    otherResourceUsage: [],
    ...session
  })

/** Takes money from the account: `cost` in its currency. */
export const addCharge = (account: AccountState, cost: number, about: Partial<TransactionRow>): TransactionRow => {
  const performedAt = about.performedAt ?? now()
  return newTransactions.add(account, {
    accountId: String(account.accountId),
    performedAt,
    accountedAt: performedAt,
    amount: -cost,
    currency: 'USD',
    transactionType: 'resource_charge',
    ...about
  })
}

const among = <T>(wanted: readonly T[] | 'all' | undefined, value: T | undefined): boolean =>
  wanted === undefined || (value !== undefined && (wanted === 'all' || wanted.includes(value)))

const digits = (text: string | undefined): string | undefined => text?.replace(/^\+/, '')

/** The span that a call names. Both ends belong to it. */
function spanOf(params: Params): (time: string) => boolean {
  // Times are read and answered in UTC; the account's own zone is no other.
  if (!['Etc/GMT', 'Etc/UTC', 'GMT', 'UTC', 'auto'].includes(params.text('timezone') ?? 'auto')) refuse('INVALID_ARGUMENTS', 'timezone')
  const from = params.text('fromDate')
  const to = params.text('toDate')
  if (from !== undefined && to !== undefined && from > to) refuse('INVALID_DATE_RANGE', 'fromDate')
  return time => (from === undefined || time >= from) && (to === undefined || time <= to)
}

/** Whose rows a call looks for: the account's own, unless it asks for children. */
function ownersOf(params: Params, { accountId: own }: AccountState, childrenOnly: string): (accountId: number) => boolean {
  const ids = params.ids('childAccountId')
  if (ids === undefined && !params.flag(childrenOnly)) return id => id === own
  return id => id !== own && among(ids, id)
}

/** Ids of the things looked for. */
function soughtIds(params: Params, name: string): number[] | 'all' | undefined {
  const ids = params.ids(name)
  return ids !== undefined && ids !== 'all' && ids.length > maxIds ? refuse('INVALID_RANGE', name) : ids
}

/** A page of rows that stand oldest first, as histories answer it. */
function pageOfHistory<Row>(rows: Row[], params: Params) {
  if ((params.number('count') ?? 1) > maxCount) refuse('INVALID_RANGE', 'count')
  if ((params.number('offset') ?? 0) > maxOffset) refuse('INVALID_RANGE', 'offset')
  const { totalCount, ...page } = pageOf(params.flag('descOrder') ? rows.toReversed() : rows, params)
  return { ...page, ...(params.flag('withTotalCount') === false ? {} : { totalCount }), timezone: 'Etc/GMT' }
}

/** The remote numbers looked for: the list in JSON counts for more, unless it is empty. */
function remoteNumbers(params: Params): string[] | undefined {
  const list = params.json('remoteNumberList') ?? []
  if (!Array.isArray(list) || list.some(item => typeof item !== 'string')) return refuse('INVALID_ARGUMENTS', 'remoteNumberList')
  return list.length > 0 ? list : params.texts('remoteNumber')
}

/** The sessions that a call looks for, oldest first. */
export function soughtSessions(params: Params, account: AccountState): SessionRow[] {
  const owns = ownersOf(params, account, 'childrenCallsOnly')
  const within = spanOf(params)
  const ids = soughtIds(params, 'callSessionHistoryId')
  const application = chosenApplications(account, params)?.[0]
  const ruleName = application && params.text('ruleName')
  const customData = params.text('callSessionHistoryCustomData')
  const userIds = params.ids('userId')
  const local = params.texts('localNumber')?.map(digits)
  const remote = remoteNumbers(params)?.map(digits)
  const shortest = params.number('minDuration')
  const longest = params.number('maxDuration')
  const aboutCalls = local ?? remote ?? shortest ?? longest
  return [...past(account).sessions, ...newSessions.rows(account)].filter(
    row =>
      within(row.startDate) &&
      owns(row.accountId ?? account.accountId) &&
      among(ids, row.callSessionHistoryId) &&
      (application === undefined || row.applicationId === application.applicationId) &&
      (ruleName === undefined || row.ruleName === ruleName) &&
      (customData === undefined || row.customData === customData) &&
      among(userIds, row.userId) &&
      (aboutCalls === undefined ||
        row.calls.some(
          call =>
            (local === undefined || local.includes(digits(call.localNumber))) &&
            (remote === undefined || remote.includes(digits(call.remoteNumber))) &&
            (shortest === undefined || (call.duration ?? 0) >= shortest) &&
            (longest === undefined || (call.duration ?? 0) <= longest)
        ))
  )
}

const typeNames: readonly string[] = (TransactionType as unknown as { enum: string[] }).enum

/** The transactions that a call looks for, oldest first. */
export function soughtTransactions(params: Params, account: AccountState): TransactionRow[] {
  const owns = ownersOf(params, account, 'childrenTransactionsOnly')
  const within = spanOf(params)
  const ids = soughtIds(params, 'transactionId')
  const types = params.texts('transactionType')
  if (types?.some(type => !typeNames.includes(type))) refuse('INVALID_TRANSACTION_TYPE', 'transactionType')
  const application = chosenApplications(account, params)?.[0]
  const reference = params.text('paymentReference')
  const userIds = params.ids('userId')
  const usersOnly = params.flag('usersTransactionsOnly')
  const subscriptionIds = params.ids('subscriptionId')
  const subscriptionNames = params.texts('subscriptionName')
  const resourceTypes = params.texts('resourceType')
  const priceGroups = params.texts('priceGroupName')
  const held = params.flag('isUncommitted') ?? false
  const dated = params.flag('useAccountingDates') ? 'accountedAt' : 'performedAt'
  return [...past(account).transactions, ...newTransactions.rows(account)]
    .filter(
      row =>
        within(row[dated]) &&
        owns(Number(row.accountId)) &&
        (row.isUncommitted ?? false) === held &&
        among(ids, row.transactionId) &&
        among(types, row.transactionType) &&
        (application === undefined || row.applicationId === application.applicationId) &&
        (reference === undefined || row.paymentReference === reference) &&
        among(userIds, row.userId) &&
        (!usersOnly || row.userId !== undefined) &&
        among(subscriptionIds, row.subscriptionId) &&
        among(subscriptionNames, row.subscriptionName) &&
        among(resourceTypes, row.resourceType) &&
        among(priceGroups, row.priceGroupName)
    )
    .sort((a, b) => (a.performedAt < b.performedAt ? -1 : a.performedAt > b.performedAt ? 1 : a.transactionId - b.transactionId))
}

/** A session without what the call did not ask for. */
export const shownSession = ({ calls, records, otherResourceUsage, ...session }: SessionRow, params: Params) => ({
  ...session,
  ...(params.flag('withCalls') ? { calls } : {}),
  ...(params.flag('withRecords') ? { records } : {}),
  ...(params.flag('withOtherResources') ? { otherResourceUsage } : {})
})

/** A transaction without what the call did not ask for. */
export const shownTransaction = (
  { applicationId, applicationName, subscriptionId, subscriptionName, resourceType, priceGroupName, ...transaction }: TransactionRow,
  params: Params
) => ({
  ...transaction,
  ...(params.flag('withExtendedInfo')
    ? { applicationId, applicationName, subscriptionId, subscriptionName, resourceType, priceGroupName }
    : {})
})

export const methods: Record<string, Method> = {
  GetCallHistory(params, account) {
    const page = pageOfHistory(soughtSessions(params, account), params)
    return { ...page, result: page.result.map(row => shownSession(row, params)) }
  },

  GetTransactionHistory(params, account) {
    const page = pageOfHistory(soughtTransactions(params, account), params)
    return { ...page, result: page.result.map(row => shownTransaction(row, params)) }
  }
}

export function seed(account: AccountState): void {
  casts.add(account, {
    applications: applications.rows(account).map(({ applicationId, applicationName = '' }) => ({
      applicationId,
      applicationName,
      ruleNames: rules
        .rows(account)
        .filter(row => row.applicationId === applicationId)
        .map(row => row.ruleName),
      users: users
        .rows(account)
        .filter(row => row.applicationId === applicationId)
        .map(({ userId, userName = '' }) => ({ userId, userName }))
    }))
  })
}
