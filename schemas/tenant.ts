import { type Static, Type } from '@sinclair/typebox'
import { marks } from '../src/voximplant/wire/marks.ts'
import { flag, id, integer, maybe, strict, text, timestamp } from './common.ts'

/** The slug a tenant is known by. */
export const TenantId = Type.String({
  pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$',
  description: 'The slug the tenant is known by: lower-case letters, digits and inner hyphens, at most 63 of them. It stays.',
  examples: ['acme'],
  ...marks({ expects: 'lower-case letters, digits and inner hyphens, at most 63 of them' })
})

const TenantName = text('The name people know the tenant by.', { minLength: 1, maxLength: 200, examples: ['Acme Inc.'] })
const AccountId = id("The id of the tenant's account at the upstream. It stays.", 1234567)
const ApiHost = Type.String({
  pattern: '^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?$',
  description:
    "The upstream's host for this account, when not the configured one (GetAccountInfo tells it as `apiAddress`). It is called by https.",
  examples: ['api-ru.voximplant.com'],
  ...marks({ expects: 'a host name in lower case, without scheme or path' })
})
const Network = Type.String({ minLength: 2, maxLength: 50, examples: ['10.0.0.0/8'] })

/** Networks that calls may come from. */
export const AllowedCidrs = Type.Array(Network, {
  minItems: 1,
  maxItems: 100,
  uniqueItems: true,
  description: 'Networks in CIDR notation, or single addresses, that keys may be used from. Left out: from anywhere.',
  examples: [['10.0.0.0/8', '2001:db8::/32']]
})

const RateLimit = strict(
  {
    perSecond: Type.Number({ exclusiveMinimum: 0, maximum: 100_000, description: 'Requests per second, in the long run.', examples: [50] }),
    burst: integer('Maximum burst of requests beyond that rate.', { minimum: 1, maximum: 100_000, examples: [100] })
  },
  { description: 'How many requests are taken. Left out: the configured default.' }
)
const Concurrency = integer('Maximum concurrent calls of the upstream, per process. Absent: the configured default.', {
  minimum: 1,
  maximum: 10_000,
  examples: [20]
})
const DefaultHeaders = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$' }),
  Type.String({ minLength: 1, maxLength: 1024, pattern: '^[\\x21-\\x7e](?:[\\x20-\\x7e]*[\\x21-\\x7e])?$' }),
  {
    maxProperties: 20,
    description:
      'Headers that go to the upstream with every call: `accept-language`, `user-agent` and `x-` headers, forwarding headers excepted. They are not secret: administrators see them, and the audit log holds them.',
    examples: [{ 'x-client': 'acme' }]
  }
)

const settings = {
  rateLimit: maybe(RateLimit),
  concurrency: maybe(Concurrency),
  defaultHeaders: maybe(DefaultHeaders),
  allowedCidrs: maybe(AllowedCidrs)
}

/** A field that `null` removes. */
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => {
  const { description, examples, ...rest } = schema as T & { description?: string; examples?: unknown[] }
  return Type.Union([rest as T, Type.Null()], { description: `${description} \`null\` removes it.`, examples })
}

export const Tenant = Type.Object(
  {
    tenantId: TenantId,
    name: TenantName,
    enabled: flag('Whether its keys work.'),
    accountId: AccountId,
    apiHost: maybe(ApiHost),
    settings: Type.Object(settings, { description: 'Settings of its own; what is left out is as configured.' }),
    credentialVersion: maybe(integer('The version of the credentials in use; left out while there are none.', { examples: [1] })),
    createdAt: timestamp('When it was made.'),
    updatedAt: timestamp('When it was last changed.')
  },
  { $id: 'Tenant', description: 'One Voximplant account, and those who share it.' }
)
export type Tenant = Static<typeof Tenant>

export const NewTenant = strict(
  {
    tenantId: TenantId,
    name: maybe(TenantName),
    accountId: AccountId,
    apiHost: maybe(ApiHost),
    settings: maybe(strict(settings, { description: 'Settings of its own; what is left out is as configured.' }))
  },
  { examples: [{ tenantId: 'acme', name: 'Acme Inc.', accountId: 1234567 }] }
)
export type NewTenant = Static<typeof NewTenant>

export const TenantChanges = strict(
  {
    name: maybe(TenantName),
    enabled: maybe(flag('Whether its keys work.')),
    apiHost: maybe(orNull(ApiHost)),
    settings: maybe(
      strict(
        {
          rateLimit: maybe(orNull(RateLimit)),
          concurrency: maybe(orNull(Concurrency)),
          defaultHeaders: maybe(orNull(DefaultHeaders)),
          allowedCidrs: maybe(orNull(AllowedCidrs))
        },
        { minProperties: 1, description: 'The settings to change; those left out stay as they are.' }
      )
    )
  },
  { minProperties: 1, examples: [{ name: 'Demonstration' }] }
)
export type TenantChanges = Static<typeof TenantChanges>
