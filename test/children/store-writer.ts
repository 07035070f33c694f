import { postgresDialect } from '../../src/database/postgres.ts'
import { sqliteDialect } from '../../src/database/sqlite.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'

/** One of several processes that open a store concurrently and write credentials: prints the versions it got. */
const [database = '', masterKey = '', privateKey = '', writes = '1'] = process.argv.slice(2)
const store = await openStore(
  database.startsWith('postgres:') ? postgresDialect(database) : sqliteDialect(database),
  createVault(Buffer.from(masterKey, 'base64'))
)
const administration = store.by({ kind: 'service', id: 'writer' })
try {
  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7, settings: { concurrency: 5 } })
} catch {
  // Another process was first.
}
const versions: number[] = []
for (let i = 0; i < Number(writes); i++) {
  versions.push(
    (
      await administration.putCredential('acme', {
        kind: 'key',
        accountId: 7,
        keyId: 'key-7',
        privateKey: Buffer.from(privateKey, 'base64').toString()
      })
    ).version
  )
}
await store.close()
process.stdout.write(JSON.stringify(versions))
