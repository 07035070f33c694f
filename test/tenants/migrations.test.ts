import { randomBytes } from 'node:crypto'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import t from 'tap'
import { migrations } from '../../src/database/migrations.ts'
import type { Tables } from '../../src/database/tables.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'
import { onEveryDatabase } from '../databases.ts'

onEveryDatabase(t, 'keys that were rotated before have one lineage afterwards, and tenants an id of their own', async (t, database) => {
  const vault = createVault(randomBytes(32))
  const before = new Kysely<Tables>({ dialect: database.dialect() })
  const { '0001-tenants': first, '0002-administration': second, '0003-idempotency': third } = migrations(vault)
  const known = { '0001-tenants': first!, '0002-administration': second!, '0003-idempotency': third! }
  const { error } = await new Migrator({ db: before, provider: { getMigrations: async () => known } }).migrateToLatest()
  t.equal(error, undefined)
  const at = '2026-11-25T00:00:00.000Z'
  for (const tenant_id of ['acme', 'globex'])
    await before
      .insertInto('tenants')
      .values({
        tenant_id,
        name: tenant_id,
        enabled: 1,
        account_id: 7,
        api_host: null,
        settings: '{}',
        data_key: await vault.createDataKey(tenant_id),
        credential_version: null,
        credential_versions: 0,
        head: '',
        created_at: at,
        updated_at: at
      } as Tables['tenants'])
      .execute()
  for (const [key_id, rotated_to] of [
    ['a1', 'a2'],
    ['a2', 'a3'],
    ['a3', null],
    ['b1', null],
    ['c1', 'gone']
  ] as const)
    await before
      .insertInto('api_keys')
      .values({
        key_id,
        rotated_to,
        tenant_id: 'acme',
        name: key_id,
        hash: '',
        scopes: '[]',
        created_at: at
      } as unknown as Tables['api_keys'])
      .execute()
  await before.destroy()

  const store = await openStore(database.dialect(), vault)
  t.teardown(() => store.close())
  const lineages: Record<string, string> = {}
  for (const keyId of ['a1', 'a2', 'a3', 'b1', 'c1']) lineages[keyId] = (await store.key(keyId))!.lineage
  t.same(lineages, { a1: 'a3', a2: 'a3', a3: 'a3', b1: 'b1', c1: 'c1' })
  const uids = (await store.tenants()).map(({ uid }) => uid)
  t.ok(uids.every(uid => /^[0-9a-f-]{36}$/.test(uid)))
  t.equal(new Set(uids).size, 2)
})
