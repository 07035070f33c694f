import { type Static, Type } from '@sinclair/typebox'
import { integer, maybe, oneOf, strict, text, timestamp } from './common.ts'
import { TenantId } from './tenant.ts'

/** The id of a record. */
export const RecordId = Type.String({
  pattern: '^[0-9a-f-]{36}$',
  description: 'The id of the record, as `settle.id` of a problem tells it.',
  examples: ['5466b5b6-3a43-4997-8d81-ec4582df1749']
})

const states = ['started', 'sent', 'done', 'unknown'] as const
const meaning = 'claimed (started), sent to the upstream (sent), answered (done), or sent with its answer lost (unknown)'

export const IdempotencyRecord = Type.Object(
  {
    id: RecordId,
    tenantId: TenantId,
    keyId: text('The API key that the request came with.', { examples: ['Ya9KVgo2q6zU'] }),
    operation: text('The operation that was called.', { examples: ['sendSms'] }),
    state: oneOf([...states], `How far the request is: ${meaning}.`, { examples: ['unknown'] }),
    createdAt: timestamp('When the request came.'),
    expiresAt: maybe(timestamp('When the answer is forgotten.'))
  },
  { $id: 'IdempotencyRecord', description: 'The record of a request with an `Idempotency-Key`, without the key and without content.' }
)

export const IdempotencyFilter = strict({
  state: maybe(oneOf([...states], `Only requests in this state: ${meaning}.`, { examples: ['unknown'] })),
  tenantId: maybe({ ...TenantId, description: 'Only requests of this tenant.' }),
  after: maybe({ ...RecordId, description: 'Only records after this one: the `next` of the page before.' }),
  limit: maybe(integer('How many records to answer at most; 100 without it.', { minimum: 1, maximum: 1000, examples: [100] }))
})
export type IdempotencyFilter = Static<typeof IdempotencyFilter>

export const IdempotencySettlement = strict(
  {
    outcome: oneOf(
      ['done', 'not-sent'],
      'Whether the request had its effect (done), or never reached the upstream (not-sent): then its key is free.',
      {
        examples: ['done']
      }
    ),
    status: maybe(
      integer('With `done`: the status that the key answers from now on; 200 with a body, 204 without one.', {
        minimum: 200,
        maximum: 299,
        examples: [201]
      })
    ),
    body: maybe(Type.Unknown({ description: 'With `done`: the JSON that the key answers from now on.', examples: [{ messageId: 4711 }] }))
  },
  { examples: [{ outcome: 'not-sent' }] }
)
export type IdempotencySettlement = Static<typeof IdempotencySettlement>
