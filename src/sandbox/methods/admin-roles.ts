import { methods as upstreamMethods } from '../../voximplant/methods.ts'
import { type Params, refuse } from '../codec.ts'
import { choose, chooseOne, holdsPart, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { type AdminRoleRow, adminRoles, adminUsers, bindIds } from '../tables.ts'
import type { Method } from './index.ts'

const entries = Object.keys(upstreamMethods).sort()
const selector = {
  id: 'adminRoleId',
  name: 'adminRoleName',
  unknownId: 'INVALID_ADMIN_ROLE_ID',
  unknownName: 'INVALID_ADMIN_ROLE_NAME'
} as const
const likeSelector = {
  ...selector,
  as: 'likeAdminRoleId',
  asName: 'likeAdminRoleName',
  unknownId: 'INVALID_LIKE_ADMIN_ROLE_ID',
  unknownName: 'INVALID_LIKE_ADMIN_ROLE_ID'
} as const

/** The roles that the account made: the upstream's own can be given to users, but not changed. */
const ownRoles = (account: AccountState): AdminRoleRow[] => adminRoles.rows(account).filter(row => !row.systemRole)

function checkName(account: AccountState, name: string, field: string, self?: AdminRoleRow): string {
  if (name.length >= 50) refuse('ADMIN_ROLE_NAME_TOO_LONG', field)
  if (adminRoles.rows(account).some(row => row !== self && row.adminRoleName === name)) refuse('DUPLICATE_ADMIN_ROLE_NAME', field)
  return name
}

/** The entries a call names, and those of the roles it names as models. */
function entriesOf(account: AccountState, params: Params): { allowed: string[]; denied: string[] } {
  const allowed = params.texts('allowedEntries') ?? []
  const denied = params.texts('deniedEntries') ?? []
  if (allowed.some(entry => !entries.includes(entry))) refuse('INVALID_ALLOWED_ENTRIES', 'allowedEntries')
  if (denied.some(entry => !entries.includes(entry))) refuse('INVALID_DENIED_ENTRIES', 'deniedEntries')
  const models =
    params.has('likeAdminRoleId') || params.has('likeAdminRoleName') ? choose(adminRoles.rows(account), params, likeSelector) : []
  return {
    allowed: merged([allowed, ...models.map(row => row.allowedEntries)]),
    denied: merged([denied, ...models.map(row => row.deniedEntries)])
  }
}

const merged = (lists: string[][]): string[] => [...new Set(lists.flat())]

/** The ids of the admin users that a parameter names. */
function userIds(account: AccountState, params: Params, field: string): number[] | undefined {
  const ids = params.ids(field)
  if (ids === undefined) return undefined
  const everyone = adminUsers.rows(account).map(row => row.adminUserId)
  if (ids === 'all') return everyone
  return ids.map(id => (everyone.includes(id) ? id : refuse('INVALID_ADMIN_USER_ID', field)))
}

export const methods: Record<string, Method> = {
  AddAdminRole(params, account) {
    const adminRoleName = checkName(account, params.need('adminRoleName', params.text('adminRoleName')), 'adminRoleName')
    const { allowed, denied } = entriesOf(account, params)
    const { adminRoleId } = adminRoles.add(account, {
      adminRoleName,
      adminRoleActive: params.flag('adminRoleActive') ?? true,
      systemRole: false,
      allowedEntries: allowed,
      deniedEntries: denied,
      modified: now()
    })
    return { result: 1, adminRoleId }
  },

  GetAdminRoles(params, account) {
    const id = params.ids('adminRoleId')?.[0]
    const name = params.texts('adminRoleName')?.[0]
    const active = params.flag('adminRoleActive')
    const withOwn = params.flag('withAccountRoles') ?? true
    // A system role that is asked for by its id needs no flag.
    const withSystem = params.flag('withSystemRoles') ?? id !== undefined
    const included = userIds(account, params, 'includedAdminUserId')
    const excluded = userIds(account, params, 'excludedAdminUserId')
    const showing = userIds(account, params, 'showingAdminUserId')
    // The parent account's roles, `with_parent_roles`, are none: the sandbox's accounts keep to themselves.
    params.flag('withParentRoles')
    const full = params.text('fullAdminUsersMatching') === 'true'
    const holds = (row: AdminRoleRow) => (userId: number) =>
      adminUsers.find(account, userId)?.adminRoleIds.includes(row.adminRoleId) === true
    const matches = (ids: number[] | undefined, test: (userId: number) => boolean) =>
      ids === undefined || (full ? ids.every(test) : ids.some(test))
    const rows = adminRoles
      .rows(account)
      .filter(
        row =>
          (row.systemRole ? withSystem : withOwn) &&
          (id === undefined || row.adminRoleId === id) &&
          holdsPart(row.adminRoleName, name) &&
          (active === undefined || row.adminRoleActive === active) &&
          matches(included, holds(row)) &&
          matches(excluded, userId => !holds(row)(userId))
      )
    const page = pageOf(rows, params)
    return {
      ...page,
      result: page.result.map(({ allowedEntries, deniedEntries, ...row }) => ({
        ...row,
        ...(params.flag('withEntries') ? { allowedEntries, deniedEntries } : {}),
        ...(showing
          ? {
              adminUsers: adminUsers
                .rows(account)
                .filter(user => showing.includes(user.adminUserId) && user.adminRoleIds.includes(row.adminRoleId))
                .map(({ adminUserId, adminUserName }) => ({ adminUserId, adminUserName }))
            }
          : {})
      }))
    }
  },

  SetAdminRoleInfo(params, account) {
    const row = chooseOne(ownRoles(account), params, selector)
    const name = params.text('newAdminRoleName')
    const mode = params.text('entryModificationMode') ?? 'set'
    if (name !== undefined) checkName(account, name, 'newAdminRoleName', row)
    if (!['add', 'del', 'set'].includes(mode)) refuse('INVALID_ARGUMENTS', 'entryModificationMode')
    const { allowed, denied } = entriesOf(account, params)
    const modified = (had: string[], given: string[], named: boolean) => {
      if (mode === 'del') return had.filter(entry => !given.includes(entry))
      if (mode === 'add') return merged([had, given])
      return named ? given : had
    }
    const byModel = params.has('likeAdminRoleId') || params.has('likeAdminRoleName')
    Object.assign(row, {
      adminRoleName: name ?? row.adminRoleName,
      adminRoleActive: params.flag('adminRoleActive') ?? row.adminRoleActive,
      allowedEntries: modified(row.allowedEntries, allowed, byModel || params.has('allowedEntries')),
      deniedEntries: modified(row.deniedEntries, denied, byModel || params.has('deniedEntries')),
      modified: now()
    })
    return { result: 1 }
  },

  DelAdminRole(params, account) {
    const ids = choose(ownRoles(account), params, selector).map(row => row.adminRoleId)
    adminRoles.remove(account, row => ids.includes(row.adminRoleId))
    for (const row of adminUsers.rows(account)) row.adminRoleIds = bindIds(row.adminRoleIds, ids, false)
    return { result: 1 }
  },

  GetAvailableAdminRoleEntries: () => ({ result: entries })
}

export function seed(account: AccountState): void {
  const modified = '2026-01-15T09:30:00Z'
  const reads = entries.filter(entry => entry.startsWith('Get'))
  for (const [adminRoleName, systemRole, allowedEntries, deniedEntries] of [
    ['read_only', false, ['GetAccountInfo', 'GetCallHistory'], []],
    ['team_lead', false, ['GetUsers', 'AddUser', 'SetUserInfo', 'GetQueues', 'BindUserToQueue'], ['DelUser', 'DelApplication']],
    ['Observer', true, reads, []]
  ] as const)
    adminRoles.add(account, {
      adminRoleName,
      adminRoleActive: true,
      systemRole,
      allowedEntries: [...allowedEntries],
      deniedEntries: [...deniedEntries],
      modified
    })
}
