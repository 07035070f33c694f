import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { administratorOf, readAdminTokens } from '../src/admin/tokens.ts'
import { scopeTable } from '../src/api/scopes.ts'
import { build, buildAdmin, operations } from '../src/app.ts'
import type { StoreDialect } from '../src/database/changes.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { onEveryDatabase, postgres, postgresDatabase } from './databases.ts'
import { createCredential, sandboxAccount, type TestCredential, testConfig } from './support.ts'

/** The admin API as an administrator meets it: over HTTP, on both databases, beside the service that it administers. */

const token = randomBytes(32).toString('base64url')
const other = randomBytes(32).toString('hex')
const tokens = readAdminTokens(`ops:${token},ci:${other}`)

interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  body: any
}

/** One replica of the service with its admin API, listening. */
async function replica(t: Test, dialect: StoreDialect, masterKey: Buffer, origin: string, env: Record<string, string> = {}) {
  const store = await openStore(dialect, createVault(masterKey))
  const options = { config: testConfig({ UPSTREAM_HOSTS: '127.0.0.1, *.voximplant.com', ...env }), store, origin, adminTokens: tokens }
  const app = await build(options)
  const own = options.config.admin.port === 0 ? undefined : await buildAdmin(options)
  t.teardown(async () => {
    await own?.close()
    await app.close()
  })
  const listen = (server: FastifyInstance) => server.listen({ host: '127.0.0.1', port: 0 })
  const address = await listen(app)
  const adminAddress = own ? await listen(own) : address
  const request = async (
    to: string,
    bearer: string | undefined,
    method: string,
    url: string,
    body?: unknown,
    headers: Record<string, string> = {}
  ) => {
    const answer = await fetch(`${to}${url}`, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) })
    })
    const text = await answer.text()
    const json = String(answer.headers.get('content-type')).includes('json')
    return { status: answer.status, headers: answer.headers, body: json && text !== '' ? JSON.parse(text) : text } satisfies Answer
  }
  return {
    app,
    store,
    address,
    adminAddress,
    admin: (method: string, url: string, body?: unknown, headers?: Record<string, string>) =>
      request(adminAddress, token, method, `/admin${url}`, body, headers),
    call: (key: string, method: string, url: string, body?: unknown, headers?: Record<string, string>) =>
      request(address, key, method, url, body, headers),
    request
  }
}

const fileOf = ({ accountId, keyId, privateKey }: TestCredential) => ({ account_id: accountId, key_id: keyId, private_key: privateKey })

const pem = { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } } as const
const small = generateKeyPairSync('rsa', { modulusLength: 1024, ...pem }).privateKey
const curve = generateKeyPairSync('ed25519', pem).privateKey

onEveryDatabase(t, 'the life of a tenant', async (t, database) => {
  const credential = createCredential(600_001)
  const sandbox = await buildSandbox({ operations, accounts: [sandboxAccount(credential)], demo: true })
  const origin = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  const { admin, call } = await replica(t, database.dialect(), randomBytes(32), origin)

  // The tenant
  const made = await admin('POST', '/tenants', { tenantId: 'acme', name: 'Acme Inc.', accountId: 600_001 })
  t.match(made, { status: 201, body: { tenantId: 'acme', name: 'Acme Inc.', enabled: true, accountId: 600_001, settings: {} } })
  t.equal(made.headers.get('location'), '/admin/tenants/acme')
  t.match(await admin('POST', '/tenants', { tenantId: 'acme', accountId: 1 }), { status: 409, body: { code: 'tenant-exists' } })
  for (const bad of ['Acme', 'a b', '-a', 'a-', 'a/b', '', 'x'.repeat(64), '../x', 'ä'])
    t.match(await admin('POST', '/tenants', { tenantId: bad, accountId: 1 }), {
      status: 400,
      body: { code: 'invalid-request', errors: [{ in: 'body', pointer: '/tenantId', detail: /lower-case letters/ }] }
    })
  t.match(await admin('POST', '/tenants', { tenantId: 'x', accountId: 'many', more: 1 }), {
    status: 400,
    body: { errors: [{ pointer: '/accountId' }, { pointer: '/more' }] }
  })
  for (let i = 0; i < 5; i++) t.equal((await admin('POST', '/tenants', { tenantId: `other-${i}`, accountId: 600_100 + i })).status, 201)
  const seen: string[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: Answer = await admin('GET', `/tenants?limit=4${after ? `&after=${after}` : ''}`)
    seen.push(...page.body.items.map((item: { tenantId: string }) => item.tenantId))
    after = page.body.next
  }
  t.same(seen, ['acme', 'other-0', 'other-1', 'other-2', 'other-3', 'other-4'], 'page by page')
  t.match(await admin('GET', '/tenants/nobody'), { status: 404, body: { code: 'not-found' } })

  // Changes, with and without a tag
  const got = await admin('GET', '/tenants/acme')
  const etag = got.headers.get('etag')!
  const renamed = await admin('PATCH', '/tenants/acme', { name: 'Acme' }, { 'if-match': etag })
  t.match(renamed, { status: 200, body: { name: 'Acme' } })
  t.match(await admin('PATCH', '/tenants/acme', { name: 'Late' }, { 'if-match': etag }), {
    status: 412,
    body: { code: 'precondition-failed' }
  })
  const weak = `W/${renamed.headers.get('etag')}`
  t.match(
    await admin('PATCH', '/tenants/acme', { name: 'Weak' }, { 'if-match': weak }),
    { status: 412, body: { code: 'precondition-failed', detail: /weak tag W\/".*compresses/ } },
    'a tag that a compressing proxy weakened is named'
  )
  t.match(
    await admin('PATCH', '/tenants/acme', { name: 'Bare' }, { 'if-match': renamed.headers.get('etag')!.slice(1, -1) }),
    { status: 400, body: { errors: [{ in: 'header', pointer: '/If-Match', detail: /double quotes/ }] } },
    'a tag without quotes is a bad request'
  )
  t.equal((await admin('PATCH', '/tenants/acme', { name: 'Acme' }, { 'if-match': renamed.headers.get('etag')! })).status, 200)
  t.match(
    await admin('PATCH', '/tenants/acme', {
      settings: { concurrency: 5, defaultHeaders: { 'X-Client': 'acme' }, allowedCidrs: ['127.0.0.0/8'] }
    }),
    { status: 200, body: { settings: { concurrency: 5, allowedCidrs: ['127.0.0.0/8'] } } }
  )
  t.same(
    (await admin('PATCH', '/tenants/acme', { settings: { concurrency: null, rateLimit: { perSecond: 2.5, burst: 10 } } })).body.settings,
    { defaultHeaders: { 'X-Client': 'acme' }, allowedCidrs: ['127.0.0.0/8'], rateLimit: { perSecond: 2.5, burst: 10 } },
    'settings are changed one by one'
  )
  await admin('PATCH', '/tenants/acme', { settings: { rateLimit: null } })
  t.match(await admin('PATCH', '/tenants/acme', {}), { status: 400, body: { code: 'invalid-request' } })
  t.match(
    await admin('PATCH', '/tenants/acme', {
      settings: { allowedCidrs: ['10.0.0.0/33', '1.2.3'], defaultHeaders: { authorization: 'x' } }
    }),
    {
      status: 400,
      body: {
        errors: [
          { pointer: '/settings/allowedCidrs/0' },
          { pointer: '/settings/allowedCidrs/1' },
          { pointer: '/settings/defaultHeaders/authorization', detail: /cannot|can be set/ }
        ]
      }
    }
  )
  for (const name of [
    'cookie',
    'host',
    'content-type',
    'connection',
    'transfer-encoding',
    'x-forwarded-for',
    'proxy-authorization',
    'x-http-method-override'
  ])
    t.equal((await admin('PATCH', '/tenants/acme', { settings: { defaultHeaders: { [name]: 'x' } } })).status, 400, name)
  t.equal((await admin('PATCH', '/tenants/acme', { settings: { defaultHeaders: { 'x-a': 'a\r\nb' } } })).status, 400, 'a line break')

  // Credentials
  const put = (file: unknown, query = '') => admin('PUT', `/tenants/acme/credentials${query}`, file)
  t.match(await admin('GET', '/tenants/acme/credentials'), { status: 404 })
  const fresh = fileOf(credential)
  const refusals: [what: string, file: unknown, expected: object][] = [
    [
      'of another account',
      { ...fresh, account_id: 7 },
      { status: 422, body: { code: 'credentials-of-another-account', detail: /account 7/ } }
    ],
    [
      'a small key',
      { ...fresh, private_key: small },
      { status: 422, body: { code: 'private-key-unusable', detail: /1024 bits; it needs 2048/, errors: [{ pointer: '/private_key' }] } }
    ],
    [
      'no PEM',
      { ...fresh, private_key: 'MIIE' },
      { status: 422, body: { code: 'private-key-unusable', detail: /not a private key in PEM form/ } }
    ],
    [
      'a PEM cut short',
      { ...fresh, private_key: fresh.private_key.slice(0, 400) },
      { status: 422, body: { code: 'private-key-unusable' } }
    ],
    [
      'no RSA',
      { ...fresh, private_key: curve },
      { status: 422, body: { code: 'private-key-unusable', detail: /ed25519; the upstream takes RSA/ } }
    ],
    ['truncated JSON', JSON.stringify(fresh).slice(0, 200), { status: 400, body: { code: 'malformed-body' } }],
    ['a list', [], { status: 400, body: { code: 'invalid-request' } }],
    [
      'nothing in it',
      {},
      { status: 400, body: { errors: [{ pointer: '/account_id' }, { pointer: '/key_id' }, { pointer: '/private_key' }] } }
    ],
    ['nothing in the older layout', { result: {} }, { status: 400, body: { errors: [{ pointer: '/result/account_id' }, {}, {}] } }],
    [
      'another key',
      { ...fresh, private_key: createCredential(1).privateKey },
      { status: 422, body: { code: 'credentials-refused', upstream: { method: 'GetAccountInfo', name: 'AUTHORIZATION_FAILED' } } }
    ],
    ['another key id', { ...fresh, key_id: 'nobody' }, { status: 422, body: { code: 'credentials-refused' } }],
    ['a wrong API key', { accountId: 600_001, apiKey: 'wrong' }, { status: 422, body: { code: 'credentials-refused' } }]
  ]
  for (const [what, file, expected] of refusals) {
    const answer = await put(file)
    t.match(answer, expected, what)
    t.notMatch(JSON.stringify(answer.body), /BEGIN|PRIVATE KEY-|MIIE/, `${what}: nothing of the key is shown`)
  }
  t.match(await admin('GET', '/tenants/acme/credentials'), { status: 404 }, 'nothing was stored')
  t.comment(`${refusals.length} credentials refused`)
  const status = await put(fresh)
  t.match(status, {
    status: 200,
    body: { version: 1, kind: 'key', accountId: 600_001, keyId: 'key-600001', fingerprint: /^SHA256:/, verifiedAt: String }
  })
  t.notMatch(JSON.stringify(status.body), /PRIVATE|private/)
  t.match(
    await admin('PUT', '/tenants/acme/credentials', `\ufeff${JSON.stringify({ result: fresh })}`),
    { status: 200, body: { version: 2, fingerprint: status.body.fingerprint } },
    'the older layout, after a byte order mark'
  )
  t.match(await admin('GET', '/tenants/acme/credentials'), { status: 200, body: { version: 2, keyId: 'key-600001' } })

  // Keys
  const keyMade = await admin('POST', '/tenants/acme/keys', { name: 'ci', scopes: ['applications:read', 'spend'] })
  t.match(keyMade, { status: 201, body: { key: /^vg_/, name: 'ci', state: 'active', scopes: ['applications:read', 'spend'] } })
  t.equal(keyMade.headers.get('cache-control'), 'no-store')
  const { key, keyId } = keyMade.body
  t.equal(keyMade.headers.get('location'), `/admin/tenants/acme/keys/${keyId}`)
  t.match(await call(key, 'GET', '/applications?limit=1'), { status: 200, body: { total: 3 } }, 'it works')
  t.match(await admin('POST', '/tenants/acme/keys', { name: 'x', scopes: ['applications:read', 'applications:raed', 'everything'] }), {
    status: 400,
    body: { code: 'invalid-request', errors: [{ pointer: '/scopes/1', detail: /is no scope/ }, { pointer: '/scopes/2' }] }
  })
  t.match(await admin('POST', '/tenants/acme/keys', { name: 'x', scopes: ['*'], expiresAt: '2020-01-01T00:00:00Z' }), {
    status: 400,
    body: { errors: [{ pointer: '/expiresAt' }] }
  })
  t.equal((await admin('POST', '/tenants/nobody/keys', { name: 'x', scopes: ['*'] })).status, 404)
  t.match((await admin('GET', '/tenants/acme/keys')).body.items, [{ keyId, name: 'ci' }])
  t.notMatch(JSON.stringify((await admin('GET', '/tenants/acme/keys')).body), /"(key|hash)"/)
  t.equal((await admin('GET', `/tenants/other-1/keys/${keyId}`)).status, 404, 'not under another tenant')
  t.equal((await admin('DELETE', `/tenants/other-1/keys/${keyId}`)).status, 404)

  const rotated = await admin('POST', `/tenants/acme/keys/${keyId}/rotate`, { graceSeconds: 3600 })
  t.match(rotated, { status: 201, body: { key: /^vg_/, name: 'ci', scopes: ['applications:read', 'spend'] } })
  t.equal((await call(key, 'GET', '/applications')).status, 200, 'the old key works for the grace')
  t.equal((await call(rotated.body.key, 'GET', '/applications')).status, 200, 'the new one works')
  t.match(await admin('POST', `/tenants/acme/keys/${keyId}/rotate`, { graceSeconds: 0 }), { status: 409, body: { code: 'key-ended' } })
  const brief = await admin('POST', `/tenants/acme/keys/${rotated.body.keyId}/rotate`, { graceSeconds: 0 })
  t.match(
    await call(rotated.body.key, 'GET', '/applications'),
    { status: 401, body: { code: 'key-expired' } },
    'without a grace period it ends immediately'
  )
  t.equal((await admin('DELETE', `/tenants/acme/keys/${keyId}`)).status, 204)
  t.equal((await admin('DELETE', `/tenants/acme/keys/${keyId}`)).status, 204, 'again: the same')
  t.match(await call(key, 'GET', '/applications'), { status: 401, body: { code: 'key-revoked' } })
  t.match((await admin('GET', `/tenants/acme/keys/${keyId}`)).body, {
    state: 'revoked',
    revokedAt: String,
    rotatedTo: rotated.body.keyId
  })

  // Disabled, enabled, without credentials
  await admin('PATCH', '/tenants/acme', { enabled: false })
  t.match(await call(brief.body.key, 'GET', '/applications'), { status: 403, body: { code: 'tenant-disabled' } })
  await admin('PATCH', '/tenants/acme', { enabled: true })
  t.equal((await call(brief.body.key, 'GET', '/applications')).status, 200)
  t.equal((await admin('DELETE', '/tenants/acme/credentials')).status, 204)
  t.match(await call(brief.body.key, 'GET', '/applications'), { status: 424, body: { code: 'credentials-missing' } })
  t.equal((await admin('DELETE', '/tenants/acme/credentials')).status, 204, 'again: the same')

  // Unreachable
  await admin('PATCH', '/tenants/acme', { apiHost: '127.0.0.1:1' })
  t.match(await put(fresh), { status: 502, body: { code: 'credentials-unverified', retryable: true, detail: /verify=false/ } })
  const unseen = await put(fresh, '?verify=false')
  t.match(unseen, { status: 200, body: { version: 3 } })
  t.notOk(unseen.body.verifiedAt)
  t.match((await admin('PATCH', '/tenants/acme', { apiHost: null })).body, { tenantId: 'acme' })
  t.equal((await call(brief.body.key, 'GET', '/applications')).status, 200)

  // The end
  t.equal((await admin('DELETE', '/tenants/acme')).status, 204)
  t.equal((await admin('DELETE', '/tenants/acme')).status, 404)
  t.match(await call(brief.body.key, 'GET', '/applications'), { status: 401, body: { code: 'authentication-required' } })

  // What was written down
  const log = await admin('GET', '/audit-log?tenantId=acme&limit=1000')
  const entries: { action: string; actor: { kind: string } }[] = log.body.items
  const actions = entries
    .filter(({ actor }) => actor.kind === 'admin')
    .map(({ action }) => action)
    .reverse()
  t.ok(
    entries.some(({ action, actor }) => action === 'key.refused' && actor.kind === 'key'),
    'and that keys which had ended were tried'
  )
  t.same(
    [...new Set(actions)],
    ['tenant.create', 'tenant.update', 'credential.put', 'key.create', 'key.rotate', 'key.revoke', 'credential.delete', 'tenant.delete']
  )
  t.match(log.body.items[0], {
    actor: { kind: 'admin', id: 'ops', address: '127.0.0.1', requestId: String },
    outcome: 'done',
    tenantId: 'acme'
  })
  const paged: string[] = []
  for (let before: string | undefined = ''; before !== undefined; ) {
    const page: Answer = await admin('GET', `/audit-log?tenantId=acme&limit=3${before ? `&before=${before}` : ''}`)
    paged.push(...page.body.items.map((entry: { id: string }) => entry.id))
    before = page.body.next
  }
  t.same(
    paged,
    log.body.items.map((entry: { id: string }) => entry.id),
    'page by page it is the same'
  )
  t.match((await admin('GET', '/audit-log?action=key.revoke')).body.items, [{ action: 'key.revoke', target: keyId }])
  t.same((await admin('GET', '/audit-log?actor=ci')).body.items, [])
  t.same((await admin('GET', '/audit-log?until=2020-01-01T00:00:00Z')).body.items, [])
  t.same((await admin('GET', '/audit-log?until=2016-12-31T23:59:60Z')).body.items, [], 'a leap second is an instant')
  t.equal((await admin('GET', '/audit-log?since=yesterday')).status, 400)
  t.notMatch(JSON.stringify(log.body), /PRIVATE|vg_[0-9A-Za-z]{12}_/, 'no secret is in it')
  t.comment(`${log.body.items.length} entries`)

  // The master key
  const begun = await admin('POST', '/rotate-master-key')
  t.equal(begun.status, 202)
  for (;;) {
    const progress = await admin('GET', '/rotate-master-key')
    if (progress.body.state === 'running') continue
    t.match(progress, { status: 200, body: { state: 'done', left: 0, current: String } })
    break
  }
})

/** A service on SQLite in front of nothing: for what never gets to the upstream. */
const alone = (t: Test, env?: Record<string, string>) => replica(t, sqliteDialect(':memory:'), randomBytes(32), 'http://127.0.0.1:1', env)

t.test('who may administer', async t => {
  const { admin, request, store, adminAddress, call } = await alone(t)
  await admin('POST', '/tenants', { tenantId: 'acme', accountId: 1 })
  const { key } = (await admin('POST', '/tenants/acme/keys', { name: 'all', scopes: ['*', 'bulk', 'spend', 'secrets', 'privileged'] })).body
  const challenge = await request(adminAddress, undefined, 'GET', '/admin/tenants')
  t.match(challenge, { status: 401, body: { code: 'admin-token-required' } })
  t.equal(challenge.headers.get('www-authenticate'), 'Bearer realm="voxgate-admin"')
  t.equal((await request(adminAddress, other, 'GET', '/admin/tenants')).status, 200, 'the second token works too')
  t.match(await call(token, 'GET', '/skills'), { status: 401, body: { code: 'authentication-required' } }, 'an admin token is no API key')
  t.equal((await request(adminAddress, token, 'GET', '/admin/nothing')).status, 404)
  t.match(await request(adminAddress, token, 'PUT', '/admin/tenants', {}), { status: 405 })

  let codes: string[] = []
  for (const wrong of [key, `${token}x`, token.slice(1), token.toUpperCase(), 'ops', `ops:${token}`, 'x'.repeat(5000), 'null', '0']) {
    const answer = await request(adminAddress, wrong, 'GET', '/admin/tenants')
    codes.push(`${answer.status} ${answer.body.code}`)
  }
  t.same(new Set(codes), new Set(['401 admin-token-required']), "neither a tenant's key with every scope nor anything near a token")
  codes = []
  for (let i = 0; i < 5; i++) codes.push((await request(adminAddress, randomBytes(32).toString('hex'), 'GET', '/admin/tenants')).body.code)
  t.same(codes, ['admin-token-required', ...Array(4).fill('rate-limited')], 'after ten failures that address waits')
  const waits = await request(adminAddress, token, 'GET', '/admin/tenants')
  t.match(waits, { status: 429, body: { code: 'rate-limited' } }, 'with the right token too, or guessing would go on')
  t.ok(Number(waits.headers.get('retry-after')) > 0)
  const { items } = await store.auditLog({ action: 'admin.authenticate' })
  t.equal(items.length, 10, 'each failure is written down, and none that was not looked at')
  t.match(items[0], { actor: { id: 'unknown', address: '127.0.0.1' }, outcome: 'refused' })
  t.notMatch(JSON.stringify(items), new RegExp(`${key.slice(-20)}|${token.slice(1, 20)}`), 'without what was tried')
})

t.test('admin tokens', async t => {
  t.same(
    readAdminTokens(` ops:${token},\n ci:${other} \n`).map(({ id }) => id),
    ['ops', 'ci']
  )
  t.same(readAdminTokens(token)[0]!.id, 'admin', 'a single one may go without its name')
  t.equal(administratorOf(tokens, token), 'ops')
  t.equal(administratorOf(tokens, other), 'ci')
  t.equal(administratorOf(tokens, ''), undefined)
  for (const [text, complaint] of [
    [`ops:${token.slice(0, 31)}`, /the token of ops has 31 characters; it needs 32/],
    ['a'.repeat(40), /too few different characters/],
    ['abcdefghijabcdefghijabcdefghijabcdefghij', /repeats itself/],
    ['abcdefghijklmnopqrstuvwxyz0123456789', /runs along the alphabet/],
    ['Pa5Xq9-secret-Zk2Lm7Vb4Nc8Tr1Wy6Gd3Hf', /a word that guessers try/],
    [`${token},${other}`, /has no id/],
    [`a:${token},a:${other}`, /two tokens have the id a/],
    [`Ops:${token}`, /not of the form id:token/],
    [' , ', /holds no token/]
  ] as const)
    t.throws(() => readAdminTokens(text), { message: complaint }, String(complaint))
  let refused = 0
  for (let i = 0; i < 20_000; i++) {
    for (const random of [randomBytes(16).toString('hex'), randomBytes(32).toString('base64'), randomBytes(24).toString('base64url')]) {
      try {
        readAdminTokens(random)
      } catch {
        refused++
      }
    }
  }
  t.ok(refused <= 3, 'random tokens are taken')
  t.comment(`${refused} of 60000 random tokens refused`)
})

t.test('on a port of its own, and not at all', async t => {
  const { admin, address, request } = await alone(t, { ADMIN_PORT: '1' })
  t.equal((await admin('GET', '/tenants')).status, 200)
  t.match(
    await request(address, token, 'GET', '/admin/tenants'),
    { status: 404, body: { code: 'not-found' } },
    'the other port does not have it'
  )
  const [own, main] = [await admin('GET', '/../openapi.json'), await request(address, undefined, 'GET', '/openapi.json')]
  t.ok('/admin/tenants' in own.body.paths && !('/skills' in own.body.paths), 'each port describes what it serves')
  t.ok(!('/admin/tenants' in main.body.paths) && '/skills' in main.body.paths)
  t.notOk('Tenant' in main.body.components.schemas)

  const store = await openStore(sqliteDialect(':memory:'), createVault(randomBytes(32)))
  const without = await build({ config: testConfig(), store, origin: 'http://127.0.0.1:1' })
  t.teardown(() => without.close())
  const off = await without.inject({ url: '/admin/tenants', headers: { authorization: `Bearer ${token}` } })
  t.equal(off.statusCode, 404, 'without a token there is no admin API')

  const based = await alone(t, { BASE_PATH: '/voximplant' })
  const made = await based.request(based.address, token, 'POST', '/voximplant/admin/tenants', { tenantId: 'acme', accountId: 1 })
  t.equal(made.headers.get('location'), '/voximplant/admin/tenants/acme')
})

t.test('what is described is what is served', async t => {
  const { request, address } = await alone(t)
  const { body } = await request(address, undefined, 'GET', '/openapi.json')
  const administration = Object.entries(
    body.paths as Record<string, Record<string, { tags: string[]; security: object[]; responses: object; summary: string }>>
  )
    .filter(([path]) => path.startsWith('/admin/'))
    .flatMap(([, verbs]) => Object.values(verbs))
  t.equal(administration.length, 19)
  for (const { tags, security, responses, summary } of administration) {
    t.same([tags, security], [['Administration'], [{ adminToken: [] }]], summary)
    t.ok('400' in responses, 'what is particular')
    t.match((responses as Record<string, { description?: string; $ref?: string }>).default, { $ref: /.+/ }, 'what any operation can end in')
  }
  t.match(body.components.securitySchemes.adminToken, { type: 'http', scheme: 'bearer' })
  t.notMatch(JSON.stringify(Object.entries(body.paths).filter(([path]) => !path.startsWith('/admin/'))), /adminToken/)
})

t.test('scopes follow from the declarations', async t => {
  const { admin } = await alone(t)
  const { items } = (await admin('GET', '/scopes')).body as { items: { scope: string; operations: string[]; description: string }[] }
  const bySlug = new Map(items.map(item => [item.scope, item]))
  for (const { id, scopes, endpoint, schema } of operations) {
    for (const scope of scopes) t.ok(bySlug.get(scope)?.operations.includes(id) && bySlug.get(scope)!.description, `${id}: ${scope}`)
    const documented = schema as { 'x-voxgate-scopes-with-all'?: string[]; description: string }
    t.equal(bySlug.get('bulk')!.operations.includes(id), endpoint.all !== undefined)
    t.same(documented['x-voxgate-scopes-with-all'], endpoint.all ? [...scopes, 'bulk'] : undefined)
  }
  t.equal(items.length, scopeTable(operations).length)
  t.comment(`${items.length} scopes: ${items.map(({ scope }) => scope).join(' ')}`)
})

t.test('what the upstream tells of credentials', async t => {
  // An upstream with prepared responses, in the upstream's format.
  let answers: Record<string, object> = {}
  const seen: string[] = []
  const upstream = createServer((request, response) => {
    let form = ''
    request.on('data', chunk => {
      form += chunk
    })
    request.on('end', () => {
      const method = new URLSearchParams(form).get('cmd') ?? ''
      seen.push(method)
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(answers[method] ?? { error: { code: 131, msg: 'Unknown command.' } }))
    })
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => void upstream.close())
  const origin = `http://127.0.0.1:${(upstream.address() as { port: number }).port}`
  const { admin } = await replica(t, sqliteDialect(':memory:'), randomBytes(32), origin)
  await admin('POST', '/tenants', { tenantId: 'acme', accountId: 600_001 })
  const put = () => admin('PUT', '/tenants/acme/credentials', fileOf(createCredential(600_001)))

  answers = {
    GetAccountInfo: { result: { account_id: 600_001 } },
    GetKeyRoles: {
      result: [
        { role_id: 1, role_name: 'Owner' },
        { role_id: 2, role_name: 'Accountant' }
      ]
    }
  }
  t.match(await put(), { status: 200, body: { version: 1, roles: ['Owner', 'Accountant'] } })
  answers = { GetAccountInfo: { result: { account_id: 600_001 } } }
  const untold = await put()
  t.match(untold, { status: 200, body: { version: 2 } })
  t.notOk('roles' in untold.body, 'roles are omitted where they are unknown')
  answers = { GetAccountInfo: { result: { account_id: 5 } } }
  t.match(await put(), { status: 422, body: { code: 'credentials-of-another-account', detail: /account 5/ } })
  answers = { GetAccountInfo: { error: { code: 100, msg: 'Authorization failed.' } } }
  t.match(await put(), { status: 422, body: { code: 'credentials-refused', upstream: { code: 100, message: 'Authorization failed.' } } })
  answers = { GetAccountInfo: { error: { code: 162, msg: 'Try later.' } } }
  t.match(await put(), { status: 502, body: { code: 'credentials-unverified' } })
  answers = { GetAccountInfo: { error: { code: 99_999, msg: 'What?' } } }
  t.match(await put(), { status: 502, body: { code: 'credentials-unverified' } }, 'a word that nobody knows is no verdict')
  t.match((await admin('GET', '/tenants/acme/credentials')).body, { version: 2 }, 'what was refused was not stored')
})

t.test('two replicas on PostgreSQL', { skip: postgres.missing }, async t => {
  const credential = createCredential(600_001)
  const sandbox = await buildSandbox({ operations, accounts: [sandboxAccount(credential)], demo: true })
  const origin = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  const database = await postgresDatabase(t)
  const masterKey = randomBytes(32)
  // A cache that would outlast the test: only a notification can make the difference.
  const [one, two] = await Promise.all([1, 2].map(() => replica(t, database.dialect(), masterKey, origin, { CACHE_TTL: '600000' })))
  await one!.admin('POST', '/tenants', { tenantId: 'acme', accountId: 600_001 })
  await one!.admin('PUT', '/tenants/acme/credentials', fileOf(credential))
  const { key, keyId } = (await one!.admin('POST', '/tenants/acme/keys', { name: 'k', scopes: ['*'] })).body
  t.equal((await two!.call(key, 'GET', '/applications')).status, 200, 'a key made on one works on the other')

  /** Asks the other replica until it answers so; how long that took. */
  const until = async (status: number): Promise<number> => {
    const from = performance.now()
    while ((await two!.call(key, 'GET', '/applications')).status !== status)
      if (performance.now() - from > 20_000) return Number.POSITIVE_INFINITY
    return performance.now() - from
  }
  await one!.admin('PATCH', '/tenants/acme', { enabled: false })
  const disabled = await until(403)
  await one!.admin('PATCH', '/tenants/acme', { enabled: true })
  const enabled = await until(200)
  await one!.admin('DELETE', `/tenants/acme/keys/${keyId}`)
  const revoked = await until(401)
  for (const [what, ms] of Object.entries({ disabled, enabled, revoked })) t.ok(ms < 1000, `${what}: ${Math.round(ms)} ms`)
  t.comment(`disabled after ${Math.round(disabled)} ms, enabled after ${Math.round(enabled)} ms, revoked after ${Math.round(revoked)} ms`)
})
