import { seeded } from '../../../schemas/seeded.ts'
import { refuse } from '../codec.ts'
import { holdsPart, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { applications, chosenUsers, deleteUsers, queues, skills, theApplication, type UserRow, users } from '../tables.ts'
import type { Method } from './index.ts'

const maxUsers = 1000

function checkUserName(account: AccountState, name: string, applicationId: number, field: string, self?: UserRow): string {
  if (!/^[a-z0-9][a-z0-9_-]{2,49}$/.test(name)) refuse('USER_NAME_RESTRICTIONS', field)
  if (users.rows(account).some(row => row !== self && row.applicationId === applicationId && row.userName === name))
    refuse('USER_NAME_ISNT_UNIQUE', field)
  return name
}

function checkDisplayName(name: string): string {
  return name.length === 0 || name.length > 255 ? refuse('INVALID_USER_DISPLAY_NAME', 'userDisplayName') : name
}

function checkPassword(password: string): void {
  if (password.length < 8) refuse('PASSWORD_LENGTH', 'userPassword')
  if (![/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].every(needed => needed.test(password))) refuse('PASSWORD_TOO_WEAK', 'userPassword')
}

export const methods: Record<string, Method> = {
  AddUser(params, account) {
    const { applicationId } = theApplication(account, params)
    const userName = checkUserName(account, params.need('userName', params.text('userName')), applicationId, 'userName')
    const userDisplayName = checkDisplayName(params.need('userDisplayName', params.text('userDisplayName')))
    checkPassword(params.need('userPassword', params.text('userPassword')))
    if (users.rows(account).length >= maxUsers) refuse('USER_COUNT_EXCEEDED')
    const time = now()
    const { userId } = users.add(account, {
      applicationId,
      skillIds: [],
      userName,
      userDisplayName,
      userActive: params.flag('userActive') ?? true,
      frozen: false,
      userCustomData: params.text('userCustomData'),
      parentAccounting: params.flag('parentAccounting') ?? true,
      mobilePhone: params.text('mobilePhone'),
      balance: 0,
      fixedBalance: 0,
      acdStatus: 'OFFLINE',
      acdStatusChangeTime: time,
      created: time,
      modified: time
    })
    return { result: 1, userId }
  },

  GetUsers(params, account) {
    const id = params.ids('applicationId')?.[0]
    const part = params.text('applicationName')
    if (id === undefined && part === undefined) refuse('REQUIRED_IS_EMPTY', 'applicationId')
    if (id !== undefined && !applications.find(account, id as number)) refuse('INVALID_APPLICATION_ID', 'applicationId')
    const within = applications
      .rows(account)
      .filter(row => (id === undefined || row.applicationId === id) && holdsPart(row.applicationName, part))
      .map(row => row.applicationId)
    const only = {
      userId: params.ids('userId')?.[0],
      active: params.flag('userActive'),
      statuses: params.texts('acdStatus'),
      skillId: params.number('skillId')
    }
    const queueUsers = (queueId: number | undefined) =>
      queueId === undefined ? undefined : (queues.find(account, queueId)?.userIds ?? refuse('INVALID_ACD_QUEUE_ID', 'acdQueueId'))
    const inQueue = queueUsers(params.number('acdQueueId'))
    const notInQueue = queueUsers(params.number('excludedAcdQueueId'))
    const notSkilled = params.number('excludedSkillId')
    const rows = users
      .rows(account)
      .filter(
        row =>
          within.includes(row.applicationId) &&
          (only.userId === undefined || row.userId === only.userId) &&
          holdsPart(row.userName, params.texts('userName')?.[0]) &&
          holdsPart(row.userDisplayName, params.text('userDisplayName')) &&
          (only.active === undefined || row.userActive === only.active) &&
          (only.statuses === undefined || only.statuses.includes(row.acdStatus ?? 'OFFLINE')) &&
          (only.skillId === undefined || row.skillIds.includes(only.skillId)) &&
          (notSkilled === undefined || !row.skillIds.includes(notSkilled)) &&
          (inQueue === undefined || inQueue.includes(row.userId)) &&
          (notInQueue === undefined || !notInQueue.includes(row.userId))
      )
    const order = params.text('orderBy')
    if (order === 'user_name' || order === 'user_display_name') {
      const field = order === 'user_name' ? 'userName' : 'userDisplayName'
      rows.sort((a, b) => String(a[field]).localeCompare(String(b[field])))
    }
    const page = pageOf(rows, params)
    const showing = params.number('showingSkillId')
    return {
      ...page,
      result: page.result.map(row => ({
        ...row,
        ...(params.flag('returnLiveBalance') ? { liveBalance: row.balance } : {}),
        ...(params.flag('withSkills')
          ? {
              skills: skills
                .rows(account)
                .filter(skill => row.skillIds.includes(skill.skillId) && (showing === undefined || skill.skillId === showing))
            }
          : {}),
        ...(params.flag('withQueues')
          ? {
              acdQueues: queues
                .rows(account)
                .filter(queue => queue.userIds.includes(row.userId))
                .map(queue => ({ ...queue, autoLink: false }))
            }
          : {})
      }))
    }
  },

  SetUserInfo(params, account) {
    const row = chosenUsers(account, params)[0]!
    const name = params.text('newUserName')
    const displayName = params.text('userDisplayName')
    const password = params.text('userPassword')
    if (name !== undefined) checkUserName(account, name, row.applicationId, 'newUserName', row)
    if (displayName !== undefined) checkDisplayName(displayName)
    if (password !== undefined) checkPassword(password)
    Object.assign(row, {
      userName: name ?? row.userName,
      userDisplayName: displayName ?? row.userDisplayName,
      userActive: params.flag('userActive') ?? row.userActive,
      userCustomData: params.text('userCustomData') ?? row.userCustomData,
      parentAccounting: params.flag('parentAccounting') ?? row.parentAccounting,
      mobilePhone: params.text('mobilePhone') ?? row.mobilePhone,
      modified: now()
    })
    return { result: 1 }
  },

  DelUser(params, account) {
    deleteUsers(
      account,
      chosenUsers(account, params).map(row => row.userId)
    )
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  const people = [
    [seeded.user.name, 'Ada Lovelace', 'READY'],
    ['grace', 'Grace Hopper', 'ONLINE'],
    ['linus', 'Linus Torvalds', 'OFFLINE'],
    ['margaret', 'Margaret Hamilton', 'READY']
  ] as const
  const time = '2026-01-15T09:30:00Z'
  const [support, sales] = applications.rows(account)
  for (const [i, [userName, userDisplayName, acdStatus]] of people.entries()) {
    users.add(account, {
      applicationId: (i < 3 ? support : sales)!.applicationId,
      skillIds: [],
      userName,
      userDisplayName,
      userActive: true,
      frozen: false,
      parentAccounting: true,
      balance: 0,
      fixedBalance: 0,
      acdStatus,
      acdStatusChangeTime: time,
      created: time,
      modified: time
    })
  }
}
