import { createPrivateKey } from 'node:crypto'
import type { ApiKey as ApiKeyView, CreatedApiKey, KeyRotation, NewApiKey } from '../../schemas/api-key.ts'
import type { AuditEntry as AuditEntryView, AuditFilter } from '../../schemas/audit-entry.ts'
import type { Credentials } from '../../schemas/credentials.ts'
import type { IdempotencyFilter, IdempotencySettlement } from '../../schemas/idempotency-record.ts'
import type { MasterKeyRotation } from '../../schemas/master-key.ts'
import type { NewTenant, TenantChanges, Tenant as TenantView } from '../../schemas/tenant.ts'
import type { Operation } from '../api/operation.ts'
import { type Scope, scopeTable } from '../api/scopes.ts'
import type { Config } from '../config.ts'
import type { IdempotencyRecord } from '../idempotency/operator-records.ts'
import { createIdempotency } from '../idempotency/records.ts'
import type { Answer } from '../idempotency/stored-response.ts'
import { ByteBudget } from '../limits/byte-budget.ts'
import { invalid } from '../problems/invalid-request.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import { credentialsIn } from '../tenants/credentials.ts'
import type { Actor, ApiKey, CredentialInput, Tenant, TenantSettings } from '../tenants/model.ts'
import type { Store } from '../tenants/store.ts'
import { accountOf, type Credential } from '../voximplant/account.ts'
import { parseInstant } from '../voximplant/wire/times.ts'
import { checkHost, checkPrecondition, checkSettings, inBody, invalidExpiry, invalidNetworks, noKey, noTenant, rethrow } from './checks.ts'
import { type AccountEndpoint, createCheck } from './credential-verifier.ts'
import { etagOf, viewOfCredentials, viewOfEntry, viewOfKey, viewOfTenant } from './views.ts'

/** What administrators do: the one place behind `/admin` and behind the command line. Failures are Problems. */
export interface AdminService {
  createTenant(actor: Actor, tenant: NewTenant): Promise<TenantView>
  tenants(page?: { after?: string; limit?: number }): Promise<{ items: TenantView[]; next?: string }>
  tenant(tenantId: string): Promise<TenantView>
  /** `ifMatch`: the ETag that the tenant must still have. */
  updateTenant(actor: Actor, tenantId: string, changes: TenantChanges, ifMatch?: string): Promise<TenantView>
  deleteTenant(actor: Actor, tenantId: string): Promise<void>
  /** Checks credentials (a credentials.json, or an account id with its API key) and takes them into use. `verify`: asks the upstream too. */
  putCredentials(actor: Actor, tenantId: string, file: unknown, options?: { verify?: boolean }): Promise<Credentials>
  credentials(tenantId: string): Promise<Credentials>
  deleteCredentials(actor: Actor, tenantId: string): Promise<void>
  createKey(actor: Actor, tenantId: string, key: NewApiKey): Promise<CreatedApiKey>
  keys(tenantId: string): Promise<{ items: ApiKeyView[] }>
  key(tenantId: string | undefined, keyId: string): Promise<ApiKeyView>
  revokeKey(actor: Actor, tenantId: string | undefined, keyId: string): Promise<void>
  rotateKey(actor: Actor, tenantId: string | undefined, keyId: string, rotation: KeyRotation): Promise<CreatedApiKey>
  auditLog(filter: AuditFilter): Promise<{ items: AuditEntryView[]; next?: string }>
  /** Requests with an Idempotency-Key. */
  idempotency(filter: IdempotencyFilter): Promise<{ items: IdempotencyRecord[]; next?: string }>
  /** Says what became of a request whose outcome is unknown. */
  settleIdempotency(actor: Actor, id: string, settlement: IdempotencySettlement): Promise<void>
  /** Starts to rewrap data keys, unless that is in progress. `done` settles at its end. */
  rotateMasterKey(actor: Actor, onProgress?: (progress: MasterKeyProgress) => void): { done: Promise<void> }
  masterKey(): Promise<MasterKeyRotation>
  scopes(): { items: Scope[] }
}

export interface MasterKeyProgress {
  rewrapped: number
  total: number
}

export interface AdminServiceOptions {
  config: Config
  store: Store
  /** The upstream for tenants without their own host. */
  origin: string
  /** Additional certificate authorities for the upstream (PEM). */
  ca?: string | undefined
  operations: readonly Operation[]
  /** The operation that credentials are verified with. */
  getAccount: AccountEndpoint
}

const defaultPage = 100

/** The service behind `/admin` and behind the command line. */
export function createAdminService({ config, store, origin, ca, operations, getAccount }: AdminServiceOptions): AdminService {
  const check = createCheck(operations, getAccount, {
    config,
    ca,
    budget: new ByteBudget({ max: config.responses.maxBytes, share: config.responses.maxTenantBytes })
  })
  const hosts = config.upstream.allowedHosts
  const scopes = scopeTable(operations)
  const records = createIdempotency(store, { ttl: config.idempotency.ttlMs, lease: config.idempotency.leaseMs })
  const known = new Set(scopes.map(({ scope }) => scope))
  let rotation: Omit<MasterKeyRotation, 'current' | 'counts'> = { state: 'idle' }
  let rotating: Promise<void> | undefined

  const tenantOrThrow = async (tenantId: string): Promise<Tenant> => (await store.tenant(tenantId)) ?? Promise.reject(noTenant(tenantId))

  const keyOrThrow = async (tenantId: string | undefined, keyId: string): Promise<ApiKey> => {
    const key = await store.key(keyId)
    if (!key || (tenantId !== undefined && key.tenantId !== tenantId)) throw noKey(keyId)
    return key
  }

  const checkKey = ({ scopes: given, allowedCidrs, expiresAt }: NewApiKey): void => {
    const violations: Violation[] = given.flatMap((scope, i) =>
      known.has(scope) ? [] : [inBody(`/scopes/${i}`, `is no scope; there are ${[...known].join(', ')}`)]
    )
    violations.push(...invalidNetworks(allowedCidrs, '/allowedCidrs'), ...invalidExpiry(expiresAt, store.clock.now()))
    if (violations.length > 0) throw invalid(violations)
  }

  const created = async ({ key, keyId }: { key: string; keyId: string }): Promise<CreatedApiKey> => ({
    key,
    ...viewOfKey((await store.key(keyId))!, store.clock.now())
  })

  return {
    async createTenant(actor, { tenantId, name = tenantId, settings, ...rest }) {
      checkHost(rest.apiHost, hosts)
      checkSettings(settings)
      return viewOfTenant(
        await store
          .by(actor)
          .createTenant({ tenantId, name, settings, ...rest })
          .catch(rethrow)
      )
    },
    async tenants({ after, limit = defaultPage } = {}) {
      const found = await store.tenants({ after, limit: limit + 1 })
      const items = found.slice(0, limit).map(viewOfTenant)
      return found.length > limit ? { items, next: items.at(-1)!.tenantId } : { items }
    },
    tenant: async tenantId => viewOfTenant(await tenantOrThrow(tenantId)),
    async updateTenant(actor, tenantId, { settings: changes, ...patch }, ifMatch) {
      checkHost(patch.apiHost, hosts)
      checkSettings(changes)
      return viewOfTenant(
        await store
          .by(actor)
          .updateTenant(tenantId, before => {
            if (ifMatch !== undefined) checkPrecondition(ifMatch, etagOf(viewOfTenant(before)), tenantId)
            return { ...patch, settings: changes && mergeSettings(before.settings, changes) }
          })
          .catch(rethrow)
      )
    },
    deleteTenant: (actor, tenantId) => store.by(actor).deleteTenant(tenantId).catch(rethrow),

    async putCredentials(actor, tenantId, file, { verify = true } = {}) {
      const tenant = await tenantOrThrow(tenantId)
      const credential = credentialsIn(file)
      if (credential.accountId !== tenant.accountId)
        throw new Problem(
          'credentials-of-another-account',
          `These credentials are of account ${credential.accountId}, and the tenant ${tenantId} is account ${tenant.accountId}; nothing was stored.`
        )
      const verdict = verify ? await check(accountOf(tenant, opened(credential), origin)) : undefined
      const status = await store
        .by(actor)
        .putCredential(tenantId, credential, verdict && { verifiedAt: verdict.verifiedAt })
        .catch(rethrow)
      return { ...viewOfCredentials(status), ...(verdict?.roles ? { roles: verdict.roles } : {}) }
    },
    async credentials(tenantId) {
      const { credentialVersion } = await tenantOrThrow(tenantId)
      const status = (await store.credentials(tenantId)).find(({ version }) => version === credentialVersion)
      if (!status) throw new Problem('not-found', `No credentials are stored for the tenant ${tenantId}.`)
      return viewOfCredentials(status)
    },
    deleteCredentials: (actor, tenantId) => store.by(actor).deleteCredential(tenantId).catch(rethrow),

    async createKey(actor, tenantId, key) {
      await tenantOrThrow(tenantId)
      checkKey(key)
      const { expiresAt, childAccounts, ...rest } = key
      return created(
        await store
          .by(actor)
          .createKey(tenantId, {
            ...rest,
            ...(expiresAt ? { expiresAt: new Date(parseInstant(expiresAt)!).toISOString() } : {}),
            ...(childAccounts === undefined ? {} : { childAccounts: childAccounts as ApiKey['childAccounts'] })
          })
          .catch(rethrow)
      )
    },
    async keys(tenantId) {
      await tenantOrThrow(tenantId)
      return { items: (await store.keys(tenantId)).map(key => viewOfKey(key, store.clock.now())) }
    },
    key: async (tenantId, keyId) => viewOfKey(await keyOrThrow(tenantId, keyId), store.clock.now()),
    async revokeKey(actor, tenantId, keyId) {
      await keyOrThrow(tenantId, keyId)
      await store.by(actor).revokeKey(keyId).catch(rethrow)
    },
    async rotateKey(actor, tenantId, keyId, { graceSeconds, expiresAt }) {
      await keyOrThrow(tenantId, keyId)
      const violations = invalidExpiry(expiresAt, store.clock.now())
      if (violations.length > 0) throw invalid(violations)
      return created(
        await store
          .by(actor)
          .rotateKey(keyId, { graceSeconds, ...(expiresAt ? { expiresAt: new Date(parseInstant(expiresAt)!).toISOString() } : {}) })
          .catch(rethrow)
      )
    },

    async auditLog(filter) {
      const { items, next } = await store.auditLog(filter)
      return { items: items.map(viewOfEntry), ...(next ? { next } : {}) }
    },

    idempotency: filter => records.list(filter as Parameters<typeof records.list>[0]),
    async settleIdempotency(actor, id, { outcome, status, body }) {
      if (outcome === 'not-sent' && (status !== undefined || body !== undefined))
        throw invalid([inBody(status === undefined ? '/body' : '/status', 'belongs to the outcome `done`')])
      const answer: Answer =
        body === undefined
          ? { status: status ?? 204, headers: {} }
          : { status: status ?? 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(body) }
      const settled = await records.settle(id, outcome === 'done' ? { outcome, answer } : { outcome: 'not-sent' }, actor)
      if (settled === 'missing') throw new Problem('not-found', `There is no record ${id}.`)
      if (settled === 'not-unknown') throw new Problem('nothing-to-settle', 'The outcome of this request is not unknown.')
    },

    rotateMasterKey(actor, onProgress) {
      rotating ??= (async () => {
        rotation = { state: 'running', startedAt: new Date().toISOString(), rewrapped: 0 }
        try {
          const end = await store.by(actor).rotateMasterKey({
            onProgress(progress) {
              Object.assign(rotation, progress)
              onProgress?.(progress)
            }
          })
          rotation = { ...rotation, ...end, state: end.left === 0 ? 'done' : 'failed', finishedAt: new Date().toISOString() }
        } catch (error) {
          rotation = { ...rotation, state: 'failed', finishedAt: new Date().toISOString() }
          throw error
        } finally {
          rotating = undefined
        }
      })()
      return { done: rotating }
    },
    masterKey: async () => ({ ...(await store.masterKeys()), ...rotation }),

    scopes: () => ({ items: [...scopes] })
  }
}

/** Credentials as calls take them. */
const opened = (credential: CredentialInput): Credential =>
  credential.kind === 'key' ? { ...credential, privateKey: createPrivateKey(credential.privateKey) } : credential

/** Settings with some of them changed; `null` removes one. */
const mergeSettings = (before: TenantSettings, changes: NonNullable<TenantChanges['settings']>): TenantSettings =>
  Object.fromEntries(Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null && value !== undefined))
