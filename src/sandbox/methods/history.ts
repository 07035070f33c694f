import { TransactionType } from '../../../schemas/transaction.ts'
import { type Params, reject } from '../codec.ts'
import { type Fixtures, generateHistory, type History, type SessionRow, type TransactionRow } from '../demo-data/call-history.ts'
import type { Methods } from '../method.ts'
import { between, flagged, matches, now, pageOf, where } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, rules, selectApplications, users } from '../tables.ts'

/** What has happened since the account was created. Ids begin above those of a generated history. */
const newSessions = table<SessionRow, 'callSessionHistoryId'>('callSessions', 'callSessionHistoryId', 20_001)
const newTransactions = table<TransactionRow, 'transactionId'>('transactions', 'transactionId', 20_001)
/** One row in a demonstration account, from which its history is generated; the history itself is not stored. */
const fixtures = table<Fixtures & { fixturesId: number }, 'fixturesId'>('fixtures', 'fixturesId')
const histories = new WeakMap<AccountState, History>()

const maxCount = 1000
const maxOffset = 10_000
const maxIds = 1000
const transactionTypes: readonly string[] = TransactionType.enum

function historyOf(account: AccountState): History {
  const [row] = fixtures.rows(account)
  const history = histories.get(account) ?? (row ? generateHistory(account.accountId, row) : { sessions: [], transactions: [] })
  if (row) histories.set(account, history)
  return history
}

/** Adds a session that begins now. */
export const addSession = (account: AccountState, session: Partial<SessionRow>): SessionRow =>
  newSessions.add(account, {
    startDate: now(),
    accountId: account.accountId,
    calls: [],
    records: [],
    otherResourceUsage: [],
    ...session
  })

/** Charges the account `cost`, in its currency. */
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

const digits = (text: string | undefined): string | undefined => text?.replace(/^\+/, '')

/** The filter of times that a call gives; both ends are included. */
function timeFilter(params: Params) {
  // Times are read and written in UTC, which is the zone of every account.
  if (!['Etc/GMT', 'Etc/UTC', 'GMT', 'UTC', 'auto'].includes(params.text('timezone') ?? 'auto')) reject('INVALID_ARGUMENTS', 'timezone')
  const from = params.text('fromDate')
  const to = params.text('toDate')
  if (from !== undefined && to !== undefined && from > to) reject('INVALID_DATE_RANGE', 'fromDate')
  return between(from, to)
}

/** Whose rows a call selects: the account's own, or those of child accounts. */
function ownerFilter(params: Params, { accountId: own }: AccountState, childrenOnly: string): (accountId: number) => boolean {
  const ids = params.ids('childAccountId')
  if (ids === undefined && !params.flag(childrenOnly)) return id => id === own
  return id => id !== own && matches(ids, id)
}

function idFilter(params: Params, name: string): number[] | 'all' | undefined {
  const ids = params.ids(name)
  return ids !== undefined && ids !== 'all' && ids.length > maxIds ? reject('INVALID_RANGE', name) : ids
}

/** A page of rows that are sorted by time, as histories return it. */
function pageOfHistory<Row>(rows: Row[], params: Params) {
  if ((params.number('count') ?? 1) > maxCount) reject('INVALID_RANGE', 'count')
  if ((params.number('offset') ?? 0) > maxOffset) reject('INVALID_RANGE', 'offset')
  const { totalCount, ...page } = pageOf(params.flag('descOrder') ? rows.toReversed() : rows, params)
  return { ...page, ...(params.flag('withTotalCount') !== false && { totalCount }), timezone: 'Etc/GMT' }
}

/** The remote numbers to select: the JSON list takes precedence, unless it is empty. */
function remoteNumbers(params: Params): string[] | undefined {
  const list = params.json('remoteNumberList') ?? []
  if (!Array.isArray(list) || list.some(item => typeof item !== 'string')) return reject('INVALID_ARGUMENTS', 'remoteNumberList')
  return list.length > 0 ? list : params.texts('remoteNumber')
}

/** The sessions that a call selects, oldest first. */
export function findSessions(params: Params, account: AccountState): SessionRow[] {
  const owns = ownerFilter(params, account, 'childrenCallsOnly')
  const startDate = timeFilter(params)
  const callSessionHistoryId = idFilter(params, 'callSessionHistoryId')
  const application = selectApplications(account, params)?.[0]
  const local = params.texts('localNumber')?.map(digits)
  const remote = remoteNumbers(params)?.map(digits)
  const duration = between(params.number('minDuration'), params.number('maxDuration'))
  const calls = (local ?? remote ?? duration) && {
    localNumber: local && ((number: string | undefined) => local.includes(digits(number))),
    remoteNumber: remote && ((number: string | undefined) => remote.includes(digits(number))),
    duration: duration && ((seconds = 0) => duration(seconds))
  }
  return where([...historyOf(account).sessions, ...newSessions.rows(account)], {
    startDate,
    accountId: (id = account.accountId) => owns(id),
    callSessionHistoryId,
    applicationId: application?.applicationId,
    ruleName: application && params.text('ruleName'),
    customData: params.text('callSessionHistoryCustomData'),
    userId: params.ids('userId'),
    calls: calls && (rows => where(rows, calls).length > 0)
  })
}

/** The transactions that a call selects, oldest first. */
export function findTransactions(params: Params, account: AccountState): TransactionRow[] {
  const owns = ownerFilter(params, account, 'childrenTransactionsOnly')
  const times = timeFilter(params)
  const transactionId = idFilter(params, 'transactionId')
  const transactionType = params.texts('transactionType')
  if (transactionType?.some(type => !transactionTypes.includes(type))) reject('INVALID_TRANSACTION_TYPE', 'transactionType')
  const usersOnly = params.flag('usersTransactionsOnly')
  return where([...historyOf(account).transactions, ...newTransactions.rows(account)], {
    [params.flag('useAccountingDates') ? 'accountedAt' : 'performedAt']: times,
    accountId: id => owns(Number(id)),
    isUncommitted: flagged(params.flag('isUncommitted') ?? false),
    transactionId,
    transactionType,
    applicationId: selectApplications(account, params)?.[0]?.applicationId,
    paymentReference: params.text('paymentReference'),
    userId: params.ids('userId'),
    subscriptionId: params.ids('subscriptionId'),
    subscriptionName: params.texts('subscriptionName'),
    resourceType: params.texts('resourceType'),
    priceGroupName: params.texts('priceGroupName')
  })
    .filter(row => !usersOnly || row.userId !== undefined)
    .sort((a, b) => (a.performedAt < b.performedAt ? -1 : a.performedAt > b.performedAt ? 1 : a.transactionId - b.transactionId))
}

/** A session without the parts that the call did not request. */
export const toSession = ({ calls, records, otherResourceUsage, ...session }: SessionRow, params: Params) => ({
  ...session,
  ...(params.flag('withCalls') && { calls }),
  ...(params.flag('withRecords') && { records }),
  ...(params.flag('withOtherResources') && { otherResourceUsage })
})

/** A transaction without the parts that the call did not request. */
export const toTransaction = (
  { applicationId, applicationName, subscriptionId, subscriptionName, resourceType, priceGroupName, ...transaction }: TransactionRow,
  params: Params
) => ({
  ...transaction,
  ...(params.flag('withExtendedInfo') && {
    applicationId,
    applicationName,
    subscriptionId,
    subscriptionName,
    resourceType,
    priceGroupName
  })
})

export const methods: Methods = {
  GetCallHistory(params, account) {
    const page = pageOfHistory(findSessions(params, account), params)
    return { ...page, result: page.result.map(row => toSession(row, params)) }
  },

  GetTransactionHistory(params, account) {
    const page = pageOfHistory(findTransactions(params, account), params)
    return { ...page, result: page.result.map(row => toTransaction(row, params)) }
  }
}

export function seed(account: AccountState): void {
  fixtures.add(account, {
    applications: applications.rows(account).map(({ applicationId, applicationName = '' }) => ({
      applicationId,
      applicationName,
      ruleNames: rules.where(account, { applicationId }).map(row => row.ruleName),
      users: users.where(account, { applicationId }).map(({ userId, userName = '' }) => ({ userId, userName }))
    }))
  })
}
