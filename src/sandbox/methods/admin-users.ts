import { randomUUID } from 'node:crypto'
import { type Params, refuse } from '../codec.ts'
import { choose, chooseOne, holdsPart, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { type AdminRoleRow, type AdminUserRow, adminRoles, adminUsers, bindIds } from '../tables.ts'
import type { Method } from './index.ts'

const selector = {
  id: 'adminUserId',
  name: 'adminUserName',
  as: 'requiredAdminUserId',
  asName: 'requiredAdminUserName',
  unknownId: 'INVALID_REQUIRED_ADMIN_USER_ID',
  unknownName: 'INVALID_REQUIRED_ADMIN_USER_NAME'
} as const

function checkName(account: AccountState, name: string, self?: AdminUserRow): string {
  if (name.length >= 50) refuse('ADMIN_USER_NAME_TOO_LONG', 'newAdminUserName')
  if (!/^[^\s;]+$/.test(name)) refuse('INVALID_NEW_ADMIN_USER_NAME', 'newAdminUserName')
  if (adminUsers.rows(account).some(row => row !== self && row.adminUserName === name))
    refuse('DUPLICATE_ADMIN_USER_NAME', 'newAdminUserName')
  return name
}

function checkDisplayName(name: string): string {
  return name.length >= 256 ? refuse('ADMIN_USER_DISPLAY_NAME_TOO_LONG', 'adminUserDisplayName') : name
}

function checkPassword(password: string): void {
  if (password.length < 6) refuse('PASSWORD_LENGTH', 'newAdminUserPassword')
}

const chosenRoleIds = (account: AccountState, params: Params): number[] =>
  choose(adminRoles.rows(account), params, {
    id: 'adminRoleId',
    name: 'adminRoleName',
    unknownId: 'INVALID_ADMIN_ROLE_ID',
    unknownName: 'INVALID_ADMIN_ROLE_NAME'
  }).map(row => row.adminRoleId)

/** What roles allow together: a denial of one of them counts more than another's permission. */
function accessOf(roles: AdminRoleRow[]): string[] {
  const active = roles.filter(row => row.adminRoleActive)
  const denied = active.flatMap(row => row.deniedEntries)
  return [...new Set(active.flatMap(row => row.allowedEntries))].filter(entry => !denied.includes(entry)).sort()
}

export const methods: Record<string, Method> = {
  AddAdminUser(params, account) {
    const adminUserName = checkName(account, params.need('newAdminUserName', params.text('newAdminUserName')))
    const adminUserDisplayName = checkDisplayName(params.need('adminUserDisplayName', params.text('adminUserDisplayName')))
    checkPassword(params.need('newAdminUserPassword', params.text('newAdminUserPassword')))
    const { adminUserId } = adminUsers.add(account, {
      adminUserName,
      adminUserDisplayName,
      adminUserActive: params.flag('adminUserActive') ?? true,
      adminRoleIds: params.has('adminRoleId') || params.has('adminRoleName') ? chosenRoleIds(account, params) : [],
      modified: now()
    })
    return { result: 1, adminUserId, adminUserApiKey: randomUUID() }
  },

  GetAdminUsers(params, account) {
    const id = params.ids('requiredAdminUserId')?.[0]
    const active = params.flag('adminUserActive')
    const rows = adminUsers
      .rows(account)
      .filter(
        row =>
          (id === undefined || row.adminUserId === id) &&
          holdsPart(row.adminUserName, params.texts('requiredAdminUserName')?.[0]) &&
          holdsPart(row.adminUserDisplayName, params.text('adminUserDisplayName')) &&
          (active === undefined || row.adminUserActive === active)
      )
    const page = pageOf(rows, params)
    return {
      ...page,
      result: page.result.map(row => {
        const roles = adminRoles.rows(account).filter(role => row.adminRoleIds.includes(role.adminRoleId))
        return {
          ...row,
          ...(params.flag('withRoles') ? { adminRoles: roles.map(({ allowedEntries, deniedEntries, ...role }) => role) } : {}),
          ...(params.flag('withAccessEntries') ? { accessEntries: accessOf(roles) } : {})
        }
      })
    }
  },

  SetAdminUserInfo(params, account) {
    const row = chooseOne(adminUsers.rows(account), params, selector)
    const name = params.text('newAdminUserName')
    const displayName = params.text('adminUserDisplayName')
    const password = params.text('newAdminUserPassword')
    if (name !== undefined) checkName(account, name, row)
    if (displayName !== undefined) checkDisplayName(displayName)
    if (password !== undefined) checkPassword(password)
    Object.assign(row, {
      adminUserName: name ?? row.adminUserName,
      adminUserDisplayName: displayName ?? row.adminUserDisplayName,
      adminUserActive: params.flag('adminUserActive') ?? row.adminUserActive,
      modified: now()
    })
    return { result: 1 }
  },

  DelAdminUser(params, account) {
    const chosen = choose(adminUsers.rows(account), params, selector)
    adminUsers.remove(account, row => chosen.includes(row))
    return { result: 1 }
  },

  AttachAdminRole(params, account) {
    const chosen = choose(adminUsers.rows(account), params, selector)
    const ids = chosenRoleIds(account, params)
    const mode = params.text('mode') ?? 'add'
    if (!['add', 'del', 'set'].includes(mode)) refuse('INVALID_ARGUMENTS', 'mode')
    for (const row of chosen)
      Object.assign(row, { adminRoleIds: mode === 'set' ? ids : bindIds(row.adminRoleIds, ids, mode === 'add'), modified: now() })
    return { result: 1 }
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
      adminRoleIds: [adminRoleId!],
      modified: '2026-01-15T09:30:00Z'
    })
}
