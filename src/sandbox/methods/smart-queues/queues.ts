import type { SmartQueueState } from '../../../../schemas/smart-queue.ts'
import { type Params, reject } from '../../codec.ts'
import type { Methods } from '../../method.ts'
import { defined, matches, now } from '../../query.ts'
import type { AccountState } from '../../state.ts'
import { bindIds, requireApplication, selectUsers, users } from '../../tables.ts'
import { skillsOfAgent, statusesOf } from './agents.ts'
import {
  agentOf,
  applicationQueues,
  descriptionOf,
  excludedUser,
  integerOf,
  optionOf,
  type QueueRow,
  smartQueues,
  tasks,
  userFilter
} from './tables.ts'

// The upstream has limits, but publishes no numbers.
const maxQueues = 500
const maxQueuesPerAgent = 100

const agentStrategies = ['MOST_QUALIFIED', 'LEAST_QUALIFIED', 'MAX_WAITING_TIME']
const taskStrategies = ['MAX_PRIORITY', 'MAX_WAITING_TIME']

/** The maximum waiting time, which a call gives in minutes or in seconds; a response has it in both. */
function maxWaitingTimeOf(params: Params, inMinutes: 'callMaxWaitingTime' | 'imMaxWaitingTime'): Partial<QueueRow> {
  const minutes = integerOf(params, inMinutes, 0)
  const seconds = integerOf(params, `${inMinutes}InSeconds`, 0)
  if (minutes !== undefined && seconds !== undefined) reject('ONLY_ONE_OF_PARAMETERS', inMinutes)
  if (minutes !== undefined) return { [inMinutes]: minutes, [`${inMinutes}InSeconds`]: minutes * 60 }
  return seconds === undefined ? {} : { [inMinutes]: Math.ceil(seconds / 60), [`${inMinutes}InSeconds`]: seconds }
}

/** The settings that a call gives, checked. */
const settingsOf = (params: Params): Partial<QueueRow> =>
  defined<Partial<QueueRow>>({
    agentSelection: optionOf(params, 'callAgentSelection', agentStrategies),
    taskSelection: optionOf(params, 'callTaskSelection', taskStrategies),
    imAgentSelection: optionOf(params, 'imAgentSelection', agentStrategies),
    imTaskSelection: optionOf(params, 'imTaskSelection', taskStrategies),
    fallbackAgentSelection: params.text('fallbackAgentSelection'),
    holdCallsIfInactiveAgents: params.flag('holdCallsIfInactiveAgents'),
    holdImIfInactiveAgents: params.flag('holdImIfInactiveAgents'),
    callMaxQueueSize: integerOf(params, 'callMaxQueueSize', 0),
    imMaxQueueSize: integerOf(params, 'imMaxQueueSize', 0),
    priority: integerOf(params, 'priority', 1, 100),
    description: descriptionOf(params),
    ...maxWaitingTimeOf(params, 'callMaxWaitingTime'),
    ...maxWaitingTimeOf(params, 'imMaxWaitingTime')
  })

function stateOf(account: AccountState, { sqQueueId, sqQueueName, userIds }: QueueRow): SmartQueueState {
  return {
    sqQueueId,
    sqQueueName,
    sqAgents: users.where(account, { userId: userIds, acdStatus: (status = 'OFFLINE') => status !== 'OFFLINE' }).map(user => ({
      userId: user.userId,
      userName: user.userName,
      userDisplayName: user.userDisplayName,
      sqSkills: skillsOfAgent(account, agentOf(account, user.userId).skills),
      sqStatuses: [statusesOf(account, user)]
    })),
    tasks: tasks.where(account, { sqQueueId }).map(({ taskType, status, userId, skills, waitingTime, processingTime, customData }) => ({
      taskType,
      status,
      userId,
      sqSkills: skillsOfAgent(account, skills),
      waitingTime,
      processingTime,
      customData
    }))
  }
}

/** What binding does to earlier bindings: whether the queues lose their other agents, and the agents their other queues. */
const bindModes: Record<string, { emptiesQueues: boolean; freesAgents: boolean }> = {
  add_queues: { emptiesQueues: false, freesAgents: false },
  replace_agents: { emptiesQueues: true, freesAgents: false },
  add: { emptiesQueues: false, freesAgents: true },
  replace: { emptiesQueues: true, freesAgents: true }
}

/** The queues to bind to. This method alone accepts `all` for a name, too. */
const queuesToBind = (account: AccountState, params: Params): QueueRow[] =>
  params.texts('sqQueueName')?.[0] === 'all'
    ? smartQueues.where(account, { applicationId: requireApplication(account, params).applicationId })
    : applicationQueues.select(account, params)

export const methods: Methods = {
  SQ_AddQueue(params, account) {
    const { applicationId } = requireApplication(account, params)
    const sqQueueName = applicationQueues.requiredName(account, params, 'sqQueueName')
    const settings = settingsOf(params)
    const imAgentSelection = settings.agentSelection ?? reject('REQUIRED_IS_EMPTY', 'callAgentSelection')
    const imTaskSelection = settings.taskSelection ?? reject('REQUIRED_IS_EMPTY', 'callTaskSelection')
    if (smartQueues.where(account, { applicationId }).length >= maxQueues) reject('SC_QUEUE_COUNT_LIMIT')
    const time = now()
    const { sqQueueId } = smartQueues.add(account, {
      applicationId,
      sqQueueName,
      imAgentSelection,
      imTaskSelection,
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
    requireApplication(account, params)
    const names = params.texts('sqQueueName')
    const part = params.text('sqQueueNameTemplate') ?? ''
    const userIds = userFilter(account, params)
    const excluded = excludedUser(account, params)
    const page = applicationQueues.page(account, params, {
      sqQueueId: params.ids('sqQueueId'),
      sqQueueName: (name = '') => matches(names, name) && name.includes(part),
      userIds: ids => (userIds === undefined || userIds.some(id => ids.includes(id))) && (excluded === undefined || !ids.includes(excluded))
    })
    const withCount = params.flag('withAgentcount')
    return { ...page, result: page.result.map(row => ({ ...row, ...(withCount && { agentcount: row.userIds.length }) })) }
  },

  SQ_SetQueueInfo(params, account) {
    const row = applicationQueues.one(account, params)
    const sqQueueName = applicationQueues.newName(account, params, 'newSqQueueName', row)
    return applicationQueues.update(row, { ...settingsOf(params), sqQueueName, modified: now() })
  },

  SQ_DelQueue: applicationQueues.remove,

  SQ_BindAgent(params, account) {
    const { applicationId } = requireApplication(account, params)
    const mode = bindModes[optionOf(params, 'bindMode', Object.keys(bindModes)) ?? 'add_queues'] ?? reject('INVALID', 'bindMode')
    const selected = queuesToBind(account, params)
    const ids = selectUsers(account, params).map(row => row.userId)
    const bound = smartQueues.where(account, { applicationId }).map(row => {
      if (selected.includes(row)) return { row, userIds: bindIds(mode.emptiesQueues ? [] : row.userIds, ids, true) }
      return { row, userIds: mode.freesAgents ? bindIds(row.userIds, ids, false) : row.userIds }
    })
    if (ids.some(id => bound.filter(({ userIds }) => userIds.includes(id)).length > maxQueuesPerAgent))
      reject('EXCEEDED_QUEUES_PER_AGENT_LIMIT')
    for (const { row, userIds } of bound) row.userIds = userIds
  },

  SQ_UnbindAgent(params, account) {
    const queues = applicationQueues.select(account, params)
    const ids = selectUsers(account, params).map(row => row.userId)
    for (const row of queues) row.userIds = bindIds(row.userIds, ids, false)
  },

  GetSQState: (params, account) => ({ result: applicationQueues.select(account, params).map(row => stateOf(account, row)) })
}
