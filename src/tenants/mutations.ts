import { randomUUID } from 'node:crypto'
import type { Kysely, Transaction } from 'kysely'
import type { ChangeFeed, Changes } from '../database/changes.ts'
import type { Clock } from '../database/clock.ts'
import type { Tables } from '../database/tables.ts'
import type { DataKeys } from '../vault/data-keys.ts'
import { sealRow, verifyRow } from '../vault/integrity-tag.ts'
import { partsOf, type Vault } from '../vault/vault.ts'
import { createKey } from './api-keys.ts'
import { writeEntry } from './audit-log.ts'
import { type Effect, holdKeyCheck, type RotationOptions, rotateMasterKey } from './master-key-rotation.ts'
import {
  type Actor,
  type ApiKey,
  type CredentialInput,
  type CredentialStatus,
  type NewKey,
  type NewTenant,
  StoreRefusal,
  type Tenant,
  type TenantPatch
} from './model.ts'
import { keyOf, statusOf, tenantOf } from './rows.ts'
import { sealCredential } from './sealed-credentials.ts'

/** All changes by administrators. Each change and its audit entry are one transaction; afterwards every replica is notified. */
export interface Administration {
  /** Throws StoreRefusal `tenant-exists`. */
  createTenant(tenant: NewTenant): Promise<Tenant>
  /**
   * `patch` can depend on the tenant as it is just before; what it throws leaves everything as it was. Throws StoreRefusal `tenant-missing`, as
   * all that follow do.
   */
  updateTenant(tenantId: string, patch: TenantPatch | ((before: Tenant) => TenantPatch)): Promise<Tenant>
  /** Deletes it with its keys, credentials and data key: what was sealed with that is gone, also where copies of it lie. */
  deleteTenant(tenantId: string): Promise<void>
  /** Stores a new version and makes it the one in use. `verifiedAt`: when the upstream accepted it. Throws StoreRefusal `account-differs`. */
  putCredential(tenantId: string, credential: CredentialInput, options?: { verifiedAt?: string }): Promise<CredentialStatus>
  /** Destroys the secrets of every version. */
  deleteCredential(tenantId: string): Promise<void>
  /** A new key; its text is returned here and kept nowhere. */
  createKey(tenantId: string, key: NewKey): Promise<{ key: string; keyId: string }>
  /** Throws StoreRefusal `key-missing`. */
  revokeKey(keyId: string): Promise<void>
  /**
   * A new key with the rights of an old one, which ends after the grace. It lives as long as the old one was meant to, unless `expiresAt`
   * says otherwise. Throws StoreRefusal `key-missing`, `key-ended`.
   */
  rotateKey(keyId: string, options: { graceSeconds: number; expiresAt?: string }): Promise<{ key: string; keyId: string }>
  /**
   * Wraps every data key with the current master key, in small transactions, while everything is in use; called again it goes on where it
   * was stopped. `left`: those whose master key is not known here. Master keys that wrap nothing any more are retired.
   */
  rotateMasterKey(options?: RotationOptions): Promise<{ rewrapped: number; left: number }>
}

export interface AdministrationContext {
  database: Kysely<Tables>
  vault: Vault
  dataKeys: DataKeys
  changes: Changes
  feed: ChangeFeed | undefined
  clock: Clock
}

const noTenant = (tenantId: string) => new StoreRefusal('tenant-missing', `there is no tenant ${tenantId}`)
const noKey = (keyId: string) => new StoreRefusal('key-missing', `there is no key ${keyId}`)

/** Makes changes on somebody's behalf. */
export function administer({ database, vault, dataKeys, changes, feed, clock }: AdministrationContext, actor: Actor): Administration {
  const now = (): string => new Date(clock.now()).toISOString()
  const change = async <T>(act: (transaction: Transaction<Tables>) => Promise<Effect<T>>): Promise<T> => {
    const effect = await database.transaction().execute(async transaction => {
      const { result, entry, change } = await act(transaction)
      if (entry) await writeEntry(transaction, clock, { actor, ...entry })
      if (change) await feed?.notify(transaction, change)
      return { result, change }
    })
    if (effect.change) changes.emit(effect.change)
    return effect.result
  }

  /** Unwraps a data key before the transaction that needs it: a key server may take its time. */
  const prepareKey = async (tenantId: string): Promise<void> => {
    const row = await database.selectFrom('tenants').select('data_key').where('tenant_id', '=', tenantId).executeTakeFirst()
    if (!row) throw noTenant(tenantId)
    await dataKeys.open(tenantId, row.data_key)
  }

  /** Reads a tenant's row for a change. Writing to it first makes others wait their turn. One that was tampered with is not blessed. */
  const lockTenant = async (transaction: Transaction<Tables>, tenantId: string): Promise<Tables['tenants']> => {
    const row = await transaction
      .updateTable('tenants')
      .set(({ ref }) => ({ updated_at: ref('updated_at') }))
      .where('tenant_id', '=', tenantId)
      .returningAll()
      .executeTakeFirst()
    if (!row) throw noTenant(tenantId)
    verifyRow(await dataKeys.open(tenantId, row.data_key), row)
    return row
  }

  /** Writes a tenant's changed row, proven anew. */
  const writeTenant = async (transaction: Transaction<Tables>, changed: Tables['tenants']): Promise<Tenant> => {
    const row = { ...changed, updated_at: now() }
    const head = sealRow(await dataKeys.open(row.tenant_id, row.data_key), row)
    const { tenant_id, ...rest } = row
    await transaction
      .updateTable('tenants')
      .set({ ...rest, head })
      .where('tenant_id', '=', tenant_id)
      .execute()
    return tenantOf(row)
  }

  const insertKey = async (
    transaction: Transaction<Tables>,
    tenantId: string,
    { name, scopes, expiresAt, childAccounts, allowedCidrs }: NewKey,
    lineage?: string
  ): Promise<{ key: string; keyId: string }> => {
    const { key, keyId, hash } = createKey()
    await transaction
      .insertInto('api_keys')
      .values({
        key_id: keyId,
        lineage: lineage ?? keyId,
        tenant_id: tenantId,
        name,
        hash: hash.toString('base64url'),
        scopes: JSON.stringify(scopes),
        child_accounts: childAccounts === undefined ? null : JSON.stringify(childAccounts),
        allowed_cidrs: allowedCidrs === undefined ? null : JSON.stringify(allowedCidrs),
        created_at: now(),
        expires_at: expiresAt ?? null,
        revoked_at: null,
        last_used_at: null,
        rotated_to: null
      })
      .execute()
    return { key, keyId }
  }

  return {
    async createTenant({ tenantId, name, accountId, apiHost, settings = {} }) {
      const [dataKey, keyCheck] = await Promise.all([vault.createDataKey(tenantId), vault.createKeyCheck()])
      const at = now()
      const row: Tables['tenants'] = {
        tenant_id: tenantId,
        uid: randomUUID(),
        name,
        enabled: 1,
        account_id: accountId,
        api_host: apiHost ?? null,
        settings: JSON.stringify(settings),
        data_key: dataKey,
        credential_version: null,
        credential_versions: 0,
        head: '',
        created_at: at,
        updated_at: at
      }
      row.head = sealRow(await vault.openDataKey(tenantId, dataKey), row)
      return change(async transaction => {
        await holdKeyCheck(transaction, partsOf(dataKey).keyId, keyCheck)
        const made = await transaction
          .insertInto('tenants')
          .values(row)
          .onConflict(conflict => conflict.column('tenant_id').doNothing())
          .returning('tenant_id')
          .executeTakeFirst()
        if (!made) throw new StoreRefusal('tenant-exists', `there is a tenant ${tenantId} already`)
        const detail = { name, accountId, ...(apiHost === undefined ? {} : { apiHost }), settings }
        return { result: tenantOf(row), entry: { action: 'tenant.create', tenantId, detail }, change: { tenantId } }
      })
    },

    async updateTenant(tenantId, patch) {
      await prepareKey(tenantId)
      return change(async transaction => {
        const row = await lockTenant(transaction, tenantId)
        const { name, enabled, apiHost, settings } = typeof patch === 'function' ? patch(tenantOf(row)) : patch
        const tenant = await writeTenant(transaction, {
          ...row,
          ...(name === undefined ? {} : { name }),
          ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }),
          ...(apiHost === undefined ? {} : { api_host: apiHost }),
          ...(settings === undefined ? {} : { settings: JSON.stringify(settings) })
        })
        return {
          result: tenant,
          entry: { action: 'tenant.update', tenantId, detail: { name, enabled, apiHost, settings } },
          change: { tenantId }
        }
      })
    },

    async deleteTenant(tenantId) {
      await change(async transaction => {
        const gone = await transaction
          .deleteFrom('tenants')
          .where('tenant_id', '=', tenantId)
          .returning(['name', 'account_id'])
          .executeTakeFirst()
        if (!gone) throw noTenant(tenantId)
        const detail = { name: gone.name, accountId: gone.account_id }
        return { result: undefined, entry: { action: 'tenant.delete', tenantId, detail }, change: { tenantId } }
      })
      dataKeys.forget(tenantId)
    },

    async putCredential(tenantId, credential, { verifiedAt } = {}) {
      await prepareKey(tenantId)
      return change(async transaction => {
        const row = await lockTenant(transaction, tenantId)
        // Checked before, too; but the tenant may have been made anew since then.
        if (row.account_id !== credential.accountId)
          throw new StoreRefusal(
            'account-differs',
            `these credentials are of account ${credential.accountId}, and the tenant ${tenantId} is account ${row.account_id}; nothing was stored`
          )
        const version = row.credential_versions + 1
        const at = now()
        const sealed = sealCredential(await dataKeys.open(tenantId, row.data_key), tenantId, version, credential)
        const { sealed: _, ...stored } = await transaction
          .insertInto('credentials')
          .values({
            ...sealed,
            tenant_id: tenantId,
            created_at: at,
            verified_at: verifiedAt ?? null,
            retired_at: null,
            destroyed_at: null,
            last_used_at: null
          })
          .returningAll()
          .executeTakeFirstOrThrow()
        await transaction
          .updateTable('credentials')
          .set({ retired_at: at })
          .where('tenant_id', '=', tenantId)
          .where('version', '<', version)
          .where('retired_at', 'is', null)
          .execute()
        await writeTenant(transaction, { ...row, credential_version: version, credential_versions: version })
        const status = statusOf(stored)
        const detail = { kind: status.kind, keyId: status.keyId, fingerprint: status.fingerprint, verified: verifiedAt !== undefined }
        return { result: status, entry: { action: 'credential.put', tenantId, target: String(version), detail }, change: { tenantId } }
      })
    },

    async deleteCredential(tenantId) {
      await prepareKey(tenantId)
      await change(async transaction => {
        const row = await lockTenant(transaction, tenantId)
        const at = now()
        const destroyed = await transaction
          .updateTable('credentials')
          .set(({ fn, val }) => ({ sealed: '', destroyed_at: at, retired_at: fn.coalesce('retired_at', val(at)) }))
          .where('tenant_id', '=', tenantId)
          .where('destroyed_at', 'is', null)
          .returning('version')
          .execute()
        if (destroyed.length === 0) return { result: undefined }
        await writeTenant(transaction, { ...row, credential_version: null })
        const target = row.credential_version === null ? undefined : String(row.credential_version)
        return { result: undefined, entry: { action: 'credential.delete', tenantId, target }, change: { tenantId } }
      })
    },

    createKey: (tenantId, options) =>
      change(async transaction => {
        const tenant = await transaction.selectFrom('tenants').select('tenant_id').where('tenant_id', '=', tenantId).executeTakeFirst()
        if (!tenant) throw noTenant(tenantId)
        const made = await insertKey(transaction, tenantId, options)
        const entry = { action: 'key.create', tenantId, target: made.keyId, detail: { ...options } }
        return { result: made, entry, change: { tenantId, keyId: made.keyId } }
      }),

    async revokeKey(keyId) {
      await change<void>(async transaction => {
        const revoked = await transaction
          .updateTable('api_keys')
          .set({ revoked_at: now() })
          .where('key_id', '=', keyId)
          .where('revoked_at', 'is', null)
          .returning('tenant_id')
          .executeTakeFirst()
        if (!revoked) {
          const there = await transaction.selectFrom('api_keys').select('key_id').where('key_id', '=', keyId).executeTakeFirst()
          if (!there) throw noKey(keyId)
          return { result: undefined }
        }
        const tenantId = revoked.tenant_id
        return { result: undefined, entry: { action: 'key.revoke', tenantId, target: keyId }, change: { tenantId, keyId } }
      })
    },

    rotateKey: (keyId, { graceSeconds, expiresAt }) =>
      change(async transaction => {
        // Writing first makes others wait their turn: of two rotations, the second finds the key ended.
        const row = await transaction
          .updateTable('api_keys')
          .set(({ ref }) => ({ name: ref('name') }))
          .where('key_id', '=', keyId)
          .returningAll()
          .executeTakeFirst()
        if (!row) throw noKey(keyId)
        const old: ApiKey = keyOf(row)
        const at = clock.now()
        const until = old.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(old.expiresAt)
        if (old.revokedAt !== undefined || old.rotatedTo !== undefined || until <= at)
          throw new StoreRefusal('key-ended', `the key ${keyId} is revoked, rotated or expired already`)
        const lifetime = until - Date.parse(old.createdAt)
        const made = await insertKey(
          transaction,
          old.tenantId,
          { ...old, expiresAt: expiresAt ?? (Number.isFinite(lifetime) ? new Date(at + lifetime).toISOString() : undefined) },
          old.lineage
        )
        await transaction
          .updateTable('api_keys')
          .set({ rotated_to: made.keyId, expires_at: new Date(Math.min(until, at + graceSeconds * 1000)).toISOString() })
          .where('key_id', '=', keyId)
          .execute()
        const { tenantId } = old
        const entry = { action: 'key.rotate', tenantId, target: keyId, detail: { to: made.keyId, graceSeconds } }
        return { result: made, entry, change: { tenantId, keyId } }
      }),

    rotateMasterKey: options => rotateMasterKey({ database, vault, change }, options)
  }
}
