import { ref, strict } from '../schemas/common.ts'
import { RoleGroup } from '../schemas/role.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { list } from '../src/api/replies.ts'

export default {
  listRoleGroups: endpoint({
    http: 'GET /role-groups',
    rpc: 'GetRoleGroups',
    summary: 'List the groups of roles',
    tag: 'Roles',
    input: strict({}),
    reply: list(ref(RoleGroup))
  })
}
