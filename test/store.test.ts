import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { postgresDialect } from '../src/tenants/postgres.ts'
import { openStore, WrongMasterKey } from '../src/tenants/store.ts'
import { createVault, SealError } from '../src/tenants/vault.ts'
import { onEveryDatabase, type TestDatabase } from './databases.ts'
import { createCredential, tester } from './support.ts'

/** The store, on every database it runs on, with several processes at once. */

async function check(t: Test, { address, dialect, exec, dump }: TestDatabase): Promise<void> {
  const masterKey = randomBytes(32)
  const credential = createCredential(7)
  const run = promisify(execFile)
  const child = fileURLToPath(new URL('./children/store-writer.ts', import.meta.url))
  const writers = await Promise.all(
    Array.from({ length: 4 }, () =>
      run(process.execPath, [child, address, masterKey.toString('base64'), Buffer.from(credential.privateKey).toString('base64'), '5'])
    )
  )
  const versions = writers.flatMap(({ stdout }) => JSON.parse(stdout) as number[])
  t.same(
    versions.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i + 1),
    'four processes that start at once migrate once, and each write gets a version of its own'
  )
  const store = await openStore(dialect(), createVault(masterKey))
  await t.rejects(store.by(tester).createTenant({ tenantId: 'acme', name: 'Again', accountId: 8 }), /there is a tenant acme already/)
  t.match(
    await store.tenant('acme'),
    { tenantId: 'acme', name: 'Acme', accountId: 7, enabled: true, settings: { concurrency: 5 } },
    'what another process wrote'
  )
  t.equal(await store.tenant('nobody'), undefined)
  await store.by(tester).createTenant({ tenantId: 'bare', name: 'Bare', accountId: 9 })
  t.equal(await store.credential('bare'), undefined, 'no credential yet')
  t.match(await store.by(tester).putCredential('acme', credential), { version: 21, keyId: 'key-7', accountId: 7, fingerprint: /^SHA256:/ })
  t.match(
    await store.by(tester).putCredential('acme', { kind: 'api-key', accountId: 7, apiKey: 'legacy-api-key' }),
    { version: 22 },
    'versions are appended'
  )
  t.match(await store.credential('acme'), { kind: 'api-key', apiKey: 'legacy-api-key' }, 'and the last one is in use')
  await t.rejects(store.by(tester).putCredential('nobody', credential))
  t.equal((await store.credential('acme'))?.kind, 'api-key')
  await store.by(tester).putCredential('acme', credential)
  t.match(await store.credential('acme'), { kind: 'key', keyId: 'key-7' })
  const { key, keyId } = await store.by(tester).createKey('acme', { name: 'ci', scopes: ['users:read'] })
  t.match(await store.key(keyId), { tenantId: 'acme', scopes: ['users:read'] })
  await store.by(tester).revokeKey(keyId)
  t.ok((await store.key(keyId))!.revokedAt)
  await store.close()

  const bytes = await dump()
  t.ok(bytes.includes('acme'), 'the scan reads the right file')
  const body = credential.privateKey.split('\n')[5]!
  for (const secret of [body, 'legacy-api-key', key.split('_')[2]!, masterKey.toString('latin1'), masterKey.toString('base64')])
    t.notOk(bytes.includes(secret), 'no secret stands in the file')

  await t.rejects(openStore(dialect(), createVault(randomBytes(32))), WrongMasterKey, 'another master key is refused at once')

  // A sealed credential moved to another tenant does not open there.
  const again = await openStore(dialect(), createVault(masterKey))
  await again.by(tester).createTenant({ tenantId: 'thief', name: 'Thief', accountId: 7 })
  await exec(
    "insert into credentials (tenant_id, version, kind, account_id, key_id, fingerprint, sealed, created_at) select 'thief', version, kind, account_id, key_id, fingerprint, sealed, created_at from credentials where tenant_id = 'acme'"
  )
  await exec("update tenants set credential_version = 23 where tenant_id = 'thief'")
  await t.rejects(again.credential('thief'), SealError)
  await exec("update tenants set data_key = (select data_key from tenants where tenant_id = 'acme') where tenant_id = 'thief'")
  await t.rejects(again.credential('thief'), SealError, 'nor with the data key moved too')
  await exec("update credentials set account_id = 8 where tenant_id = 'acme'")
  await t.rejects(again.credential('acme'), SealError, 'nor for another account')
  await again.close()
}

onEveryDatabase(t, 'the store', check)

t.test('a database that is not there', async t => {
  const before = Date.now()
  await t.rejects(openStore(postgresDialect('postgres://nobody@127.0.0.1:1/none'), createVault(randomBytes(32))), /ECONNREFUSED/)
  t.ok(Date.now() - before < 10_000, 'is said soon')
})
