import { type Static, Type } from '@sinclair/typebox'
import { id, integer, maybe, oneOf, strict, text, timestamp } from './common.ts'
import { AllowedCidrs, TenantId } from './tenant.ts'

export const KeyId = Type.String({
  pattern: '^[0-9A-Za-z]{12}$',
  description: 'The id of the key: its middle part.',
  examples: ['Ya9KVgo2q6zU']
})
const KeyName = text('What the key is for.', { minLength: 1, maxLength: 200, examples: ['billing-service'] })
const Scopes = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
  minItems: 1,
  maxItems: 200,
  uniqueItems: true,
  description: 'What it may do; `GET /admin/scopes` lists them all.',
  examples: [['users:read', 'applications:read']]
})
const ChildAccounts = Type.Union(
  [Type.Array(id('A child account.', 7654321), { minItems: 1, maxItems: 1000, uniqueItems: true }), oneOf(['any'])],
  {
    description: 'Child accounts that `Voxgate-Child-Account` may name: their ids, or `any` for every one. Left out: none.',
    examples: [[7654321], 'any']
  }
)
const ExpiresAt = timestamp('When it ends. Left out: never.', { examples: ['2027-01-01T00:00:00Z'] })

const properties = {
  keyId: KeyId,
  tenantId: TenantId,
  name: KeyName,
  scopes: Scopes,
  childAccounts: maybe(ChildAccounts),
  allowedCidrs: maybe(AllowedCidrs),
  state: oneOf(['active', 'expired', 'revoked'], 'Whether it works.'),
  createdAt: timestamp('When it was made.'),
  expiresAt: maybe(ExpiresAt),
  revokedAt: maybe(timestamp('When it was revoked.')),
  lastUsedAt: maybe(timestamp('When it was last used, to within a minute.')),
  rotatedTo: maybe(text('The key that takes its place.', { examples: ['b7Qe0TgfWm3x'] }))
}

export const ApiKey = Type.Object(properties, { $id: 'ApiKey', description: 'An API key of a tenant, without its secret.' })
export type ApiKey = Static<typeof ApiKey>

export const CreatedApiKey = Type.Object(
  {
    key: text('The key itself: the only time that it is shown.', { examples: ['vg_Ya9KVgo2q6zU_...'] }),
    ...properties
  },
  { $id: 'CreatedApiKey', description: 'An API key that was made now.' }
)
export type CreatedApiKey = Static<typeof CreatedApiKey>

export const NewApiKey = strict(
  {
    name: KeyName,
    scopes: Scopes,
    expiresAt: maybe(ExpiresAt),
    childAccounts: maybe(ChildAccounts),
    allowedCidrs: maybe(AllowedCidrs)
  },
  { examples: [{ name: 'CRM', scopes: ['users:read', 'users:write'] }] }
)
export type NewApiKey = Static<typeof NewApiKey>

export const KeyRotation = strict(
  {
    graceSeconds: integer('How long the old key still works.', { minimum: 0, maximum: 2_592_000, examples: [3600] }),
    expiresAt: maybe(
      timestamp('When the new key ends. Left out: it lives as long as the old one was meant to.', { examples: ['2027-01-01T00:00:00Z'] })
    )
  },
  { examples: [{ graceSeconds: 3600 }] }
)
export type KeyRotation = Static<typeof KeyRotation>
