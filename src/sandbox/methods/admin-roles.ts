import { methods as upstreamMethods } from '../../voximplant/methods.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing, now, pageOf, select } from '../query.ts'
import { resource } from '../resource.ts'
import type { AccountState } from '../state.ts'
import { type AdminRoleRow, adminRoles, adminUsers, bindIds } from '../tables.ts'

const entries = Object.keys(upstreamMethods).sort()

const accountRoles = resource({
  table: adminRoles,
  id: 'adminRoleId',
  name: 'adminRoleName',
  notFound: 'INVALID_ADMIN_ROLE_ID',
  nameNotFound: 'INVALID_ADMIN_ROLE_NAME',
  // The upstream's own roles can be given to users, but not changed.
  within: account => adminRoles.where(account, { systemRole: false }),
  onRemove(account, ids) {
    for (const row of adminUsers.rows(account)) row.adminRoleIds = bindIds(row.adminRoleIds, ids, false)
  }
})

function checkName(account: AccountState, adminRoleName: string, param: string, self?: AdminRoleRow): string {
  if (adminRoleName.length >= 50) reject('ADMIN_ROLE_NAME_TOO_LONG', param)
  if (adminRoles.where(account, { adminRoleName }).some(row => row !== self)) reject('DUPLICATE_ADMIN_ROLE_NAME', param)
  return adminRoleName
}

const unite = (lists: string[][]): string[] => [...new Set(lists.flat())]
const hasModel = (params: Params): boolean => params.has('likeAdminRoleId', 'likeAdminRoleName')

/** The entries that a call names, with those of the roles that it names as models. */
function entriesOf(account: AccountState, params: Params): { allowed: string[]; denied: string[] } {
  const allowed = params.texts('allowedEntries') ?? []
  const denied = params.texts('deniedEntries') ?? []
  if (allowed.some(entry => !entries.includes(entry))) reject('INVALID_ALLOWED_ENTRIES', 'allowedEntries')
  if (denied.some(entry => !entries.includes(entry))) reject('INVALID_DENIED_ENTRIES', 'deniedEntries')
  const models = hasModel(params)
    ? select(adminRoles.rows(account), params, {
        id: 'adminRoleId',
        name: 'adminRoleName',
        as: 'likeAdminRoleId',
        asName: 'likeAdminRoleName',
        unknownId: 'INVALID_LIKE_ADMIN_ROLE_ID'
      })
    : []
  return {
    allowed: unite([allowed, ...models.map(row => row.allowedEntries)]),
    denied: unite([denied, ...models.map(row => row.deniedEntries)])
  }
}

/** The ids of the admin users that a parameter names. */
function userIds(account: AccountState, params: Params, param: string): number[] | undefined {
  const ids = params.ids(param)
  if (ids === undefined) return undefined
  const all = adminUsers.rows(account).map(row => row.adminUserId)
  return ids === 'all' ? all : ids.map(id => (all.includes(id) ? id : reject('INVALID_ADMIN_USER_ID', param)))
}

export const methods: Methods = {
  AddAdminRole(params, account) {
    const adminRoleName = checkName(account, params.required('adminRoleName'), 'adminRoleName')
    const { allowed, denied } = entriesOf(account, params)
    return accountRoles.add(account, {
      adminRoleName,
      adminRoleActive: params.flag('adminRoleActive') ?? true,
      systemRole: false,
      allowedEntries: allowed,
      deniedEntries: denied,
      modified: now()
    })
  },

  GetAdminRoles(params, account) {
    const id = params.id('adminRoleId')
    const withOwn = params.flag('withAccountRoles') ?? true
    // A system role that is selected by its id needs no flag.
    const withSystem = params.flag('withSystemRoles') ?? id !== undefined
    const included = userIds(account, params, 'includedAdminUserId')
    const excluded = userIds(account, params, 'excludedAdminUserId')
    const showing = userIds(account, params, 'showingAdminUserId')
    // Roles of a parent account: there are none in the sandbox, as its accounts are independent.
    params.flag('withParentRoles')
    const full = params.text('fullAdminUsersMatching') === 'true'
    const matching = (ids: number[] | undefined, test: (userId: number) => boolean) =>
      ids === undefined || (full ? ids.every(test) : ids.some(test))
    const page = pageOf(
      adminRoles
        .where(account, {
          adminRoleId: id,
          adminRoleName: containing(params.texts('adminRoleName')?.[0]),
          adminRoleActive: params.flag('adminRoleActive'),
          systemRole: isSystem => (isSystem ? withSystem : withOwn)
        })
        .filter(({ adminRoleId }) => {
          const has = (userId: number) => adminUsers.find(account, userId)?.adminRoleIds.includes(adminRoleId) === true
          return matching(included, has) && matching(excluded, userId => !has(userId))
        }),
      params
    )
    return {
      ...page,
      result: page.result.map(({ allowedEntries, deniedEntries, ...row }) => ({
        ...row,
        ...(params.flag('withEntries') && { allowedEntries, deniedEntries }),
        ...(showing && {
          adminUsers: adminUsers
            .where(account, { adminUserId: showing, adminRoleIds: ids => ids.includes(row.adminRoleId) })
            .map(({ adminUserId, adminUserName }) => ({ adminUserId, adminUserName }))
        })
      }))
    }
  },

  SetAdminRoleInfo(params, account) {
    const row = accountRoles.one(account, params)
    const name = params.text('newAdminRoleName')
    const mode = params.text('entryModificationMode') ?? 'set'
    if (name !== undefined) checkName(account, name, 'newAdminRoleName', row)
    if (!['add', 'del', 'set'].includes(mode)) reject('INVALID_ARGUMENTS', 'entryModificationMode')
    const { allowed, denied } = entriesOf(account, params)
    const modify = (before: string[], changes: string[], param: string) => {
      if (mode === 'del') return before.filter(entry => !changes.includes(entry))
      if (mode === 'add') return unite([before, changes])
      return hasModel(params) || params.has(param) ? changes : before
    }
    return accountRoles.update(row, {
      adminRoleName: name,
      adminRoleActive: params.flag('adminRoleActive'),
      allowedEntries: modify(row.allowedEntries, allowed, 'allowedEntries'),
      deniedEntries: modify(row.deniedEntries, denied, 'deniedEntries'),
      modified: now()
    })
  },

  DelAdminRole: accountRoles.remove,

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
