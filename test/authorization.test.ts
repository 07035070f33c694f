import { randomBytes } from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import { createConnection } from 'node:net'
import t, { type Test } from 'tap'
import { grants } from '../src/api/scopes.ts'
import { operations } from '../src/app.ts'
import { compileNetworks, isNetwork } from '../src/config/networks.ts'
import { createKey } from '../src/tenants/api-keys.ts'
import { onEveryDatabase } from './databases.ts'
import { emptyList, startStub } from './stub.ts'
import { allScopes, type Service, startService, tester } from './support.ts'

/** Who may do what: headers that are none, networks, child accounts, and what is written down of it. */

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const randomOf = (letters: string, length: number) => Array.from(randomBytes(length), byte => letters[byte % letters.length]).join('')
const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('')

/** An Authorization header that must not get in. `key`: one that works, to begin with. */
function wrongHeader(key: string, i: number): string {
  const [, id = '', secret = '', check = ''] = key.split('_')
  const at = i % key.length
  switch (i % 16) {
    case 0:
      return `Bearer ${randomOf(printable, 1 + (i % 200))}`
    case 1:
      return randomOf(`${printable} `, i % 120)
    case 2:
      return `Bearer vg_${randomOf(alphabet, 12)}_${randomOf(alphabet, 43)}_${randomOf(alphabet, 6)}`
    case 3:
      return `Bearer ${key.slice(0, at)}${alphabet[(alphabet.indexOf(key[at]!) + 1 + (i % 60)) % 62]}${key.slice(at + 1)}`
    case 4:
      return `Bearer ${key.slice(0, at)}`
    case 5:
      return `Bearer ${key}${randomOf(alphabet, 1 + (i % 5))}`
    case 6:
      return `${['Basic', 'Digest', 'Token', 'Bearer,', 'bearer:', 'BearerX', 'Bearer\tX', 'JWT'][(i >> 4) % 8]} ${key}`
    case 7:
      return `Bearer ${key} ${key}`
    case 8:
      return `Bearer vg_${id}_${randomOf(alphabet, 43)}_${check}`
    case 9:
      return `Bearer vg_${randomOf(alphabet, 12)}_${secret}_${check}`
    case 10:
      return `Bearer ${["' OR 1=1 --", '"; drop table api_keys; --', '../../etc/passwd', '{"$ne":null}', '%00', '#{7*7}', '<script>', 'null'][(i >> 4) % 8]}`
    case 11:
      return `Bearer ${[key.toLowerCase(), key.toUpperCase(), encodeURIComponent(`${key}/`), Buffer.from(key).toString('base64')][(i >> 4) % 4]}`
    case 12:
      return `Bearer vg_${id}'--_${secret}_${check}`
    case 13:
      return `Bearer ${Array.from(randomBytes(30), byte => String.fromCharCode(128 + (byte % 128))).join('')}`
    case 14:
      return `Bearer ${createKey().key}`
    default:
      return `Bearer ${randomOf(alphabet, 1000 + (i % 3000))}`
  }
}

t.test('100,000 headers that are no key', { timeout: 900_000 }, async t => {
  // Limits so wide that every header is looked at.
  const service = await startService({ env: { ADDRESS_RATE: '1000000', ADDRESS_BURST: '1000000' } })
  t.teardown(() => service.close())
  const { key } = service.tenants[0]!
  const { store } = service
  const lookups: string[] = []
  const find = store.key
  store.key = keyId => {
    lookups.push(keyId)
    return find(keyId)
  }
  const total = 100_000
  const statuses = new Map<number, number>()
  let wellFormed = 0
  for (let from = 0; from < total; from += 500) {
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => {
        const header = wrongHeader(key, from + i)
        // Of those that are well-formed a row has to be looked for; of all others none.
        if ((from + i) % 16 === 14) wellFormed++
        return service.app.inject({ url: '/skills', headers: { authorization: header } })
      })
    )
    for (const { statusCode } of answers) statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
  }
  t.same([...statuses], [[401, total]], 'none is accepted, none fails otherwise')
  t.equal(lookups.length, wellFormed, 'a wrong checksum has nothing looked up')
  t.equal(service.upstreamRequests(), 0, 'nothing reached the upstream')
  t.equal((await service.call('GET', '/skills')).status, 200, 'the key itself works')
  t.comment(
    `${total} headers, ${total - wellFormed} without a valid checksum, 0 accepted, ${wellFormed} look-ups, statuses ${JSON.stringify([...statuses])}`
  )
})

t.test('headers that no client library sends', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const { key } = service.tenants[0]!
  const origin = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = new URL(origin)
  const raw = (lines: string[]) =>
    new Promise<string>(resolve => {
      const socket = createConnection({ host: '127.0.0.1', port: Number(port) })
      let answer = ''
      socket.on('data', chunk => {
        answer += chunk
      })
      socket.on('close', () => resolve(answer.slice(9, 12)))
      socket.on('error', () => {})
      socket.write(`GET /skills HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`)
    })
  const cases: [string[], RegExp][] = [
    [[`Authorization: Bearer ${key}`], /^200$/],
    [[`authorization: bearer   ${key}`], /^200$/],
    [[`Authorization: Bearer ${createKey().key}`, `Authorization: Bearer ${key}`], /^401$/],
    [[`Authorization: Bearer ${key}\u0000`], /^400$/],
    [[`Authorization:\r\n Bearer ${key}`], /^(400|200)$/],
    [[`Authorization : Bearer ${key}`], /^400$/],
    [[`X-Authorization: Bearer ${key}`, `Cookie: authorization=${key}`], /^401$/],
    [[`Authorization: Bearer ${'x'.repeat(70_000)}`], /^431$/]
  ]
  for (const [lines, expected] of cases) t.match(await raw(lines), expected, JSON.stringify(lines).slice(0, 80))
})

t.test('networks', async t => {
  for (const [networks, yes, no] of [
    [['10.0.0.0/8'], ['10.1.2.3', '::ffff:10.9.9.9'], ['11.0.0.1', '::1', '9.255.255.255']],
    [
      ['2001:db8::/32', '192.0.2.7'],
      ['2001:db8:1::5', '192.0.2.7'],
      ['2001:db9::1', '192.0.2.8']
    ],
    [['0.0.0.0/0'], ['8.8.8.8', '::ffff:8.8.8.8'], ['2001:db8::1']],
    [['203.0.113.64/26'], ['203.0.113.64', '203.0.113.127'], ['203.0.113.63', '203.0.113.128']]
  ] as const) {
    const admits = compileNetworks(networks)!
    for (const address of yes) t.ok(admits(address), `${networks} holds ${address}`)
    for (const address of [...no, '', 'localhost', '10.0.0.0/8', '1']) t.notOk(admits(address), `${networks} does not hold ${address}`)
  }
  t.equal(compileNetworks([]), undefined)
  for (const bad of [
    '',
    '10/8',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '::/129',
    'x',
    '10.0.0.0/ 8',
    '10.0.0.1e1'
  ])
    t.notOk(isNetwork(bad), bad)

  const service = await startService({ env: { TRUST_PROXY: '1' } })
  t.teardown(() => service.close())
  const { store } = service
  const far = await store.by(tester).createKey('tenant-1', { name: 'far', scopes: allScopes, allowedCidrs: ['198.51.100.0/24'] })
  const from = (key: string, forwarded?: string) =>
    service.app.inject({
      url: '/skills',
      headers: { authorization: `Bearer ${key}`, ...(forwarded ? { 'x-forwarded-for': forwarded } : {}) }
    })
  const refused = await from(far.key)
  t.match(refused.json(), { status: 403, code: 'address-not-allowed', detail: /127\.0\.0\.1/ })
  t.equal((await from(far.key, '198.51.100.7')).statusCode, 200, 'as the proxy tells it')
  t.equal((await from(far.key, '198.51.100.7, 203.0.113.9')).statusCode, 403, 'what stands before the last proxy is hearsay')
  t.equal((await from(service.tenants[0]!.key, '203.0.113.9')).statusCode, 200, 'a key without networks works from anywhere')
  await store.by(tester).updateTenant('tenant-1', { settings: { allowedCidrs: ['203.0.113.0/24'] } })
  t.equal((await from(service.tenants[0]!.key, '203.0.113.9')).statusCode, 200)
  t.equal((await from(service.tenants[0]!.key, '192.0.2.1')).statusCode, 403, "the tenant's networks hold for every key")
  t.equal((await from(far.key, '198.51.100.7')).statusCode, 403, 'both have to agree')

  const blunt = await startService({ env: { TRUST_PROXY: 'false' } })
  t.teardown(() => blunt.close())
  const { key } = await blunt.store.by(tester).createKey('tenant-1', { name: 'far', scopes: allScopes, allowedCidrs: ['198.51.100.0/24'] })
  t.equal(
    (await blunt.app.inject({ url: '/skills', headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': '198.51.100.7' } })).statusCode,
    403,
    'nobody talks himself into a network'
  )
})

t.test('scopes', async t => {
  for (const { id, scopes, method, traits } of operations) {
    const [first, ...special] = scopes
    t.ok(grants([first!], first!))
    t.ok(
      grants(['*'], first!) && !special.some(scope => grants(['*', '*:read'], scope)),
      `${id}: \`*\` holds ${first}, and nothing that stands apart`
    )
    t.equal(grants(['*:read'], first!), traits.safe === true, `${id} (${method})`)
  }
})

/** An upstream that keeps what it was sent. */
async function listener(t: Test) {
  const seen: { method: string; form: URLSearchParams; headers: Record<string, unknown>; iss: unknown }[] = []
  const { origin } = await startStub(t, ({ form, request, response }) => {
    const token = /^Bearer [^.]+\.([^.]+)/.exec(request.headers.authorization ?? '')?.[1]
    const iss = token && JSON.parse(Buffer.from(token, 'base64url').toString()).iss
    seen.push({ method: form.get('cmd') ?? '', form, headers: request.headers, iss })
    response.setHeader('content-type', 'application/json').end(emptyList)
  })
  return { seen, origin }
}

t.test('child accounts', async t => {
  const { seen, origin } = await listener(t)
  const service = await startService({ origin })
  t.teardown(() => service.close())
  const by = service.store.by(tester)
  const some = await by.createKey('tenant-1', { name: 'some', scopes: allScopes, childAccounts: [700_001, 700_002] })
  const any = await by.createKey('tenant-1', { name: 'any', scopes: allScopes, childAccounts: 'any' })
  const call = (key: string, child?: string, method: 'GET' | 'HEAD' = 'GET') =>
    service.app.inject({
      method,
      url: '/skills',
      headers: { authorization: `Bearer ${key}`, ...(child === undefined ? {} : { 'voxgate-child-account': child }) }
    })
  const issOf = async (key: string, child?: string) => {
    t.equal((await call(key, child)).statusCode, 200)
    return seen.at(-1)!.iss
  }
  t.equal(await issOf(some.key), 500_001, "without the header it is the tenant's own account")
  t.equal(await issOf(some.key, '700001'), 700_001)
  t.equal(await issOf(some.key, '700002'), 700_002)
  t.equal(await issOf(some.key), 500_001, 'and its own again')
  t.equal(await issOf(any.key, '9007199254740991'), 9_007_199_254_740_991)
  const tokens = new Set<unknown>()
  for (let i = 0; i < 5; i++) {
    await call(some.key, '700001')
    tokens.add(seen.at(-1)!.headers.authorization)
  }
  t.equal(tokens.size, 1, 'tokens are kept per account')

  const before = seen.length
  t.match((await call(some.key, '700003')).json(), { status: 403, code: 'child-account-not-allowed' })
  t.match(
    (await call(service.tenants[0]!.key, '700001')).json(),
    { status: 403, code: 'child-account-not-allowed' },
    'a key without the right'
  )
  for (const bad of ['', '0', '-1', '07', '1e3', '0x10', ' ', 'all', '700001,700002', '9007199254740992', '700001;x', '1'.repeat(40), '七'])
    t.match(
      (await call(any.key, bad)).json(),
      { status: 400, code: 'invalid-request', errors: [{ in: 'header', pointer: '/Voxgate-Child-Account' }] },
      JSON.stringify(bad)
    )
  t.equal(seen.length, before, 'none of these reached the upstream')

  const log = await service.store.auditLog({ action: 'call.listSkills', limit: 1000 })
  t.equal(log.items.length, 8, 'every call for a child account is written down, and no other')
  t.match(log.items.at(-1), {
    actor: { kind: 'key', id: some.keyId },
    outcome: 'done',
    detail: { method: 'GetSkills', childAccount: 700_001 }
  })

  await by.putCredential('tenant-1', { kind: 'api-key', accountId: 500_001, apiKey: 'legacy' })
  await call(any.key, '700009')
  t.match(Object.fromEntries(seen.at(-1)!.form), { account_id: '700009', api_key: 'legacy' }, 'with an API key the account is a parameter')
})

t.test("a tenant's own headers", async t => {
  const { seen, origin } = await listener(t)
  const service = await startService({ origin })
  t.teardown(() => service.close())
  const by = service.store.by(tester)
  await service.call('GET', '/skills')
  t.notOk('x-client' in seen.at(-1)!.headers)
  await by.updateTenant('tenant-1', { settings: { defaultHeaders: { 'X-Client': 'acme', 'User-Agent': 'acme/1' } } })
  await service.call('GET', '/skills')
  t.match(seen.at(-1)!.headers, {
    'x-client': 'acme',
    'user-agent': 'acme/1',
    authorization: /^Bearer /,
    'content-type': 'application/x-www-form-urlencoded'
  })
  await by.updateTenant('tenant-1', { settings: {} })
  await service.call('GET', '/skills')
  t.notOk('x-client' in seen.at(-1)!.headers, 'gone when they are removed')
})

const entriesOf = async ({ store }: Service, action?: string) =>
  (await store.auditLog({ ...(action ? { action } : {}), limit: 1000 })).items.filter(entry => entry.action.startsWith('call.'))

onEveryDatabase(t, 'calls that can do harm are written down', async (t, database) => {
  const service = await startService({ demo: true, dialect: database.dialect() })
  t.teardown(() => service.close())
  const { call, store } = service
  const own = { 'x-request-id': 'audit-request-1' }
  await call('GET', '/skills')
  await call('POST', '/skills', { skillName: 'billing' })
  await call('GET', '/account')
  t.same(await entriesOf(service), [], 'reads and mere additions are not')

  const { items } = (await call('GET', '/applications/~support/users')).body as { items: { userId: number; applicationId: number }[] }
  const [one, two, three] = items.map(({ userId }) => userId)
  const users = '/applications/~support/users'
  const cases: [name: string, action: string, request: () => Promise<unknown>, detail: object, outcome?: string][] = [
    [
      'destructive',
      'call.deleteSkill',
      () => call('DELETE', '/skills/~billing', undefined, { headers: own }),
      { method: 'DelSkill', selectors: { skillId: '~billing' } }
    ],
    ['destructive, refused', 'call.deleteSkill', () => call('DELETE', '/skills/999999'), { selectors: { skillId: 999_999 } }, 'not-found'],
    [
      'many',
      'call.deleteUsers',
      () => call('DELETE', `${users}?userId=${one}&userId=${two}`),
      { selectors: { applicationId: '~support', userId: [one, two] } }
    ],
    [
      'all of them',
      'call.deleteUsers',
      () => call('DELETE', `${users}?all=true&expectedCount=1000`),
      { selectors: { all: true, expectedCount: 1000 } },
      'count-differs'
    ],
    [
      'privileged',
      'call.createAdminUser',
      () =>
        call(
          'POST',
          '/admin-users',
          { adminUserName: 'eve', adminUserDisplayName: 'Eve', adminUserPassword: 'Canary-Passw0rd!' },
          { headers: own }
        ),
      { method: 'AddAdminUser' }
    ],
    [
      'destructive by a value',
      'call.updateUser',
      () => call('PATCH', `${users}/${three}`, { userActive: false }),
      { method: 'SetUserInfo', selectors: { applicationId: '~support', userId: three } }
    ],
    [
      'an answer that is a secret',
      'call.getSecret',
      () => call('GET', '/applications/1/secrets/999999'),
      { method: 'GetSecretValue' },
      'not-found'
    ]
  ]
  for (const [name, action, request, detail, outcome = 'done'] of cases) {
    const before = (await entriesOf(service)).length
    await request()
    await settled(service)
    const entries = await entriesOf(service)
    t.equal(entries.length, before + 1, `${name}: one entry`)
    t.match(entries[0], { action, tenantId: 'tenant-1', outcome, actor: { kind: 'key', address: '127.0.0.1' }, detail }, name)
  }
  const again = { 'idempotency-key': 'audited-once' }
  const admin = { adminUserName: 'mallory', adminUserDisplayName: 'M', adminUserPassword: 'Canary-Passw0rd!' }
  const times = (await entriesOf(service)).length
  t.equal((await call('POST', '/admin-users', admin, { headers: again })).status, 201)
  t.equal((await call('POST', '/admin-users', admin, { headers: again })).headers['idempotency-replayed'], 'true')
  await settled(service)
  t.equal((await entriesOf(service)).length, times + 1, 'an answer that is repeated is not a call')
  t.match((await entriesOf(service, 'call.createAdminUser'))[1], { actor: { requestId: 'audit-request-1' } })
  const before = (await entriesOf(service)).length
  await call('PATCH', `${users}/${three}`, { userDisplayName: 'Canary Name' })
  t.equal((await entriesOf(service)).length, before, 'the same call without that value is not')
  t.notMatch(JSON.stringify(await entriesOf(service)), /Canary|eve/i, 'no content is in the log')

  // The log cannot be written: nothing is sent.
  const sent = service.upstreamRequests()
  const { record } = store
  store.record = () => Promise.reject(new Error('the disk is full'))
  const refused = await call('DELETE', '/skills/1')
  t.match(refused, { status: 503, body: { code: 'audit-unavailable', retryable: true } })
  t.ok(refused.headers['retry-after'])
  t.equal(service.upstreamRequests(), sent, 'nothing was sent')
  t.equal((await call('GET', '/skills')).status, 200, 'reads go on')
  store.record = record
})

/** Waits until no entry is open any more. */
async function settled({ store }: Service): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if ((await store.auditLog({ outcome: 'started' })).items.length === 0) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

t.test('who leaves before the answer does not leave the log open', async t => {
  const seen: (() => void)[] = []
  const upstream = createServer((_, response) =>
    seen.push(() => response.setHeader('content-type', 'application/json').end('{"result":1}'))
  )
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void upstream.close())
  const service = await startService({ origin: `http://127.0.0.1:${(upstream.address() as { port: number }).port}` })
  t.teardown(() => service.close())
  const origin = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const request = httpRequest(`${origin}/skills/5`, { method: 'DELETE', headers: { authorization: `Bearer ${service.tenants[0]!.key}` } })
  request.on('error', () => {})
  request.end()
  while (seen.length === 0) await new Promise(resolve => setImmediate(resolve))
  request.destroy()
  t.match((await entriesOf(service))[0], { outcome: 'started' })
  seen[0]!()
  await settled(service)
  t.match((await entriesOf(service))[0], { action: 'call.deleteSkill', outcome: 'done' }, 'what happened is written when it has happened')
})
