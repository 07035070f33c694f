import { type Static, Type } from '@sinclair/typebox'
import { AdminRole } from './admin-role.ts'
import { flag, id, maybe, name, ref, text, timestamp } from './common.ts'

export const AdminUserName = name('The login of the admin user.', { maxLength: 49, examples: ['ada'] })
export const AdminUserDisplayName = text('The name that others see; up to 255 characters.', {
  minLength: 1,
  maxLength: 255,
  examples: ['Ada Lovelace']
})
export const AdminUserPassword = text('The password: at least 6 characters. It is never answered.', {
  writeOnly: true,
  minLength: 6,
  maxLength: 255,
  examples: ['Analytic4l-Engine']
})
export const AdminUserActive = flag('Whether the admin user may log in.')

export const AdminUser = Type.Object(
  {
    adminUserId: id('The id of the admin user.', 22),
    adminUserName: maybe(text('The login of the admin user.', { examples: ['ada'] })),
    adminUserDisplayName: maybe(text('The name that others see.', { examples: ['Ada Lovelace'] })),
    adminUserActive: maybe(AdminUserActive),
    accessEntries: maybe(
      Type.Array(Type.String(), {
        description: 'The upstream methods that the admin user may call; with `withAccessEntries`.',
        examples: [['GetAccountInfo', 'GetCallHistory']]
      })
    ),
    adminRoles: maybe(Type.Array(ref(AdminRole), { description: "The admin user's roles; with `withRoles`." })),
    modified: maybe(timestamp('When the admin user was last changed.'))
  },
  { $id: 'AdminUser', description: 'Somebody who may call the upstream for the account, within roles (legacy at the upstream).' }
)
export type AdminUser = Static<typeof AdminUser>
