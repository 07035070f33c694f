import type { QueueState } from '../../../schemas/queue.ts'
import { seeded } from '../../../schemas/seeded.ts'
import { type Params, refuse } from '../codec.ts'
import { holdsPart, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { applications, bindIds, chosenQueues, chosenUsers, type QueueRow, queues, skills, theApplication, users } from '../tables.ts'
import type { Method } from './index.ts'

function checkName(account: AccountState, name: string, field: string, self?: QueueRow): string {
  if (name.length >= 100) refuse('ACD_QUEUE_NAME_TOO_LONG', field)
  if (queues.rows(account).some(row => row !== self && row.acdQueueName === name)) refuse('DUPLICATE_QUEUES_NAME', field)
  return name
}

/** The settings a call gives, checked; those it does not give are left out. */
function settingsOf(params: Params): Partial<QueueRow> {
  const probability = params.number('serviceProbability')
  const priority = params.number('acdQueuePriority')
  if (probability !== undefined && (probability < 0.5 || probability > 1)) refuse('INVALID_SERVICE_PROBABILITY', 'serviceProbability')
  if (priority !== undefined && priority < 0) refuse('INVALID_ACD_QUEUE_PRIORITY', 'acdQueuePriority')
  const given = {
    serviceProbability: probability,
    acdQueuePriority: priority,
    autoBinding: params.flag('autoBinding'),
    maxQueueSize: params.number('maxQueueSize'),
    maxWaitingTime: params.number('maxWaitingTime'),
    averageServiceTime: params.number('averageServiceTime')
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

export const methods: Record<string, Method> = {
  AddQueue(params, account) {
    const { applicationId } = theApplication(account, params)
    const acdQueueName = checkName(account, params.need('acdQueueName', params.text('acdQueueName')), 'acdQueueName')
    const time = now()
    const { acdQueueId } = queues.add(account, {
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
    return { result: 1, acdQueueId }
  },

  GetQueues(params, account) {
    const id = params.ids('acdQueueId')?.[0]
    const applicationId = params.number('applicationId')
    const skilled = params.number('skillId')
    const unskilled = params.number('excludedSkillId')
    const rows = queues
      .rows(account)
      .filter(
        row =>
          (id === undefined || row.acdQueueId === id) &&
          holdsPart(row.acdQueueName, params.texts('acdQueueName')?.[0]) &&
          (applicationId === undefined || row.applicationId === applicationId) &&
          (skilled === undefined || row.skillIds.includes(skilled)) &&
          (unskilled === undefined || !row.skillIds.includes(unskilled))
      )
    const page = pageOf(rows, params)
    const showing = params.number('showingSkillId')
    return {
      ...page,
      result: page.result.map(row => ({
        ...row,
        users: row.userIds.map(userId => ({ userId })),
        ...(params.flag('withSkills')
          ? {
              skills: skills
                .rows(account)
                .filter(skill => row.skillIds.includes(skill.skillId) && (showing === undefined || skill.skillId === showing))
            }
          : {}),
        ...(params.flag('withOperatorcount') ? { operatorcount: row.userIds.length } : {})
      }))
    }
  },

  SetQueueInfo(params, account) {
    const row = chosenQueues(account, params)[0]!
    const name = params.text('newAcdQueueName')
    const applicationId = params.number('applicationId')
    if (applicationId !== undefined && !applications.find(account, applicationId)) refuse('INVALID_APPLICATION_ID', 'applicationId')
    if (name !== undefined) checkName(account, name, 'newAcdQueueName', row)
    Object.assign(row, settingsOf(params), {
      acdQueueName: name ?? row.acdQueueName,
      applicationId: applicationId ?? row.applicationId,
      modified: now()
    })
    return { result: 1 }
  },

  DelQueue(params, account) {
    const ids = chosenQueues(account, params).map(row => row.acdQueueId)
    queues.remove(account, row => ids.includes(row.acdQueueId))
    return { result: 1 }
  },

  BindUserToQueue(params, account) {
    const { applicationId } = theApplication(account, params)
    const ids = chosenUsers(account, params).map(row => row.userId)
    const bind = params.flag('bind') ?? refuse('REQUIRED_IS_EMPTY', 'bind')
    const within =
      params.ids('acdQueueId') === 'all'
        ? queues.rows(account).filter(row => row.applicationId === applicationId)
        : chosenQueues(account, params)
    if (within.some(row => row.applicationId !== applicationId)) refuse('QUEUE_APPLICATION_NOT_BOUND', 'acdQueueId')
    for (const row of within) row.userIds = bindIds(row.userIds, ids, bind)
    return { result: 1 }
  },

  GetACDState(params, account) {
    const ids = params.ids('acdQueueId')
    const chosen = ids === undefined ? queues.rows(account) : chosenQueues(account, params)
    const acdQueues: QueueState[] = chosen.map(row => {
      const ready = users.rows(account).filter(user => row.userIds.includes(user.userId) && user.acdStatus === 'READY')
      const after = users.rows(account).filter(user => row.userIds.includes(user.userId) && user.acdStatus === 'AFTER_SERVICE')
      return {
        acdQueueId: row.acdQueueId,
        readyOperatorsCount: ready.length,
        readyOperators: ready.map(({ userId, userName, userDisplayName }) => ({ userId, userName, userDisplayName, idleDuration: 30 })),
        lockedOperatorsCount: 0,
        lockedOperators: [],
        afterServiceOperatorCount: after.length,
        afterServiceOperators: after.map(({ userId, userName, userDisplayName, acdStatus }) => ({
          userId,
          userName,
          userDisplayName,
          status: acdStatus
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
