import { type Static, Type } from '@sinclair/typebox'
import { text } from './common.ts'

export const Scope = Type.Object(
  {
    scope: text('The scope.', { examples: ['users:read'] }),
    description: text('What it allows.', { examples: ['Users: calls that only read.'] }),
    operations: Type.Array(Type.String(), {
      description: 'The operations that need it, or answer more with it.',
      examples: [['listUsers', 'getUser']]
    })
  },
  { $id: 'Scope', description: 'What a key can be allowed.' }
)
export type Scope = Static<typeof Scope>
