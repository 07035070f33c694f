import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createKey } from '../src/tenants/api-keys.ts'
import { allScopes, type Service, type ServiceOptions, startService, tester } from './support.ts'

/** Requests that are refused: each counts against its key or address, and none takes anything from callers whose key works. */

/** The limits that hold where nothing is configured. */
const defaults = Object.fromEntries(
  ['KEY', 'TENANT', 'ADDRESS'].flatMap(name => [
    [`${name}_RATE`, '50'],
    [`${name}_BURST`, '100']
  ])
)

async function start(t: Test, { env, ...options }: ServiceOptions = {}): Promise<Service> {
  const service = await startService({ ...options, env: { ...defaults, TRUST_PROXY: '1', ...env } })
  t.teardown(() => service.close())
  return service
}

interface Sent {
  method?: 'GET' | 'POST' | 'DELETE'
  url: string
  key?: string
  address?: string
  headers?: Record<string, string>
  payload?: string
}

async function send(service: Service, { method = 'GET', url, key, address = '192.0.2.1', headers, payload }: Sent) {
  const response = await service.app.inject({
    method,
    url,
    headers: { 'x-forwarded-for': address, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers },
    ...(payload === undefined ? {} : { payload })
  })
  return {
    status: response.statusCode,
    code: response.headers['content-type']?.includes('json') ? response.json().code : undefined,
    headers: response.headers
  }
}

/** How many of 2,000 equal requests were let past the limits, and how many may have been in the time it took. */
async function flood(service: Service, sent: (i: number) => Sent) {
  const begin = performance.now()
  let passed = 0
  const codes = new Set<unknown>()
  for (let i = 0; i < 2_000; i += 50)
    for (const { status, code } of await Promise.all(Array.from({ length: 50 }, (_, j) => send(service, sent(i + j))))) {
      if (status !== 429) passed++
      codes.add(code)
    }
  return { passed, allowed: 100 + Math.ceil(((performance.now() - begin) / 1000) * 50) + 5, codes }
}

t.test('every kind of rejection counts against the limits', async t => {
  const service = await start(t, {
    env: { METRICS_TOKEN: 'a-token-for-the-scraper', ADMIN_TOKEN: `ops:${randomBytes(32).toString('base64url')}` }
  })
  const by = service.store.by(tester)
  const make = async (options: object) => (await by.createKey('tenant-1', { name: 'refused', scopes: allScopes, ...options })).key
  const revoked = await make({})
  await by.revokeKey(revoked.split('_')[1]!)
  const foreign = await make({ allowedCidrs: ['198.51.100.0/24'] })
  const floods: Record<string, [expected: string, request: Sent]> = {
    'a revoked key': ['key-revoked', { url: '/skills', key: revoked }],
    'an expired key': ['key-expired', { url: '/skills', key: await make({ expiresAt: new Date(Date.now() - 1000).toISOString() }) }],
    'a key from a foreign network': ['address-not-allowed', { url: '/skills', key: foreign }],
    'a child account': ['child-account-not-allowed', { url: '/skills', key: await make({}), headers: { 'voxgate-child-account': '7' } }],
    'a header that is no account': [
      'invalid-request',
      { url: '/skills', key: await make({ childAccounts: 'any' }), headers: { 'voxgate-child-account': 'x' } }
    ],
    'a scope that is missing': ['scope-missing', { url: '/skills', key: await make({ scopes: ['users:read'] }) }],
    'another verb without a key': ['method-not-allowed', { method: 'DELETE', url: '/skills' }],
    'a malformed query': ['malformed-url', { url: '/skills?limit=%zz' }],
    'a malformed path': ['malformed-url', { url: '/skills/%zz' }],
    'a path that is too long': ['uri-too-long', { url: `/skills/${'1'.repeat(700)}` }],
    'an unknown path with a body that is none': [
      'not-found',
      { method: 'POST', url: '/nowhere', headers: { 'content-type': 'application/json' }, payload: '{' }
    ],
    'metrics without their token': ['authentication-required', { url: '/metrics' }],
    'the admin API without a token': ['admin-token-required', { url: '/admin/tenants' }],
    'the admin API under another spelling': ['not-found', { url: '/%61dmin/tenants' }]
  }
  let host = 10
  for (const [name, [expected, request]] of Object.entries(floods)) {
    // An address and a tenant's bucket of its own each.
    const address = `192.0.2.${host++}`
    const { passed, allowed, codes } = await flood(service, () => ({ ...request, address }))
    t.ok(passed > 0 && passed <= allowed, `${name}: ${passed} of 2000 passed, ${allowed} may`)
    t.same([...codes].sort(), [expected, 'rate-limited'].sort(), name)
    await by.updateTenant('tenant-1', { settings: { rateLimit: { perSecond: 50 + host / 1000, burst: 100 } } })
    await by.updateTenant('tenant-1', { settings: {} })
  }
})

t.test('a request of a key that works costs a token of the key, whatever is wrong with it', async t => {
  const never = { KEY_RATE: '0.001', KEY_BURST: '50', ADDRESS_RATE: '0.001', ADDRESS_BURST: '1' }
  const service = await start(t, { env: never })
  const { key } = service.tenants[0]!
  const json = { 'content-type': 'application/json' }
  const left = async (sent: Sent) => {
    const { status, headers } = await send(service, { key, ...sent })
    return [status, String(headers.ratelimit)]
  }
  t.same(await left({ url: '/skills' }), [200, '"key";r=49;t=1000'])
  t.same(await left({ url: '/skills?limit=x' }), [400, '"key";r=48;t=1000'])
  t.same(await left({ url: '/skills', method: 'POST', headers: json, payload: '{' }), [400, '"key";r=47;t=1000'])
  t.same(await left({ url: '/skills', method: 'POST', headers: { 'content-type': 'text/plain' }, payload: '{' }), [
    415,
    '"key";r=46;t=1000'
  ])
  t.same(await left({ url: '/nowhere' }), [404, '"key";r=45;t=1000'])
  t.same(await left({ url: '/skills', method: 'DELETE' }), [405, '"key";r=44;t=1000'])
  t.same(await left({ url: '/skills?limit=%zz' }), [400, '"key";r=43;t=1000'])
  t.same(await left({ url: '/skills/%zz' }), [400, '"key";r=42;t=1000'])
  t.same(await left({ url: '/problems' }), [200, '"key";r=41;t=1000'])
})

t.test('a stolen key used from a foreign network uses up no limit of its owner', async t => {
  const service = await start(t, { env: { KEY_RATE: '0.001', KEY_BURST: '10', TENANT_RATE: '0.001', TENANT_BURST: '10' } })
  const { key } = await service.store
    .by(tester)
    .createKey('tenant-1', { name: 'bound', scopes: allScopes, allowedCidrs: ['198.51.100.0/24'] })
  for (let i = 0; i < 50; i++) await send(service, { url: i % 2 ? '/skills' : '/nowhere', key })
  for (let i = 0; i < 10; i++) t.equal((await send(service, { url: '/skills', key, address: '198.51.100.7' })).status, 200)
})

t.test('a valid key works on its first request, however much junk comes from its address', async t => {
  const service = await start(t, { tenants: 20, env: { ADDRESS_RATE: '0.001' } })
  const statuses: Record<string, number> = {}
  const junk = Array.from({ length: 400 }, (_, i) => send(service, { url: '/skills', key: i % 2 ? createKey().key : 'vg_nonsense' }))
  await Promise.all(junk)
  t.equal((await send(service, { url: '/problems' })).status, 429, 'the address has used up its requests')
  const more = Array.from({ length: 400 }, () => send(service, { url: '/skills', key: createKey().key }))
  const good = service.tenants.map(({ key }) => send(service, { url: '/skills', key }))
  for (const { status } of await Promise.all(good)) statuses[status] = (statuses[status] ?? 0) + 1
  const { 200: served = 0, 503: later = 0, ...others } = statuses
  t.same(others, {}, 'never 401 and never 429')
  t.equal(served + later, 20)
  for (const { status } of await Promise.all(more)) t.ok([401, 429, 503].includes(status))
  for (const { key } of service.tenants) t.equal((await send(service, { url: '/skills', key })).status, 200)
})

t.test('look-ups of one address hold up nobody else’s, and beyond the budget they are 503', async t => {
  const service = await start(t, { env: { QUEUE_TIMEOUT: '60000' } })
  let asked = 0
  const waiting: (() => void)[] = []
  const { key: find } = service.store
  service.store.key = async keyId => {
    asked++
    await new Promise<void>(resolve => waiting.push(resolve))
    return find(keyId)
  }
  const flood = Array.from({ length: 1_000 }, () => send(service, { url: '/skills', key: createKey().key }))
  while (service.app.tenants.lookups.rejected < 890) await new Promise(setImmediate)
  const good = send(service, { url: '/skills', key: service.tenants[0]!.key, address: '198.51.100.1' })
  while (service.app.tenants.lookups.queued < 101) await new Promise(setImmediate)
  t.equal(asked, 6, 'few are in flight')
  for (let turns = 0; turns < 2; turns++) {
    for (const release of waiting.splice(0)) release()
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  t.equal((await good).status, 200, 'has its turn after few of a hundred')
  t.ok(service.app.tenants.lookups.queued > 50)
  service.store.key = find
  for (const release of waiting.splice(0)) release()
  const counts: Record<number, number> = {}
  for (const { status, headers } of await Promise.all(flood)) {
    counts[status] = (counts[status] ?? 0) + 1
    if (status === 503) t.equal(headers['retry-after'], '1')
  }
  t.equal(counts[503], 894)
  t.equal((counts[401] ?? 0) + (counts[429] ?? 0), 106)
})

t.test('a key that is none of ours is looked up once, and displaces none that is', async t => {
  const service = await start(t, { env: { ADDRESS_RATE: '1000000', ADDRESS_BURST: '1000000' } })
  const { key } = service.tenants[0]!
  t.equal((await send(service, { url: '/skills', key })).status, 200)
  let asked = 0
  const { key: find } = service.store
  service.store.key = keyId => {
    asked++
    return find(keyId)
  }
  const junk = createKey().key
  for (let i = 0; i < 100; i++) t.equal((await send(service, { url: '/skills', key: junk })).status, 401)
  t.ok(asked <= 2, `${asked} look-ups`)
  asked = 0
  const wrong = `${key.slice(0, 16)}${createKey().key.slice(16)}`
  for (let i = 0; i < 100; i++) await send(service, { url: '/skills', key: wrong })
  for (let i = 0; i < 100; i++) await send(service, { url: '/skills', key: `${junk.slice(0, -1)}!` })
  t.equal(asked, 0, 'a wrong secret or a wrong check needs no look-up')
})

t.test('probes of readiness cost the database one query a second, and a drain shows immediately', async t => {
  const service = await start(t)
  let asked = 0
  let fails = false
  const { ping } = service.store
  service.store.ping = () => {
    asked++
    return fails ? Promise.reject(new Error('no database')) : ping()
  }
  const ready = () => send(service, { url: '/health/ready' })
  const begin = performance.now()
  for (let i = 0; i < 2_000; i += 100)
    for (const { status } of await Promise.all(Array.from({ length: 100 }, ready))) if (status !== 200) t.fail(`${status}`)
  const seconds = Math.ceil((performance.now() - begin) / 1000)
  t.ok(asked >= 1 && asked <= seconds, `${asked} queries in ${seconds} s`)
  fails = true
  await new Promise(resolve => setTimeout(resolve, 1_100))
  asked = 0
  for (const { status } of await Promise.all(Array.from({ length: 200 }, ready))) t.equal(status, 503)
  t.equal(asked, 1, 'a failure is kept too')
  fails = false
  await new Promise(resolve => setTimeout(resolve, 1_100))
  t.equal((await ready()).status, 200)
  await service.app.drain(0)
  t.match(await ready(), { status: 503 })
})

t.test('a web page of an allowed origin can read that something does not exist', async t => {
  const service = await start(t, { env: { CORS_ORIGINS: 'https://app.example' } })
  const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' }
  t.match(await send(service, { url: '/nowhere', headers }), {
    status: 404,
    headers: { 'access-control-allow-origin': 'https://app.example' }
  })
  const preflight = await service.app.inject({ method: 'OPTIONS', url: '/skills', headers })
  t.match(preflight, { statusCode: 204, headers: { 'access-control-allow-origin': 'https://app.example' } })
})
