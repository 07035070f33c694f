import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { type Dialect, Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Credential } from '../voximplant/client.ts'
import { createKey } from './keys.ts'
import { migrations } from './migrations.ts'
import { open, type Place, SealError, seal, type Vault } from './vault.ts'

interface Tables {
  vault: { name: string; sealed: string }
  tenants: {
    tenant_id: string
    name: string
    enabled: number
    account_id: number
    api_host: string | null
    limits: string
    data_key: string
    credential_version: number | null
    created_at: string
  }
  credentials: {
    tenant_id: string
    version: number
    kind: Credential['kind']
    account_id: number
    key_id: string | null
    fingerprint: string
    sealed: string
    created_at: string
  }
  api_keys: {
    key_id: string
    tenant_id: string
    name: string
    hash: string
    scopes: string
    created_at: string
    expires_at: string | null
    revoked_at: string | null
  }
}

/** One Voximplant account, and those who share it. */
export interface Tenant {
  /** The slug it is known by. */
  tenantId: string
  name: string
  enabled: boolean
  /** The account's id at the upstream. */
  accountId: number
  /** The upstream's host for this account, when not the configured one. */
  apiHost: string | undefined
  /** Settings of its own: rate and concurrency limits. */
  limits: Record<string, unknown>
  createdAt: string
  /** The version of the credential in use; undefined while there is none. */
  credentialVersion: number | undefined
}

/** What is kept of an API key. */
export interface ApiKey {
  keyId: string
  tenantId: string
  name: string
  /** SHA-256 of the secret part. */
  hash: Buffer
  scopes: string[]
  createdAt: string
  expiresAt: string | undefined
  revokedAt: string | undefined
}

/** A credential as an administrator hands it over. */
export type CredentialInput =
  | { kind: 'key'; accountId: number; keyId: string; privateKey: string }
  | { kind: 'api-key'; accountId: number; apiKey: string }

/** What may be told of a stored credential. */
export interface CredentialStatus {
  version: number
  kind: Credential['kind']
  accountId: number
  keyId: string | undefined
  /** SHA-256 of the public key, or of the API key. */
  fingerprint: string
  createdAt: string
}

/** Tenants, credentials and API keys. Secrets are sealed before they get here and opened after they left. */
export interface Store {
  createTenant(tenant: {
    tenantId: string
    name: string
    accountId: number
    apiHost?: string
    limits?: Record<string, unknown>
  }): Promise<Tenant>
  tenant(tenantId: string): Promise<Tenant | undefined>
  tenants(): Promise<Tenant[]>
  setEnabled(tenantId: string, enabled: boolean): Promise<void>
  /** Stores a new version and makes it the one in use. */
  putCredential(tenantId: string, credential: CredentialInput): Promise<CredentialStatus>
  /** The credential in use, opened; undefined when there is none. Throws SealError. */
  credential(tenantId: string): Promise<Credential | undefined>
  /** A new key; its text is returned here and kept nowhere. */
  createKey(tenantId: string, options: { name: string; scopes: string[]; expiresAt?: string }): Promise<{ key: string; keyId: string }>
  key(keyId: string): Promise<ApiKey | undefined>
  revokeKey(keyId: string): Promise<void>
  /** Throws when the database does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** The start must stop: the database was sealed with another master key. */
export class WrongMasterKey extends Error {
  constructor() {
    super('the master key is not the one this database was sealed with')
    this.name = 'WrongMasterKey'
  }
}

const now = (): string => new Date().toISOString()

/** Opens the store: runs the migrations and checks the master key against the database's canary. Throws WrongMasterKey. */
export async function openStore(dialect: Dialect, vault: Vault): Promise<Store> {
  const database = new Kysely<Tables>({ dialect })
  try {
    const { error } = await new Migrator({ db: database, provider: { getMigrations: async () => migrations } }).migrateToLatest()
    if (error) throw error
    await database
      .insertInto('vault')
      .values({ name: 'canary', sealed: vault.createCanary() })
      .onConflict(conflict => conflict.column('name').doNothing())
      .execute()
    const { sealed } = await database.selectFrom('vault').select('sealed').where('name', '=', 'canary').executeTakeFirstOrThrow()
    try {
      vault.checkCanary(sealed)
    } catch (error) {
      throw error instanceof SealError ? new WrongMasterKey() : error
    }
  } catch (error) {
    await database.destroy()
    throw error
  }
  return createStore(database, vault)
}

function createStore(database: Kysely<Tables>, vault: Vault): Store {
  return {
    async createTenant({ tenantId, name, accountId, apiHost, limits = {} }) {
      const row = await database
        .insertInto('tenants')
        .values({
          tenant_id: tenantId,
          name,
          enabled: 1,
          account_id: accountId,
          api_host: apiHost ?? null,
          limits: JSON.stringify(limits),
          data_key: vault.createDataKey(tenantId),
          credential_version: null,
          created_at: now()
        })
        .returningAll()
        .executeTakeFirstOrThrow()
      return tenantOf(row)
    },
    async tenant(tenantId) {
      const row = await database.selectFrom('tenants').selectAll().where('tenant_id', '=', tenantId).executeTakeFirst()
      return row && tenantOf(row)
    },
    async tenants() {
      return (await database.selectFrom('tenants').selectAll().orderBy('tenant_id').execute()).map(tenantOf)
    },
    async setEnabled(tenantId, enabled) {
      await database
        .updateTable('tenants')
        .set({ enabled: enabled ? 1 : 0 })
        .where('tenant_id', '=', tenantId)
        .execute()
    },
    putCredential: (tenantId, credential) =>
      database.transaction().execute(async transaction => {
        // The update locks the tenant's row, so that of two writers each gets a version of its own.
        const { data_key, credential_version } = await transaction
          .updateTable('tenants')
          .set(({ fn, lit, eb }) => ({ credential_version: eb(fn.coalesce('credential_version', lit(0)), '+', 1) }))
          .where('tenant_id', '=', tenantId)
          .returning(['data_key', 'credential_version'])
          .executeTakeFirstOrThrow()
        const version = credential_version!
        const secret = credential.kind === 'key' ? credential.privateKey : credential.apiKey
        const status: CredentialStatus = {
          version,
          kind: credential.kind,
          accountId: credential.accountId,
          keyId: credential.kind === 'key' ? credential.keyId : undefined,
          fingerprint: fingerprintOf(credential),
          createdAt: now()
        }
        await transaction
          .insertInto('credentials')
          .values({
            tenant_id: tenantId,
            version,
            kind: status.kind,
            account_id: status.accountId,
            key_id: status.keyId ?? null,
            fingerprint: status.fingerprint,
            sealed: seal(vault.openDataKey(tenantId, data_key), `c${version}`, Buffer.from(secret), placeOf(tenantId, status)),
            created_at: status.createdAt
          })
          .execute()
        return status
      }),
    async credential(tenantId) {
      const row = await database
        .selectFrom('tenants')
        .innerJoin('credentials', join =>
          join.onRef('credentials.tenant_id', '=', 'tenants.tenant_id').onRef('credentials.version', '=', 'tenants.credential_version')
        )
        .select([
          'tenants.data_key',
          'credentials.version',
          'credentials.kind',
          'credentials.account_id',
          'credentials.key_id',
          'credentials.sealed'
        ])
        .where('tenants.tenant_id', '=', tenantId)
        .executeTakeFirst()
      if (!row) return undefined
      const secret = open(
        vault.openDataKey(tenantId, row.data_key),
        row.sealed,
        placeOf(tenantId, { ...row, accountId: row.account_id, keyId: row.key_id ?? undefined })
      )
      const accountId = row.account_id
      return row.kind === 'key'
        ? { kind: 'key', accountId, keyId: row.key_id ?? '', privateKey: createPrivateKey(secret) }
        : { kind: 'api-key', accountId, apiKey: secret.toString() }
    },
    async createKey(tenantId, { name, scopes, expiresAt }) {
      const { key, keyId, hash } = createKey()
      await database
        .insertInto('api_keys')
        .values({
          key_id: keyId,
          tenant_id: tenantId,
          name,
          hash: hash.toString('base64url'),
          scopes: JSON.stringify(scopes),
          created_at: now(),
          expires_at: expiresAt ?? null,
          revoked_at: null
        })
        .execute()
      return { key, keyId }
    },
    async key(keyId) {
      const row = await database.selectFrom('api_keys').selectAll().where('key_id', '=', keyId).executeTakeFirst()
      return (
        row && {
          keyId: row.key_id,
          tenantId: row.tenant_id,
          name: row.name,
          hash: Buffer.from(row.hash, 'base64url'),
          scopes: JSON.parse(row.scopes),
          createdAt: row.created_at,
          expiresAt: row.expires_at ?? undefined,
          revokedAt: row.revoked_at ?? undefined
        }
      )
    },
    async revokeKey(keyId) {
      await database
        .updateTable('api_keys')
        .set({ revoked_at: now() })
        .where('key_id', '=', keyId)
        .where('revoked_at', 'is', null)
        .execute()
    },
    async ping() {
      await database.selectFrom('vault').select('name').where('name', '=', 'canary').executeTakeFirstOrThrow()
    },
    close: () => database.destroy()
  }
}

/** Everything a sealed credential is bound to: moved to another tenant, version, kind, account or key it does not open. */
const placeOf = (
  tenantId: string,
  { version, kind, accountId, keyId }: Pick<CredentialStatus, 'version' | 'kind' | 'accountId' | 'keyId'>
): Place => ['credential', tenantId, version, kind, accountId, keyId ?? '']

const tenantOf = (row: Tables['tenants']): Tenant => ({
  tenantId: row.tenant_id,
  name: row.name,
  enabled: row.enabled === 1,
  accountId: row.account_id,
  apiHost: row.api_host ?? undefined,
  limits: JSON.parse(row.limits),
  createdAt: row.created_at,
  credentialVersion: row.credential_version ?? undefined
})

function fingerprintOf(credential: CredentialInput): string {
  const material =
    credential.kind === 'key' ? createPublicKey(credential.privateKey).export({ type: 'spki', format: 'der' }) : credential.apiKey
  return `SHA256:${createHash('sha256').update(material).digest('base64url')}`
}
