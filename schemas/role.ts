import { type Static, Type } from '@sinclair/typebox'
import { id, maybe, text } from './common.ts'

export const RoleGroup = Type.Object(
  {
    id: id('The id of the group.'),
    name: maybe(text('The name of the group.', { examples: ['Accounting'] }))
  },
  { $id: 'RoleGroup', description: 'A group of roles, by the part of the upstream they open.' }
)
export type RoleGroup = Static<typeof RoleGroup>
