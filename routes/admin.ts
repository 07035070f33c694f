import { type TSchema, Type } from '@sinclair/typebox'
import type { RouteOptions } from 'fastify'
import { ApiKey, CreatedApiKey, KeyId, KeyRotation, NewApiKey } from '../schemas/api-key.ts'
import { AuditEntry, AuditFilter } from '../schemas/audit-entry.ts'
import { integer, maybe, ref, strict, text } from '../schemas/common.ts'
import { CredentialOptions, Credentials, NewCredentials } from '../schemas/credentials.ts'
import { IdempotencyFilter, IdempotencyRecord, IdempotencySettlement, RecordId } from '../schemas/idempotency-record.ts'
import { MasterKeyRotation } from '../schemas/master-key.ts'
import { Scope } from '../schemas/scope.ts'
import { seeded } from '../schemas/seeded.ts'
import { NewTenant, Tenant, TenantChanges, TenantId } from '../schemas/tenant.ts'
import { adminRoute, json, list, noContent, toAdminRoute } from '../src/admin/route.ts'
import type { AdminService } from '../src/admin/service.ts'
import { etagOf } from '../src/admin/views.ts'

/** The admin API: tenants, their credentials and keys, the audit log, the master key. Behind tokens of its own, out of reach of tenants' keys. */

export const adminTag = {
  name: 'Administration',
  description:
    "Tenants, their credentials and API keys, the audit log and the master key. For administrators: with a token from ADMIN_TOKEN, never with a tenant's key."
}

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

const routes = [
  adminRoute({
    http: 'POST /admin/tenants',
    id: 'createTenant',
    summary: 'Create a tenant',
    description: 'A tenant is one Voximplant account. Give it credentials and API keys next.',
    body: NewTenant,
    responses: { 201: json(ref(Tenant), 'The tenant that was made.', { ...location, ...etag }) },
    problems: ['tenant-exists'],
    async handler(admin, request, reply, base) {
      const tenant = await admin.createTenant(request.actor, request.body)
      reply.code(201).headers({ location: `${base}/admin/tenants/${tenant.tenantId}`, etag: etagOf(tenant) })
      return tenant
    }
  }),
  adminRoute({
    http: 'GET /admin/tenants',
    id: 'listTenants',
    summary: 'List tenants',
    description: 'By their slugs.',
    query: strict({
      after: maybe({ ...TenantId, description: 'Only tenants after this one: the `next` of the page before.' }),
      limit: maybe(integer('How many tenants to answer at most; 100 without it.', { minimum: 1, maximum: 1000, examples: [100] }))
    }),
    responses: { 200: list(ref(Tenant), 'One page of the tenants.', 'after') },
    handler: (admin, request) => admin.tenants(request.query)
  }),
  adminRoute({
    http: 'GET /admin/tenants/:tenantId',
    id: 'getTenant',
    summary: 'Get a tenant',
    description: 'The tenant with its settings, and its `ETag`.',
    responses: { 200: json(ref(Tenant), 'The tenant.', etag) },
    async handler(admin, request, reply) {
      const tenant = await admin.tenant(request.params.tenantId)
      reply.header('etag', etagOf(tenant))
      return tenant
    }
  }),
  adminRoute({
    http: 'PATCH /admin/tenants/:tenantId',
    id: 'updateTenant',
    summary: 'Change a tenant',
    description:
      'Fields and settings that are left out stay as they are; a setting that is `null` goes back to what is configured. A tenant that is not enabled makes no calls: its keys are answered 403.',
    headers: ifMatch,
    body: TenantChanges,
    responses: { 200: json(ref(Tenant), 'The tenant as it is now.', etag) },
    problems: ['precondition-failed'],
    async handler(admin, request, reply) {
      const changes = request.body
      const tenant = await admin.updateTenant(request.actor, request.params.tenantId, changes, request.headers['if-match'])
      reply.header('etag', etagOf(tenant))
      return tenant
    }
  }),
  adminRoute({
    http: 'DELETE /admin/tenants/:tenantId',
    id: 'deleteTenant',
    // The tenant that `createTenant` makes: the demonstration's own is in use.
    example: { tenantId: 'acme' },
    summary: 'Delete a tenant',
    description:
      'Deletes its keys and credentials with it, and the key that these were sealed with, so that they do not open in copies of the database either. The audit log keeps what was done.',
    responses: { 204: noContent('The tenant is gone.') },
    async handler(admin, request, reply) {
      await admin.deleteTenant(request.actor, request.params.tenantId)
      reply.code(204)
    }
  }),
  adminRoute({
    http: 'PUT /admin/tenants/:tenantId/credentials',
    id: 'putCredentials',
    summary: "Put a tenant's credentials",
    description:
      'A credentials.json as it was downloaded, in either layout, or an account id with its API key. The key has to sign, and the upstream is asked whether it accepts it for this account, before it replaces the one in use. Calls in flight end with the old one, which is then destroyed.',
    query: CredentialOptions,
    body: NewCredentials,
    checksBody: true,
    responses: { 200: json(ref(Credentials), 'The new credentials.') },
    problems: ['malformed-body', 'private-key-unusable', 'credentials-of-another-account', 'credentials-refused', 'credentials-unverified'],
    handler: (admin, request) => admin.putCredentials(request.actor, request.params.tenantId, request.body, request.query)
  }),
  adminRoute({
    http: 'GET /admin/tenants/:tenantId/credentials',
    id: 'getCredentials',
    summary: "Get a tenant's credentials, without their secrets",
    description: 'Their secrets are never answered.',
    responses: { 200: json(ref(Credentials), 'The credentials in use.') },
    handler: (admin, request) => admin.credentials(request.params.tenantId)
  }),
  adminRoute({
    http: 'DELETE /admin/tenants/:tenantId/credentials',
    id: 'deleteCredentials',
    // The tenant that `createTenant` makes: the demonstration's own is in use.
    example: { tenantId: 'acme' },
    summary: "Delete a tenant's credentials",
    description: 'Destroys the secrets of every version immediately. Calls of the tenant get 424 from then on.',
    responses: { 204: noContent('There are no credentials any more.') },
    async handler(admin, request, reply) {
      await admin.deleteCredentials(request.actor, request.params.tenantId)
      reply.code(204)
    }
  }),
  adminRoute({
    http: 'POST /admin/tenants/:tenantId/keys',
    id: 'createApiKey',
    summary: 'Create an API key',
    description: 'The answer is the only place where the key is shown; Voxgate keeps a hash of it.',
    body: NewApiKey,
    responses: { 201: json(ref(CreatedApiKey), 'The key, which is shown this once.', location) },
    async handler(admin, request, reply, base) {
      const { tenantId } = request.params
      const made = await admin.createKey(request.actor, tenantId, request.body)
      reply.code(201).headers({ location: `${base}/admin/tenants/${tenantId}/keys/${made.keyId}` })
      return made
    }
  }),
  adminRoute({
    http: 'GET /admin/tenants/:tenantId/keys',
    id: 'listApiKeys',
    summary: "List a tenant's API keys",
    description: 'Newest first, with those that have ended.',
    responses: { 200: list(ref(ApiKey), 'The keys.') },
    handler: (admin, request) => admin.keys(request.params.tenantId)
  }),
  adminRoute({
    http: 'GET /admin/tenants/:tenantId/keys/:keyId',
    id: 'getApiKey',
    summary: 'Get an API key',
    description: 'What is kept of it: everything but its secret.',
    responses: { 200: json(ref(ApiKey), 'The key, without its secret.') },
    handler: (admin, request) => admin.key(request.params.tenantId, request.params.keyId)
  }),
  adminRoute({
    http: 'DELETE /admin/tenants/:tenantId/keys/:keyId',
    id: 'revokeApiKey',
    summary: 'Revoke an API key',
    description:
      'Permanent, and effective within a second on every replica on PostgreSQL, within CACHE_TTL otherwise. A key that is already revoked stays so.',
    responses: { 204: noContent('The key is revoked.') },
    async handler(admin, request, reply) {
      const { tenantId, keyId } = request.params
      await admin.revokeKey(request.actor, tenantId, keyId)
      reply.code(204)
    }
  }),
  adminRoute({
    http: 'POST /admin/tenants/:tenantId/keys/:keyId/rotate',
    id: 'rotateApiKey',
    summary: 'Rotate an API key',
    description: 'Makes a key with the same rights. The old one still works for the grace.',
    body: KeyRotation,
    responses: { 201: json(ref(CreatedApiKey), 'The new key, which is shown this once.', location) },
    problems: ['key-ended'],
    async handler(admin, request, reply, base) {
      const { tenantId, keyId } = request.params
      const made = await admin.rotateKey(request.actor, tenantId, keyId, request.body)
      reply.code(201).headers({ location: `${base}/admin/tenants/${tenantId}/keys/${made.keyId}` })
      return made
    }
  }),
  adminRoute({
    http: 'GET /admin/scopes',
    id: 'listScopes',
    summary: 'List the scopes that keys can have',
    description: 'They follow from the operations: section and verb, and what stands apart.',
    responses: { 200: list(ref(Scope), 'Every scope, with the operations that need it.') },
    handler: admin => admin.scopes()
  }),
  adminRoute({
    http: 'GET /admin/audit-log',
    id: 'listAuditLog',
    summary: 'Read the audit log',
    description:
      'Newest first: what administrators did, failed attempts to be one, and calls of the upstream that destroy, change rights, cost money, answer secrets or act for a child account.',
    query: AuditFilter,
    responses: { 200: list(ref(AuditEntry), 'One page of the audit log.', 'before') },
    handler: (admin, request) => admin.auditLog(request.query)
  }),
  adminRoute({
    http: 'GET /admin/idempotency',
    id: 'listIdempotencyRecords',
    summary: 'List requests with an Idempotency-Key',
    description: 'Oldest first. Records in the state `unknown` have to be settled by an administrator, once the outcome is known.',
    query: IdempotencyFilter,
    responses: { 200: list(ref(IdempotencyRecord), 'One page of the records.', 'after') },
    handler: (admin, request) => admin.idempotency(request.query)
  }),
  adminRoute({
    http: 'POST /admin/idempotency/:recordId/settle',
    id: 'settleIdempotencyRecord',
    summary: 'Say what became of a request whose outcome is unknown',
    description:
      'Check the upstream first. With `done`, requests with the key get the response given here; with `not-sent` the key is released, and the next request with it is sent.',
    body: IdempotencySettlement,
    responses: { 204: noContent('It is settled.') },
    problems: ['nothing-to-settle'],
    async handler(admin, request, reply) {
      const { recordId } = request.params
      await admin.settleIdempotency(request.actor, recordId, request.body)
      reply.code(204)
    }
  }),
  adminRoute({
    http: 'POST /admin/rotate-master-key',
    id: 'rotateMasterKey',
    summary: 'Wrap all data keys with the current master key',
    description:
      'Goes on while everything is in use, and can be started again where it was stopped. The service has to know the old master key too (MASTER_KEY_PREVIOUS) until `left` is 0.',
    responses: { 202: json(ref(MasterKeyRotation), 'It has started, or is in progress.', { Location: 'The address of its progress.' }) },
    async handler(admin, request, reply, base) {
      admin.rotateMasterKey(request.actor).done.catch(error => request.log.error({ err: error }, 'the rotation of the master key stopped'))
      reply.code(202).header('location', `${base}/admin/rotate-master-key`)
      return admin.masterKey()
    }
  }),
  adminRoute({
    http: 'GET /admin/rotate-master-key',
    id: 'getMasterKeyRotation',
    summary: 'Get how far the rotation of the master key is',
    description: 'The counts are of the database; the state is of the process that answers.',
    responses: { 200: json(ref(MasterKeyRotation), 'How far it is.') },
    handler: admin => admin.masterKey()
  })
]

const pathParams: Record<string, TSchema> = { tenantId: { ...TenantId, examples: [seeded.tenant.id] }, keyId: KeyId, recordId: RecordId }

/** The routes of the admin API. @param admin called by their handlers only @param base the path the service is mounted under */
export const adminRoutes = (admin: () => AdminService, base = ''): RouteOptions[] =>
  routes.map(route => toAdminRoute(route, admin, { tag: adminTag.name, pathParams, base }))
