import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import t, { type Test } from 'tap'
import type { Change } from '../src/database/changes.ts'
import { migrations } from '../src/database/migrations.ts'
import { postgresDialect } from '../src/database/postgres.ts'
import { fingerprintOf } from '../src/tenants/sealed-credentials.ts'
import { openStore, WrongMasterKey } from '../src/tenants/store.ts'
import { createVault, SealError, seal } from '../src/vault/vault.ts'
import { onEveryDatabase, type TestDatabase } from './databases.ts'
import { createCredential, tester } from './support.ts'

/** The store, on every database it runs on, with several concurrent processes. */

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
    'four processes that start concurrently migrate once, and each write gets a version of its own'
  )
  const store = await openStore(dialect(), createVault(masterKey))
  await t.rejects(store.by(tester).createTenant({ tenantId: 'acme', name: 'Again', accountId: 8 }), /there is a tenant acme already/)
  t.match(
    await store.tenant('acme'),
    { tenantId: 'acme', name: 'Acme', accountId: 7, enabled: true, settings: { concurrency: 5 } },
    'what another process wrote'
  )
  t.equal(await store.tenant('nobody'), undefined)
  await t.rejects(
    store.by(tester).putCredential('acme', createCredential(8)),
    /of account 8, and the tenant acme is account 7/,
    'of another account'
  )
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      store.by(tester).updateTenant('acme', ({ settings }) => ({
        settings: { ...settings, defaultHeaders: { ...settings.defaultHeaders, [`x-${i}`]: '1' } }
      }))
    )
  )
  t.equal(Object.keys((await store.tenant('acme'))!.settings.defaultHeaders!).length, 20, 'of concurrent changes none undoes another')
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

  await t.rejects(openStore(dialect(), createVault(randomBytes(32))), WrongMasterKey, 'another master key is rejected immediately')

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

onEveryDatabase(t, 'what an administrator does', async (t, { dialect, exec }) => {
  const vault = createVault(randomBytes(32))
  const store = await openStore(dialect(), vault)
  const actor = { kind: 'admin', id: 'token-1', address: '192.0.2.1', requestId: 'request-1' } as const
  const administration = store.by(actor)
  const changes: Change[] = []
  store.onChange(change => changes.push(change))

  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  const changed = await administration.updateTenant('acme', {
    name: 'Acme Inc.',
    apiHost: 'api-eu.example.com',
    settings: { rateLimit: { perSecond: 5, burst: 10 }, allowedCidrs: ['10.0.0.0/8'] }
  })
  t.match(changed, { name: 'Acme Inc.', apiHost: 'api-eu.example.com', enabled: true, settings: { rateLimit: { burst: 10 } } })
  t.same(await store.tenant('acme'), changed)
  t.equal((await administration.updateTenant('acme', { apiHost: null })).apiHost, undefined)
  for (const act of [
    () => administration.updateTenant('nobody', { enabled: false }),
    () => administration.deleteTenant('nobody'),
    () => administration.deleteCredential('nobody'),
    () => administration.createKey('nobody', { name: 'x', scopes: [] })
  ])
    t.match(await act().catch(error => error), { name: 'StoreRefusal', reason: 'tenant-missing' })

  const [first, second] = [createCredential(7), createCredential(7)]
  await administration.putCredential('acme', first, { verifiedAt: '2026-01-01T00:00:00.000Z' })
  await administration.putCredential('acme', { ...second, keyId: 'second' })
  t.match(await store.credentials('acme'), [
    { version: 2, keyId: 'second', verifiedAt: undefined, retiredAt: undefined },
    { version: 1, keyId: 'key-7', verifiedAt: '2026-01-01T00:00:00.000Z', retiredAt: String, destroyedAt: undefined }
  ])
  t.equal(await store.sweep(), 0, 'the old version is kept for calls in flight')
  await exec("update credentials set retired_at = '2026-01-01T00:00:00.000Z' where version = 1")
  const swept = await Promise.all([store.sweep(), store.sweep(), store.sweep()])
  t.equal(swept[0]! + swept[1]! + swept[2]!, 1, 'then one sweep of several destroys it')
  t.match((await store.credentials('acme'))[1], { version: 1, destroyedAt: String }, 'what may be shown of it stays')
  t.equal((await store.database.selectFrom('credentials').select('sealed').where('version', '=', 1).executeTakeFirst())?.sealed, '')
  t.match(await store.account('acme'), { version: 2 })
  await administration.deleteCredential('acme')
  t.equal(await store.account('acme'), undefined)
  t.notOk((await store.credentials('acme')).some(({ destroyedAt }) => destroyedAt === undefined))
  t.match(await administration.putCredential('acme', first), { version: 3 }, 'a version is never given twice')

  const { keyId } = await administration.createKey('acme', {
    name: 'ci',
    scopes: ['users:read'],
    childAccounts: 'any',
    allowedCidrs: ['192.0.2.0/24'],
    expiresAt: new Date(Date.now() + 3_600_000).toISOString()
  })
  const next = await administration.rotateKey(keyId, { graceSeconds: 60 })
  t.match(await store.key(next.keyId), { name: 'ci', scopes: ['users:read'], childAccounts: 'any', allowedCidrs: ['192.0.2.0/24'] })
  const old = (await store.key(keyId))!
  t.equal(old.rotatedTo, next.keyId)
  t.ok(Math.abs(Date.parse(old.expiresAt!) - Date.now() - 60_000) < 30_000, 'the old key ends after the grace')
  t.ok(
    Date.parse((await store.key(next.keyId))!.expiresAt!) > Date.now() + 3_000_000,
    'the new one lives as long as the old one was meant to'
  )
  const both = await Promise.all([1, 2].map(() => administration.rotateKey(next.keyId, { graceSeconds: 0 }).catch(error => error)))
  t.equal(both.filter(one => one.reason === 'key-ended').length, 1, 'of two concurrent rotations, one is rejected')
  t.match(await administration.revokeKey('nothing').catch(error => error), { reason: 'key-missing' })
  await administration.revokeKey(keyId)
  await administration.revokeKey(keyId)
  t.equal((await store.keys('acme')).length, 3)

  const at = new Date('2026-11-24T10:00:00Z')
  await store.touch({ keys: new Map([[keyId, at]]), credentials: new Map([['acme', at]]) })
  await store.touch({ keys: new Map([[keyId, new Date('2026-11-24T09:00:00Z')]]) })
  t.equal((await store.key(keyId))?.lastUsedAt, at.toISOString(), 'the latest of them stays')
  t.match((await store.credentials('acme'))[0], { version: 3, lastUsedAt: at.toISOString() })

  const { items } = await store.auditLog({ tenantId: 'acme' })
  t.same(
    items.map(({ action, target }) => (target?.length === 1 ? `${action} ${target}` : action)).toReversed(),
    [
      ...['tenant.create', 'tenant.update', 'tenant.update', 'credential.put 1', 'credential.put 2', 'credential.destroy 1'],
      ...['credential.delete 2', 'credential.put 3', 'key.create', 'key.rotate', 'key.rotate', 'key.revoke']
    ],
    'each change has its entry, refused ones and those without an effect have none'
  )
  t.match(items.at(-1), { actor, outcome: 'done', at: /^2\d{3}-/, detail: { accountId: 7 } }, 'who, from where, and how it ended')
  t.notMatch(JSON.stringify(items), /BEGIN|vg_/, 'no secret in it')
  const call = await store.record({
    actor: { kind: 'key', id: keyId },
    action: 'startScenarios',
    tenantId: 'acme',
    target: 'rule 5',
    outcome: 'started'
  })
  await store.settleAudit(call, 'unknown', { status: 504 })
  t.match(await store.auditLog({ actor: keyId }), { items: [{ id: call, outcome: 'unknown', target: 'rule 5', detail: { status: 504 } }] })
  for (let i = 0; i < 250; i++) await store.record({ actor, action: 'x', tenantId: 'other', target: String(i) })
  const pages: string[] = []
  let count = 0
  for (let before: string | undefined; ; ) {
    const page = await store.auditLog({ tenantId: 'other', limit: 100, before })
    pages.push(...page.items.map(({ target }) => target!))
    count++
    if (!page.next) break
    before = page.next
  }
  t.same(
    pages,
    Array.from({ length: 250 }, (_, i) => String(249 - i)),
    'page by page, newest first, none twice'
  )
  t.equal(count, 3)
  t.equal((await store.auditLog({ action: 'credential.put', outcome: 'done' })).items.length, 3)
  t.equal((await store.auditLog({ until: '2020-01-01T00:00:00Z' })).items.length, 0)
  t.ok((await store.auditLog({ since: '2020-01-01T00:00:00+02:00', limit: 5 })).next)

  const note = await store.seal('acme', Buffer.from('note'), ['note', 1])
  t.equal((await store.open('acme', note, ['note', 1])).toString(), 'note')
  const saved = await store.database.selectFrom('tenants').select('data_key').where('tenant_id', '=', 'acme').executeTakeFirstOrThrow()
  await administration.deleteTenant('acme')
  t.equal(await store.tenant('acme'), undefined)
  t.equal(await store.key(keyId), undefined)
  t.same(await store.credentials('acme'), [])
  t.match(await store.open('acme', note, ['note', 1]).catch(error => error), { reason: 'tenant-missing' })
  await administration.createTenant({ tenantId: 'acme', name: 'Another', accountId: 7 })
  await t.rejects(store.open('acme', note, ['note', 1]), SealError, 'a tenant of the same name has another data key')
  t.not((await store.database.selectFrom('tenants').select('data_key').executeTakeFirst())?.data_key, saved.data_key)
  t.equal((await store.auditLog({ tenantId: 'acme', action: 'tenant.delete' })).items.length, 1, 'the log outlives the tenant')
  t.ok(changes.some(({ keyId: changed }) => changed === keyId) && changes.some(({ tenantId, keyId }) => tenantId === 'acme' && !keyId))

  // Somebody who writes to the database sends the tenant's calls elsewhere: an innocent change must not bless it.
  await administration.putCredential('acme', first)
  await exec("update tenants set api_host = 'evil.example.com' where tenant_id = 'acme'")
  await t.rejects(store.account('acme'), SealError)
  await t.rejects(administration.updateTenant('acme', { name: 'x' }), SealError)
  await store.close()
})

onEveryDatabase(t, 'a database of the first version', async (t, { kind, dialect }) => {
  const vault = createVault(randomBytes(32))
  const credential = createCredential(7)
  // As the version of that time wrote it.
  const database = new Kysely<Record<string, Record<string, unknown>>>({ dialect: dialect() })
  const { '0001-tenants': beginning } = migrations(vault)
  await new Migrator({ db: database, provider: { getMigrations: async () => ({ '0001-tenants': beginning! }) } }).migrateToLatest()
  const wrapped = await vault.createDataKey('acme')
  const created_at = '2026-11-23T00:00:00.000Z'
  const tenant = { tenant_id: 'acme', name: 'Acme', enabled: 1, account_id: 7, api_host: null, limits: '{}', data_key: wrapped }
  await database
    .insertInto('vault')
    .values({ name: 'canary', sealed: await vault.createKeyCheck() })
    .execute()
  await database
    .insertInto('tenants')
    .values({ ...tenant, credential_version: 4, created_at })
    .execute()
  const row = {
    tenant_id: 'acme',
    version: 4,
    kind: 'key',
    account_id: 7,
    key_id: 'key-7',
    fingerprint: fingerprintOf(credential),
    created_at
  }
  const sealed = seal(await vault.openDataKey('acme', wrapped), 'c4', Buffer.from(credential.privateKey), [
    'credential',
    'acme',
    4,
    'key',
    7,
    'key-7'
  ])
  await database
    .insertInto('credentials')
    .values({ ...row, sealed })
    .execute()
  await database.destroy()

  // SQLite waits within the turn: in one process there can be one at a time only.
  const stores = await Promise.all(Array.from({ length: kind === 'SQLite' ? 1 : 4 }, () => openStore(dialect(), vault)))
  const [store] = stores
  t.match(await store!.account('acme'), { version: 4, credential: { keyId: 'key-7' } }, 'its credential opens, whichever process migrates')
  t.match(await store!.tenant('acme'), { settings: {}, createdAt: created_at, updatedAt: created_at })
  t.match(await store!.by(tester).putCredential('acme', credential), { version: 5 })
  t.same(Object.values((await store!.masterKeys()).counts), [1])
  for (const one of stores) await one.close()
})
