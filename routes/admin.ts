import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest, FastifySchema, RouteOptions } from 'fastify'
import {
  ApiKey,
  CreatedApiKey,
  KeyId,
  KeyRotation,
  type KeyRotation as KeyRotationInput,
  NewApiKey,
  type NewApiKey as NewApiKeyInput
} from '../schemas/api-key.ts'
import { AuditEntry, AuditFilter, type AuditFilter as AuditFilterInput } from '../schemas/audit-entry.ts'
import { integer, maybe, ref, strict, text } from '../schemas/common.ts'
import { CredentialOptions, Credentials, NewCredentials } from '../schemas/credentials.ts'
import {
  IdempotencyFilter,
  type IdempotencyFilter as IdempotencyFilterInput,
  IdempotencyRecord,
  IdempotencySettlement,
  type IdempotencySettlement as IdempotencySettlementInput,
  RecordId
} from '../schemas/idempotency-record.ts'
import { MasterKeyRotation } from '../schemas/master-key.ts'
import { Scope } from '../schemas/scope.ts'
import { seeded } from '../schemas/seeded.ts'
import {
  NewTenant,
  type NewTenant as NewTenantInput,
  Tenant,
  TenantChanges,
  type TenantChanges as TenantChangesInput,
  TenantId
} from '../schemas/tenant.ts'
import { type Administrator, etagOf } from '../src/admin/service.ts'
import { triedInUrl } from '../src/api/example.ts'
import { validatorCompiler } from '../src/api/validation.ts'
import { documentedProblems, type ProblemType } from '../src/problems/problem.ts'

/** The admin API: tenants, their credentials and keys, the audit log, the master key. Behind tokens of its own, out of reach of tenants' keys. */

export const adminTag = {
  name: 'Administration',
  description:
    "Tenants, their credentials and API keys, the audit log and the master key. For administrators: with a token from ADMIN_TOKEN, never with a tenant's key."
}

interface AdminRoute {
  http: `${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /admin/${string}`
  id: string
  summary: string
  description: string
  query?: TSchema
  body?: TSchema
  headers?: TSchema
  answer: object
  problems?: readonly ProblemType[]
  /** Fields of the path of the example call that are other than elsewhere. */
  example?: Readonly<Record<string, string>>
  /** The body is read by the handler, which says more exactly what is wrong with it. */
  readsBody?: true
  handler: (admin: Administrator, request: FastifyRequest, reply: FastifyReply, base: string) => unknown
}

const json = (schema: TSchema, description: string, headers?: Record<string, string>) => ({
  description,
  content: { 'application/json': { schema } },
  ...(headers
    ? { headers: Object.fromEntries(Object.entries(headers).map(([name, description]) => [name, { description, type: 'string' }])) }
    : {})
})
const nothing = (description: string) => ({ type: 'null', description })
const list = (item: TSchema, description: string, next?: string) =>
  json(
    Type.Object({
      items: Type.Array(item, { description: 'The items of this page.' }),
      ...(next
        ? { next: maybe(text(`Where the next page begins: send it as \`${next}\`. Left out on the last page.`, { examples: ['acme'] })) }
        : {})
    }),
    description
  )

const etag = { ETag: 'The state of the tenant, for `If-Match`.' }
const location = { Location: 'The address of what was made.' }
const ifMatch = Type.Object({
  'If-Match': maybe(
    text('The `ETag` that the tenant must still have; otherwise nothing is changed.', {
      minLength: 1,
      maxLength: 1000,
      examples: ['"Yx3qP0cW8oVbL1r7mZk2aQ"']
    })
  )
})

type Params = { tenantId: string; keyId: string }
const paramsOf = (request: FastifyRequest) => request.params as Params

const routes: readonly AdminRoute[] = [
  {
    http: 'POST /admin/tenants',
    id: 'createTenant',
    summary: 'Create a tenant',
    description: 'A tenant is one Voximplant account. Give it credentials and API keys next.',
    body: NewTenant,
    answer: { 201: json(ref(Tenant), 'The tenant that was made.', { ...location, ...etag }) },
    problems: ['tenant-exists'],
    async handler(admin, request, reply, base) {
      const tenant = await admin.createTenant(request.actor, request.body as NewTenantInput)
      reply.code(201).headers({ location: `${base}/admin/tenants/${tenant.tenantId}`, etag: etagOf(tenant) })
      return tenant
    }
  },
  {
    http: 'GET /admin/tenants',
    id: 'listTenants',
    summary: 'List tenants',
    description: 'By their slugs.',
    query: strict({
      after: maybe({ ...TenantId, description: 'Only tenants after this one: the `next` of the page before.' }),
      limit: maybe(integer('How many tenants to answer at most; 100 without it.', { minimum: 1, maximum: 1000, examples: [100] }))
    }),
    answer: { 200: list(ref(Tenant), 'One page of the tenants.', 'after') },
    handler: (admin, request) => admin.tenants(request.query as { after?: string; limit?: number })
  },
  {
    http: 'GET /admin/tenants/:tenantId',
    id: 'getTenant',
    summary: 'Get a tenant',
    description: 'The tenant with its settings, and its `ETag`.',
    answer: { 200: json(ref(Tenant), 'The tenant.', etag) },
    async handler(admin, request, reply) {
      const tenant = await admin.tenant(paramsOf(request).tenantId)
      reply.header('etag', etagOf(tenant))
      return tenant
    }
  },
  {
    http: 'PATCH /admin/tenants/:tenantId',
    id: 'updateTenant',
    summary: 'Change a tenant',
    description:
      'Fields and settings that are left out stay as they are; a setting that is `null` goes back to what is configured. A tenant that is not enabled makes no calls: its keys are answered 403.',
    headers: ifMatch,
    body: TenantChanges,
    answer: { 200: json(ref(Tenant), 'The tenant as it is now.', etag) },
    problems: ['precondition-failed'],
    async handler(admin, request, reply) {
      const changes = request.body as TenantChangesInput
      const tenant = await admin.updateTenant(request.actor, paramsOf(request).tenantId, changes, request.headers['if-match'])
      reply.header('etag', etagOf(tenant))
      return tenant
    }
  },
  {
    http: 'DELETE /admin/tenants/:tenantId',
    id: 'deleteTenant',
    // The tenant that `createTenant` makes: the demonstration's own is in use.
    example: { tenantId: 'acme' },
    summary: 'Delete a tenant',
    description:
      'Deletes its keys and credentials with it, and the key that these were sealed with, so that they do not open in copies of the database either. The audit log keeps what was done.',
    answer: { 204: nothing('The tenant is gone.') },
    async handler(admin, request, reply) {
      await admin.deleteTenant(request.actor, paramsOf(request).tenantId)
      reply.code(204)
    }
  },
  {
    http: 'PUT /admin/tenants/:tenantId/credentials',
    id: 'putCredentials',
    summary: "Put a tenant's credentials",
    description:
      'A credentials.json as it was downloaded, in either layout, or an account id with its API key. The key has to sign, and the upstream is asked whether it accepts it for this account, before it replaces the one in use. Calls under way end with the old one, which is then destroyed.',
    query: CredentialOptions,
    body: NewCredentials,
    readsBody: true,
    answer: { 200: json(ref(Credentials), 'What is told of them from now on.') },
    problems: ['malformed-body', 'private-key-unusable', 'credentials-of-another-account', 'credentials-refused', 'credentials-unverified'],
    handler: (admin, request) =>
      admin.putCredentials(request.actor, paramsOf(request).tenantId, request.body, request.query as { verify?: boolean })
  },
  {
    http: 'GET /admin/tenants/:tenantId/credentials',
    id: 'getCredentials',
    summary: "Get what is told of a tenant's credentials",
    description: 'Their secrets are never answered.',
    answer: { 200: json(ref(Credentials), 'What is told of the credentials in use.') },
    handler: (admin, request) => admin.credentials(paramsOf(request).tenantId)
  },
  {
    http: 'DELETE /admin/tenants/:tenantId/credentials',
    id: 'deleteCredentials',
    // The tenant that `createTenant` makes: the demonstration's own is in use.
    example: { tenantId: 'acme' },
    summary: "Delete a tenant's credentials",
    description: 'Destroys the secrets of every version at once. Calls of the tenant are answered 424 from then on.',
    answer: { 204: nothing('There are no credentials any more.') },
    async handler(admin, request, reply) {
      await admin.deleteCredentials(request.actor, paramsOf(request).tenantId)
      reply.code(204)
    }
  },
  {
    http: 'POST /admin/tenants/:tenantId/keys',
    id: 'createApiKey',
    summary: 'Create an API key',
    description: 'The answer is the only place where the key is shown; Voxgate keeps a hash of it.',
    body: NewApiKey,
    answer: { 201: json(ref(CreatedApiKey), 'The key, which is shown this once.', location) },
    async handler(admin, request, reply, base) {
      const { tenantId } = paramsOf(request)
      const made = await admin.createKey(request.actor, tenantId, request.body as NewApiKeyInput)
      reply.code(201).headers({ location: `${base}/admin/tenants/${tenantId}/keys/${made.keyId}` })
      return made
    }
  },
  {
    http: 'GET /admin/tenants/:tenantId/keys',
    id: 'listApiKeys',
    summary: "List a tenant's API keys",
    description: 'Newest first, with those that have ended.',
    answer: { 200: list(ref(ApiKey), 'The keys.') },
    handler: (admin, request) => admin.keys(paramsOf(request).tenantId)
  },
  {
    http: 'GET /admin/tenants/:tenantId/keys/:keyId',
    id: 'getApiKey',
    summary: 'Get an API key',
    description: 'What is kept of it: everything but its secret.',
    answer: { 200: json(ref(ApiKey), 'The key, without its secret.') },
    handler: (admin, request) => admin.key(paramsOf(request).tenantId, paramsOf(request).keyId)
  },
  {
    http: 'DELETE /admin/tenants/:tenantId/keys/:keyId',
    id: 'revokeApiKey',
    summary: 'Revoke an API key',
    description:
      'At once, and for good: within a second on every replica on PostgreSQL, within CACHE_TTL else. A key that is revoked already stays so.',
    answer: { 204: nothing('The key is revoked.') },
    async handler(admin, request, reply) {
      const { tenantId, keyId } = paramsOf(request)
      await admin.revokeKey(request.actor, tenantId, keyId)
      reply.code(204)
    }
  },
  {
    http: 'POST /admin/tenants/:tenantId/keys/:keyId/rotate',
    id: 'rotateApiKey',
    summary: 'Rotate an API key',
    description: 'Makes a key with the same rights. The old one still works for the grace.',
    body: KeyRotation,
    answer: { 201: json(ref(CreatedApiKey), 'The new key, which is shown this once.', location) },
    problems: ['key-ended'],
    async handler(admin, request, reply, base) {
      const { tenantId, keyId } = paramsOf(request)
      const made = await admin.rotateKey(request.actor, tenantId, keyId, request.body as KeyRotationInput)
      reply.code(201).headers({ location: `${base}/admin/tenants/${tenantId}/keys/${made.keyId}` })
      return made
    }
  },
  {
    http: 'GET /admin/scopes',
    id: 'listScopes',
    summary: 'List the scopes that keys can have',
    description: 'They follow from the operations: section and verb, and what stands apart.',
    answer: { 200: list(ref(Scope), 'Every scope, with the operations that need it.') },
    handler: admin => admin.scopes()
  },
  {
    http: 'GET /admin/audit-log',
    id: 'listAuditLog',
    summary: 'Read the audit log',
    description:
      'Newest first: what administrators did, failed attempts to be one, and calls of the upstream that destroy, change rights, cost money, answer secrets or act for a child account.',
    query: AuditFilter,
    answer: { 200: list(ref(AuditEntry), 'One page of the audit log.', 'before') },
    handler: (admin, request) => admin.auditLog(request.query as AuditFilterInput)
  },
  {
    http: 'GET /admin/idempotency',
    id: 'listIdempotencyRecords',
    summary: 'List requests with an Idempotency-Key',
    description: 'Oldest first. Those in the state `unknown` wait for somebody who finds out what became of them, and settles them.',
    query: IdempotencyFilter,
    answer: { 200: list(ref(IdempotencyRecord), 'One page of the records.', 'after') },
    handler: (admin, request) => admin.idempotency(request.query as IdempotencyFilterInput)
  },
  {
    http: 'POST /admin/idempotency/:recordId/settle',
    id: 'settleIdempotencyRecord',
    summary: 'Say what became of a request whose outcome is unknown',
    description:
      'Look at the upstream first. With `done`, the key answers from now on as told here; with `not-sent` it is free, and the next request with it is sent.',
    body: IdempotencySettlement,
    answer: { 204: nothing('It is settled.') },
    problems: ['nothing-to-settle'],
    async handler(admin, request, reply) {
      const { recordId } = request.params as { recordId: string }
      await admin.settleIdempotency(request.actor, recordId, request.body as IdempotencySettlementInput)
      reply.code(204)
    }
  },
  {
    http: 'POST /admin/rotate-master-key',
    id: 'rotateMasterKey',
    summary: 'Wrap all data keys with the current master key',
    description:
      'Goes on while everything is in use, and can be started again where it was stopped. The service has to know the old master key too (MASTER_KEY_PREVIOUS) until `left` is 0.',
    answer: { 202: json(ref(MasterKeyRotation), 'It has begun, or is under way.', { Location: 'Where its progress is told.' }) },
    async handler(admin, request, reply, base) {
      admin.rotateMasterKey(request.actor).done.catch(error => request.log.error({ err: error }, 'the rotation of the master key stopped'))
      reply.code(202).header('location', `${base}/admin/rotate-master-key`)
      return admin.masterKey()
    }
  },
  {
    http: 'GET /admin/rotate-master-key',
    id: 'getMasterKeyRotation',
    summary: 'Get how far the rotation of the master key is',
    description: 'The counts are of the database; the state is of the process that answers.',
    answer: { 200: json(ref(MasterKeyRotation), 'How far it is.') },
    handler: admin => admin.masterKey()
  }
]

const pathParams: Record<string, TSchema> = { tenantId: { ...TenantId, examples: [seeded.tenant.id] }, keyId: KeyId, recordId: RecordId }

const always: readonly ProblemType[] = ['invalid-request', 'admin-token-required', 'rate-limited', 'internal-error', 'service-unavailable']

function schemaOf({
  http,
  id,
  summary,
  description,
  query,
  body,
  headers,
  answer,
  problems = [],
  example = {}
}: AdminRoute): FastifySchema {
  const inPath = [...http.matchAll(/:(\w+)/g)].map(([, name]) => name!)
  const types = [
    ...always,
    ...problems,
    ...(inPath.length > 0 ? (['not-found'] as const) : []),
    ...(body ? (['payload-too-large', 'unsupported-media-type', 'request-timeout'] as const) : [])
  ]
  return {
    operationId: id,
    tags: [adminTag.name],
    summary,
    description,
    security: [{ adminToken: [] }],
    params: strict(triedInUrl(Object.fromEntries(inPath.map(name => [name, pathParams[name]!])), { fields: inPath, values: example })),
    querystring: query ?? strict({}),
    ...(body ? { body } : {}),
    ...(headers ? { headers } : {}),
    response: {
      ...answer,
      ...documentedProblems(types)
    }
  } as FastifySchema
}

/** The routes of the admin API. Without an administrator they are only described. @param base the path the service is mounted under */
export const adminRoutes = (admin: Administrator | undefined, base = ''): RouteOptions[] =>
  routes.map(route => {
    const [method, url] = route.http.split(' ') as [string, string]
    return {
      method,
      url,
      schema: schemaOf(route),
      handler: async (request, reply) => route.handler(admin!, request, reply, base),
      ...(route.readsBody
        ? {
            validatorCompiler: part =>
              part.httpPart === 'body' ? () => true : validatorCompiler(part as Parameters<typeof validatorCompiler>[0])
          }
        : {})
    }
  })
