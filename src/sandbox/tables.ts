import type { AdminRole } from '../../schemas/admin-role.ts'
import type { AdminUser } from '../../schemas/admin-user.ts'
import { type Application, bearsApplicationName } from '../../schemas/application.ts'
import type { Queue } from '../../schemas/queue.ts'
import type { Rule } from '../../schemas/rule.ts'
import { seeded } from '../../schemas/seeded.ts'
import type { Skill } from '../../schemas/skill.ts'
import type { User } from '../../schemas/user.ts'
import { type Params, reject } from './codec.ts'
import { demoRow, matches, select } from './query.ts'
import { type AccountState, table } from './state.ts'

/** The tables that several sections share, how calls select in them, and what goes when a row goes. */

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

export const applications = table<Application, 'applicationId'>('applications', 'applicationId')
export const users = table<UserRow, 'userId'>('users', 'userId', seeded.user.id)
export const queues = table<QueueRow, 'acdQueueId'>('queues', 'acdQueueId', seeded.queue.id)
export const skills = table<Skill, 'skillId'>('skills', 'skillId', seeded.skill.id)
export const rules = table<RuleRow, 'ruleId'>('rules', 'ruleId')
export const adminUsers = table<AdminUserRow, 'adminUserId'>('adminUsers', 'adminUserId', seeded.adminUser.id)
export const adminRoles = table<AdminRoleRow, 'adminRoleId'>('adminRoles', 'adminRoleId', seeded.adminRole.id)

/** Removes, or adapts, a section's own rows when applications or users with these ids are deleted. */
type Cascade = (account: AccountState, ids: number[]) => void
const cascades: Record<'applications' | 'users', Cascade[]> = { applications: [], users: [] }

/** Registers what a section does when applications or users are deleted. */
export const onDelete = (rows: keyof typeof cascades, cascade: Cascade): void => {
  cascades[rows].push(cascade)
}

export function deleteApplications(account: AccountState, rows: Application[]): void {
  const ids = rows.map(row => row.applicationId)
  applications.remove(account, rows)
  deleteUsers(account, users.where(account, { applicationId: ids }))
  queues.remove(account, queues.where(account, { applicationId: ids }))
  rules.remove(account, rules.where(account, { applicationId: ids }))
  for (const cascade of cascades.applications) cascade(account, ids)
}

export function deleteUsers(account: AccountState, rows: UserRow[]): void {
  const ids = rows.map(row => row.userId)
  users.remove(account, rows)
  for (const row of queues.rows(account)) row.userIds = bindIds(row.userIds, ids, false)
  for (const cascade of cascades.users) cascade(account, ids)
}

/** Adds ids to a list, or removes them from it. */
export const bindIds = (list: number[], ids: number[], bind: boolean): number[] =>
  bind ? [...new Set([...list, ...ids])] : list.filter(id => !ids.includes(id))

/** The applications selected by id or name; undefined when neither parameter is there. */
export function selectApplications(
  account: AccountState,
  params: Params,
  id = 'applicationId',
  name = 'applicationName'
): Application[] | undefined {
  const ids = params.ids(id)
  if (ids === 'all') return [...applications.rows(account)]
  if (ids) return ids.map(value => applications.find(account, value) ?? reject('INVALID_APPLICATION_ID', id))
  return params
    .texts(name)
    ?.map(value => applications.rows(account).find(row => bearsApplicationName(row, value)) ?? reject('INVALID_APPLICATION_NAME', name))
}

/** The ids of the applications selected, as a filter. */
export const selectApplicationIds = (account: AccountState, params: Params): number[] | undefined =>
  selectApplications(account, params)?.map(row => row.applicationId)

/** The one application a call is about. Rejects a call that names none. */
export const requireApplication = (account: AccountState, params: Params): Application =>
  selectApplications(account, params)?.[0] ?? reject('REQUIRED_IS_EMPTY', 'applicationId')

/** The id of an application that a demonstration account starts with. */
export const demoApplicationId = (account: AccountState, name: 'support' | 'sales' | 'notifications'): number =>
  demoRow(
    applications.rows(account).find(row => row.applicationName?.startsWith(`${name}.`)),
    name
  ).applicationId

/** Users by id or name; by name within the application that the call names. */
export function selectUsers(account: AccountState, params: Params): UserRow[] {
  const applicationId = selectApplications(account, params)?.[0]?.applicationId
  const ids = params.ids('userId')
  if (ids === undefined && applicationId === undefined) reject('REQUIRED_IS_EMPTY', 'applicationId')
  // An id of another application's user exists, but is out of place.
  const scope = ids === 'all' || ids === undefined ? users.where(account, { applicationId }) : users.rows(account)
  const rows = select(scope, params, { id: 'userId', name: 'userName', unknownId: 'INVALID_USER_ID' })
  if (!rows.every(row => matches(applicationId, row.applicationId))) reject('USER_NOT_BOUND_TO_THE_APPLICATION', 'userId')
  return rows
}

/** The rules selected by id or name, among those of the applications that the call names; undefined when neither parameter is there. */
export function selectRules(account: AccountState, params: Params): RuleRow[] | undefined {
  const scope = rules.where(account, { applicationId: selectApplicationIds(account, params) })
  const ids = params.ids('ruleId')
  if (ids === 'all') return scope
  if (ids) return ids.map(id => scope.find(row => row.ruleId === id) ?? reject('INVALID_RULE_ID', 'ruleId'))
  return params.texts('ruleName')?.flatMap(ruleName => {
    // Rules of different applications can have the same name.
    const rows = scope.filter(row => row.ruleName === ruleName)
    return rows.length > 0 ? rows : reject('INVALID_RULE_NAME', 'ruleName')
  })
}

/** The names of the application and the rule that a row is bound to. */
export function bindingNames(account: AccountState, { applicationId, ruleId }: { applicationId?: number; ruleId?: number }) {
  const fullName = applications.find(account, applicationId)?.applicationName
  return { applicationName: fullName?.split('.', 1)[0], extendedApplicationName: fullName, ruleName: rules.find(account, ruleId)?.ruleName }
}

/** Unbinds rows from applications that are deleted. */
export function unbindApplications(rows: { applicationId?: number; ruleId?: number }[], ids: number[]): void {
  for (const row of rows) if (row.applicationId !== undefined && ids.includes(row.applicationId)) row.applicationId = row.ruleId = undefined
}

/** Queues by id or name. */
export const selectQueues = (account: AccountState, params: Params): QueueRow[] =>
  select(queues.rows(account), params, { id: 'acdQueueId', name: 'acdQueueName', unknownId: 'INVALID_ACD_QUEUE_ID' })

/** The skills of a user or a queue; with `only`, that one of them. */
export const skillsOf = (account: AccountState, { skillIds }: { skillIds: number[] }, only?: number): Skill[] =>
  skills.where(account, { skillId: skillIds }).filter(({ skillId }) => matches(only, skillId))
