import { seeded } from '../../../schemas/seeded.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing, defined, matches, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import {
  applications,
  deleteUsers,
  demoApplicationId,
  queues,
  requireApplication,
  selectUsers,
  skillsOf,
  type UserRow,
  users
} from '../tables.ts'

const maxUsers = 1000

function checkUserName(account: AccountState, userName: string, applicationId: number, param: string, self?: UserRow): string {
  if (!/^[a-z0-9][a-z0-9_-]{2,49}$/.test(userName)) reject('USER_NAME_RESTRICTIONS', param)
  if (users.where(account, { applicationId, userName }).some(row => row !== self)) reject('USER_NAME_ISNT_UNIQUE', param)
  return userName
}

function checkDisplayName(name: string): string {
  return name.length === 0 || name.length > 255 ? reject('INVALID_USER_DISPLAY_NAME', 'userDisplayName') : name
}

function checkPassword(password: string): void {
  if (password.length < 8) reject('PASSWORD_LENGTH', 'userPassword')
  if (![/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].every(pattern => pattern.test(password))) reject('PASSWORD_TOO_WEAK', 'userPassword')
}

export const methods: Methods = {
  AddUser(params, account) {
    const { applicationId } = requireApplication(account, params)
    const userName = checkUserName(account, params.required('userName'), applicationId, 'userName')
    const userDisplayName = checkDisplayName(params.required('userDisplayName'))
    checkPassword(params.required('userPassword'))
    if (users.rows(account).length >= maxUsers) reject('USER_COUNT_EXCEEDED')
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
    const id = params.id('applicationId')
    const part = params.text('applicationName')
    if (id === undefined && part === undefined) reject('REQUIRED_IS_EMPTY', 'applicationId')
    if (id !== undefined && !applications.find(account, id)) reject('INVALID_APPLICATION_ID', 'applicationId')
    const applicationIds = applications
      .where(account, { applicationId: id, applicationName: containing(part) })
      .map(row => row.applicationId)
    const usersOfQueue = (queueId: number | undefined) =>
      queueId === undefined ? undefined : (queues.find(account, queueId)?.userIds ?? reject('INVALID_ACD_QUEUE_ID', 'acdQueueId'))
    const inQueue = usersOfQueue(params.number('acdQueueId'))
    const notInQueue = usersOfQueue(params.number('excludedAcdQueueId')) ?? []
    const skillId = params.number('skillId')
    const excludedSkillId = params.number('excludedSkillId')
    const statuses = params.texts('acdStatus')
    const userId = params.id('userId')
    const rows = users
      .where(account, {
        applicationId: applicationIds,
        userId: inQueue,
        userName: containing(params.texts('userName')?.[0]),
        userDisplayName: containing(params.text('userDisplayName')),
        userActive: params.flag('userActive'),
        acdStatus: statuses && ((status = 'OFFLINE') => statuses.includes(status)),
        skillIds: ids =>
          (skillId === undefined || ids.includes(skillId)) && (excludedSkillId === undefined || !ids.includes(excludedSkillId))
      })
      .filter(row => matches(userId, row.userId) && !notInQueue.includes(row.userId))
    const order = params.text('orderBy')
    if (order === 'user_name' || order === 'user_display_name') {
      const field = order === 'user_name' ? 'userName' : 'userDisplayName'
      rows.sort((a, b) => String(a[field]).localeCompare(String(b[field])))
    }
    const page = pageOf(rows, params)
    return {
      ...page,
      result: page.result.map(row => ({
        ...row,
        ...(params.flag('returnLiveBalance') && { liveBalance: row.balance }),
        ...(params.flag('withSkills') && { skills: skillsOf(account, row, params.number('showingSkillId')) }),
        ...(params.flag('withQueues') && {
          acdQueues: queues.where(account, { userIds: ids => ids.includes(row.userId) }).map(queue => ({ ...queue, autoLink: false }))
        })
      }))
    }
  },

  SetUserInfo(params, account) {
    const [row] = selectUsers(account, params)
    if (!row) return reject('INVALID_USER_ID', 'userId')
    const userName = params.text('newUserName')
    const userDisplayName = params.text('userDisplayName')
    const password = params.text('userPassword')
    if (userName !== undefined) checkUserName(account, userName, row.applicationId, 'newUserName', row)
    if (userDisplayName !== undefined) checkDisplayName(userDisplayName)
    if (password !== undefined) checkPassword(password)
    const changes = defined({
      userName,
      userDisplayName,
      userActive: params.flag('userActive'),
      userCustomData: params.text('userCustomData'),
      parentAccounting: params.flag('parentAccounting'),
      mobilePhone: params.text('mobilePhone')
    })
    Object.assign(row, changes, { modified: now() })
  },

  DelUser(params, account) {
    deleteUsers(account, selectUsers(account, params))
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
  for (const [i, [userName, userDisplayName, acdStatus]] of people.entries()) {
    users.add(account, {
      applicationId: demoApplicationId(account, i < 3 ? 'support' : 'sales'),
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
