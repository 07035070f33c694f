import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import Fastify from 'fastify'
import t from 'tap'
import tenants from '../plugins/tenants.ts'
import { LoadGuard } from '../src/database/load-guard.ts'
import { createKey, parseKey, sameHash } from '../src/tenants/api-keys.ts'
import { Cache } from '../src/tenants/cache.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault, open, readMasterKey, SealError, seal } from '../src/vault/vault.ts'
import { sqliteDatabase } from './databases.ts'
import { allScopes, createCredential, startService, tester } from './support.ts'

t.test('API keys', async t => {
  const { key, keyId, hash } = createKey()
  t.match(key, /^vg_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/)
  const parsed = parseKey(key)!
  t.equal(parsed.keyId, keyId)
  t.ok(sameHash(parsed.hash, hash))
  t.notOk(key.includes(hash.toString('hex')))
  let accepted = 0
  for (let i = 0; i < key.length; i++) {
    const changed = `${key.slice(0, i)}${key[i] === 'A' ? 'B' : 'A'}${key.slice(i + 1)}`
    if (parseKey(changed)) accepted++
  }
  t.equal(accepted, 0, 'a key with one character changed is refused before any lookup')
  for (const none of ['', 'vg_', key.toLowerCase(), `${key} `, ` ${key}`, `${key}\n`, key.replace('vg_', 'gv_'), 'x'.repeat(10_000)])
    t.equal(parseKey(none), undefined)
  t.equal(crc32('123456789'), 0xcbf43926, 'the checksum is the CRC-32 that others can compute')
  t.equal(new Set(Array.from({ length: 1000 }, () => createKey().key)).size, 1000)
})

t.test('sealing', async t => {
  const key = randomBytes(32)
  const place = ['credential', 'acme', 1, 'key'] as const
  const plain = Buffer.from('a secret')
  const envelope = seal(key, 'k1', plain, place)
  t.same(open(key, 'k1', envelope, place), plain)
  t.not(seal(key, 'k1', plain, place), envelope, 'a nonce of its own each time')
  t.throws(() => open(randomBytes(32), 'k1', envelope, place), SealError, 'another key')
  for (const elsewhere of [
    ['credential', 'other', 1, 'key'],
    ['credential', 'acme', 2, 'key'],
    ['credential', 'acme', 1, 'api-key'],
    ['credential', 'acm', 'e1', 'key'],
    ['canary']
  ] as const)
    t.throws(() => open(key, 'k1', envelope, elsewhere), SealError, `moved to ${elsewhere.join('/')}`)
  const bytes = Buffer.from(envelope.split('.')[2]!, 'base64url')
  let opened = 0
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    try {
      open(key, 'k1', `v1.k1.${flipped.toString('base64url')}`, place)
      opened++
    } catch (error) {
      if (!(error instanceof SealError)) throw error
    }
  }
  for (let length = 0; length < envelope.length; length++) {
    try {
      open(key, 'k1', envelope.slice(0, length), place)
      opened++
    } catch (error) {
      if (!(error instanceof SealError)) throw error
    }
  }
  t.equal(opened, 0, 'no flipped bit and no cut opens')
  t.comment(`${bytes.length * 8} bits, ${envelope.length} cuts`)
  t.throws(() => createVault(randomBytes(31)), /32 bytes/)
  for (const bad of ['', 'short', randomBytes(16).toString('base64'), randomBytes(33).toString('base64'), '!'.repeat(44)])
    t.throws(() => readMasterKey(bad), /32 bytes in base64/)
  const good = randomBytes(32)
  t.same(readMasterKey(`${good.toString('base64')}\n`), good)
})

t.test('the cache', async t => {
  let loads = 0
  let fail = false
  const cache = new Cache<string>({ guard: new LoadGuard(), ttlMs: 50, graceMs: 60_000 }, async key => {
    loads++
    await new Promise(resolve => setTimeout(resolve, 10))
    if (fail) throw new Error('unavailable')
    return `${key}${loads}`
  })
  t.same(await Promise.all([cache.get('a'), cache.get('a'), cache.get('a')]), ['a1', 'a1', 'a1'], 'one load for all who wait')
  t.equal(cache.get('a'), 'a1', 'then immediately')
  cache.delete('a')
  t.equal(await cache.get('a'), 'a2', 'forgotten, loaded anew')
  const late = cache.get('b')
  cache.delete('b')
  await late
  t.equal(await cache.get('b'), 'b4', 'what was being read when it was forgotten is not kept')
  await new Promise(resolve => setTimeout(resolve, 60))
  fail = true
  await t.rejects(Promise.resolve(cache.get('a')), /unavailable/)
  fail = false
  t.ok(await cache.get('a'), 'a failure is not kept')
})

t.test('who may call', async t => {
  const service = await startService({ tenants: 2, scopes: ['users:read'] })
  t.teardown(() => service.close())
  const [one] = service.tenants
  const bare = (authorization?: string) =>
    service.app.inject({ url: '/applications/1/users', headers: authorization === undefined ? {} : { authorization } })

  const before = service.upstreamRequests()
  const refusals = await Promise.all(
    [undefined, '', 'Bearer', 'Bearer x', `Basic ${one!.key}`, `Bearer ${createKey().key}`, `Bearer ${one!.key}x`, 'Bearer vg_\u0000'].map(
      bare
    )
  )
  for (const refusal of refusals) {
    t.equal(refusal.statusCode, 401)
    t.match(refusal.headers['www-authenticate'], /^Bearer/)
    t.equal(refusal.json().code, 'authentication-required')
  }
  t.equal(
    new Set(refusals.map(({ body }) => JSON.stringify({ ...JSON.parse(body), instance: '' }))).size,
    1,
    'a missing, malformed and unknown key get one answer'
  )

  const denied = await service.call('POST', '/applications', { applicationName: 'x1' })
  t.equal(denied.status, 403)
  t.match(denied.body, { code: 'scope-missing', detail: /applications:write/ })
  t.equal(service.upstreamRequests(), before, 'nobody reached the upstream')
  t.equal((await service.call('GET', '/applications/1/users')).body.code, 'not-found', 'the scope that is there is enough')

  const expiring = await service.store
    .by(tester)
    .createKey('tenant-1', { name: 'old', scopes: allScopes, expiresAt: '2020-01-01T00:00:00Z' })
  t.equal((await bare(`Bearer ${expiring.key}`)).statusCode, 401, 'expired')
  const revoked = await service.store.by(tester).createKey('tenant-1', { name: 'gone', scopes: allScopes })
  t.equal((await bare(`Bearer ${revoked.key}`)).statusCode, 404, 'works')
  await service.store.by(tester).revokeKey(revoked.keyId)
  service.app.tenants.forget('tenant-1')
  t.equal((await bare(`Bearer ${revoked.key}`)).statusCode, 401, 'revoked')

  await service.store.by(tester).updateTenant('tenant-1', { enabled: false })
  service.app.tenants.forget('tenant-1')
  t.match((await service.call('GET', '/applications/1/users')).body, { status: 403, code: 'tenant-disabled' })
  t.equal((await service.call('GET', '/applications/1/users', undefined, { tenant: 1 })).status, 404, 'the other tenant goes on')

  await service.store.by(tester).createTenant({ tenantId: 'bare', name: 'Bare', accountId: 9 })
  const { key } = await service.store.by(tester).createKey('bare', { name: 'k', scopes: allScopes })
  t.match((await bare(`Bearer ${key}`)).json(), { status: 424, code: 'credentials-missing' })

  const lesser = await service.store.by(tester).createKey('tenant-2', { name: 'star', scopes: ['*'] })
  const everything = await service.app.inject({
    method: 'DELETE',
    url: '/applications?all=true&expectedCount=0',
    headers: { authorization: `Bearer ${lesser.key}` }
  })
  t.match(everything.json(), { status: 403, detail: /bulk/ }, '`*` does not hold `bulk`')
})

t.test("two tenants, 200 interleaved calls each: every answer is its caller's", async t => {
  const service = await startService({ tenants: 2 })
  t.teardown(() => service.close())
  for (const [tenant, names] of [
    ['red', 'red'],
    ['blue', 'blue']
  ].entries()) {
    for (let i = 0; i < 5; i++)
      t.equal((await service.call('POST', '/applications', { applicationName: `${names[0]}-${i}` }, { tenant })).status, 201)
  }
  const calls = Array.from({ length: 400 }, (_, i) => i % 2)
  const answers = await Promise.all(
    calls.map(async (tenant, i) => {
      if (i % 10 === 0) service.app.tenants.forget(`tenant-${i % 4 < 2 ? 1 : 2}`)
      return { tenant, answer: await service.call('GET', i % 3 ? '/applications' : `/applications/${1 + (i % 5)}`, undefined, { tenant }) }
    })
  )
  const wrong = answers.filter(({ tenant, answer }) => {
    const names: string[] = (answer.body.items ?? [answer.body]).map((row: { applicationName: string }) => row.applicationName)
    return (
      answer.status !== 200 ||
      names.length === 0 ||
      !names.every(name => name.startsWith(tenant === 0 ? 'red-' : 'blue-') && name.includes(`account-${500_001 + tenant}`))
    )
  })
  t.equal(wrong.length, 0)
  t.comment(`${answers.length} calls, ${wrong.length} answers of another tenant`)

  const foreign = (await service.call('POST', '/applications', { applicationName: 'only-red' })).body.applicationId
  const missing = await service.call('GET', '/applications/999999', undefined, { tenant: 1 })
  const others = await service.call('GET', `/applications/${foreign}`, undefined, { tenant: 1 })
  t.same(
    { ...others.body, instance: '' },
    { ...missing.body, instance: '' },
    "another tenant's thing is answered as one that does not exist"
  )
})

t.test('a tenant that was deleted and made anew by another process is another tenant', async t => {
  const { dialect } = sqliteDatabase(t)
  const masterKey = randomBytes(32)
  const elsewhere = await openStore(dialect(), createVault(masterKey))
  const app = Fastify()
  await app.register(tenants, {
    store: await openStore(dialect(), createVault(masterKey)),
    cacheTtlMs: 1,
    origin: 'http://127.0.0.1:1',
    lookupTimeoutMs: 1_000
  })
  t.teardown(async () => {
    await app.close()
    await elsewhere.close()
  })
  const by = elsewhere.by(tester)
  for (const [accountId, keyId] of [
    [1, 'first'],
    [2, 'of another account'],
    [2, 'of the same account']
  ] as const) {
    await by.createTenant({ tenantId: 'acme', name: 'x', accountId })
    await by.putCredential('acme', { ...createCredential(accountId), keyId })
    // Longer ago than anything is kept.
    for (const from = Date.now(); Date.now() <= from + 1; );
    t.match(await app.tenants.account('acme'), { credential: { accountId, keyId } }, keyId)
    await by.deleteTenant('acme')
  }
})

t.test('a replica that lacks a master key in use is not ready, and says why', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  t.match(await service.call('GET', '/health/ready'), { status: 200 })
  await service.store.database.insertInto('vault').values({ name: 'canary:foreign', sealed: '' }).execute()
  // What the database said last is kept for a second.
  await sleep(1_100)
  t.match(await service.call('GET', '/health/ready'), { status: 503, body: { detail: /does not know a master key/ } })
})
