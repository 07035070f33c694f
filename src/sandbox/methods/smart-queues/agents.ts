import type { SmartQueueAgent } from '../../../../schemas/smart-queue.ts'
import { type Params, reject } from '../../codec.ts'
import type { Methods } from '../../method.ts'
import { defined, matches, pageOf, select } from '../../query.ts'
import type { AccountState } from '../../state.ts'
import { applications, requireApplication, selectUsers, type UserRow } from '../../tables.ts'
import { objectsOf, skillIdsOf, skillLevelOf } from './skills.ts'
import {
  type AgentSkill,
  agentOf,
  applicationQueues,
  changeAgent,
  integerOf,
  type QueueRow,
  smartQueueSkills,
  smartQueues,
  statusNames,
  tasks,
  usersOf
} from './tables.ts'

/** The statuses that are always listed; any other is listed when the application has a name for it. */
const statuses = [
  ...['OFFLINE', 'ONLINE', 'READY', 'IN_SERVICE', 'AFTER_SERVICE', 'DND', 'BANNED'],
  ...Array.from({ length: 10 }, (_, i) => `CUSTOM_${i + 1}`)
]

export const skillsOfAgent = (account: AccountState, skills: AgentSkill[]) =>
  skills.map(({ sqSkillId, sqSkillLevel }) => ({
    sqSkillId,
    sqSkillName: smartQueueSkills.find(account, sqSkillId)?.sqSkillName,
    sqSkillLevel
  }))

/** An agent's statuses: for calls that of the user, for chats that of the user and the agent's chats. */
export function statusesOf(
  account: AccountState,
  { userId, acdStatus = 'OFFLINE', acdStatusChangeTime: fromDate }: UserRow
): Record<'CALL' | 'IM', { sqStatusName: string; fromDate: string | undefined }> {
  const isChatting = tasks.where(account, { userId, taskType: 'IM', status: 'IN_PROCESSING' }).length > 0
  const im = acdStatus === 'OFFLINE' || acdStatus === 'DND' ? acdStatus : isChatting ? 'IN_SERVICE' : 'READY'
  return { CALL: { sqStatusName: acdStatus, fromDate }, IM: { sqStatusName: im, fromDate } }
}

/** The methods of status names take applications by id only, and have an error of their own. */
function applicationIdOf(account: AccountState, params: Params): number {
  const id = params.requiredNumber('applicationId')
  return applications.find(account, id) ? id : reject('APPLICATION_NOT_FOUND', 'applicationId')
}

const isStatusType = (type: unknown): type is 'CALL' | 'IM' => type === 'CALL' || type === 'IM'

/** Whether an agent has one of the statuses that a call names; it names none: yes. */
function statusFilter(account: AccountState, params: Params): (user: UserRow) => boolean {
  const filters = objectsOf(params, 'sqStatuses')?.map(({ sqStatusType, sqStatusName }) => ({
    type: isStatusType(sqStatusType) ? sqStatusType : reject('INVALID', 'sqStatuses'),
    name: sqStatusName
  }))
  return user => filters?.some(({ type, name }) => statusesOf(account, user)[type].sqStatusName === name) ?? true
}

/** Whether an agent has every skill that a call names, at the levels it names. */
function skillFilter(account: AccountState, params: Params): (skills: AgentSkill[]) => boolean {
  const filters = (objectsOf(params, 'sqSkills') ?? []).map(entry => ({
    ids: skillIdsOf(account, params, entry),
    min: skillLevelOf(entry.minSqSkillLevel, 1),
    max: skillLevelOf(entry.maxSqSkillLevel, 5)
  }))
  return skills =>
    filters.every(({ ids, min, max }) =>
      skills.some(skill => ids.includes(skill.sqSkillId) && skill.sqSkillLevel >= min && skill.sqSkillLevel <= max)
    )
}

export const methods: Methods = {
  SQ_GetAgents(params, account) {
    const { applicationId } = requireApplication(account, params)
    const ids = params.ids('userId')
    const names = params.texts('userName')
    const part = params.text('userNameTemplate') ?? ''
    const all = smartQueues.where(account, { applicationId })
    const serves = (queues: QueueRow[], { userId }: UserRow) => queues.some(queue => queue.userIds.includes(userId))
    const inQueues = params.has('sqQueueId', 'sqQueueName') ? applicationQueues.select(account, params) : undefined
    const notInQueues = params.has('excludedSqQueueId', 'excludedSqQueueName')
      ? select(all, params, {
          id: 'sqQueueId',
          name: 'sqQueueName',
          unknownId: 'INVALID_ACD_QUEUE_ID',
          as: 'excludedSqQueueId',
          asName: 'excludedSqQueueName'
        })
      : []
    const hasSkills = skillFilter(account, params)
    const hasStatus = statusFilter(account, params)
    const handleCalls = params.flag('handleCalls')
    const page = pageOf(
      usersOf(account, params).filter(row => {
        const agent = agentOf(account, row.userId)
        return (
          matches(ids, row.userId) &&
          matches(names, row.userName ?? '') &&
          (row.userName ?? '').includes(part) &&
          (inQueues === undefined || serves(inQueues, row)) &&
          !serves(notInQueues, row) &&
          hasSkills(agent.skills) &&
          hasStatus(row) &&
          matches(handleCalls, agent.handleCalls)
        )
      }),
      params
    )
    const result = page.result.map((row): SmartQueueAgent => {
      const agent = agentOf(account, row.userId)
      return {
        userId: row.userId,
        userName: row.userName,
        userDisplayName: row.userDisplayName,
        maxSimultaneousConversations: agent.maxSimultaneousConversations,
        ...(params.flag('withSqQueues') && {
          sqQueues: all.filter(queue => serves([queue], row)).map(({ sqQueueId, sqQueueName }) => ({ sqQueueId, sqQueueName }))
        }),
        ...(params.flag('withSqSkills') && { sqSkills: skillsOfAgent(account, agent.skills) }),
        ...(params.flag('withSqStatuses') && { sqStatuses: [statusesOf(account, row)] })
      }
    })
    return { ...page, result }
  },

  SQ_SetAgentInfo(params, account) {
    requireApplication(account, params)
    const handleCalls = params.flag('handleCalls')
    const maxSimultaneousConversations = integerOf(params, 'maxSimultaneousConversations', 0)
    if (handleCalls === undefined && maxSimultaneousConversations === undefined) reject('REQUIRED_IS_EMPTY', 'handleCalls')
    for (const { userId } of selectUsers(account, params))
      changeAgent(account, userId, defined({ handleCalls, maxSimultaneousConversations }))
  },

  SQ_GetAgentCustomStatusMapping(params, account) {
    const ids = params.has('applicationId') ? [applicationIdOf(account, params)] : applications.rows(account).map(row => row.applicationId)
    const result = ids.flatMap(applicationId => {
      const names = new Map(statusNames.where(account, { applicationId }).map(row => [row.sqStatusName, row.customStatusName]))
      return [...new Set([...statuses, ...names.keys()])].map(sqStatusName => ({ sqStatusName, customStatusName: names.get(sqStatusName) }))
    })
    return { result }
  },

  SQ_SetAgentCustomStatusMapping(params, account) {
    const applicationId = applicationIdOf(account, params)
    const sqStatusName = params.required('sqStatusName')
    const customStatusName = params.required('customStatusName')
    if (statusNames.where(account, { applicationId, customStatusName }).some(row => row.sqStatusName !== sqStatusName))
      reject('SQ_CUSTOM_STATUS_ALREADY_EXISTS', 'customStatusName')
    const [row] = statusNames.where(account, { applicationId, sqStatusName })
    if (row) row.customStatusName = customStatusName
    else statusNames.add(account, { applicationId, sqStatusName, customStatusName })
  },

  SQ_DeleteAgentCustomStatusMapping(params, account) {
    const applicationId = applicationIdOf(account, params)
    const sqStatusName = params.required('sqStatusName')
    statusNames.remove(account, statusNames.where(account, { applicationId, sqStatusName }))
  }
}
