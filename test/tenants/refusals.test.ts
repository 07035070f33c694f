import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { build } from '../../src/app.ts'
import { createKey } from '../../src/tenants/api-keys.ts'
import type { NewAuditEntry } from '../../src/tenants/model.ts'
import { createRefusalLog, type Refusal } from '../../src/tenants/rejections.ts'
import type { Store } from '../../src/tenants/store.ts'
import { allScopes, startService, testConfig, tester } from '../support.ts'

/** What is written down of keys that were right, and refused all the same: in the request log, the metrics and the audit log. */

/** A service that logs, and keys of its tenant that are refused, each with the problem it meets. */
async function startLogging(t: Test, env: Record<string, string> = {}, record?: Store['record']) {
  const service = await startService()
  t.teardown(() => service.close())
  const by = service.store.by(tester)
  const make = (options: object) => by.createKey('tenant-1', { name: 'refused', scopes: allScopes, ...options })
  const revoked = await make({})
  await by.revokeKey(revoked.keyId)
  const refused = {
    'key-revoked': revoked,
    'key-expired': await make({ expiresAt: new Date(Date.now() - 1000).toISOString() }),
    'address-not-allowed': await make({ allowedCidrs: ['198.51.100.0/24'] }),
    'scope-missing': await make({ scopes: ['users:read'] })
  }
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).split('\n').filter(Boolean)) lines.push(JSON.parse(line))
      done()
    }
  })
  const app = await build({
    config: testConfig({ TRUST_PROXY: '1', ...env }),
    // Closed with the service.
    store: Object.assign(Object.create(service.store), { close: async () => {} }, record ? { record } : {}),
    origin: `http://127.0.0.1:${(service.sandbox.server.address() as AddressInfo).port}`,
    logger: { level: 'info', stream }
  })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= app.close().then(() => undefined)
    return closed
  }
  t.teardown(close)
  const send = (key: string | undefined, address = '192.0.2.7') =>
    app.inject({ url: '/skills', headers: { 'x-forwarded-for': address, ...(key ? { authorization: `Bearer ${key}` } : {}) } })
  return { app, service, refused, lines, send, close }
}

t.test('a line of the log names key, tenant and address once the key was right, and never a key that was not', async t => {
  const { service, refused, lines, send } = await startLogging(t)
  const { key } = service.tenants[0]!
  await send(key)
  t.match(lines.at(-1), { status: 200, tenant: 'tenant-1', key: key.split('_')[1], address: '192.0.2.7' })
  for (const [code, { key, keyId }] of Object.entries(refused)) {
    await send(key, '203.0.113.9:4711')
    t.match(lines.at(-1), { problem: code, tenant: 'tenant-1', key: keyId, address: '203.0.113.9' }, code)
  }
  await service.store.by(tester).updateTenant('tenant-1', { enabled: false })
  await sleep(50)
  t.equal((await send(refused['scope-missing'].key)).statusCode, 403)
  t.match(lines.at(-1), { problem: 'tenant-disabled', tenant: 'tenant-1', key: refused['scope-missing'].keyId })
  const wrong = `${key.slice(0, 16)}${createKey().key.slice(16)}`
  for (const none of [undefined, 'vg_junk', createKey().key, wrong]) {
    await send(none)
    const line = lines.at(-1)!
    t.match(line, { status: 401, problem: 'authentication-required', address: '192.0.2.7' })
    t.notOk('tenant' in line || 'key' in line, 'nobody’s')
  }
})

t.test('a refused request counts for its tenant', async t => {
  const { app, refused, send } = await startLogging(t)
  for (const { key } of Object.values(refused)) await send(key)
  t.match(await app.metrics.text(), /^voxgate_tenant_requests_total\{tenant="tenant-1",class="4xx"\} 4$/m)
})

t.test('the audit log has what was tried with a key that was refused, and from where', async t => {
  const { service, refused, send, close } = await startLogging(t)
  for (const [code, { key, keyId }] of Object.entries(refused)) {
    await send(key, '203.0.113.9')
    for (let i = 0; i < 20; i++) await send(key, `203.0.113.${i % 3}`)
    await sleep(20)
    const { items } = await service.store.auditLog({ actor: keyId, action: 'key.refused' })
    t.equal(items.length, 1, `${code}: one entry, whatever the number`)
    t.match(items[0], {
      actor: { kind: 'key', id: keyId, address: '203.0.113.9' },
      tenantId: 'tenant-1',
      target: keyId,
      outcome: code,
      detail: { operation: 'listSkills' }
    })
    t.type(items[0]!.actor.requestId, 'string')
  }
  await send(createKey().key)
  await close()
  const { items } = await service.store.auditLog({ action: 'key.refused', limit: 100 })
  t.equal(items.length, 8, 'the rest is written once, at the latest when the service ends')
  t.match(items[0], { detail: { suppressed: 20, addresses: ['203.0.113.0', '203.0.113.1', '203.0.113.2'] } })
})

t.test('refusals that are answered 429 are audited all the same', async t => {
  const { service, refused, send } = await startLogging(t, { ADDRESS_RATE: '0.001', ADDRESS_BURST: '1' })
  await send(undefined)
  const { key, keyId } = refused['address-not-allowed']
  const response = await send(key)
  t.equal(response.statusCode, 429)
  await sleep(20)
  t.match((await service.store.auditLog({ actor: keyId })).items, [{ action: 'key.refused', outcome: 'address-not-allowed' }])
})

t.test('while the database takes no entry the response is the same, and the refusal is counted', async t => {
  const { app, refused, send } = await startLogging(t, {}, () => Promise.reject(new Error('no database')))
  t.equal((await send(refused['scope-missing'].key)).statusCode, 403)
  await sleep(20)
  t.match(await app.metrics.text(), /^voxgate_rejections_unaudited_total 1$/m)
})

t.test('entries are one per key, kind and interval, and bounded in number', async t => {
  const entries: NewAuditEntry[] = []
  const log = createRefusalLog({ record: async entry => entries.push(entry), onError: () => {}, intervalMs: 200, maxKinds: 3 })
  const refusal = (keyId: string, code = 'scope-missing'): Refusal => ({
    tenantId: 'acme',
    keyId,
    code,
    address: '192.0.2.1',
    requestId: 'id',
    operation: undefined
  })
  for (let i = 0; i < 100; i++) log.note(refusal('a'))
  await sleep(0)
  t.equal(entries.length, 1)
  log.note(refusal('a', 'key-revoked'))
  log.note(refusal('b'))
  for (let i = 0; i < 50; i++) log.note(refusal(`c-${i}`))
  await sleep(0)
  t.equal(entries.length, 3)
  t.equal(log.counts.dropped, 50, 'what is beyond is counted')
  while (entries.length < 4) await sleep(10)
  t.match(entries[3], { actor: { id: 'a' }, detail: { suppressed: 99 } })
  while (entries.length < 5) {
    log.note(refusal('a'))
    await sleep(10)
  }
  t.match(entries[4], { actor: { id: 'a' } }, 'a busy interval is followed by another')
  await log.close()
})
