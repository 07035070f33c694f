import { type Static, Type } from '@sinclair/typebox'
import { integer, maybe, oneOf, text, timestamp } from './common.ts'

export const MasterKeyRotation = Type.Object(
  {
    current: text('The id of the master key that wraps what is new.', { examples: ['3f0c8a7d51be'] }),
    counts: Type.Record(Type.String(), Type.Integer(), {
      description: 'How many data keys each master key wraps now: its id to their number.',
      examples: [{ '3f0c8a7d51be': 118, a41d0c9e77f2: 2 }]
    }),
    state: oneOf(['idle', 'running', 'done', 'failed'], 'Whether this process wraps data keys anew, or how the last time ended.', {
      examples: ['running']
    }),
    startedAt: maybe(timestamp('When that began.')),
    finishedAt: maybe(timestamp('When that ended.')),
    rewrapped: maybe(integer('How many data keys were wrapped anew.', { examples: [80] })),
    total: maybe(integer('How many there were to wrap.', { examples: [120] })),
    left: maybe(integer('How many could not be, because their master key is not known here.', { examples: [0] }))
  },
  { $id: 'MasterKeyRotation', description: 'How far the change from one master key to another is.' }
)
export type MasterKeyRotation = Static<typeof MasterKeyRotation>
