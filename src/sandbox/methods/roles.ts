import type { RoleGroup } from '../../../schemas/role.ts'
import type { Methods } from '../method.ts'

/** The same in every account. */
const groups: readonly RoleGroup[] = ['Account', 'Accounting', 'Applications', 'Call lists', 'History', 'Phone numbers', 'Users'].map(
  (name, i) => ({ id: i + 1, name })
)

export const methods: Methods = {
  GetRoleGroups: () => ({ result: groups })
}
