import { createPrivateKey, hash } from 'node:crypto'
import type { ApiKey as ApiKeyView, CreatedApiKey, KeyRotation, NewApiKey } from '../../schemas/api-key.ts'
import type { AuditEntry as AuditEntryView, AuditFilter } from '../../schemas/audit-entry.ts'
import type { Credentials } from '../../schemas/credentials.ts'
import type { IdempotencyFilter, IdempotencySettlement } from '../../schemas/idempotency-record.ts'
import type { MasterKeyRotation } from '../../schemas/master-key.ts'
import type { NewTenant, TenantChanges, Tenant as TenantView } from '../../schemas/tenant.ts'
import type { Scope } from '../api/scopes.ts'
import { invalid } from '../api/validation.ts'
import type { Answer, Idempotency, IdempotencyRecord } from '../idempotency/records.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import { credentialsIn } from '../tenants/credentials.ts'
import {
  type Actor,
  type ApiKey,
  type AuditEntry,
  type CredentialInput,
  type CredentialStatus,
  StoreRefusal,
  type Tenant,
  type TenantSettings
} from '../tenants/model.ts'
import { isNetwork } from '../tenants/networks.ts'
import type { Store } from '../tenants/store.ts'
import type { Credential } from '../voximplant/account.ts'
import { accountOf, isDefaultHeader } from '../voximplant/account.ts'
import { parseInstant } from '../voximplant/wire/times.ts'
import type { Check } from './credential-verifier.ts'

/** What administrators do: the one place behind `/admin` and behind the command line. Failures are Problems. */
export interface Administrator {
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

export interface AdministratorOptions {
  store: Store
  /** The upstream for tenants without a host of their own. */
  origin: string
  check: Check
  /** Hosts that a tenant may be sent to, as UPSTREAM_HOSTS lists them. */
  hosts: string
  scopes: readonly Scope[]
  /** Requests with an Idempotency-Key. */
  records: Idempotency
}

/** The ETag of a tenant as it is answered. */
export const etagOf = (tenant: TenantView): string => `"${hash('sha256', JSON.stringify(tenant), 'base64url').slice(0, 22)}"`

const defaultPage = 100

/** Puts what administrators do together. */
export function createAdministrator({ store, origin, check, hosts, scopes, records }: AdministratorOptions): Administrator {
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
    const faults: Violation[] = given.flatMap((scope, i) =>
      known.has(scope) ? [] : [inBody(`/scopes/${i}`, `is no scope; there are ${[...known].join(', ')}`)]
    )
    faults.push(...faultsOfNetworks(allowedCidrs, '/allowedCidrs'), ...faultsOfEnd(expiresAt, store.clock.now()))
    if (faults.length > 0) throw invalid(faults)
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
          .catch(refuse)
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
          .catch(refuse)
      )
    },
    deleteTenant: (actor, tenantId) => store.by(actor).deleteTenant(tenantId).catch(refuse),

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
        .catch(refuse)
      return { ...viewOfCredentials(status), ...(verdict?.roles ? { roles: verdict.roles } : {}) }
    },
    async credentials(tenantId) {
      const { credentialVersion } = await tenantOrThrow(tenantId)
      const status = (await store.credentials(tenantId)).find(({ version }) => version === credentialVersion)
      if (!status) throw new Problem('not-found', `No credentials are stored for the tenant ${tenantId}.`)
      return viewOfCredentials(status)
    },
    deleteCredentials: (actor, tenantId) => store.by(actor).deleteCredential(tenantId).catch(refuse),

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
          .catch(refuse)
      )
    },
    async keys(tenantId) {
      await tenantOrThrow(tenantId)
      return { items: (await store.keys(tenantId)).map(key => viewOfKey(key, store.clock.now())) }
    },
    key: async (tenantId, keyId) => viewOfKey(await keyOrThrow(tenantId, keyId), store.clock.now()),
    async revokeKey(actor, tenantId, keyId) {
      await keyOrThrow(tenantId, keyId)
      await store.by(actor).revokeKey(keyId).catch(refuse)
    },
    async rotateKey(actor, tenantId, keyId, { graceSeconds, expiresAt }) {
      await keyOrThrow(tenantId, keyId)
      const faults = faultsOfEnd(expiresAt, store.clock.now())
      if (faults.length > 0) throw invalid(faults)
      return created(
        await store
          .by(actor)
          .rotateKey(keyId, { graceSeconds, ...(expiresAt ? { expiresAt: new Date(parseInstant(expiresAt)!).toISOString() } : {}) })
          .catch(refuse)
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

// ------------------------------------------------------------------------------------------------------------------- what is refused

const noTenant = (tenantId: string) => new Problem('not-found', `There is no tenant ${tenantId}.`)
const noKey = (keyId: string) => new Problem('not-found', `There is no key ${keyId}.`)

const refusals = {
  'tenant-exists': 'tenant-exists',
  'tenant-missing': 'not-found',
  'account-differs': 'credentials-of-another-account',
  'key-missing': 'not-found',
  'key-ended': 'key-ended'
} as const

/** The store's no in words for an administrator. */
const refuse = (error: unknown): never => {
  if (!(error instanceof StoreRefusal)) throw error
  throw new Problem(refusals[error.reason], `${error.message[0]!.toUpperCase()}${error.message.slice(1)}.`, { cause: error })
}

const inBody = (pointer: string, detail: string): Violation => ({ in: 'body', pointer, detail })

const faultsOfNetworks = (networks: readonly string[] | null | undefined, pointer: string): Violation[] =>
  (networks ?? []).flatMap((network, i) =>
    isNetwork(network)
      ? []
      : [inBody(`${pointer}/${i}`, 'must be a network in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32, or an address')]
  )

const faultsOfEnd = (expiresAt: string | undefined, now: number): Violation[] =>
  expiresAt !== undefined && parseInstant(expiresAt)! <= now ? [inBody('/expiresAt', 'must lie in the future')] : []

/** A host that is not listed gets neither credentials nor connections. */
function checkHost(apiHost: string | null | undefined, hosts: string): void {
  if (!apiHost) return
  const name = apiHost.replace(/:\d+$/, '')
  const listed = hosts.split(',').map(item => item.trim())
  if (!listed.some(item => item === apiHost || item === name || (item.startsWith('*.') && name.endsWith(item.slice(1)))))
    throw invalid([inBody('/apiHost', `is none of the hosts that UPSTREAM_HOSTS lists (${listed.join(', ')})`)])
}

function checkSettings(settings: NonNullable<TenantChanges['settings']> | undefined): void {
  const faults = [
    ...faultsOfNetworks(settings?.allowedCidrs, '/settings/allowedCidrs'),
    ...Object.keys(settings?.defaultHeaders ?? {}).flatMap(name =>
      isDefaultHeader(name)
        ? []
        : [
            inBody(
              `/settings/defaultHeaders/${name}`,
              'is not a header that can be set; accept-language, user-agent and x- headers are, unless they are about routes or callers'
            )
          ]
    )
  ]
  if (faults.length > 0) throw invalid(faults)
}

/** RFC 9110, section 13.1.1: `*` or a list of tags, compared strongly, so that a weak tag never matches. Throws unless one is the current tag. */
function checkPrecondition(ifMatch: string, etag: string, tenantId: string): void {
  const tags = ifMatch.split(',').map(tag => tag.trim())
  if (tags.includes('*') || tags.includes(etag)) return
  const weak = tags.find(tag => tag.startsWith('W/'))
  if (weak !== undefined)
    throw new Problem(
      'precondition-failed',
      `If-Match holds the weak tag ${weak}, which never matches. A proxy that compresses responses weakens tags: send the tag without W/, or read the tenant without compression.`
    )
  const bare = tags.find(tag => !/^"[^"]*"$/.test(tag))
  if (bare !== undefined)
    throw invalid([{ in: 'header', pointer: '/If-Match', detail: 'must be `*` or tags in double quotes, as in the ETag header' }])
  throw new Problem('precondition-failed', `The tenant ${tenantId} is not in the state that If-Match names.`)
}

/** Settings with some of them changed; `null` takes one away. */
const mergeSettings = (before: TenantSettings, changes: NonNullable<TenantChanges['settings']>): TenantSettings =>
  Object.fromEntries(Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null && value !== undefined))

// ---------------------------------------------------------------------------------------------------------------- what is shown

/** Without the fields that have no value. */
const compact = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value))

const viewOfTenant = ({
  tenantId,
  name,
  enabled,
  accountId,
  apiHost,
  settings,
  credentialVersion,
  createdAt,
  updatedAt
}: Tenant): TenantView => compact({ tenantId, name, enabled, accountId, apiHost, settings, credentialVersion, createdAt, updatedAt })

const viewOfCredentials = ({
  version,
  kind,
  accountId,
  keyId,
  fingerprint,
  createdAt,
  verifiedAt,
  lastUsedAt
}: CredentialStatus): Credentials => compact({ version, kind, accountId, keyId, fingerprint, createdAt, verifiedAt, lastUsedAt })

const viewOfKey = (key: ApiKey, now: number): ApiKeyView => {
  const { keyId, tenantId, name, scopes, childAccounts, allowedCidrs, createdAt, expiresAt, revokedAt, lastUsedAt, rotatedTo } = key
  const state = revokedAt ? 'revoked' : expiresAt && Date.parse(expiresAt) <= now ? 'expired' : 'active'
  return compact({
    keyId,
    tenantId,
    name,
    scopes,
    childAccounts,
    allowedCidrs,
    state,
    createdAt,
    expiresAt,
    revokedAt,
    lastUsedAt,
    rotatedTo
  })
}

const viewOfEntry = ({ id, at, actor, action, tenantId, target, outcome, detail }: AuditEntry): AuditEntryView =>
  compact({ id, at, actor, action, tenantId, target, outcome, detail })
