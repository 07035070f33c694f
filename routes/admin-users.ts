import { AdminUser, AdminUserActive, AdminUserDisplayName, AdminUserName, AdminUserPassword } from '../schemas/admin-user.ts'
import { flag, id, idOrName, idsOrNames, maybe, name, oneOf, paging, ref, strict, text } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page } from '../src/api/replies.ts'
import adminRoles from './admin-roles.ts'

const tag = 'Admin users'
const adminUserId = idOrName('The admin user', 'ada', 22)
const adminUserIds = idsOrNames('The admin users', 'ada', { example: 22 })
const adminRoleId = idOrName('The admin role', 'read_only', 10)
const adminRoleIds = idsOrNames('The admin roles', 'read_only', { example: 10 })
const addressed = { adminUserId: 'requiredAdminUserId' } as const
const shown = {
  withRoles: maybe(flag("Whether the admin users' roles are answered.")),
  withAccessEntries: maybe(flag('Whether the upstream methods that the admin users may call are answered.'))
}

const listAdminUsers = endpoint({
  http: 'GET /admin-users',
  rpc: 'GetAdminUsers',
  summary: 'List admin users',
  description: 'Parent and child accounts each have admin users of their own.',
  tag,
  deprecated: true,
  input: strict({
    adminUserId: maybe(id('Only the admin user with this id.', 22)),
    adminUserName: maybe(name('Only admin users whose login holds this text.', { maxLength: 49, examples: ['ad'] })),
    adminUserDisplayName: maybe(
      text('Only admin users whose display name holds this text.', { minLength: 1, maxLength: 255, examples: ['Ada'] })
    ),
    adminUserActive: maybe(flag('Only admin users who may log in, or only those who may not.')),
    ...shown,
    ...paging
  }),
  rename: { ...addressed, adminUserName: 'requiredAdminUserName' },
  reply: page(ref(AdminUser))
})

export default {
  createAdminUser: endpoint({
    http: 'POST /admin-users',
    rpc: 'AddAdminUser',
    summary: 'Create an admin user',
    description: 'The answer holds the API key of the new admin user. It is shown this once only.',
    tag,
    deprecated: true,
    input: strict({
      adminUserName: AdminUserName,
      adminUserDisplayName: AdminUserDisplayName,
      adminUserPassword: AdminUserPassword,
      adminUserActive: maybe(AdminUserActive),
      adminRoleId: maybe(idsOrNames('The admin roles given to the new admin user', 'read_only', { example: 10 }))
    }),
    rename: { adminUserName: 'newAdminUserName', adminUserPassword: 'newAdminUserPassword' },
    example: { adminUserName: 'katherine', adminUserDisplayName: 'Katherine Johnson' },
    reply: created(
      {
        adminUserId: id('The id of the new admin user.', 22),
        adminUserApiKey: maybe(
          text('The API key with which the admin user calls the upstream. A secret.', {
            examples: ['00000000-0000-0000-0000-000000000000']
          })
        )
      },
      '/admin-users/:adminUserId'
    )
  }),
  listAdminUsers,
  getAdminUser: endpoint({
    http: 'GET /admin-users/:adminUserId',
    rpc: 'GetAdminUsers',
    summary: 'Get an admin user',
    tag,
    deprecated: true,
    input: strict({ adminUserId, ...shown }),
    rename: addressed,
    reply: first(ref(AdminUser), 'adminUserId')
  }),
  updateAdminUser: endpoint({
    http: 'PATCH /admin-users/:adminUserId',
    rpc: 'SetAdminUserInfo',
    summary: 'Change an admin user',
    description: 'Fields that are left out stay as they are.',
    tag,
    deprecated: true,
    input: strict({
      adminUserId,
      adminUserName: maybe(AdminUserName),
      adminUserDisplayName: maybe(AdminUserDisplayName),
      adminUserPassword: maybe(AdminUserPassword),
      adminUserActive: maybe(AdminUserActive)
    }),
    rename: { ...addressed, adminUserName: 'newAdminUserName', adminUserPassword: 'newAdminUserPassword' },
    example: { adminUserDisplayName: 'Ada King' },
    reply: done
  }),
  deleteAdminUser: endpoint({
    http: 'DELETE /admin-users/:adminUserId',
    rpc: 'DelAdminUser',
    summary: 'Delete an admin user',
    tag,
    deprecated: true,
    input: strict({ adminUserId }),
    rename: addressed,
    reply: done
  }),
  deleteAdminUsers: endpoint({
    http: 'DELETE /admin-users',
    rpc: 'DelAdminUser',
    summary: 'Delete several admin users',
    tag,
    deprecated: true,
    input: strict({ adminUserId: adminUserIds }),
    rename: addressed,
    all: { adminUserId: listAdminUsers },
    example: { adminUserId: [23] },
    reply: done
  }),
  setAdminUserRoles: endpoint({
    http: 'PUT /admin-users/:adminUserId/roles',
    rpc: 'AttachAdminRole',
    summary: "Replace an admin user's roles",
    description: 'The admin user has the named roles afterwards, and no others.',
    tag,
    deprecated: true,
    input: strict({ adminUserId, adminRoleId: adminRoleIds }),
    fixed: { mode: 'set' },
    rename: addressed,
    all: { adminRoleId: adminRoles.listAdminRoles },
    reply: done
  }),
  bindAdminUserRole: endpoint({
    http: 'PUT /admin-users/:adminUserId/roles/:adminRoleId',
    rpc: 'AttachAdminRole',
    summary: 'Give a role to an admin user',
    tag,
    deprecated: true,
    input: strict({ adminUserId, adminRoleId }),
    fixed: { mode: 'add' },
    rename: addressed,
    reply: done
  }),
  unbindAdminUserRole: endpoint({
    http: 'DELETE /admin-users/:adminUserId/roles/:adminRoleId',
    rpc: 'AttachAdminRole',
    summary: 'Take a role from an admin user',
    tag,
    deprecated: true,
    input: strict({ adminUserId, adminRoleId }),
    fixed: { mode: 'del' },
    rename: addressed,
    reply: done
  }),
  updateAdminUserRoles: endpoint({
    http: 'PATCH /admin-user-roles',
    rpc: 'AttachAdminRole',
    summary: 'Change the roles of several admin users',
    description: 'What `mode` says happens to every named admin user with every named role.',
    tag,
    deprecated: true,
    input: strict({
      adminUserId: adminUserIds,
      adminRoleId: adminRoleIds,
      mode: oneOf(
        ['add', 'del', 'set'],
        'Whether the roles are given to the admin users, taken from them, or put in the place of the roles they have.'
      )
    }),
    rename: addressed,
    all: { adminUserId: listAdminUsers, adminRoleId: adminRoles.listAdminRoles },
    reply: done
  })
}
