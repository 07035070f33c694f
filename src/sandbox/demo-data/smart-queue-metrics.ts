/**
 * The metrics of smart queues, measured on generated tasks and working hours. They depend on account, queue, agent and time alone:
 * two periods add up to the period that spans them, and the values of agents or queues add up to the value of all.
 */

/** What a measure can be grouped by: queues, agents, or either. */
type Scope = 'queue' | 'agent' | 'both'

/** Queues and agents whose values are measured together. */
export interface MeasuredGroup {
  accountId: number
  queues: readonly { sqQueueId: number; userIds: readonly number[] }[]
  userIds: readonly number[]
}

/** A period of time in seconds since 1970; its end is not part of it. */
export interface Period {
  from: number
  to: number
}

interface Task {
  outcome: 'blocked' | 'abandoned' | 'lost' | 'answered'
  /** Seconds. */
  waited: number
  handled: number
  afterwards: number
  reaction: number
  /** The agent who answered. */
  userId: number | undefined
  /** An agent who did not accept it before. */
  missedBy: number | undefined
}

/** What a measure is computed from: the tasks and the agents' times of one period. */
interface Facts {
  tasks: Task[]
  handled: Task[]
  unanswered: number
  /** Status -> seconds. */
  times: Map<string, number>
  /** The stretches of waiting for a task, in seconds. */
  idle: number[]
  maxWaiting: number
}

interface Measure {
  of: Scope
  /** Measured on chats, not on calls. */
  chats: boolean
  value(facts: Facts): number
}

// ------------------------------------------------------------------------------------------------------------------- generation

/** At least 0 and less than 1; the same number for the same arguments. */
function chance(...numbers: number[]): number {
  let hash = 0x9e3779b9
  for (const number of numbers) {
    hash = Math.imul(hash ^ number, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return (hash >>> 0) / 2 ** 32
}

function tasksOf({ accountId, queues }: MeasuredGroup, chats: boolean, { from, to }: Period): Task[] {
  const tasks: Task[] = []
  for (const { sqQueueId, userIds } of queues) {
    for (let minute = Math.floor(from / 60); minute * 60 < to; minute++) {
      const hour = Math.floor(minute / 60) % 24
      const most = hour >= 8 && hour < 20 ? 4 : 2
      const count = Math.floor(chance(accountId, sqQueueId, Number(chats), minute) * most)
      for (let i = 1; i <= count; i++) {
        const dice = (what: number) => chance(accountId, sqQueueId, Number(chats), minute, i, what)
        const at = minute * 60 + Math.floor(dice(0) * 60)
        if (at < from || at >= to) continue
        const lot = dice(1)
        const unserved = chats && lot > 0.97 ? 'lost' : 'abandoned'
        const outcome = lot < 0.04 ? 'blocked' : lot < 0.1 || lot > 0.97 || userIds.length === 0 ? unserved : 'answered'
        tasks.push({
          outcome,
          waited: outcome === 'blocked' ? 0 : 2 + Math.floor(dice(2) ** 2 * 90),
          handled: 45 + Math.floor(dice(3) * 400),
          afterwards: 10 + Math.floor(dice(4) * 50),
          reaction: 1 + Math.floor(dice(5) * 9),
          userId: outcome === 'answered' ? userIds[Math.floor(dice(6) * userIds.length)] : undefined,
          missedBy: dice(7) < 0.12 ? userIds[Math.floor(dice(8) * userIds.length)] : undefined
        })
      }
    }
  }
  return tasks
}

const customStatuses = Array.from({ length: 10 }, (_, i) => `custom_${i + 1}`)
const shares: [status: string, share: number][] = [
  ['ready', 0.32],
  ['in_service_incoming', 0.26],
  ['in_service_outcoming', 0.08],
  ['dialing', 0.04],
  ['afterservice', 0.08],
  ['online', 0.08],
  ['dnd', 0.05],
  ['banned', 0.01],
  ...customStatuses.map((status): [string, number] => [status, 0.008])
]

function statusOf(lot: number): string {
  let sum = 0
  for (const [status, share] of shares) {
    sum += share
    if (lot < sum) return status
  }
  return 'ready'
}

/** How long an agent keeps a status, in seconds. */
const stretch = 300
const callsOnly = new Set(['in_service_outcoming', 'dialing', 'afterservice'])

function timesOf({ accountId, userIds }: MeasuredGroup, chats: boolean, { from, to }: Period): Pick<Facts, 'times' | 'idle'> {
  const times = new Map<string, number>()
  const idle: number[] = []
  for (const userId of userIds) {
    for (let block = Math.floor(from / stretch); block * stretch < to; block++) {
      const seconds = Math.min(to, (block + 1) * stretch) - Math.max(from, block * stretch)
      const named = statusOf(chance(accountId, userId, Number(chats), block))
      const status = chats && callsOnly.has(named) ? 'in_service_incoming' : named
      times.set(status, (times.get(status) ?? 0) + seconds)
      if (status === 'ready') idle.push(Math.ceil(seconds * (0.2 + 0.8 * chance(accountId, userId, block, 1))))
    }
  }
  return { times, idle }
}

// -------------------------------------------------------------------------------------------------------------------- measures

const rounded = (n: number): number => Math.round(n * 100) / 100
const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)
const percent = (part: number, whole: number): number => (whole === 0 ? 0 : rounded((100 * part) / whole))
const average = (numbers: number[]): number => (numbers.length === 0 ? 0 : rounded(sum(numbers) / numbers.length))
const smallest = (numbers: number[]): number => numbers.reduce((least, number) => Math.min(least, number), numbers[0] ?? 0)
const greatest = (numbers: number[]): number => numbers.reduce((most, number) => Math.max(most, number), 0)
const percentile = (share: number, numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * numbers.length) - 1)] ?? 0

const ended = ({ tasks }: Facts, outcome: Task['outcome']): number => tasks.filter(task => task.outcome === outcome).length
const taken = ({ tasks }: Facts): Task[] => tasks.filter(task => task.outcome !== 'blocked')
const answered = ({ tasks }: Facts): Task[] => tasks.filter(task => task.outcome === 'answered')
const spent = ({ times }: Facts, ...statuses: string[]): number => sum(statuses.map(status => times.get(status) ?? 0))
const inService = ['in_service_incoming', 'in_service_outcoming']
const busy = [...inService, 'dialing', 'afterservice']

type Value = Measure['value']

/** `min_`, `max_` and `average_` of something. */
const spread = (what: string, pick: (facts: Facts) => number[]): [string, Value][] => [
  [`min_${what}`, facts => smallest(pick(facts))],
  [`max_${what}`, facts => greatest(pick(facts))],
  [`average_${what}`, facts => average(pick(facts))]
]
const ofChats = (values: [string, Value][]): [string, Value][] => values.map(([name, value]) => [`im_${name}`, value])

const abandoned: Value = facts => ended(facts, 'abandoned')
const blocked: Value = facts => ended(facts, 'blocked')
const blockedShare: Value = facts => percent(ended(facts, 'blocked'), facts.tasks.length)
const serviceLevel: Value = facts => percent(answered(facts).filter(task => task.waited <= facts.maxWaiting).length, taken(facts).length)
const occupancy: Value = facts => percent(spent(facts, ...busy), spent(facts, ...busy, 'ready'))
const utilization: Value = facts => percent(spent(facts, ...busy), sum([...facts.times.values()]))
const unanswered: Value = facts => facts.unanswered
const assigned: Value = facts => taken(facts).length
const answerSpeed = spread('answer_speed', facts => answered(facts).map(task => task.waited))
const reactionTime = spread('reaction_time', facts => facts.handled.map(task => task.reaction))
const sumOf = (status: string, ...statuses: string[]): [string, Value] => [
  `sum_agents_${status}_time`,
  facts => spent(facts, ...(statuses.length > 0 ? statuses : [status]))
]
const sums = [sumOf('online'), sumOf('ready'), sumOf('in_service', ...inService), sumOf('dnd'), sumOf('banned')]
const customSums = customStatuses.map(status => sumOf(status))

const values: Record<Scope, { calls: [string, Value][]; chats: [string, Value][] }> = {
  queue: {
    calls: [
      ['calls_blocked_percentage', blockedShare],
      ['count_blocked_calls', blocked],
      ['average_abandonment_rate', facts => percent(ended(facts, 'abandoned'), taken(facts).length)],
      ['count_abandonment_calls', abandoned],
      ['service_level', serviceLevel],
      ['call_count_assigned_to_queue', assigned],
      ...spread('time_in_queue', facts => taken(facts).map(task => task.waited)),
      ...answerSpeed
    ],
    chats: [
      ['im_blocked_chats_percentage', blockedShare],
      ['im_count_blocked_chats', blocked],
      ['im_answered_chats_rate', facts => percent(answered(facts).length, facts.tasks.length)],
      ['im_count_abandonment_chats', abandoned],
      ['im_count_lost_chats', facts => ended(facts, 'lost')],
      ['im_lost_chats_rate', facts => percent(ended(facts, 'lost'), facts.tasks.length)],
      ['im_service_level', serviceLevel],
      ['im_count_assigned_to_queue', assigned],
      ...ofChats(answerSpeed)
    ]
  },
  both: {
    calls: [
      ['occupancy_rate', occupancy],
      ['count_handled_calls', facts => facts.handled.length],
      ...spread('handle_time', facts => facts.handled.map(task => task.handled)),
      ...spread('after_call_worktime', facts => facts.handled.map(task => task.afterwards))
    ],
    chats: []
  },
  agent: {
    calls: [
      ['agent_utilization_rate', utilization],
      ['count_agent_unanswered_calls', unanswered],
      ...sums,
      ...customSums,
      sumOf('dialing'),
      sumOf('in_service_incoming'),
      sumOf('in_service_outcoming'),
      sumOf('afterservice'),
      ...spread('agents_idle_time', facts => facts.idle),
      ['percentile_0_25_agents_idle_time', facts => percentile(0.25, facts.idle)],
      ['percentile_0_50_agents_idle_time', facts => percentile(0.5, facts.idle)],
      ['percentile_0_75_agents_idle_time', facts => percentile(0.75, facts.idle)],
      ...reactionTime
    ],
    chats: [
      ['im_agent_occupancy_rate', occupancy],
      ['im_agent_utilization_rate', utilization],
      ['im_count_agent_unanswered_chats', unanswered],
      ...ofChats([...sums, ...customSums, ...reactionTime])
    ]
  }
}

const measures = new Map<string, Measure>()
for (const [of, { calls, chats }] of Object.entries(values) as [Scope, (typeof values)[Scope]][]) {
  for (const [name, value] of calls) measures.set(name, { of, chats: false, value })
  for (const [name, value] of chats) measures.set(name, { of, chats: true, value })
}

/** By what a measure can be split; undefined when there is no measure of that name. */
export const scopeOf = (reportType: string): Scope | undefined => measures.get(reportType)?.of

/** A group's values: for each report type, one for each period. `maxWaiting` is the longest wait, in seconds, that counts as good service. */
export function measure(
  group: MeasuredGroup,
  reportTypes: readonly string[],
  periods: readonly Period[],
  maxWaiting: number
): Map<string, number[]> {
  const factsOf = (chats: boolean): Facts[] =>
    periods.map(period => {
      const tasks = tasksOf(group, chats, period)
      const isOf = (userId: number | undefined) => userId !== undefined && group.userIds.includes(userId)
      return {
        tasks,
        handled: tasks.filter(task => isOf(task.userId)),
        unanswered: tasks.filter(task => isOf(task.missedBy)).length,
        ...timesOf(group, chats, period),
        maxWaiting
      }
    })
  const facts = new Map<boolean, Facts[]>()
  const values = new Map<string, number[]>()
  for (const name of reportTypes) {
    const measure = measures.get(name)
    if (!measure) continue
    const inputs = facts.get(measure.chats) ?? factsOf(measure.chats)
    facts.set(measure.chats, inputs)
    values.set(name, inputs.map(measure.value))
  }
  return values
}
