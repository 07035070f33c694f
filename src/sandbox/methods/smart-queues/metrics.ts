import type { SmartQueueMetric } from '../../../../schemas/smart-queue.ts'
import { type Params, reject } from '../../codec.ts'
import { measure, type Period, scopeOf } from '../../demo-data/smart-queue-metrics.ts'
import type { Methods } from '../../method.ts'
import { now } from '../../query.ts'
import type { AccountState } from '../../state.ts'
import { requireApplication, selectUsers, type UserRow } from '../../tables.ts'
import { applicationQueues, integerOf, optionOf, smartQueues, usersOf } from './tables.ts'

const maxNamed = 5
const maxPeriods = 3000
export const minute = 60
/** Tolerance for calls whose time ends a moment after their clock was read. */
const tolerance = minute
export const day = 86_400

const secondsOf = (instant: string): number => Math.floor(Date.parse(instant) / 1000)
const instantOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')

const timesOf = (period: Period | undefined) => period && { fromDate: instantOf(period.from), toDate: instantOf(period.to) }

/** Divides a time into periods of an interval such as `0-0-1 0:0:0`; the last one ends with the time. */
function periodsOf({ from, to }: Period, interval: string): Period[] {
  const parts = /^(\d{1,4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(interval)?.slice(1).map(Number)
  if (!parts?.some(part => part > 0)) reject('INVALID', 'interval')
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts ?? []
  const periods: Period[] = []
  for (let start = from; start < to; ) {
    const date = new Date(start * 1000)
    date.setUTCFullYear(date.getUTCFullYear() + years, date.getUTCMonth() + months, date.getUTCDate() + days)
    const end = Math.min(to, Math.floor(date.getTime() / 1000) + hours * 3600 + minutes * minute + seconds)
    if (periods.push({ from: start, to: end }) > maxPeriods) reject('INVALID_RANGE', 'interval')
    start = end
  }
  return periods
}

/** The time that a method measures, in seconds: by default and at most; and the default interval it is divided by. */
interface MetricsSpan {
  default: number
  max: number
  interval: string
}

/**
 * The metrics of smart queues and their agents that a call requests.
 * Rejects report types that cannot be grouped as the call requests, and more than five queues or agents.
 */
export function smartQueueMetrics(
  params: Params,
  account: AccountState,
  span: MetricsSpan
): { result: SmartQueueMetric[]; timezone: string } {
  const { applicationId } = requireApplication(account, params)
  const reportTypes = params.requiredTexts('reportType')
  const scopes = reportTypes.map(name => scopeOf(name) ?? reject('UNKNOWN_REPORT_TYPE', 'reportType'))
  const groupBy = optionOf(params, 'groupBy', ['agent', 'queue'])
  if (groupBy === 'agent' && scopes.includes('queue')) reject('INAPPROPRIATE_AGENT_REPORTS', 'reportType')
  if (groupBy === 'queue' && scopes.includes('agent')) reject('INAPPROPRIATE_QUEUE_REPORTS', 'reportType')

  const byId = params.has('sqQueueId')
  const all = smartQueues.where(account, { applicationId })
  const named = byId
    ? applicationQueues.select(account, params)
    : params.texts('sqQueueName')?.map(name => all.find(row => row.sqQueueName === name) ?? reject('INVALID_ACD_QUEUE_ID', 'sqQueueName'))
  const queueParam = byId ? 'sqQueueId' : 'sqQueueName'
  if (named && named.length > maxNamed) reject('EXCEED', queueParam)
  if (!named && scopes.some(scope => scope !== 'agent')) reject('REQUIRED_IS_EMPTY', queueParam)
  if (groupBy === 'agent' && named?.length !== 1) reject('INVALID', 'groupBy', 'Grouping by agent works for one queue only.')
  const namedUsers = params.has('userId', 'userName') ? selectUsers(account, params) : undefined
  if (namedUsers && params.ids('userId') !== 'all' && namedUsers.length > maxNamed) reject('EXCEED', 'userId')

  const maxWaiting = integerOf(params, 'maxWaitingSec', 0)
  if (maxWaiting === undefined && reportTypes.includes('service_level')) reject('REQUIRED_IS_EMPTY', 'maxWaitingSec')
  const clock = now()
  const to = secondsOf(params.text('toDate') ?? clock)
  const from = secondsOf(params.text('fromDate') ?? instantOf(secondsOf(clock) - span.default))
  if (from >= to) reject('INVALID_DATE_RANGE', 'fromDate')
  if (to - from > span.max + tolerance) reject('DATE_RANGE_LIMIT', 'fromDate')
  const periods = periodsOf({ from, to }, params.text('interval') ?? span.interval)

  const queues = named ?? all
  const users = (namedUsers ?? usersOf(account, params)).filter(
    user => named === undefined || named.some(queue => queue.userIds.includes(user.userId))
  )
  const idsOf = (rows: UserRow[]) => rows.map(user => user.userId)
  const groups =
    groupBy === 'queue'
      ? queues.map(queue => ({
          head: { sqQueueId: queue.sqQueueId, sqQueueName: queue.sqQueueName },
          queues: [queue],
          userIds: idsOf(users.filter(user => queue.userIds.includes(user.userId)))
        }))
      : groupBy === 'agent'
        ? users.map(user => ({
            head: { userId: user.userId, userName: user.userName, userDisplayName: user.userDisplayName },
            queues,
            userIds: [user.userId]
          }))
        : [{ head: {}, queues, userIds: idsOf(users) }]
  const measured = groups.map(({ head, ...group }) => ({
    head,
    values: measure({ accountId: account.accountId, ...group }, reportTypes, periods, maxWaiting ?? 20)
  }))
  const result: SmartQueueMetric[] = reportTypes.map(reportType => ({
    reportType,
    groups: measured.map(({ head, values }) => ({
      ...head,
      values: values.get(reportType)?.map((value, i) => ({ ...timesOf(periods[i]), value }))
    }))
  }))
  return { result, timezone: 'Etc/GMT' }
}

export const methods: Methods = {
  GetSmartQueueRealtimeMetrics: (params, account) =>
    smartQueueMetrics(params, account, { default: 30 * minute, max: 30 * minute, interval: '0-0-0 0:30:0' }),

  GetSmartQueueDayHistory: (params, account) => smartQueueMetrics(params, account, { default: day, max: 2 * day, interval: '0-0-1 0:0:0' })
}
