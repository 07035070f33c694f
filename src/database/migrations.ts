import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { keyCheckName, sealRow } from '../vault/integrity-tag.ts'
import { type EncryptionContext, open, partsOf, SealError, seal, type Vault } from '../vault/vault.ts'
import type { Tables } from './tables.ts'

/** What the integrity tag of a tenant's row covered before `0007-settings-seal`. */
const contextBefore = ({ tenant_id, account_id, api_host, credential_version }: Tables['tenants']): EncryptionContext => [
  'tenant',
  tenant_id,
  account_id,
  api_host ?? '',
  credential_version ?? 0
]

/**
 * The schema's history, oldest first; SQLite and PostgreSQL take the same. Times are RFC 3339 text, flags 0 or 1, sealed values text.
 * @param vault for the steps that seal what lay open before
 */
export const migrations = (vault: Vault): Record<string, Migration> => ({
  '0001-tenants': {
    async up(database: Kysely<unknown>) {
      await database.schema
        .createTable('vault')
        .addColumn('name', 'text', column => column.primaryKey())
        .addColumn('sealed', 'text', column => column.notNull())
        .execute()
      await database.schema
        .createTable('tenants')
        .addColumn('tenant_id', 'text', column => column.primaryKey())
        .addColumn('name', 'text', column => column.notNull())
        .addColumn('enabled', 'integer', column => column.notNull())
        .addColumn('account_id', 'bigint', column => column.notNull())
        .addColumn('api_host', 'text')
        .addColumn('limits', 'text', column => column.notNull())
        .addColumn('data_key', 'text', column => column.notNull())
        .addColumn('credential_version', 'integer')
        .addColumn('created_at', 'text', column => column.notNull())
        .execute()
      await database.schema
        .createTable('credentials')
        .addColumn('tenant_id', 'text', column => column.notNull().references('tenants.tenant_id').onDelete('cascade'))
        .addColumn('version', 'integer', column => column.notNull())
        .addColumn('kind', 'text', column => column.notNull())
        .addColumn('account_id', 'bigint', column => column.notNull())
        .addColumn('key_id', 'text')
        .addColumn('fingerprint', 'text', column => column.notNull())
        .addColumn('sealed', 'text', column => column.notNull())
        .addColumn('created_at', 'text', column => column.notNull())
        .addPrimaryKeyConstraint('credentials_pk', ['tenant_id', 'version'])
        .execute()
      await database.schema
        .createTable('api_keys')
        .addColumn('key_id', 'text', column => column.primaryKey())
        .addColumn('tenant_id', 'text', column => column.notNull().references('tenants.tenant_id').onDelete('cascade'))
        .addColumn('name', 'text', column => column.notNull())
        .addColumn('hash', 'text', column => column.notNull())
        .addColumn('scopes', 'text', column => column.notNull())
        .addColumn('created_at', 'text', column => column.notNull())
        .addColumn('expires_at', 'text')
        .addColumn('revoked_at', 'text')
        .execute()
      await database.schema.createIndex('api_keys_by_tenant').on('api_keys').column('tenant_id').execute()
    }
  },
  '0002-administration': {
    async up(database: Kysely<Tables>) {
      await database.schema.alterTable('tenants').renameColumn('limits', 'settings').execute()
      await database.schema
        .alterTable('tenants')
        .addColumn('credential_versions', 'integer', column => column.notNull().defaultTo(0))
        .execute()
      for (const name of ['head', 'updated_at'])
        await database.schema
          .alterTable('tenants')
          .addColumn(name, 'text', column => column.notNull().defaultTo(''))
          .execute()
      for (const tenant of await database.selectFrom('tenants').selectAll().execute())
        await database
          .updateTable('tenants')
          .set({
            credential_versions: tenant.credential_version ?? 0,
            head: seal(await vault.openDataKey(tenant.tenant_id, tenant.data_key), 'head', Buffer.alloc(0), contextBefore(tenant)),
            updated_at: tenant.created_at
          })
          .where('tenant_id', '=', tenant.tenant_id)
          .execute()
      for (const name of ['verified_at', 'retired_at', 'destroyed_at', 'last_used_at'])
        await database.schema.alterTable('credentials').addColumn(name, 'text').execute()
      for (const name of ['child_accounts', 'allowed_cidrs', 'last_used_at', 'rotated_to'])
        await database.schema.alterTable('api_keys').addColumn(name, 'text').execute()
      await database.schema
        .createTable('audit_log')
        .addColumn('id', 'text', column => column.primaryKey())
        .addColumn('at', 'text', column => column.notNull())
        .addColumn('actor_kind', 'text', column => column.notNull())
        .addColumn('actor_id', 'text', column => column.notNull())
        .addColumn('address', 'text')
        .addColumn('request_id', 'text')
        .addColumn('action', 'text', column => column.notNull())
        .addColumn('tenant_id', 'text')
        .addColumn('target', 'text')
        .addColumn('outcome', 'text', column => column.notNull())
        .addColumn('detail', 'text')
        .execute()
      await database.schema.createIndex('audit_log_by_tenant').on('audit_log').columns(['tenant_id', 'id']).execute()
      // Master keys have canaries of their own from here on.
      const canary = await database.selectFrom('vault').select('sealed').where('name', '=', 'canary').executeTakeFirst()
      if (canary)
        await database
          .updateTable('vault')
          .set({ name: keyCheckName(partsOf(canary.sealed).keyId) })
          .where('name', '=', 'canary')
          .execute()
    }
  },
  '0003-idempotency': {
    async up(database: Kysely<unknown>) {
      await database.schema
        .createTable('idempotency')
        .addColumn('id', 'text', column => column.primaryKey())
        .addColumn('slot', 'text', column => column.notNull().unique())
        .addColumn('tenant_id', 'text', column => column.notNull().references('tenants.tenant_id').onDelete('cascade'))
        .addColumn('key_id', 'text', column => column.notNull())
        .addColumn('operation', 'text', column => column.notNull())
        .addColumn('state', 'text', column => column.notNull())
        .addColumn('owner', 'text', column => column.notNull())
        .addColumn('fingerprint', 'text')
        .addColumn('sealed', 'text')
        .addColumn('created_at', 'text', column => column.notNull())
        .addColumn('lease_until', 'text', column => column.notNull())
        .addColumn('expires_at', 'text')
        .execute()
      for (const column of ['lease_until', 'expires_at'])
        await database.schema.createIndex(`idempotency_by_${column}`).on('idempotency').columns(['state', column]).execute()
      await database.schema.createIndex('idempotency_by_tenant').on('idempotency').column('tenant_id').execute()
    }
  },
  '0004-retention': {
    async up(database: Kysely<unknown>) {
      // Pages are in the order of ids, which are in the order of time.
      for (const column of ['actor_id', 'action', 'outcome'])
        await database.schema.createIndex(`audit_log_by_${column}`).on('audit_log').columns([column, 'id']).execute()
    }
  },
  '0005-lineage': {
    async up(database: Kysely<Tables>) {
      // Empty where a replica of the version before adds a row while both run.
      await database.schema
        .alterTable('tenants')
        .addColumn('uid', 'text', column => column.notNull().defaultTo(''))
        .execute()
      await database.schema
        .alterTable('api_keys')
        .addColumn('lineage', 'text', column => column.notNull().defaultTo(''))
        .execute()
      for (const { tenant_id } of await database.selectFrom('tenants').select('tenant_id').execute())
        await database.updateTable('tenants').set({ uid: randomUUID() }).where('tenant_id', '=', tenant_id).execute()
      const keys = await database.selectFrom('api_keys').select(['key_id', 'rotated_to']).execute()
      const rotatedTo = new Map(keys.map(({ key_id, rotated_to }) => [key_id, rotated_to]))
      for (const { key_id } of keys) {
        // The key in use: what was recorded under its id is found again.
        let lineage = key_id
        for (let next = rotatedTo.get(key_id); next && rotatedTo.has(next); next = rotatedTo.get(next)) lineage = next
        await database.updateTable('api_keys').set({ lineage }).where('key_id', '=', key_id).execute()
      }
    }
  },
  '0007-settings-seal': {
    async up(database: Kysely<Tables>) {
      for (const tenant of await database.selectFrom('tenants').selectAll().execute()) {
        const dataKey = await vault.openDataKey(tenant.tenant_id, tenant.data_key)
        try {
          open(dataKey, 'head', tenant.head, contextBefore(tenant))
          await database
            .updateTable('tenants')
            .set({ head: sealRow(dataKey, tenant) })
            .where('tenant_id', '=', tenant.tenant_id)
            .execute()
        } catch (error) {
          // A row that was tampered with is not blessed: it goes on not opening.
          if (!(error instanceof SealError)) throw error
        }
      }
    }
  }
})
