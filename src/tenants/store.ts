import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { type Change, type ChangeFeed, createChanges, type StoreDialect } from '../database/changes.ts'
import { type Clock, databaseClock } from '../database/clock.ts'
import { migrations } from '../database/migrations.ts'
import { skipLocked, sweepBudgetMs } from '../database/sweep.ts'
import type { Tables } from '../database/tables.ts'
import { createDataKeys } from '../vault/data-keys.ts'
import { keyCheckName, verifyRow } from '../vault/integrity-tag.ts'
import { type EncryptionContext, open, SealError, seal, type Vault } from '../vault/vault.ts'
import type { Credential } from '../voximplant/account.ts'
import { readEntries, settleEntry, writeEntry } from './audit-log.ts'
import {
  type Actor,
  type ApiKey,
  type AuditEntry,
  type AuditQuery,
  type CredentialStatus,
  type NewAuditEntry,
  type StoredAccount,
  StoreRefusal,
  type Tenant,
  type TenantSettings,
  WrongMasterKey
} from './model.ts'
import { type Administration, administer } from './mutations.ts'
import { keyOf, statusOf, tenantOf } from './rows.ts'
import { openCredential } from './sealed-credentials.ts'

export * from './model.ts'
export type { Administration } from './mutations.ts'

/** Tenants, credentials and API keys: reads, and the machinery around them. What an administrator decides is changed through `by`. */
export interface Store {
  /** Every change is somebody's. */
  by(actor: Actor): Administration
  tenant(tenantId: string): Promise<Tenant | undefined>
  /** By id. `after`: the last id of the page before; all without a limit. */
  tenants(page?: { after?: string; limit?: number }): Promise<Tenant[]>
  /** What a tenant's calls go out with; undefined when it has no credential. Throws SealError, UnknownMasterKey. */
  account(tenantId: string): Promise<StoredAccount | undefined>
  /** The credential in use, opened; undefined when there is none. Throws as `account` does. */
  credential(tenantId: string): Promise<Credential | undefined>
  /** Every version there has been, newest first. */
  credentials(tenantId: string): Promise<CredentialStatus[]>
  key(keyId: string): Promise<ApiKey | undefined>
  /** A tenant's keys, newest first. */
  keys(tenantId: string): Promise<ApiKey[]>
  auditLog(query: AuditQuery): Promise<{ items: AuditEntry[]; next?: string }>
  /** Adds an entry outside a change, for a call; its id. */
  record(entry: NewAuditEntry): Promise<string>
  /** How it ended that an entry was recorded for. */
  settleAudit(id: string, outcome: string, detail?: Record<string, unknown>): Promise<void>
  /** Seals a small secret with the tenant's data key; it opens for the same tenant and context only, and never again once the tenant is deleted. */
  seal(tenantId: string, plain: Buffer, context: EncryptionContext): Promise<string>
  /** Throws SealError. */
  open(tenantId: string, envelope: string, context: EncryptionContext): Promise<Buffer>
  /** When keys, and the credentials of tenants, were last used. */
  touch(used: { keys?: ReadonlyMap<string, Date>; credentials?: ReadonlyMap<string, Date> }): Promise<void>
  /** Destroys the secrets of credentials that were replaced long enough ago, for a limited time; how many. Any number of replicas may do it. */
  sweep(): Promise<number>
  /** Notifies of changes: of this process's own immediately, of those by other processes where the database supports it (PostgreSQL). */
  onChange(listener: (change: Change) => void): () => void
  /** Master keys that wrap data keys, and how many each. */
  masterKeys(): Promise<{ current: string; counts: Record<string, number> }>
  /** Throws when the database does not respond, and WrongMasterKey when a rotation has replaced the master key. */
  ping(): Promise<void>
  close(): Promise<void>
  /** The database's clock: by it records and keys expire. */
  clock: Clock
  /** For rooms that keep tables of their own. */
  database: Kysely<Tables>
}

/** How long a replaced credential can still be opened, for calls that began with it, in milliseconds. */
export const retirement = 15 * 60_000

/** Rows that one transaction writes one by one: others wait for it. */
const rowsPerTransaction = 100

/** How long a wrapped data key is taken for the tenant's own before it is looked up again, in milliseconds. */
const dataKeyLife = 5_000

/** Opens the store: runs the migrations and checks the master keys against the database's key check values. Throws WrongMasterKey. */
export async function openStore(dialect: StoreDialect, vault: Vault): Promise<Store> {
  const database = new Kysely<Tables>({ dialect })
  try {
    const { error } = await new Migrator({ db: database, provider: { getMigrations: async () => migrations(vault) } }).migrateToLatest()
    if (error) throw error
    await checkMasterKeys(database, vault)
    return createStore(database, vault, dialect.feed, await databaseClock(database as unknown as Kysely<unknown>))
  } catch (error) {
    await database.destroy()
    throw error instanceof SealError ? new WrongMasterKey() : error
  }
}

/** Everything in the database must be wrapped by master keys that are known here; only then is the current one added to them. */
async function checkMasterKeys(database: Kysely<Tables>, vault: Vault): Promise<void> {
  const current = await vault.current()
  const keyCheck = await vault.createKeyCheck()
  await database.transaction().execute(async transaction => {
    // One at a time: of two processes with different keys on an empty database, the second finds the first one's key check value.
    await transaction
      .insertInto('vault')
      .values({ name: 'turn', sealed: '' })
      .onConflict(conflict => conflict.column('name').doUpdateSet({ sealed: '' }))
      .execute()
    for (const { name, sealed } of await transaction.selectFrom('vault').selectAll().where('name', 'like', 'canary:%').execute()) {
      const masterKeyId = name.slice('canary:'.length)
      if (!vault.knows(masterKeyId))
        throw new WrongMasterKey(
          `the master key is not the one this database was sealed with: ${masterKeyId} was not given, ${current} was; while keys are rotated, MASTER_KEY_PREVIOUS holds the others`
        )
      await vault.verifyKeyCheck(sealed)
    }
    await transaction
      .insertInto('vault')
      .values({ name: keyCheckName(current), sealed: keyCheck })
      .onConflict(conflict => conflict.column('name').doNothing())
      .execute()
  })
}

/** Destroys some of the secrets that were replaced long enough ago; how many. */
const destroyRetired = (database: Kysely<Tables>, clock: Clock): Promise<number> =>
  database.transaction().execute(async transaction => {
    const now = clock.now()
    const retired = await skipLocked(
      database,
      transaction
        .selectFrom('credentials')
        .select(['tenant_id', 'version'])
        .where('destroyed_at', 'is', null)
        .where('retired_at', '<', new Date(now - retirement).toISOString())
        .limit(rowsPerTransaction)
    ).execute()
    for (const { tenant_id: tenantId, version } of retired) {
      await transaction
        .updateTable('credentials')
        .set({ sealed: '', destroyed_at: new Date(now).toISOString() })
        .where('tenant_id', '=', tenantId)
        .where('version', '=', version)
        .execute()
      await writeEntry(transaction, clock, {
        actor: { kind: 'service', id: 'sweep' },
        action: 'credential.destroy',
        tenantId,
        target: String(version)
      })
    }
    return retired.length
  })

function createStore(database: Kysely<Tables>, vault: Vault, feed: ChangeFeed | undefined, clock: Clock): Store {
  const dataKeys = createDataKeys(vault)
  const changes = createChanges(feed)
  /** Data keys by tenant, for `seal` and `open`. */
  const lately = new Map<string, { key: Buffer; until: number }>()
  changes.on(({ tenantId, keyId }) => {
    if (tenantId === undefined) lately.clear()
    else if (keyId === undefined) lately.delete(tenantId)
  })

  const dataKeyOf = async (tenantId: string): Promise<Buffer> => {
    const known = lately.get(tenantId)
    if (known && performance.now() < known.until) return known.key
    const row = await database.selectFrom('tenants').select('data_key').where('tenant_id', '=', tenantId).executeTakeFirst()
    if (!row) throw new StoreRefusal('tenant-missing', `there is no tenant ${tenantId}`)
    const key = await dataKeys.open(tenantId, row.data_key)
    if (lately.size >= 10_000) lately.clear()
    lately.set(tenantId, { key, until: performance.now() + dataKeyLife })
    return key
  }

  const account = async (tenantId: string): Promise<StoredAccount | undefined> => {
    const row = await database
      .selectFrom('tenants')
      .leftJoin('credentials', join =>
        join.onRef('credentials.tenant_id', '=', 'tenants.tenant_id').onRef('credentials.version', '=', 'tenants.credential_version')
      )
      .select([
        'tenants.tenant_id',
        'tenants.data_key',
        'tenants.head',
        'tenants.account_id',
        'tenants.api_host',
        'tenants.settings',
        'tenants.credential_version',
        'credentials.version',
        'credentials.kind',
        'credentials.account_id as key_account_id',
        'credentials.key_id',
        'credentials.fingerprint',
        'credentials.sealed'
      ])
      .where('tenants.tenant_id', '=', tenantId)
      .executeTakeFirst()
    if (!row) return undefined
    const dataKey = await dataKeys.open(tenantId, row.data_key)
    verifyRow(dataKey, row)
    if (row.credential_version === null) return undefined
    const { version, kind, fingerprint, sealed } = row
    if (version === null || kind === null || fingerprint === null || sealed === null) throw new SealError()
    const credential = openCredential(dataKey, tenantId, {
      version,
      kind,
      account_id: row.key_account_id!,
      key_id: row.key_id,
      fingerprint,
      sealed
    })
    return {
      credential,
      version,
      apiHost: row.api_host ?? undefined,
      defaultHeaders: (JSON.parse(row.settings) as TenantSettings).defaultHeaders
    }
  }

  const touchKey = (transaction: Kysely<Tables>, keyId: string, at: string) =>
    transaction
      .updateTable('api_keys')
      .set({ last_used_at: at })
      .where('key_id', '=', keyId)
      .where(({ eb, or }) => or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
      .execute()
  const touchCredential = (transaction: Kysely<Tables>, tenantId: string, at: string) =>
    transaction
      .updateTable('credentials')
      .set({ last_used_at: at })
      .where('tenant_id', '=', tenantId)
      .where('version', '=', ({ selectFrom }) =>
        selectFrom('tenants').select('credential_version').where('tenants.tenant_id', '=', tenantId).$castTo<number>()
      )
      .where(({ eb, or }) => or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
      .execute()

  const touch: Store['touch'] = async ({ keys = new Map(), credentials = new Map() }) => {
    for (const [used, write] of [
      [keys, touchKey],
      [credentials, touchCredential]
    ] as const) {
      // In one order, so that two replicas that write concurrently do not deadlock.
      const sorted = [...used].sort(([a], [b]) => (a < b ? -1 : 1))
      for (let from = 0; from < sorted.length; from += rowsPerTransaction)
        await database.transaction().execute(async transaction => {
          for (const [id, at] of sorted.slice(from, from + rowsPerTransaction)) await write(transaction, id, at.toISOString())
        })
    }
  }

  return {
    by: actor => administer({ database, vault, dataKeys, changes, feed, clock }, actor),
    async tenant(tenantId) {
      const row = await database.selectFrom('tenants').selectAll().where('tenant_id', '=', tenantId).executeTakeFirst()
      return row && tenantOf(row)
    },
    async tenants({ after, limit } = {}) {
      let query = database.selectFrom('tenants').selectAll().orderBy('tenant_id')
      if (after !== undefined) query = query.where('tenant_id', '>', after)
      if (limit !== undefined) query = query.limit(limit)
      return (await query.execute()).map(tenantOf)
    },
    account,
    credential: async tenantId => (await account(tenantId))?.credential,
    async credentials(tenantId) {
      const rows = await database
        .selectFrom('credentials')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .orderBy('version', 'desc')
        .execute()
      return rows.map(statusOf)
    },
    async key(keyId) {
      const row = await database.selectFrom('api_keys').selectAll().where('key_id', '=', keyId).executeTakeFirst()
      return row && keyOf(row)
    },
    async keys(tenantId) {
      const rows = await database
        .selectFrom('api_keys')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .orderBy('created_at', 'desc')
        .orderBy('key_id')
        .execute()
      return rows.map(keyOf)
    },
    auditLog: query => readEntries(database, query),
    record: entry => writeEntry(database, clock, entry),
    settleAudit: (id, outcome, detail) => settleEntry(database, id, outcome, detail),
    async seal(tenantId, plain, context) {
      return seal(await dataKeyOf(tenantId), 'secret', plain, ['secret', tenantId, ...context])
    },
    async open(tenantId, envelope, context) {
      return open(await dataKeyOf(tenantId), 'secret', envelope, ['secret', tenantId, ...context])
    },
    touch,
    async sweep() {
      let total = 0
      for (const deadline = performance.now() + sweepBudgetMs; performance.now() < deadline; ) {
        const destroyed = await destroyRetired(database, clock)
        total += destroyed
        if (destroyed < rowsPerTransaction) break
      }
      return total
    },
    onChange: listener => changes.on(listener),
    async masterKeys() {
      const current = await vault.current()
      const counts: Record<string, number> = { [current]: 0 }
      for (const { name } of await database.selectFrom('vault').select('name').where('name', 'like', 'canary:%').execute()) {
        const masterKeyId = name.slice('canary:'.length)
        const { count } = await database
          .selectFrom('tenants')
          .select(({ fn }) => fn.countAll().as('count'))
          .where('data_key', 'like', `v1.${masterKeyId}.%`)
          .executeTakeFirstOrThrow()
        counts[masterKeyId] = Number(count)
      }
      return { current, counts }
    },
    async ping() {
      const rows = await database.selectFrom('vault').select('name').where('name', 'like', 'canary:%').execute()
      const unknown = rows.map(({ name }) => name.slice('canary:'.length)).find(masterKeyId => !vault.knows(masterKeyId))
      if (unknown !== undefined) throw new WrongMasterKey(`the master key ${unknown} is in use, and this process was not given it`)
    },
    async close() {
      await changes.close()
      await database.destroy()
      await vault.close()
    },
    clock,
    database
  }
}
