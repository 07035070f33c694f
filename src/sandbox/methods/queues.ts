import type { QueueState } from '../../../schemas/queue.ts'
import { seeded } from '../../../schemas/seeded.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing, defined, including, now } from '../query.ts'
import { resource } from '../resource.ts'
import type { AccountState } from '../state.ts'
import { applications, bindIds, type QueueRow, queues, requireApplication, selectQueues, selectUsers, skillsOf, users } from '../tables.ts'

const accountQueues = resource({
  table: queues,
  id: 'acdQueueId',
  name: 'acdQueueName',
  notFound: 'INVALID_ACD_QUEUE_ID',
  unique: 'DUPLICATE_QUEUES_NAME',
  checkName: (name, param) => name.length >= 100 && reject('ACD_QUEUE_NAME_TOO_LONG', param)
})

/** The settings that a call gives, checked. */
function settingsOf(params: Params): Partial<QueueRow> {
  const serviceProbability = params.number('serviceProbability')
  const acdQueuePriority = params.number('acdQueuePriority')
  if (serviceProbability !== undefined && (serviceProbability < 0.5 || serviceProbability > 1))
    reject('INVALID_SERVICE_PROBABILITY', 'serviceProbability')
  if (acdQueuePriority !== undefined && acdQueuePriority < 0) reject('INVALID_ACD_QUEUE_PRIORITY', 'acdQueuePriority')
  return defined({
    serviceProbability,
    acdQueuePriority,
    autoBinding: params.flag('autoBinding'),
    maxQueueSize: params.number('maxQueueSize'),
    maxWaitingTime: params.number('maxWaitingTime'),
    averageServiceTime: params.number('averageServiceTime')
  })
}

export const methods: Methods = {
  AddQueue(params, account) {
    const { applicationId } = requireApplication(account, params)
    const acdQueueName = accountQueues.requiredName(account, params, 'acdQueueName')
    const time = now()
    return accountQueues.add(account, {
      acdQueueName,
      applicationId,
      acdQueuePriority: 1,
      autoBinding: false,
      serviceProbability: 1,
      ...settingsOf(params),
      userIds: [],
      skillIds: [],
      created: time,
      modified: time
    })
  },

  GetQueues(params, account) {
    const withSkill = including(params.number('skillId'))
    const withoutSkill = including(params.number('excludedSkillId'), false)
    const page = accountQueues.page(account, params, {
      acdQueueId: params.id('acdQueueId'),
      acdQueueName: containing(params.texts('acdQueueName')?.[0]),
      applicationId: params.number('applicationId'),
      skillIds: ids => (withSkill?.(ids) ?? true) && (withoutSkill?.(ids) ?? true)
    })
    const showing = params.number('showingSkillId')
    return {
      ...page,
      result: page.result.map(row => ({
        ...row,
        users: row.userIds.map(userId => ({ userId })),
        ...(params.flag('withSkills') && { skills: skillsOf(account, row, showing) }),
        ...(params.flag('withOperatorcount') && { operatorcount: row.userIds.length })
      }))
    }
  },

  SetQueueInfo(params, account) {
    const row = accountQueues.one(account, params)
    const applicationId = params.number('applicationId')
    if (applicationId !== undefined && !applications.find(account, applicationId)) reject('INVALID_APPLICATION_ID', 'applicationId')
    const acdQueueName = accountQueues.newName(account, params, 'newAcdQueueName', row)
    return accountQueues.update(row, { ...settingsOf(params), acdQueueName, applicationId, modified: now() })
  },

  DelQueue: accountQueues.remove,

  BindUserToQueue(params, account) {
    const { applicationId } = requireApplication(account, params)
    const ids = selectUsers(account, params).map(row => row.userId)
    const bind = params.flag('bind') ?? reject('REQUIRED_IS_EMPTY', 'bind')
    const rows = params.ids('acdQueueId') === 'all' ? queues.where(account, { applicationId }) : selectQueues(account, params)
    if (rows.some(row => row.applicationId !== applicationId)) reject('QUEUE_APPLICATION_NOT_BOUND', 'acdQueueId')
    for (const row of rows) row.userIds = bindIds(row.userIds, ids, bind)
  },

  GetACDState(params, account) {
    const rows = params.ids('acdQueueId') === undefined ? queues.rows(account) : selectQueues(account, params)
    const acdQueues = rows.map(({ acdQueueId, userIds }): QueueState => {
      const ready = users.where(account, { userId: userIds, acdStatus: 'READY' })
      const afterService = users.where(account, { userId: userIds, acdStatus: 'AFTER_SERVICE' })
      return {
        acdQueueId,
        readyOperatorsCount: ready.length,
        readyOperators: ready.map(({ userId, userName, userDisplayName }) => ({ userId, userName, userDisplayName, idleDuration: 30 })),
        lockedOperatorsCount: 0,
        lockedOperators: [],
        afterServiceOperatorCount: afterService.length,
        afterServiceOperators: afterService.map(({ userId, userName, userDisplayName, acdStatus: status }) => ({
          userId,
          userName,
          userDisplayName,
          status
        })),
        servicingCalls: [],
        waitingCalls: []
      }
    })
    return { result: { acdQueues } }
  }
}

export function seed(account: AccountState): void {
  const [support, sales] = applications.rows(account)
  queues.add(account, {
    acdQueueName: seeded.queue.name,
    applicationId: support?.applicationId,
    acdQueuePriority: 1,
    autoBinding: false,
    serviceProbability: 1,
    maxQueueSize: 50,
    userIds: users
      .rows(account)
      .filter(row => row.applicationId === support?.applicationId)
      .map(row => row.userId),
    skillIds: [],
    created: '2026-01-15T09:30:00Z',
    modified: '2026-01-15T09:30:00Z'
  })
  queues.add(account, {
    acdQueueName: 'orders',
    applicationId: sales?.applicationId,
    acdQueuePriority: 2,
    autoBinding: true,
    serviceProbability: 1,
    userIds: [],
    skillIds: [],
    created: '2026-01-15T09:30:00Z',
    modified: '2026-01-15T09:30:00Z'
  })
}
