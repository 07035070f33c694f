import { randomUUID } from 'node:crypto'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing, demoRow, now, select } from '../query.ts'
import { resource } from '../resource.ts'
import type { AccountState } from '../state.ts'
import { type AdminRoleRow, adminRoles, adminUsers, bindIds } from '../tables.ts'

const accountAdmins = resource({
  table: adminUsers,
  id: 'adminUserId',
  as: 'requiredAdminUserId',
  name: 'adminUserName',
  asName: 'requiredAdminUserName',
  notFound: 'INVALID_REQUIRED_ADMIN_USER_ID',
  nameNotFound: 'INVALID_REQUIRED_ADMIN_USER_NAME',
  unique: 'DUPLICATE_ADMIN_USER_NAME',
  checkName(name, param) {
    if (name.length >= 50) reject('ADMIN_USER_NAME_TOO_LONG', param)
    if (!/^[^\s;]+$/.test(name)) reject('INVALID_NEW_ADMIN_USER_NAME', param)
  }
})

function checkDisplayName(name: string | undefined): void {
  if (name !== undefined && name.length >= 256) reject('ADMIN_USER_DISPLAY_NAME_TOO_LONG', 'adminUserDisplayName')
}

function checkPassword(password: string | undefined): void {
  if (password !== undefined && password.length < 6) reject('PASSWORD_LENGTH', 'newAdminUserPassword')
}

const selectRoleIds = (account: AccountState, params: Params): number[] =>
  select(adminRoles.rows(account), params, {
    id: 'adminRoleId',
    name: 'adminRoleName',
    unknownId: 'INVALID_ADMIN_ROLE_ID',
    unknownName: 'INVALID_ADMIN_ROLE_NAME'
  }).map(row => row.adminRoleId)

/** What roles allow together: the denial of one outweighs the permission of another. */
function accessOf(roles: AdminRoleRow[]): string[] {
  const active = roles.filter(row => row.adminRoleActive)
  const denied = active.flatMap(row => row.deniedEntries)
  return [...new Set(active.flatMap(row => row.allowedEntries))].filter(entry => !denied.includes(entry)).sort()
}

export const methods: Methods = {
  AddAdminUser(params, account) {
    const adminUserName = accountAdmins.requiredName(account, params, 'newAdminUserName')
    const adminUserDisplayName = params.required('adminUserDisplayName')
    checkDisplayName(adminUserDisplayName)
    checkPassword(params.required('newAdminUserPassword'))
    const response = accountAdmins.add(account, {
      adminUserName,
      adminUserDisplayName,
      adminUserActive: params.flag('adminUserActive') ?? true,
      adminRoleIds: params.has('adminRoleId', 'adminRoleName') ? selectRoleIds(account, params) : [],
      modified: now()
    })
    return { ...response, adminUserApiKey: randomUUID() }
  },

  GetAdminUsers(params, account) {
    const page = accountAdmins.page(account, params, {
      adminUserId: params.id('requiredAdminUserId'),
      adminUserName: containing(params.texts('requiredAdminUserName')?.[0]),
      adminUserDisplayName: containing(params.text('adminUserDisplayName')),
      adminUserActive: params.flag('adminUserActive')
    })
    return {
      ...page,
      result: page.result.map(row => {
        const roles = adminRoles.where(account, { adminRoleId: row.adminRoleIds })
        return {
          ...row,
          ...(params.flag('withRoles') && { adminRoles: roles.map(({ allowedEntries, deniedEntries, ...role }) => role) }),
          ...(params.flag('withAccessEntries') && { accessEntries: accessOf(roles) })
        }
      })
    }
  },

  SetAdminUserInfo(params, account) {
    const row = accountAdmins.one(account, params)
    const adminUserName = accountAdmins.newName(account, params, 'newAdminUserName', row)
    const adminUserDisplayName = params.text('adminUserDisplayName')
    checkDisplayName(adminUserDisplayName)
    checkPassword(params.text('newAdminUserPassword'))
    const adminUserActive = params.flag('adminUserActive')
    return accountAdmins.update(row, { adminUserName, adminUserDisplayName, adminUserActive, modified: now() })
  },

  DelAdminUser: accountAdmins.remove,

  AttachAdminRole(params, account) {
    const rows = accountAdmins.select(account, params)
    const ids = selectRoleIds(account, params)
    const mode = params.text('mode') ?? 'add'
    if (!['add', 'del', 'set'].includes(mode)) reject('INVALID_ARGUMENTS', 'mode')
    for (const row of rows)
      Object.assign(row, { adminRoleIds: mode === 'set' ? ids : bindIds(row.adminRoleIds, ids, mode === 'add'), modified: now() })
  }
}

export function seed(account: AccountState): void {
  const [readOnly, teamLead] = adminRoles.rows(account).map(row => row.adminRoleId)
  for (const [adminUserName, adminUserDisplayName, adminRoleId, adminUserActive] of [
    ['ada', 'Ada Lovelace', readOnly, true],
    ['grace', 'Grace Hopper', teamLead, true],
    ['linus', 'Linus Torvalds', readOnly, false]
  ] as const)
    adminUsers.add(account, {
      adminUserName,
      adminUserDisplayName,
      adminUserActive,
      adminRoleIds: [demoRow(adminRoleId, 'admin role')],
      modified: '2026-01-15T09:30:00Z'
    })
}
