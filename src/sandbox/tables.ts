import type { AdminRole } from '../../schemas/admin-role.ts'
import type { AdminUser } from '../../schemas/admin-user.ts'
import { type Application, bearsApplicationName } from '../../schemas/application.ts'
import type { Queue } from '../../schemas/queue.ts'
import type { Rule } from '../../schemas/rule.ts'
import { seeded } from '../../schemas/seeded.ts'
import type { Skill } from '../../schemas/skill.ts'
import type { User } from '../../schemas/user.ts'
import { type Params, refuse } from './codec.ts'
import { choose } from './query.ts'
import { type AccountState, table } from './state.ts'

/** The tables that several sections share, how calls choose in them, and what goes when a row goes. */

export interface UserRow extends User {
  applicationId: number
  skillIds: number[]
}

export interface QueueRow extends Omit<Queue, 'users' | 'skills'> {
  userIds: number[]
  skillIds: number[]
}

export interface RuleRow extends Rule {
  ruleName: string
  applicationId: number
}

export interface AdminUserRow extends Omit<AdminUser, 'accessEntries' | 'adminRoles'> {
  adminRoleIds: number[]
}

export interface AdminRoleRow extends Omit<AdminRole, 'adminUsers'> {
  allowedEntries: string[]
  deniedEntries: string[]
}

export const applications = table<Application>('applications', 'applicationId')
export const users = table<UserRow>('users', 'userId', seeded.user.id)
export const queues = table<QueueRow>('queues', 'acdQueueId', seeded.queue.id)
export const skills = table<Skill>('skills', 'skillId', seeded.skill.id)
export const rules = table<RuleRow>('rules', 'ruleId')
export const adminUsers = table<AdminUserRow>('adminUsers', 'adminUserId', seeded.adminUser.id)
export const adminRoles = table<AdminRoleRow>('adminRoles', 'adminRoleId', seeded.adminRole.id)

type Clear = (account: AccountState, ids: number[]) => void
const clearing: Record<'applications' | 'users', Clear[]> = { applications: [], users: [] }

/** Has a section's own rows follow applications or users that are deleted. */
export const whenDeleted = (what: keyof typeof clearing, clear: Clear): void => {
  clearing[what].push(clear)
}

export function deleteApplications(account: AccountState, ids: number[]): void {
  applications.remove(account, row => ids.includes(row.applicationId))
  deleteUsers(
    account,
    users
      .rows(account)
      .filter(row => ids.includes(row.applicationId))
      .map(row => row.userId)
  )
  queues.remove(account, row => ids.includes(row.applicationId ?? 0))
  rules.remove(account, row => ids.includes(row.applicationId))
  for (const clear of clearing.applications) clear(account, ids)
}

export function deleteUsers(account: AccountState, ids: number[]): void {
  users.remove(account, row => ids.includes(row.userId))
  for (const row of queues.rows(account)) row.userIds = bindIds(row.userIds, ids, false)
  for (const clear of clearing.users) clear(account, ids)
}

/** Adds ids to a list, or takes them from it. */
export const bindIds = (list: number[], ids: number[], bind: boolean): number[] =>
  bind ? [...new Set([...list, ...ids])] : list.filter(id => !ids.includes(id))

/** The applications chosen by id or name; undefined when neither parameter is there. */
export function chosenApplications(
  account: AccountState,
  params: Params,
  id = 'applicationId',
  name = 'applicationName'
): Application[] | undefined {
  const ids = params.ids(id)
  if (ids === 'all') return [...applications.rows(account)]
  if (ids) return ids.map(wanted => applications.find(account, wanted) ?? refuse('INVALID_APPLICATION_ID', id))
  return params
    .texts(name)
    ?.map(wanted => applications.rows(account).find(row => bearsApplicationName(row, wanted)) ?? refuse('INVALID_APPLICATION_NAME', name))
}

/** The one application a call is about. Refuses when none is named. */
export const theApplication = (account: AccountState, params: Params): Application =>
  chosenApplications(account, params)?.[0] ?? refuse('REQUIRED_IS_EMPTY', 'applicationId')

/** Users by id or name; by name they are looked for in the application that the call names. */
export function chosenUsers(account: AccountState, params: Params): UserRow[] {
  const application = chosenApplications(account, params)?.[0]
  if (params.ids('userId') === undefined && !application) refuse('REQUIRED_IS_EMPTY', 'applicationId')
  const everyone = users.rows(account)
  const within = application ? everyone.filter(row => row.applicationId === application.applicationId) : everyone
  // An id of another application's user is known, but out of place.
  const rows = params.ids('userId') === 'all' || params.ids('userId') === undefined ? within : everyone
  const chosen = choose(rows, params, { id: 'userId', name: 'userName', unknownId: 'INVALID_USER_ID' })
  if (application && chosen.some(row => row.applicationId !== application.applicationId))
    refuse('USER_NOT_BOUND_TO_THE_APPLICATION', 'userId')
  return chosen
}

/** The rules chosen by id or name, among those of the applications that the call names; undefined when neither parameter is there. */
export function chosenRules(account: AccountState, params: Params): RuleRow[] | undefined {
  const of = chosenApplications(account, params)?.map(row => row.applicationId)
  const within = rules.rows(account).filter(row => of === undefined || of.includes(row.applicationId))
  const ids = params.ids('ruleId')
  if (ids === 'all') return within
  if (ids) return ids.map(wanted => within.find(row => row.ruleId === wanted) ?? refuse('INVALID_RULE_ID', 'ruleId'))
  return params.texts('ruleName')?.flatMap(wanted => {
    // Rules of different applications can bear the same name.
    const named = within.filter(row => row.ruleName === wanted)
    return named.length > 0 ? named : refuse('INVALID_RULE_NAME', 'ruleName')
  })
}

/** Queues by id or name. */
export const chosenQueues = (account: AccountState, params: Params): QueueRow[] =>
  choose(queues.rows(account), params, { id: 'acdQueueId', name: 'acdQueueName', unknownId: 'INVALID_ACD_QUEUE_ID' })
