import { randomBytes } from 'node:crypto'
import t from 'tap'
import { openStore } from '../../src/tenants/store.ts'
import { createVault, SealError, seal } from '../../src/vault/vault.ts'
import { isDefaultHeader } from '../../src/voximplant/account.ts'
import { onEveryDatabase } from '../databases.ts'
import { emptyList, startStub } from '../stub.ts'
import { startService, tester } from '../support.ts'

/** A tenant's default headers leave with its credentials: nobody changes them past the service. */

const unsafe = [
  'Host',
  'Connection',
  'Transfer-Encoding',
  'Content-Length',
  'Content-Type',
  'Authorization',
  'Cookie',
  'Proxy-Authorization',
  'TE',
  'Trailer',
  'Upgrade',
  'Expect',
  'Accept-Encoding',
  'Keep-Alive',
  'Traceparent',
  'Forwarded',
  'Via',
  'X-Forwarded-Host',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-Host',
  'X-HTTP-Method-Override',
  'X-Envoy-Original-Path',
  'X-Auth-Token',
  'X-Api-Key'
]

t.test('headers of the connection, the route, the form and the credentials are no default headers', async t => {
  for (const name of unsafe) t.notOk(isDefaultHeader(name), name)
  for (const name of ['Accept-Language', 'user-agent', 'X-Client', 'x-team-42']) t.ok(isDefaultHeader(name), name)
})

onEveryDatabase(t, 'no secret leaves with default headers that were changed in the database', async (t, database) => {
  const seen: (string | undefined)[] = []
  const stub = await startStub(t, ({ request, response }) => {
    seen.push(`${request.headers.host} ${request.headers['x-client']} ${request.headers.cookie}`)
    response.end(emptyList)
  })
  const service = await startService({ origin: stub.origin, dialect: database.dialect(), env: { CACHE_TTL: '1' } })
  t.teardown(() => service.close())
  await service.store
    .by(tester)
    .updateTenant('tenant-1', { settings: { concurrency: 5, defaultHeaders: { 'X-Client': 'acme', 'x-b': '1' } } })
  t.equal((await service.call('GET', '/skills')).status, 200)
  const host = new URL(stub.origin).host
  t.same(seen, [`${host} acme undefined`])

  const write = (settings: string) => database.exec(`update tenants set settings = '${settings}'`)
  for (const settings of [
    '{"concurrency":5,"defaultHeaders":{"X-Client":"evil","x-b":"1"}}',
    '{"concurrency":5,"defaultHeaders":{"X-Client":"acme","x-b":"1","Host":"evil.example"}}',
    '{"concurrency":5,"defaultHeaders":{"X-Client":"acme","x-b":"1","cookie":"a=b"}}',
    '{"concurrency":5}'
  ]) {
    await write(settings)
    await t.rejects(service.store.account('tenant-1'), SealError, settings)
    t.match(await service.call('GET', '/skills'), { status: 500, body: { code: 'internal-error' } }, settings)
  }
  await t.rejects(service.store.by(tester).updateTenant('tenant-1', { name: 'x' }), SealError, 'a change does not bless it')
  t.equal(seen.length, 1, 'nothing was sent')
  await write('{"defaultHeaders":{"x-b":"1","X-Client":"acme"},"concurrency":7}')
  t.equal((await service.call('GET', '/skills')).status, 200, 'the same headers in another order are the same; limits are not sealed')
})

t.test('a sealed header that nobody may set is not sent either', async t => {
  const stub = await startStub(t, ({ response }) => response.end(emptyList))
  const service = await startService({ origin: stub.origin, env: { CACHE_TTL: '1' } })
  t.teardown(() => service.close())
  await service.store.by(tester).updateTenant('tenant-1', { settings: { defaultHeaders: { host: 'evil.example' } } })
  t.match(await service.call('GET', '/skills'), { status: 500, body: { code: 'internal-error' } })
})

onEveryDatabase(t, 'the upgrade seals the headers of tenants that were there, and blesses no row that was changed', async (t, database) => {
  const vault = createVault(randomBytes(32))
  const old = await openStore(database.dialect(), vault)
  for (const tenantId of ['whole', 'changed']) {
    await old.by(tester).createTenant({ tenantId, name: tenantId, accountId: 1, settings: { defaultHeaders: { 'x-client': tenantId } } })
    await old.by(tester).putCredential(tenantId, { kind: 'api-key', accountId: 1, apiKey: 'legacy-api-key' })
  }
  const rows = await old.database.selectFrom('tenants').selectAll().execute()
  // As the version before wrote them.
  for (const row of rows) {
    const place = ['tenant', row.tenant_id, row.account_id, '', row.credential_version ?? 0] as const
    const head = seal(await vault.openDataKey(row.tenant_id, row.data_key), 'head', Buffer.alloc(0), place)
    await old.database
      .updateTable('tenants')
      .set({ head, ...(row.tenant_id === 'changed' ? { account_id: 2 } : {}) })
      .where('tenant_id', '=', row.tenant_id)
      .execute()
  }
  await t.rejects(old.account('whole'), SealError, 'a head of the version before does not open')
  await old.close()
  await database.exec("delete from kysely_migration where name = '0007-settings-seal'")

  const store = await openStore(database.dialect(), vault)
  t.teardown(() => store.close())
  t.match(await store.account('whole'), { version: 1, defaultHeaders: { 'x-client': 'whole' } })
  await t.rejects(store.account('changed'), SealError)
})
