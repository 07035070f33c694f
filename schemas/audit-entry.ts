import { type Static, Type } from '@sinclair/typebox'
import { integer, maybe, oneOf, strict, text, timestamp } from './common.ts'
import { TenantId } from './tenant.ts'

const Id = Type.String({
  pattern: '^[0-9a-z]{1,64}$',
  description: 'The id of the entry; later entries have greater ones.',
  examples: ['019ab31f7c04000012af00c1']
})

export const AuditEntry = Type.Object(
  {
    id: Id,
    at: timestamp('When it was done.'),
    actor: Type.Object(
      {
        kind: oneOf(['admin', 'key', 'cli', 'service'], 'An admin token, an API key, the command line, or the service by itself.'),
        id: text('The id of the token or key, or the name of the user of the command line.', { examples: ['ops'] }),
        address: maybe(text('Where it came from.', { examples: ['192.0.2.7'] })),
        requestId: maybe(text('The request it was done in.', { examples: ['0198c7b2-5a0e-7c34-9d62-3f1c1c4e9b11'] }))
      },
      { description: 'Who did it.' }
    ),
    action: text(
      'What was done: `tenant.create` and the like, `call.<operation>` for a call of the upstream, or `key.refused` for requests that were refused although their key was right.',
      {
        examples: ['key.revoke']
      }
    ),
    tenantId: maybe(TenantId),
    target: maybe(text('What it was done to: the id of a key, a version of credentials.', { examples: ['Ya9KVgo2q6zU'] })),
    outcome: text(
      'How it ended: `done`, `refused`, `started` for a call whose outcome is not known (yet), or the kind of problem that a call ended in.',
      { examples: ['done'] }
    ),
    detail: maybe(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'More about it; never a secret.',
        examples: [{ to: 'b7Qe0TgfWm3x', graceSeconds: 3600 }]
      })
    )
  },
  { $id: 'AuditEntry', description: 'A line of the audit log.' }
)
export type AuditEntry = Static<typeof AuditEntry>

export const AuditFilter = strict({
  tenantId: maybe({ ...TenantId, description: 'Only what concerns this tenant.' }),
  actor: maybe(
    text('Only what this admin token, API key or user of the command line did, by its id.', {
      minLength: 1,
      maxLength: 100,
      examples: ['ops']
    })
  ),
  action: maybe(text('Only this action.', { minLength: 1, maxLength: 100, examples: ['key.revoke'] })),
  outcome: maybe(text('Only what ended so.', { minLength: 1, maxLength: 100, examples: ['done'] })),
  since: maybe(timestamp('Only from this instant on.')),
  until: maybe(timestamp('Only before this instant.')),
  before: maybe({ ...Id, description: 'Only entries before this one: the `next` of the page before.' }),
  limit: maybe(integer('How many entries to answer at most; 100 without it.', { minimum: 1, maximum: 1000, examples: [100] }))
})
export type AuditFilter = Static<typeof AuditFilter>
