import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The schema's history, oldest first; SQLite and PostgreSQL take the same. Times are RFC 3339 text, flags 0 or 1, sealed values text. */
export const migrations: Record<string, Migration> = {
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
  }
}
