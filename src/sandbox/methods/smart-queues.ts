import type { SmartQueue, SmartQueueAgent, SmartQueueMetric, SmartQueueSkill, SmartQueueState } from '../../../schemas/smart-queue.ts'
import { type Params, refuse } from '../codec.ts'
import { measure, type Period, scopeOf } from '../demo-data/smart-queue-metrics.ts'
import { choose, chooseOne, holdsPart, now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, bindIds, chosenUsers, theApplication, type UserRow, users, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

interface QueueRow extends SmartQueue {
  applicationId: number
  imAgentSelection: string
  imTaskSelection: string
  fallbackAgentSelection?: string
  priority?: number
  userIds: number[]
}

interface SkillRow extends SmartQueueSkill {
  applicationId: number
}

interface AgentSkill {
  sqSkillId: number
  sqSkillLevel: number
}

/** What is known of an agent beyond the user; users without a row have the defaults. */
interface AgentRow {
  userId: number
  handleCalls: boolean
  maxSimultaneousConversations: number
  skills: AgentSkill[]
}

interface StatusNameRow {
  statusNameId: number
  applicationId: number
  sqStatusName: string
  customStatusName: string
}

interface TaskRow {
  taskId: number
  sqQueueId: number
  taskType: 'CALL' | 'IM'
  status: 'IN_QUEUE' | 'DISTRIBUTED' | 'IN_PROCESSING'
  userId?: number
  skills: AgentSkill[]
  waitingTime: number
  processingTime: number
  customData?: string
}

const smartQueues = table<QueueRow>('smartQueues', 'sqQueueId', 401)
const smartQueueSkills = table<SkillRow>('smartQueueSkills', 'sqSkillId', 501)
const agents = table<AgentRow>('smartQueueAgents', 'userId')
const statusNames = table<StatusNameRow>('smartQueueStatusNames', 'statusNameId')
const tasks = table<TaskRow>('smartQueueTasks', 'taskId')

// The upstream has limits, but publishes no numbers.
const maxQueues = 500
const maxSkills = 500
const maxSkillsPerAgent = 100
const maxQueuesPerAgent = 100

const agentStrategies = ['MOST_QUALIFIED', 'LEAST_QUALIFIED', 'MAX_WAITING_TIME']
const taskStrategies = ['MAX_PRIORITY', 'MAX_WAITING_TIME']
/** The statuses that are listed whether they have a name of the application's or not; any other is listed once it has one. */
const statuses = [
  ...['OFFLINE', 'ONLINE', 'READY', 'IN_SERVICE', 'AFTER_SERVICE', 'DND', 'BANNED'],
  ...Array.from({ length: 10 }, (_, i) => `CUSTOM_${i + 1}`)
]

whenDeleted('applications', (account, ids) => {
  removeQueues(account, row => ids.includes(row.applicationId))
  smartQueueSkills.remove(account, row => ids.includes(row.applicationId))
  statusNames.remove(account, row => ids.includes(row.applicationId))
})

whenDeleted('users', (account, ids) => {
  for (const row of smartQueues.rows(account)) row.userIds = bindIds(row.userIds, ids, false)
  agents.remove(account, row => ids.includes(row.userId))
  tasks.remove(account, row => row.userId !== undefined && ids.includes(row.userId))
})

function removeQueues(account: AccountState, matches: (row: QueueRow) => boolean): void {
  const ids = smartQueues
    .rows(account)
    .filter(matches)
    .map(row => row.sqQueueId)
  smartQueues.remove(account, matches)
  tasks.remove(account, row => ids.includes(row.sqQueueId))
}

// --------------------------------------------------------------------------------------------------------------------- choosing

const queuesOf = (account: AccountState, applicationId: number): QueueRow[] =>
  smartQueues.rows(account).filter(row => row.applicationId === applicationId)
const skillsOf = (account: AccountState, applicationId: number): SkillRow[] =>
  smartQueueSkills.rows(account).filter(row => row.applicationId === applicationId)
const usersOf = (account: AccountState, applicationId: number): UserRow[] =>
  users.rows(account).filter(row => row.applicationId === applicationId)
const agentOf = (account: AccountState, userId: number): AgentRow =>
  agents.find(account, userId) ?? { userId, handleCalls: true, maxSimultaneousConversations: 1, skills: [] }

const queueSelector = { id: 'sqQueueId', name: 'sqQueueName', unknownId: 'INVALID_ACD_QUEUE_ID' } as const
const skillSelector = { id: 'sqSkillId', name: 'sqSkillName', unknownId: 'INVALID_SKILL_ID' } as const

const given = (params: Params, ...names: string[]): boolean => names.some(name => params.has(name))

/** A filter by ids or names: what does not exist selects nothing. */
function filterBy<Row extends object>(params: Params, id: keyof Row & string, name: keyof Row & string): (row: Row) => boolean {
  const ids = params.ids(id)
  const names = params.texts(name)
  return row => (ids === undefined || ids === 'all' || ids.includes(row[id] as number)) && (names?.includes(row[name] as string) ?? true)
}

/** The users a call names as a filter; undefined when it names none. */
const filteringUsers = (account: AccountState, params: Params): number[] | undefined =>
  given(params, 'userId', 'userName') ? chosenUsers(account, params).map(row => row.userId) : undefined

function excludedUser(account: AccountState, params: Params, applicationId: number): number | undefined {
  if (!given(params, 'excludedUserId', 'excludedUserName')) return undefined
  return chooseOne(usersOf(account, applicationId), params, {
    id: 'userId',
    name: 'userName',
    unknownId: 'INVALID_EXCLUDED_USER_ID',
    as: 'excludedUserId',
    asName: 'excludedUserName'
  }).userId
}

// ------------------------------------------------------------------------------------------------------------------- checking

function checkName<Row extends object>(rows: Row[], field: keyof Row, name: string, max: number, param: string, self?: Row): string {
  if (name === '') refuse('PARAMETER_CANT_BE_EMPTY_EX', param)
  if (name.length > max) refuse('TOO_LONG', param)
  return rows.some(row => row !== self && row[field] === name) ? refuse('VALUE_NOT_UNIQUE', param) : name
}

const checkQueueName = (account: AccountState, applicationId: number, name: string, param: string, self?: QueueRow): string =>
  checkName(queuesOf(account, applicationId), 'sqQueueName', name, 100, param, self)

const checkSkillName = (account: AccountState, applicationId: number, name: string, param: string, self?: SkillRow): string =>
  checkName(skillsOf(account, applicationId), 'sqSkillName', name, 512, param, self)

function description(params: Params): string | undefined {
  const text = params.text('description')
  return text !== undefined && text.length > 200 ? refuse('TOO_LONG', 'description') : text
}

function oneOf(params: Params, name: string, allowed: readonly string[]): string | undefined {
  const value = params.text(name)
  return value !== undefined && !allowed.includes(value) ? refuse('INVALID', name) : value
}

function within(params: Params, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = params.number(name)
  if (value === undefined) return undefined
  return Number.isInteger(value) && value >= least && value <= most ? value : refuse('INVALID_RANGE', name)
}

/** The longest wait, which a call gives in minutes or in seconds; the answer has it in both. */
function waiting(params: Params, inMinutes: 'callMaxWaitingTime' | 'imMaxWaitingTime'): Partial<QueueRow> {
  const minutes = within(params, inMinutes, 0)
  const seconds = within(params, `${inMinutes}InSeconds`, 0)
  if (minutes !== undefined && seconds !== undefined) refuse('ONLY_ONE_OF_PARAMETERS', inMinutes)
  if (minutes !== undefined) return { [inMinutes]: minutes, [`${inMinutes}InSeconds`]: minutes * 60 }
  return seconds === undefined ? {} : { [inMinutes]: Math.ceil(seconds / 60), [`${inMinutes}InSeconds`]: seconds }
}

/** The settings a call gives, checked; those it does not give are left out. */
function settingsOf(params: Params): Partial<QueueRow> {
  const settings = {
    agentSelection: oneOf(params, 'callAgentSelection', agentStrategies),
    taskSelection: oneOf(params, 'callTaskSelection', taskStrategies),
    imAgentSelection: oneOf(params, 'imAgentSelection', agentStrategies),
    imTaskSelection: oneOf(params, 'imTaskSelection', taskStrategies),
    fallbackAgentSelection: params.text('fallbackAgentSelection'),
    holdCallsIfInactiveAgents: params.flag('holdCallsIfInactiveAgents'),
    holdImIfInactiveAgents: params.flag('holdImIfInactiveAgents'),
    callMaxQueueSize: within(params, 'callMaxQueueSize', 0),
    imMaxQueueSize: within(params, 'imMaxQueueSize', 0),
    priority: within(params, 'priority', 1, 100),
    description: description(params),
    ...waiting(params, 'callMaxWaitingTime'),
    ...waiting(params, 'imMaxWaitingTime')
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}

/** A parameter that is a JSON array of objects. */
function objects(params: Params, name: string): Record<string, unknown>[] | undefined {
  const value = params.json(name)
  if (value === undefined) return undefined
  return Array.isArray(value) && value.every(item => typeof item === 'object' && item !== null) ? value : refuse('INVALID', name)
}

function skillLevel(value: unknown, otherwise?: number): number {
  const level = value ?? otherwise ?? refuse('REQUIRED_IS_EMPTY', 'sqSkills')
  return Number.isInteger(level) && (level as number) >= 1 && (level as number) <= 5
    ? (level as number)
    : refuse('INVALID_RANGE', 'sqSkills')
}

const isSkill = (row: SkillRow, wanted: Record<string, unknown>): boolean =>
  wanted.sqSkillId === undefined ? row.sqSkillName === wanted.sqSkillName : row.sqSkillId === wanted.sqSkillId

// -------------------------------------------------------------------------------------------------------------------- showing

function shownSkills(account: AccountState, skills: AgentSkill[]) {
  return skills.map(({ sqSkillId, sqSkillLevel }) => ({
    sqSkillId,
    sqSkillName: smartQueueSkills.find(account, sqSkillId)?.sqSkillName,
    sqSkillLevel
  }))
}

/** What an agent does: calls by the user's status, chats by it and by the chats the agent has. */
function statusesOf(account: AccountState, user: UserRow): Record<'CALL' | 'IM', { sqStatusName: string; fromDate: string | undefined }> {
  const call = user.acdStatus ?? 'OFFLINE'
  const chatting = tasks
    .rows(account)
    .some(task => task.userId === user.userId && task.taskType === 'IM' && task.status === 'IN_PROCESSING')
  const im = call === 'OFFLINE' || call === 'DND' ? call : chatting ? 'IN_SERVICE' : 'READY'
  const fromDate = user.acdStatusChangeTime
  return { CALL: { sqStatusName: call, fromDate }, IM: { sqStatusName: im, fromDate } }
}

function stateOf(account: AccountState, row: QueueRow): SmartQueueState {
  return {
    sqQueueId: row.sqQueueId,
    sqQueueName: row.sqQueueName,
    sqAgents: users
      .rows(account)
      .filter(user => row.userIds.includes(user.userId) && (user.acdStatus ?? 'OFFLINE') !== 'OFFLINE')
      .map(user => ({
        userId: user.userId,
        userName: user.userName,
        userDisplayName: user.userDisplayName,
        sqSkills: shownSkills(account, agentOf(account, user.userId).skills),
        sqStatuses: [statusesOf(account, user)]
      })),
    tasks: tasks
      .rows(account)
      .filter(task => task.sqQueueId === row.sqQueueId)
      .map(({ taskType, status, userId, skills, waitingTime, processingTime, customData }) => ({
        taskType,
        status,
        userId,
        sqSkills: shownSkills(account, skills),
        waitingTime,
        processingTime,
        customData
      }))
  }
}

// ------------------------------------------------------------------------------------------------------------------- changing

/** Changes an agent's settings or skills. */
function changeAgent(account: AccountState, userId: number, changes: Partial<AgentRow>): void {
  const row = agents.find(account, userId)
  if (row) Object.assign(row, changes)
  else agents.rows(account).push({ ...agentOf(account, userId), ...changes })
}

const withoutSkills = (skills: AgentSkill[], ids: number[]): AgentSkill[] => skills.filter(skill => !ids.includes(skill.sqSkillId))

/** What binding does to older bindings: whether the queues lose their other agents, and the agents their other queues. */
const agentBindModes: Record<string, { emptiesQueues: boolean; freesAgents: boolean }> = {
  add_queues: { emptiesQueues: false, freesAgents: false },
  replace_agents: { emptiesQueues: true, freesAgents: false },
  add: { emptiesQueues: false, freesAgents: true },
  replace: { emptiesQueues: true, freesAgents: true }
}

/** The queues to bind to or unbind from. SQ_BindAgent alone takes the word `all` for a name, too. */
const queuesToBind = (account: AccountState, params: Params, applicationId: number): QueueRow[] => {
  const rows = queuesOf(account, applicationId)
  return params.method === 'SQ_BindAgent' && params.texts('sqQueueName')?.[0] === 'all' ? rows : choose(rows, params, queueSelector)
}

/** The methods of status names know applications by id only, and have an error of their own. */
function applicationById(account: AccountState, params: Params): number {
  const id = params.need('applicationId', params.number('applicationId'))
  return applications.find(account, id) ? id : refuse('APPLICATION_NOT_FOUND', 'applicationId')
}

// --------------------------------------------------------------------------------------------------------------------- metrics

const maxNamed = 5
const maxPeriods = 3000
const minute = 60
/** For callers who reckon from a moment ago to now. */
const grace = minute
const day = 86_400

const secondsOf = (instant: string): number => Math.floor(Date.parse(instant) / 1000)
const instantOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')

/** Cuts a time into periods of an interval such as `0-0-1 0:0:0`; the last one ends with the time. */
function periodsOf({ from, to }: Period, interval: string): Period[] {
  const parts = /^(\d{1,4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(interval)?.slice(1).map(Number)
  if (!parts?.some(part => part > 0)) refuse('INVALID', 'interval')
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts ?? []
  const periods: Period[] = []
  for (let start = from; start < to; ) {
    const date = new Date(start * 1000)
    date.setUTCFullYear(date.getUTCFullYear() + years, date.getUTCMonth() + months, date.getUTCDate() + days)
    const end = Math.min(to, Math.floor(date.getTime() / 1000) + hours * 3600 + minutes * minute + seconds)
    if (periods.push({ from: start, to: end }) > maxPeriods) refuse('INVALID_RANGE', 'interval')
    start = end
  }
  return periods
}

/** The time a metrics method measures: usually and at most, in seconds, and the interval it cuts it by when a call names none. */
interface MetricsSpan {
  usual: number
  longest: number
  interval: string
}

/**
 * Answers a call for the metrics of smart queues and their agents.
 * Refuses report types that cannot be split as the call asks, and more than five queues or agents.
 */
export function smartQueueMetrics(params: Params, account: AccountState, span: MetricsSpan): Record<string, unknown> {
  const { applicationId } = theApplication(account, params)
  const reportTypes = params.need('reportType', params.texts('reportType'))
  const scopes = reportTypes.map(name => scopeOf(name) ?? refuse('UNKNOWN_REPORT_TYPE', 'reportType'))
  const groupBy = oneOf(params, 'groupBy', ['agent', 'queue'])
  if (groupBy === 'agent' && scopes.includes('queue')) refuse('INAPPROPRIATE_AGENT_REPORTS', 'reportType')
  if (groupBy === 'queue' && scopes.includes('agent')) refuse('INAPPROPRIATE_QUEUE_REPORTS', 'reportType')

  const byId = params.has('sqQueueId')
  const all = queuesOf(account, applicationId)
  const named = byId
    ? choose(all, params, queueSelector)
    : params.texts('sqQueueName')?.map(name => all.find(row => row.sqQueueName === name) ?? refuse('INVALID_ACD_QUEUE_ID', 'sqQueueName'))
  const queueParam = byId ? 'sqQueueId' : 'sqQueueName'
  if (named && named.length > maxNamed) refuse('EXCEED', queueParam)
  if (!named && scopes.some(scope => scope !== 'agent')) refuse('REQUIRED_IS_EMPTY', queueParam)
  if (groupBy === 'agent' && named?.length !== 1) refuse('INVALID', 'groupBy', 'Grouping by agent works for one queue only.')
  const namedUsers = given(params, 'userId', 'userName') ? chosenUsers(account, params) : undefined
  if (namedUsers && params.ids('userId') !== 'all' && namedUsers.length > maxNamed) refuse('EXCEED', 'userId')

  const maxWaiting = within(params, 'maxWaitingSec', 0)
  if (maxWaiting === undefined && reportTypes.includes('service_level')) refuse('REQUIRED_IS_EMPTY', 'maxWaitingSec')
  const clock = now()
  const to = secondsOf(params.text('toDate') ?? clock)
  const from = secondsOf(params.text('fromDate') ?? instantOf(secondsOf(clock) - span.usual))
  if (from >= to) refuse('INVALID_DATE_RANGE', 'fromDate')
  if (to - from > span.longest + grace) refuse('DATE_RANGE_LIMIT', 'fromDate')
  const periods = periodsOf({ from, to }, params.text('interval') ?? span.interval)

  const queues = named ?? all
  const everyone = (namedUsers ?? usersOf(account, applicationId)).filter(
    user => named === undefined || named.some(queue => queue.userIds.includes(user.userId))
  )
  const idsOf = (some: UserRow[]) => some.map(user => user.userId)
  const groups =
    groupBy === 'queue'
      ? queues.map(queue => ({
          head: { sqQueueId: queue.sqQueueId, sqQueueName: queue.sqQueueName },
          queues: [queue],
          userIds: idsOf(everyone.filter(user => queue.userIds.includes(user.userId)))
        }))
      : groupBy === 'agent'
        ? everyone.map(user => ({
            head: { userId: user.userId, userName: user.userName, userDisplayName: user.userDisplayName },
            queues,
            userIds: [user.userId]
          }))
        : [{ head: {}, queues, userIds: idsOf(everyone) }]
  const measured = groups.map(({ head, ...group }) => ({
    head,
    values: measure({ accountId: account.accountId, ...group }, reportTypes, periods, maxWaiting ?? 20)
  }))
  const result: SmartQueueMetric[] = reportTypes.map(reportType => ({
    reportType,
    groups: measured.map(({ head, values }) => ({
      ...head,
      values: values
        .get(reportType)!
        .map((value, i) => ({ fromDate: instantOf(periods[i]!.from), toDate: instantOf(periods[i]!.to), value }))
    }))
  }))
  return { result, timezone: 'Etc/GMT' }
}

// --------------------------------------------------------------------------------------------------------------------- methods

export const methods: Record<string, Method> = {
  SQ_AddQueue(params, account) {
    const { applicationId } = theApplication(account, params)
    const sqQueueName = checkQueueName(account, applicationId, params.need('sqQueueName', params.text('sqQueueName')), 'sqQueueName')
    const settings = settingsOf(params)
    const agentSelection = params.need('callAgentSelection', settings.agentSelection)
    const taskSelection = params.need('callTaskSelection', settings.taskSelection)
    if (queuesOf(account, applicationId).length >= maxQueues) refuse('SC_QUEUE_COUNT_LIMIT')
    const time = now()
    const { sqQueueId } = smartQueues.add(account, {
      applicationId,
      sqQueueName,
      imAgentSelection: agentSelection,
      imTaskSelection: taskSelection,
      holdCallsIfInactiveAgents: false,
      holdImIfInactiveAgents: false,
      ...settings,
      userIds: [],
      created: time,
      modified: time
    })
    return { result: { sqQueueId } }
  },

  SQ_GetQueues(params, account) {
    const { applicationId } = theApplication(account, params)
    const isNamed = filterBy<QueueRow>(params, 'sqQueueId', 'sqQueueName')
    const part = params.text('sqQueueNameTemplate')
    const serving = filteringUsers(account, params)
    const notServing = excludedUser(account, params, applicationId)
    const page = pageOf(
      queuesOf(account, applicationId).filter(
        row =>
          isNamed(row) &&
          (part === undefined || row.sqQueueName!.includes(part)) &&
          (serving === undefined || serving.some(userId => row.userIds.includes(userId))) &&
          (notServing === undefined || !row.userIds.includes(notServing))
      ),
      params
    )
    const counts = params.flag('withAgentcount')
    return { ...page, result: page.result.map(row => ({ ...row, ...(counts ? { agentcount: row.userIds.length } : {}) })) }
  },

  SQ_SetQueueInfo(params, account) {
    const { applicationId } = theApplication(account, params)
    const row = chooseOne(queuesOf(account, applicationId), params, queueSelector)
    const name = params.text('newSqQueueName')
    if (name !== undefined) checkQueueName(account, applicationId, name, 'newSqQueueName', row)
    Object.assign(row, settingsOf(params), { sqQueueName: name ?? row.sqQueueName, modified: now() })
    return { result: 1 }
  },

  SQ_DelQueue(params, account) {
    const { applicationId } = theApplication(account, params)
    const chosen = choose(queuesOf(account, applicationId), params, queueSelector)
    removeQueues(account, row => chosen.includes(row))
    return { result: 1 }
  },

  SQ_BindAgent(params, account) {
    const { applicationId } = theApplication(account, params)
    const mode = agentBindModes[oneOf(params, 'bindMode', Object.keys(agentBindModes)) ?? 'add_queues']!
    const chosen = queuesToBind(account, params, applicationId)
    const ids = chosenUsers(account, params).map(row => row.userId)
    const all = queuesOf(account, applicationId)
    const bound = all.map(row => {
      if (chosen.includes(row)) return bindIds(mode.emptiesQueues ? [] : row.userIds, ids, true)
      return mode.freesAgents ? bindIds(row.userIds, ids, false) : row.userIds
    })
    if (ids.some(id => bound.filter(userIds => userIds.includes(id)).length > maxQueuesPerAgent)) refuse('EXCEEDED_QUEUES_PER_AGENT_LIMIT')
    for (const [i, row] of all.entries()) row.userIds = bound[i]!
    return { result: 1 }
  },

  SQ_UnbindAgent(params, account) {
    const { applicationId } = theApplication(account, params)
    const chosen = queuesToBind(account, params, applicationId)
    const ids = chosenUsers(account, params).map(row => row.userId)
    for (const row of chosen) row.userIds = bindIds(row.userIds, ids, false)
    return { result: 1 }
  },

  SQ_AddSkill(params, account) {
    const { applicationId } = theApplication(account, params)
    const sqSkillName = checkSkillName(account, applicationId, params.need('sqSkillName', params.text('sqSkillName')), 'sqSkillName')
    if (skillsOf(account, applicationId).length >= maxSkills) refuse('SC_SKILL_COUNT_LIMIT')
    const time = now()
    const { sqSkillId } = smartQueueSkills.add(account, {
      applicationId,
      sqSkillName,
      description: description(params),
      created: time,
      modified: time
    })
    return { result: { sqSkillId } }
  },

  SQ_GetSkills(params, account) {
    const { applicationId } = theApplication(account, params)
    const isNamed = filterBy<SkillRow>(params, 'sqSkillId', 'sqSkillName')
    const part = params.text('sqSkillNameTemplate')
    const has = (userId: number, row: SkillRow) => agentOf(account, userId).skills.some(skill => skill.sqSkillId === row.sqSkillId)
    const skilled = filteringUsers(account, params)
    const unskilled = excludedUser(account, params, applicationId)
    return pageOf(
      skillsOf(account, applicationId).filter(
        row =>
          isNamed(row) &&
          holdsPart(row.sqSkillName, part) &&
          (skilled === undefined || skilled.some(userId => has(userId, row))) &&
          (unskilled === undefined || !has(unskilled, row))
      ),
      params
    )
  },

  SQ_SetSkillInfo(params, account) {
    const { applicationId } = theApplication(account, params)
    const row = chooseOne(skillsOf(account, applicationId), params, skillSelector)
    const name = params.text('newSqSkillName')
    if (name !== undefined) checkSkillName(account, applicationId, name, 'newSqSkillName', row)
    const note = description(params)
    Object.assign(row, { sqSkillName: name ?? row.sqSkillName, description: note ?? row.description, modified: now() })
    return { result: 1 }
  },

  SQ_DelSkill(params, account) {
    const { applicationId } = theApplication(account, params)
    const ids = choose(skillsOf(account, applicationId), params, skillSelector).map(row => row.sqSkillId)
    smartQueueSkills.remove(account, row => ids.includes(row.sqSkillId))
    for (const row of [...agents.rows(account), ...tasks.rows(account)]) row.skills = withoutSkills(row.skills, ids)
    return { result: 1 }
  },

  SQ_BindSkill(params, account) {
    const { applicationId } = theApplication(account, params)
    const mode = oneOf(params, 'bindMode', ['add', 'replace_skills', 'replace_agents']) ?? 'add'
    const bound = params.need('sqSkills', objects(params, 'sqSkills')).map(wanted => ({
      sqSkillId: (skillsOf(account, applicationId).find(row => isSkill(row, wanted)) ?? refuse('INVALID_SKILL_ID', 'sqSkills')).sqSkillId,
      sqSkillLevel: skillLevel(wanted.sqSkillLevel)
    }))
    const ids = bound.map(skill => skill.sqSkillId)
    if (new Set(ids).size < ids.length) refuse('VALUE_NOT_UNIQUE', 'sqSkills')
    const chosen = chosenUsers(account, params)
    const changed = chosen.map(({ userId }) => ({
      userId,
      skills: [...(mode === 'replace_skills' ? [] : withoutSkills(agentOf(account, userId).skills, ids)), ...bound]
    }))
    if (changed.some(({ skills }) => skills.length > maxSkillsPerAgent)) refuse('MAX_AGENT_SKILLS_EXCEEDED')
    if (mode === 'replace_agents') for (const row of agents.rows(account)) row.skills = withoutSkills(row.skills, ids)
    for (const { userId, skills } of changed) changeAgent(account, userId, { skills })
    return { result: 1 }
  },

  SQ_UnbindSkill(params, account) {
    const { applicationId } = theApplication(account, params)
    const ids = choose(skillsOf(account, applicationId), params, skillSelector).map(row => row.sqSkillId)
    for (const { userId } of chosenUsers(account, params))
      changeAgent(account, userId, { skills: withoutSkills(agentOf(account, userId).skills, ids) })
    return { result: 1 }
  },

  SQ_GetAgents(params, account) {
    const { applicationId } = theApplication(account, params)
    const isNamed = filterBy<UserRow>(params, 'userId', 'userName')
    const part = params.text('userNameTemplate')
    const all = queuesOf(account, applicationId)
    const serves = (queues: QueueRow[], { userId }: UserRow) => queues.some(queue => queue.userIds.includes(userId))
    const inQueues = given(params, 'sqQueueId', 'sqQueueName') ? choose(all, params, queueSelector) : undefined
    const notInQueue = given(params, 'excludedSqQueueId', 'excludedSqQueueName')
      ? choose(all, params, { ...queueSelector, as: 'excludedSqQueueId', asName: 'excludedSqQueueName' })
      : []
    const skilled = objects(params, 'sqSkills')?.map(wanted => ({
      ids: skillsOf(account, applicationId)
        .filter(row => isSkill(row, wanted))
        .map(row => row.sqSkillId),
      least: skillLevel(wanted.minSqSkillLevel, 1),
      most: skillLevel(wanted.maxSqSkillLevel, 5)
    }))
    const wantedStatuses = objects(params, 'sqStatuses')
    if (wantedStatuses?.some(({ sqStatusType }) => sqStatusType !== 'CALL' && sqStatusType !== 'IM')) refuse('INVALID', 'sqStatuses')
    const takesCalls = params.flag('handleCalls')
    const page = pageOf(
      usersOf(account, applicationId).filter(row => {
        const agent = agentOf(account, row.userId)
        const does = statusesOf(account, row)
        return (
          isNamed(row) &&
          (part === undefined || row.userName?.includes(part)) &&
          (inQueues === undefined || serves(inQueues, row)) &&
          !serves(notInQueue, row) &&
          (skilled ?? []).every(({ ids, least, most }) =>
            agent.skills.some(skill => ids.includes(skill.sqSkillId) && skill.sqSkillLevel >= least && skill.sqSkillLevel <= most)
          ) &&
          (wantedStatuses?.some(wanted => does[wanted.sqStatusType as 'CALL' | 'IM'].sqStatusName === wanted.sqStatusName) ?? true) &&
          (takesCalls === undefined || agent.handleCalls === takesCalls)
        )
      }),
      params
    )
    const show = { queues: params.flag('withSqQueues'), skills: params.flag('withSqSkills'), statuses: params.flag('withSqStatuses') }
    const shown = page.result.map((row): SmartQueueAgent => {
      const agent = agentOf(account, row.userId)
      return {
        userId: row.userId,
        userName: row.userName,
        userDisplayName: row.userDisplayName,
        maxSimultaneousConversations: agent.maxSimultaneousConversations,
        ...(show.queues
          ? { sqQueues: all.filter(queue => serves([queue], row)).map(({ sqQueueId, sqQueueName }) => ({ sqQueueId, sqQueueName })) }
          : {}),
        ...(show.skills ? { sqSkills: shownSkills(account, agent.skills) } : {}),
        ...(show.statuses ? { sqStatuses: [statusesOf(account, row)] } : {})
      }
    })
    return { ...page, result: shown }
  },

  SQ_SetAgentInfo(params, account) {
    theApplication(account, params)
    const handleCalls = params.flag('handleCalls')
    const most = within(params, 'maxSimultaneousConversations', 0)
    if (handleCalls === undefined && most === undefined) refuse('REQUIRED_IS_EMPTY', 'handleCalls')
    for (const { userId } of chosenUsers(account, params)) {
      const before = agentOf(account, userId)
      changeAgent(account, userId, {
        handleCalls: handleCalls ?? before.handleCalls,
        maxSimultaneousConversations: most ?? before.maxSimultaneousConversations
      })
    }
    return { result: 1 }
  },

  SQ_GetAgentCustomStatusMapping(params, account) {
    const within = params.has('applicationId')
      ? [applicationById(account, params)]
      : applications.rows(account).map(row => row.applicationId)
    const result = within.flatMap(applicationId => {
      const rows = statusNames.rows(account).filter(row => row.applicationId === applicationId)
      const named = new Map(rows.map(row => [row.sqStatusName, row.customStatusName]))
      return [...new Set([...statuses, ...named.keys()])].map(sqStatusName => ({
        sqStatusName,
        customStatusName: named.get(sqStatusName)
      }))
    })
    return { result }
  },

  SQ_SetAgentCustomStatusMapping(params, account) {
    const applicationId = applicationById(account, params)
    const sqStatusName = params.need('sqStatusName', params.text('sqStatusName'))
    const customStatusName = params.need('customStatusName', params.text('customStatusName'))
    const rows = statusNames.rows(account).filter(row => row.applicationId === applicationId)
    if (rows.some(row => row.sqStatusName !== sqStatusName && row.customStatusName === customStatusName))
      refuse('SQ_CUSTOM_STATUS_ALREADY_EXISTS', 'customStatusName')
    const row = rows.find(known => known.sqStatusName === sqStatusName)
    if (row) row.customStatusName = customStatusName
    else statusNames.add(account, { applicationId, sqStatusName, customStatusName })
    return { result: 1 }
  },

  SQ_DeleteAgentCustomStatusMapping(params, account) {
    const applicationId = applicationById(account, params)
    const sqStatusName = params.need('sqStatusName', params.text('sqStatusName'))
    statusNames.remove(account, row => row.applicationId === applicationId && row.sqStatusName === sqStatusName)
    return { result: 1 }
  },

  GetSQState(params, account) {
    const { applicationId } = theApplication(account, params)
    return { result: choose(queuesOf(account, applicationId), params, queueSelector).map(row => stateOf(account, row)) }
  },

  GetSmartQueueRealtimeMetrics: (params, account) =>
    smartQueueMetrics(params, account, { usual: 30 * minute, longest: 30 * minute, interval: '0-0-0 0:30:0' }),

  GetSmartQueueDayHistory: (params, account) =>
    smartQueueMetrics(params, account, { usual: day, longest: 2 * day, interval: '0-0-1 0:0:0' })
}

export function seed(account: AccountState): void {
  const time = '2026-01-15T09:30:00Z'
  const [support, sales] = applications.rows(account)
  const [ada, grace, linus, margaret] = ['ada', 'grace', 'linus', 'margaret'].map(
    name => users.rows(account).find(row => row.userName === name)!.userId
  ) as [number, number, number, number]
  const addSkill = (applicationId: number, sqSkillName: string, note: string) =>
    smartQueueSkills.add(account, { applicationId, sqSkillName, description: note, created: time, modified: time }).sqSkillId
  const billing = addSkill(support!.applicationId, 'billing', 'Invoices and refunds')
  const english = addSkill(support!.applicationId, 'english', 'Speaks English')
  const negotiation = addSkill(sales!.applicationId, 'negotiation', 'Closes deals')

  const addQueue = (applicationId: number, sqQueueName: string, note: string, userIds: number[]) =>
    smartQueues.add(account, {
      applicationId,
      sqQueueName,
      description: note,
      agentSelection: 'MOST_QUALIFIED',
      taskSelection: 'MAX_PRIORITY',
      imAgentSelection: 'MOST_QUALIFIED',
      imTaskSelection: 'MAX_PRIORITY',
      holdCallsIfInactiveAgents: false,
      holdImIfInactiveAgents: true,
      callMaxQueueSize: 50,
      callMaxWaitingTime: 10,
      callMaxWaitingTimeInSeconds: 600,
      imMaxQueueSize: 100,
      imMaxWaitingTime: 30,
      imMaxWaitingTimeInSeconds: 1800,
      priority: 1,
      userIds,
      created: time,
      modified: time
    }).sqQueueId
  const invoices = addQueue(support!.applicationId, 'billing', 'Questions about invoices', [ada, grace])
  const technical = addQueue(support!.applicationId, 'technical', 'Everything that does not work', [ada, linus])
  addQueue(sales!.applicationId, 'orders', 'New orders', [margaret])

  const levels: [number, AgentSkill[]][] = [
    [
      ada,
      [
        { sqSkillId: billing, sqSkillLevel: 5 },
        { sqSkillId: english, sqSkillLevel: 4 }
      ]
    ],
    [grace, [{ sqSkillId: billing, sqSkillLevel: 2 }]],
    [linus, [{ sqSkillId: english, sqSkillLevel: 3 }]],
    [margaret, [{ sqSkillId: negotiation, sqSkillLevel: 5 }]]
  ]
  for (const [userId, skills] of levels)
    changeAgent(account, userId, { skills, handleCalls: userId !== linus, maxSimultaneousConversations: 3 })

  statusNames.add(account, { applicationId: support!.applicationId, sqStatusName: 'CUSTOM_1', customStatusName: 'Training' })
  tasks.add(account, {
    sqQueueId: invoices,
    taskType: 'CALL',
    status: 'IN_QUEUE',
    skills: [{ sqSkillId: billing, sqSkillLevel: 3 }],
    waitingTime: 12_000,
    processingTime: 0
  })
  tasks.add(account, {
    sqQueueId: invoices,
    taskType: 'IM',
    status: 'IN_PROCESSING',
    userId: ada,
    skills: [{ sqSkillId: english, sqSkillLevel: 1 }],
    waitingTime: 4_000,
    processingTime: 45_000,
    customData: 'order 1042'
  })
  tasks.add(account, { sqQueueId: technical, taskType: 'CALL', status: 'IN_QUEUE', skills: [], waitingTime: 31_000, processingTime: 0 })
}
