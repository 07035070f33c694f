import { type Static, Type } from '@sinclair/typebox'
import { flag, id, list, listItem, maybe, name, text, timestamp } from './common.ts'

export const AdminRoleName = name('The name of the admin role.', { maxLength: 49, examples: ['read_only'] })
export const AdminRoleActive = flag('Whether the role has an effect: while false, neither its allowed nor its denied methods count.')

/** Upstream methods, as a role allows or denies them. */
const entries = (description: string, examples: unknown[]) =>
  list(listItem({ maxLength: 100 }), `${description} They are the names that \`GET /admin-role-entries\` answers.`, { examples, max: 500 })

export const AllowedEntries = entries('The upstream methods that the role allows.', [['GetAccountInfo', 'GetCallHistory']])
export const DeniedEntries = entries('The upstream methods that the role denies.', [['DelUser', 'DelApplication']])

export const AdminRoleEntry = text('The name of an upstream method.', { examples: ['GetAccountInfo'] })

export const AdminRole = Type.Object(
  {
    adminRoleId: id('The id of the admin role.', 10),
    adminRoleName: maybe(text('The name of the admin role.', { examples: ['read_only'] })),
    adminRoleActive: maybe(AdminRoleActive),
    systemRole: maybe(flag('Whether the upstream made the role, rather than the account.', { examples: [false] })),
    allowedEntries: maybe(
      Type.Array(Type.String(), {
        description: 'The upstream methods that the role allows; with `withEntries`.',
        examples: [['GetAccountInfo', 'GetCallHistory']]
      })
    ),
    deniedEntries: maybe(
      Type.Array(Type.String(), {
        description: 'The upstream methods that the role denies; with `withEntries`.',
        examples: [['DelUser', 'DelApplication']]
      })
    ),
    adminUsers: maybe(
      Type.Array(
        Type.Object({
          adminUserId: id('The id of the admin user.', 22),
          adminUserName: maybe(text('The login of the admin user.', { examples: ['ada'] }))
        }),
        { description: 'The admin user asked for with `showingAdminUserId`, where that user has the role.' }
      )
    ),
    modified: maybe(timestamp('When the role was last changed.'))
  },
  { $id: 'AdminRole', description: 'A set of upstream methods that admin users may or may not call (legacy at the upstream).' }
)
export type AdminRole = Static<typeof AdminRole>
