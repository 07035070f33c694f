import type { SmartQueue, SmartQueueSkill } from '../../../../schemas/smart-queue.ts'
import { type Params, reject } from '../../codec.ts'
import { selectOne } from '../../query.ts'
import { resource } from '../../resource.ts'
import { type AccountState, table } from '../../state.ts'
import { bindIds, onDelete, requireApplication, selectUsers, type UserRow, users } from '../../tables.ts'

/** The tables of smart queues, and how calls select from them. */

export interface QueueRow extends SmartQueue {
  applicationId: number
  imAgentSelection: string
  imTaskSelection: string
  fallbackAgentSelection?: string
  priority?: number
  userIds: number[]
}

export interface SkillRow extends SmartQueueSkill {
  applicationId: number
}

export interface AgentSkill {
  sqSkillId: number
  sqSkillLevel: number
}

/** The settings of an agent; users without a row have the defaults. */
export interface AgentRow {
  userId: number
  handleCalls: boolean
  maxSimultaneousConversations: number
  skills: AgentSkill[]
}

export interface StatusNameRow {
  statusNameId: number
  applicationId: number
  sqStatusName: string
  customStatusName: string
}

export interface TaskRow {
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

export const smartQueues = table<QueueRow, 'sqQueueId'>('smartQueues', 'sqQueueId', 401)
export const smartQueueSkills = table<SkillRow, 'sqSkillId'>('smartQueueSkills', 'sqSkillId', 501)
export const agents = table<AgentRow, 'userId'>('smartQueueAgents', 'userId')
export const statusNames = table<StatusNameRow, 'statusNameId'>('smartQueueStatusNames', 'statusNameId')
export const tasks = table<TaskRow, 'taskId'>('smartQueueTasks', 'taskId')

onDelete('applications', (account, ids) => {
  const queues = smartQueues.where(account, { applicationId: ids })
  smartQueues.remove(account, queues)
  removeTasks(
    account,
    queues.map(row => row.sqQueueId)
  )
  smartQueueSkills.remove(account, smartQueueSkills.where(account, { applicationId: ids }))
  statusNames.remove(account, statusNames.where(account, { applicationId: ids }))
})

onDelete('users', (account, ids) => {
  for (const row of smartQueues.rows(account)) row.userIds = bindIds(row.userIds, ids, false)
  agents.remove(account, agents.where(account, { userId: ids }))
  tasks.remove(account, tasks.where(account, { userId: ids }))
})

const removeTasks = (account: AccountState, queueIds: number[]): void => {
  tasks.remove(account, tasks.where(account, { sqQueueId: queueIds }))
}

const checkLength = (maxLength: number) => (name: string, param: string) => {
  if (name === '') reject('PARAMETER_CANT_BE_EMPTY_EX', param)
  if (name.length > maxLength) reject('TOO_LONG', param)
}

/** The smart queues of the application that a call names. */
export const applicationQueues = resource({
  table: smartQueues,
  id: 'sqQueueId',
  name: 'sqQueueName',
  notFound: 'INVALID_ACD_QUEUE_ID',
  unique: 'VALUE_NOT_UNIQUE',
  checkName: checkLength(100),
  within: (account, params) => smartQueues.where(account, { applicationId: requireApplication(account, params).applicationId }),
  onRemove: removeTasks
})

/** The skills of the application that a call names. */
export const applicationSkills = resource({
  table: smartQueueSkills,
  id: 'sqSkillId',
  name: 'sqSkillName',
  notFound: 'INVALID_SKILL_ID',
  unique: 'VALUE_NOT_UNIQUE',
  checkName: checkLength(512),
  within: (account, params) => smartQueueSkills.where(account, { applicationId: requireApplication(account, params).applicationId }),
  onRemove(account, ids) {
    for (const row of [...agents.rows(account), ...tasks.rows(account)]) row.skills = withoutSkills(row.skills, ids)
  }
})

/** The users of the application that a call names. */
export const usersOf = (account: AccountState, params: Params): UserRow[] =>
  users.where(account, { applicationId: requireApplication(account, params).applicationId })

export const agentOf = (account: AccountState, userId: number): AgentRow =>
  agents.find(account, userId) ?? { userId, handleCalls: true, maxSimultaneousConversations: 1, skills: [] }

/** Changes an agent's settings or skills. */
export function changeAgent(account: AccountState, userId: number, changes: Partial<AgentRow>): void {
  const row = agents.find(account, userId)
  if (row) Object.assign(row, changes)
  else agents.rows(account).push({ ...agentOf(account, userId), ...changes })
}

export const withoutSkills = (skills: AgentSkill[], ids: number[]): AgentSkill[] => skills.filter(skill => !ids.includes(skill.sqSkillId))

/** The users a call names as a filter; undefined when it names none. */
export const userFilter = (account: AccountState, params: Params): number[] | undefined =>
  params.has('userId', 'userName') ? selectUsers(account, params).map(row => row.userId) : undefined

/** The user whom a call excludes. */
export const excludedUser = (account: AccountState, params: Params): number | undefined =>
  params.has('excludedUserId', 'excludedUserName')
    ? selectOne(usersOf(account, params), params, {
        id: 'userId',
        name: 'userName',
        unknownId: 'INVALID_EXCLUDED_USER_ID',
        as: 'excludedUserId',
        asName: 'excludedUserName'
      }).userId
    : undefined

/** A text that is one of those allowed. */
export function optionOf(params: Params, name: string, allowed: readonly string[]): string | undefined {
  const value = params.text(name)
  return value !== undefined && !allowed.includes(value) ? reject('INVALID', name) : value
}

/** A whole number from `min` to `max`. */
export function integerOf(params: Params, name: string, min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = params.number(name)
  if (value === undefined) return undefined
  return Number.isInteger(value) && value >= min && value <= max ? value : reject('INVALID_RANGE', name)
}

export function descriptionOf(params: Params): string | undefined {
  const text = params.text('description')
  return text !== undefined && text.length > 200 ? reject('TOO_LONG', 'description') : text
}
