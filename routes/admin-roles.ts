import { AdminRole, AdminRoleActive, AdminRoleEntry, AdminRoleName, AllowedEntries, DeniedEntries } from '../schemas/admin-role.ts'
import { flag, id, idList, idOrName, idsOrNames, maybe, name, oneOf, paging, ref, strict } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, list, page } from '../src/api/replies.ts'

const tag = 'Admin roles'
const adminRoleId = idOrName('The admin role', 'read_only', 10)
const settings = {
  adminRoleActive: maybe(AdminRoleActive),
  allowedEntries: maybe(AllowedEntries),
  deniedEntries: maybe(DeniedEntries)
}
const shown = {
  withEntries: maybe(flag('Whether the allowed and denied methods of each role are answered.')),
  showingAdminUserId: maybe(id('Answer this admin user in `adminUsers` of the roles that the user has.', 22))
}

const listAdminRoles = endpoint({
  http: 'GET /admin-roles',
  rpc: 'GetAdminRoles',
  summary: 'List admin roles',
  tag,
  deprecated: true,
  input: strict({
    adminRoleId: maybe(id('Only the admin role with this id.', 10)),
    adminRoleName: maybe(name('Only admin roles whose name holds this text.', { maxLength: 49, examples: ['read'] })),
    adminRoleActive: maybe(flag('Only roles that have an effect, or only roles that have none.')),
    withAccountRoles: maybe(flag("Whether the account's own roles are answered.")),
    withParentRoles: maybe(flag('Whether the roles of the parent account are answered.')),
    withSystemRoles: maybe(flag("Whether the upstream's ready-made roles are answered.")),
    includedAdminUserId: maybe(idList('Only roles that these admin users have.', { examples: [[22, 23]] })),
    excludedAdminUserId: maybe(idList('Only roles that these admin users do not have.', { examples: [[24]] })),
    fullAdminUsersMatching: maybe(
      oneOf(
        ['true', 'false'],
        'Whether a role must match all of the admin users given by `includedAdminUserId` and `excludedAdminUserId`; `false`: some of them will do.'
      )
    ),
    ...shown,
    ...paging
  }),
  reply: page(ref(AdminRole))
})

export default {
  createAdminRole: endpoint({
    http: 'POST /admin-roles',
    rpc: 'AddAdminRole',
    summary: 'Create an admin role',
    tag,
    deprecated: true,
    input: strict({
      adminRoleName: AdminRoleName,
      ...settings,
      likeAdminRoleId: maybe(idsOrNames('The admin roles whose allowed and denied methods the new role starts with', 'read_only'))
    }),
    example: { adminRoleName: 'auditor', allowedEntries: ['GetAccountInfo', 'GetCallHistory'] },
    reply: created({ adminRoleId: id('The id of the new admin role.', 10) }, '/admin-roles/:adminRoleId')
  }),
  listAdminRoles,
  getAdminRole: endpoint({
    http: 'GET /admin-roles/:adminRoleId',
    rpc: 'GetAdminRoles',
    summary: 'Get an admin role',
    tag,
    deprecated: true,
    input: strict({ adminRoleId, ...shown }),
    reply: first(ref(AdminRole), 'adminRoleId')
  }),
  updateAdminRole: endpoint({
    http: 'PATCH /admin-roles/:adminRoleId',
    rpc: 'SetAdminRoleInfo',
    summary: 'Change an admin role',
    description: 'Fields that are left out stay as they are.',
    tag,
    deprecated: true,
    input: strict({
      adminRoleId,
      adminRoleName: maybe(AdminRoleName),
      ...settings,
      likeAdminRoleId: maybe(idsOrNames('The admin roles whose allowed and denied methods are merged into this one', 'read_only')),
      entryModificationMode: maybe(
        oneOf(
          ['add', 'del', 'set'],
          'What happens with `allowedEntries` and `deniedEntries`: they are added to what the role has, taken from it, or put in its place. `set` when it is left out.'
        )
      )
    }),
    rename: { adminRoleName: 'newAdminRoleName' },
    example: { adminRoleActive: true },
    reply: done
  }),
  deleteAdminRole: endpoint({
    http: 'DELETE /admin-roles/:adminRoleId',
    rpc: 'DelAdminRole',
    summary: 'Delete an admin role',
    tag,
    deprecated: true,
    input: strict({ adminRoleId }),
    reply: done
  }),
  deleteAdminRoles: endpoint({
    http: 'DELETE /admin-roles',
    rpc: 'DelAdminRole',
    summary: 'Delete several admin roles',
    tag,
    deprecated: true,
    input: strict({ adminRoleId: idsOrNames('The admin roles', 'read_only', { example: 10 }) }),
    all: { adminRoleId: listAdminRoles },
    example: { adminRoleId: [11] },
    reply: done
  }),
  listAdminRoleEntries: endpoint({
    http: 'GET /admin-role-entries',
    rpc: 'GetAvailableAdminRoleEntries',
    summary: 'List what an admin role can allow or deny',
    description: 'The names of the upstream methods that can stand in `allowedEntries` and `deniedEntries`.',
    tag,
    deprecated: true,
    input: strict({}),
    reply: list(AdminRoleEntry)
  })
}
