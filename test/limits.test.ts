import { once } from 'node:events'
import { request as httpRequest, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { build } from '../src/app.ts'
import type { Store } from '../src/tenants/store.ts'
import { emptyList, startStub } from './stub.ts'
import { type Service, type ServiceOptions, services, startRedis, startService, testConfig, tester } from './support.ts'

/** Rate limits, of one process and shared through a Redis of the test's own; limits of concurrent calls. */

const { redis: redisServer } = await services()

/** So slow that no token comes back during a test. */
const never = '0.001'

async function start(t: Test, env: Record<string, string>, options: Omit<ServiceOptions, 'env'> = {}): Promise<Service> {
  const service = await startService({ ...options, env })
  t.teardown(() => service.close())
  return service
}

const statuses = (answers: { status: number }[]): Record<number, number> => {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

const many = (count: number, call: (i: number) => Promise<{ status: number }>) =>
  Promise.all(Array.from({ length: count }, (_, i) => call(i)))

t.test('a key', async t => {
  const service = await start(t, { KEY_RATE: '2', KEY_BURST: '5', TENANT_RATE: '50', TENANT_BURST: '100' }, { tenants: 2 })
  const first = await service.call('GET', '/skills')
  t.equal(first.status, 200)
  t.equal(first.headers['ratelimit-policy'], '"key";q=5;w=3, "tenant";q=100;w=2')
  t.equal(first.headers.ratelimit, '"key";r=4;t=1')
  const answers = await many(20, () => service.call('GET', '/skills'))
  t.ok(statuses(answers)[200]! >= 4 && statuses(answers)[200]! <= 8, JSON.stringify(statuses(answers)))
  const refused = await service.call('GET', '/skills')
  t.match(refused, {
    status: 429,
    body: { code: 'rate-limited', origin: 'caller', retryable: true },
    headers: { ratelimit: '"key";r=0;t=1' }
  })
  const wait = Number(refused.headers['retry-after'])
  t.ok(wait >= 1 && wait <= 2, `Retry-After ${wait}`)
  t.equal((await service.call('GET', '/skills', undefined, { tenant: 1 })).status, 200, 'another key goes on')
  await sleep(wait * 1000)
  t.equal((await service.call('GET', '/skills')).status, 200, 'and so does this one after Retry-After')
})

t.test('a tenant, its keys together', async t => {
  const service = await start(t, { KEY_BURST: '20', TENANT_BURST: '10', KEY_RATE: never, TENANT_RATE: never })
  const [{ tenantId, key }] = service.tenants as [Service['tenants'][number]]
  const second = await anotherKey(service, tenantId)
  const answers = await many(20, i =>
    service.call('GET', '/skills', undefined, { headers: { authorization: `Bearer ${i % 2 ? key : second}` } })
  )
  t.same(statuses(answers), { 200: 10, 429: 10 })
  t.same(service.app.limits.limiter.rejected, { key: 0, tenant: 10, address: 0 })
  const refused = await service.call('GET', '/skills')
  t.match(refused.headers.ratelimit, /^"tenant";r=0;/)
})

t.test('what is refused by one bucket is not taken from the other', async t => {
  const service = await start(t, { KEY_BURST: '2', TENANT_BURST: '3', KEY_RATE: never, TENANT_RATE: never })
  const second = await anotherKey(service, 'tenant-1')
  t.same(statuses(await many(10, () => service.call('GET', '/skills'))), { 200: 2, 429: 8 })
  const answers = await many(2, () => service.call('GET', '/skills', undefined, { headers: { authorization: `Bearer ${second}` } }))
  t.same(statuses(answers), { 200: 1, 429: 1 })
})

t.test('a tenant’s own settings, changed while it calls', async t => {
  const service = await start(t, { KEY_BURST: '2', TENANT_BURST: '2', KEY_RATE: never, TENANT_RATE: never }, { tenants: 2 })
  t.same(statuses(await many(5, () => service.call('GET', '/skills'))), { 200: 2, 429: 3 })
  const settings = { rateLimit: { perSecond: 1000, burst: 40 }, concurrency: 7 }
  await service.store.by(tester).updateTenant('tenant-1', { settings })
  await sleep(100)
  const raised = await service.call('GET', '/skills')
  t.equal(raised.status, 200)
  t.equal(raised.headers['ratelimit-policy'], '"key";q=40;w=1, "tenant";q=40;w=1')
  await sleep(50)
  t.same(statuses(await many(40, () => service.call('GET', '/skills'))), { 200: 40 }, 'a burst, for one key too')
  t.equal(service.app.upstream.bulkhead.partition('tenant-1').limit, 7)
  await service.store.by(tester).updateTenant('tenant-1', { settings: { rateLimit: { perSecond: 0.001, burst: 3 } } })
  const lowered = await many(10, () => service.call('GET', '/skills'))
  t.ok((statuses(lowered)[200] ?? 0) <= 3, JSON.stringify(statuses(lowered)))
  t.same(statuses(await many(5, () => service.call('GET', '/skills', undefined, { tenant: 1 }))), { 200: 2, 429: 3 }, 'nobody else’s')
})

t.test('requests without a key are limited by address', async t => {
  const service = await start(t, { ADDRESS_RATE: never, ADDRESS_BURST: '10' }, { tenants: 2 })
  const { port } = new URL(await service.app.listen({ host: '127.0.0.1', port: 0 }))
  const get = (localAddress: string, path: string, key?: string) =>
    new Promise<{ status: number; code: string | undefined }>((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port,
        path,
        localAddress,
        agent: false,
        headers: key ? { authorization: `Bearer ${key}` } : {}
      })
      request.on('error', reject).on('response', async response => {
        let body = ''
        for await (const chunk of response) body += chunk
        resolve({ status: response.statusCode!, code: body.startsWith('{') ? JSON.parse(body).code : undefined })
      })
      request.end()
    })
  const flood = await many(100, i => get('127.0.0.1', '/skills', i % 2 ? 'vg_nonsense' : undefined))
  t.same(statuses(flood), { 401: 10, 429: 90 })
  t.match(await get('127.0.0.1', '/problems'), { status: 429 }, 'pages too')
  t.match(await get('127.0.0.1', '/nowhere'), { status: 429, code: 'rate-limited' }, 'and addresses that do not exist')
  t.match(await get('127.0.0.1', '/health/live'), { status: 200 }, 'but no probe')
  t.match(await get('127.0.0.2', '/skills'), { status: 401 }, 'another address is not touched')
  t.match(await get('127.0.0.2', '/problems'), { status: 200 })
  t.match(await get('127.0.0.2', '/skills', service.tenants[0]!.key), { status: 200 })
  t.match(await get('127.0.0.1', '/skills', service.tenants[0]!.key), { status: 200 }, 'nor is a key that works, from the same address')
  t.match(await get('127.0.0.1', '/skills', service.tenants[1]!.key), { status: 200 }, 'nor one that is looked up only now')
})

t.test('without Redis each of several replicas holds its part', async t => {
  const service = await start(t, { KEY_BURST: '12', KEY_RATE: never, REPLICAS: '3' })
  t.same(statuses(await many(20, () => service.call('GET', '/skills'))), { 200: 4, 429: 16 })
})

/** An upstream that keeps every call until it is let go. */
async function holdingUpstream(t: Test) {
  const held: { cmd: string; response: ServerResponse }[] = []
  let most = 0
  const { server, origin } = await startStub(t, ({ form, response }) => {
    held.push({ cmd: form.get('cmd') ?? '', response })
    most = Math.max(most, held.length)
    server.emit('held')
  })
  return {
    origin,
    held,
    most: () => most,
    async holds(count: number) {
      while (held.length < count) await once(server, 'held')
    },
    letGo: () => held.shift()!.response.end(emptyList)
  }
}

t.test('concurrent calls have a limit', async t => {
  const upstream = await holdingUpstream(t)
  const service = await start(
    t,
    { TENANT_CONCURRENCY: '3', PROCESS_CONCURRENCY: '5', QUEUE_LENGTH: '2', QUEUE_TIMEOUT: '60000' },
    { origin: upstream.origin, tenants: 2 }
  )
  const call = (tenant: number) => service.call('GET', '/skills', undefined, { tenant })
  const first = Array.from({ length: 6 }, () => call(0))
  const over = await Promise.race(first)
  t.match(over, { status: 429, body: { code: 'concurrency-limited' }, headers: { 'retry-after': '60' } }, 'a sixth has no place to wait')
  await upstream.holds(3)
  const second = Array.from({ length: 4 }, () => call(1))
  await upstream.holds(5)
  t.equal(service.app.upstream.bulkhead.active, 5)
  t.equal(service.app.upstream.bulkhead.queued, 4, 'two of each tenant wait')
  t.match(await call(1), { status: 503, body: { code: 'service-unavailable' } }, 'the process is full, not the tenant')
  while (upstream.held.length > 0) {
    upstream.letGo()
    if (service.app.upstream.bulkhead.queued > 0) await upstream.holds(5)
  }
  t.same(statuses(await Promise.all(first)), { 200: 5, 429: 1 })
  t.same(statuses(await Promise.all(second)), { 200: 4 })
  t.equal(upstream.most(), 5)
  t.equal(service.app.upstream.bulkhead.active + service.app.upstream.bulkhead.queued, 0)
})

t.test('a place has to become free in time', async t => {
  const upstream = await holdingUpstream(t)
  const service = await start(t, { TENANT_CONCURRENCY: '1', QUEUE_TIMEOUT: '100' }, { origin: upstream.origin })
  const first = service.call('GET', '/skills')
  await upstream.holds(1)
  t.match(await service.call('GET', '/skills'), { status: 429, body: { code: 'concurrency-limited' } })
  upstream.letGo()
  t.equal((await first).status, 200)
  const next = service.call('GET', '/skills')
  await upstream.holds(1)
  upstream.letGo()
  t.equal((await next).status, 200, 'a caller that disconnected takes no slot')
})

t.test('a change whose caller leaves while it waits for a place is not sent', async t => {
  const upstream = await holdingUpstream(t)
  const service = await start(t, { TENANT_CONCURRENCY: '1', QUEUE_TIMEOUT: '60000' }, { origin: upstream.origin })
  await service.app.listen({ host: '127.0.0.1', port: 0 })
  const first = service.call('GET', '/skills')
  await upstream.holds(1)
  const caller = new AbortController()
  const change = fetch(`http://127.0.0.1:${(service.app.server.address() as AddressInfo).port}/skills`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.tenants[0]!.key}`, 'content-type': 'application/json', 'idempotency-key': 'left-early' },
    body: '{"skillName":"billing"}',
    signal: caller.signal
  }).catch(error => error.name)
  while (service.app.upstream.bulkhead.queued < 1) await sleep(1)
  caller.abort()
  t.equal(await change, 'AbortError')
  // Until the service has seen its connection close.
  await sleep(200)
  upstream.letGo()
  t.equal((await first).status, 200)
  while (service.app.upstream.bulkhead.active > 0) await sleep(1)
  const { headers, body, status } = await Promise.race([
    service.call('POST', '/skills', { skillName: 'billing' }, { headers: { 'idempotency-key': 'left-early' } }),
    (async () => {
      await upstream.holds(1)
      t.equal(upstream.held[0]!.cmd, 'AddSkill')
      upstream.held.shift()!.response.end('{"result":1,"skill_id":7}')
      return new Promise<never>(() => {})
    })()
  ])
  t.match({ headers, body, status }, { status: 201, body: { skillId: 7 } }, 'its key is free')
  t.equal(headers['idempotency-replayed'], undefined)
  t.equal(service.app.upstream.counters.methods.get('AddSkill')?.outcomes.ok, 1, 'sent once')
})

t.test('tenants that wait have their turns', async t => {
  const upstream = await holdingUpstream(t)
  const service = await start(
    t,
    { PROCESS_CONCURRENCY: '1', QUEUE_LENGTH: '100', QUEUE_TIMEOUT: '60000' },
    { origin: upstream.origin, tenants: 2 }
  )
  const order: number[] = []
  const call = (tenant: number) => service.call('GET', '/skills', undefined, { tenant }).then(() => order.push(tenant))
  const calls = [call(0)]
  await upstream.holds(1)
  for (let i = 0; i < 20; i++) calls.push(call(0))
  while (service.app.upstream.bulkhead.queued < 20) await sleep(1)
  for (let i = 0; i < 3; i++) calls.push(call(1))
  while (service.app.upstream.bulkhead.queued < 23) await sleep(1)
  for (let i = 0; i < calls.length; i++) {
    await upstream.holds(1)
    upstream.letGo()
  }
  await Promise.all(calls)
  t.ok(order.lastIndexOf(1) <= 8, `3 calls behind 20 of another tenant: ${order.join('')}`)
})

t.test('conferences have a limit of their own', async t => {
  const upstream = await holdingUpstream(t)
  const service = await start(t, { TENANT_CONCURRENCY: '2', SESSION_CONCURRENCY: '3', QUEUE_LENGTH: '0' }, { origin: upstream.origin })
  const conference = () => service.call('POST', '/conferences', { conferenceName: 'standup', ruleId: 1 })
  const running = Array.from({ length: 3 }, conference)
  await upstream.holds(3)
  t.match(await conference(), { status: 429, body: { code: 'concurrency-limited' } })
  const other = service.call('GET', '/skills')
  await upstream.holds(4)
  t.same(upstream.held.map(({ cmd }) => cmd).sort(), ['GetSkills', 'StartConference', 'StartConference', 'StartConference'])
  while (upstream.held.length > 0) upstream.letGo()
  t.equal((await other).status, 200)
  await Promise.all(running)
})

t.test('a process under pressure rejects what exceeds its capacity, and nothing else', async t => {
  const upstream = await holdingUpstream(t)
  // The heap is always fuller than this; what is kept of it is a tenth.
  const service = await start(
    t,
    { LOAD_SHEDDING_MAX_HEAP_RATIO: '0.0001', LOAD_SHEDDING_MIN_IN_FLIGHT: '20', QUEUE_TIMEOUT: '200' },
    { origin: upstream.origin }
  )
  while (service.app.memoryUsage().heapUsed === 0) await sleep(10)
  const first = service.call('GET', '/skills')
  const second = service.call('GET', '/skills')
  await upstream.holds(2)
  const rejected = await service.call('GET', '/skills')
  t.match(rejected, {
    status: 503,
    body: { code: 'service-unavailable', origin: 'voxgate', retryable: true },
    headers: { 'retry-after': '1' }
  })
  t.ok(rejected.headers['x-request-id'])
  t.equal(service.app.loadShedder.rejected, 1)
  for (const probe of ['live', 'ready', 'startup']) t.equal((await service.call('GET', `/health/${probe}`)).status, 200, probe)
  upstream.letGo()
  upstream.letGo()
  t.equal((await first).status, 200)
  t.equal((await second).status, 200)
  const idle = service.call('GET', '/skills')
  await upstream.holds(1)
  upstream.letGo()
  t.equal((await idle).status, 200, 'an idle one rejects nobody')
})

/** A further key of a tenant. */
async function anotherKey({ store }: Service, tenantId: string): Promise<string> {
  return (await store.by(tester).createKey(tenantId, { name: 'another', scopes: ['*'] })).key
}

/** Two replicas of one service on real sockets, with one Redis. */
async function replicas(t: Test, env: Record<string, string>, redisSettings: string[] = []) {
  const redis = await startRedis(...redisSettings)
  const settings = { REDIS_URL: redis.url, ...env }
  const service = await startService({ env: settings })
  // The first one closes the store.
  const store: Store = Object.create(service.store, { close: { value: async () => {} } })
  const second = await build({ config: testConfig(settings), store, origin: await originOf(service) })
  await second.ready()
  t.teardown(async () => {
    redis.thaw()
    await second.close()
    await service.close()
    await redis.kill()
  })
  const apps = [service.app, second]
  const turned = async (state: 'ok' | 'unavailable') => {
    const before = performance.now()
    while (apps.some(app => app.limits.redis !== state)) await sleep(2)
    return performance.now() - before
  }
  await turned('ok')
  while (apps.some(app => app.limits.limiter.replicas < 2)) await sleep(10)
  const authorization = `Bearer ${service.tenants[0]!.key}`
  const call = async (replica: number) => {
    const before = performance.now()
    const { statusCode } = await apps[replica]!.inject({ url: '/skills', headers: { authorization } })
    return { status: statusCode, ms: performance.now() - before }
  }
  /** Calls both for a time, eight concurrently each: how many were admitted, and how long the slowest took. */
  const load = async (ms: number) => {
    const end = performance.now() + ms
    const answers: { status: number; ms: number }[] = []
    const one = async (replica: number) => {
      while (performance.now() < end) {
        answers.push(await call(replica))
        await sleep(2)
      }
    }
    await Promise.all(Array.from({ length: 16 }, (_, i) => one(i % 2)))
    return {
      admitted: answers.filter(({ status }) => status === 200).length,
      refused: answers.filter(({ status }) => status === 429).length,
      other: answers.filter(({ status }) => status !== 200 && status !== 429).length,
      slowest: Math.max(...answers.map(answer => answer.ms))
    }
  }
  return { redis, apps, turned, call, load }
}

const originOf = async ({ sandbox }: Service): Promise<string> => {
  const { port } = sandbox.server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

/** What a bucket admits during a time, in milliseconds. */
const allowance = (rate: number, burst: number, ms: number) => burst + (rate * ms) / 1000

t.test('two replicas share one limit', { skip: redisServer.missing }, async t => {
  const { load, call } = await replicas(t, { KEY_RATE: '20', KEY_BURST: '40' })
  const before = performance.now()
  const { admitted, refused, other } = await load(3_000)
  const expected = allowance(20, 40, performance.now() - before)
  t.comment(`${admitted} admitted by two replicas, ${expected.toFixed(0)} allowed, ${refused} refused`)
  t.equal(other, 0)
  t.ok(admitted <= expected + 10, 'no more than one alone')
  t.ok(admitted >= expected * 0.7, 'and hardly less')
  const rest = await many(20, i => call(i % 2))
  t.ok(
    rest.some(({ status }) => status === 429),
    'and it is empty for both'
  )
})

for (const [what, go, comeBack] of [
  ['killed and started again', 'kill', 'start'],
  ['frozen and thawed', 'freeze', 'thaw']
] as const)
  t.test(`Redis is ${what} under load`, { skip: redisServer.missing }, async t => {
    const { redis, load, turned } = await replicas(t, { KEY_RATE: '20', KEY_BURST: '40' })
    await load(2_000)
    const begun = performance.now()
    const rejected = load(2_000)
    await redis[go]()
    const noticed = await turned('unavailable')
    const during = await rejected
    const seconds = (performance.now() - begun) / 1000
    t.equal(during.other, 0)
    t.ok(during.admitted <= 2 * allowance(20, 40, seconds * 1000), 'at most twice the limit')
    t.ok(during.admitted >= 20 * seconds * 0.5, 'the parts are used')
    t.ok(during.refused > 0, 'never unlimited')
    const back = load(3_000)
    const since = performance.now()
    await redis[comeBack]()
    await turned('ok')
    const recovered = performance.now() - since
    const after = await back
    t.comment(
      `noticed after ${noticed.toFixed(0)} ms; ${during.admitted} admitted in ${seconds.toFixed(1)} s without Redis (limit: 20/s), the slowest answer took ${during.slowest.toFixed(0)} ms; back ${recovered.toFixed(0)} ms after the command, ${after.admitted} admitted in the 3 s after`
    )
    t.ok(recovered < 3_000, 'back soon')
    t.ok(after.admitted <= 2 * allowance(20, 40, 3_000))
    t.equal(after.other, 0)
    t.ok(during.slowest < 2_000, 'nothing hung')
  })

t.test('Redis is full', { skip: redisServer.missing }, async t => {
  const { redis, load, turned } = await replicas(t, { KEY_RATE: '20', KEY_BURST: '40' }, ['--maxmemory-policy', 'noeviction'])
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  await load(1_000)
  const rejected = load(2_000)
  await admin.config('SET', 'maxmemory', '1')
  const noticed = await turned('unavailable')
  const during = await rejected
  t.equal(during.other, 0)
  t.ok(during.refused > 0)
  t.ok(during.admitted <= 2 * allowance(20, 40, 2_000))
  await admin.config('SET', 'maxmemory', '0')
  const recovered = await turned('ok')
  t.comment(`noticed after ${noticed.toFixed(0)} ms, ${during.admitted} admitted in 2 s, back after ${recovered.toFixed(0)} ms`)
  t.ok(recovered < 3_000)
})

t.test('Redis gives signs of life, and fails every lease', { skip: redisServer.missing }, async t => {
  const { redis, apps, load, turned } = await replicas(t, { KEY_RATE: '20', KEY_BURST: '40' })
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  await load(500)
  const turns = () => apps.map(app => app.limits.redisStateChanges)
  // What somebody else keeps under the names of the buckets.
  for (const name of await admin.keys('voxgate:rate:*')) await admin.multi().del(name).lpush(name, 'not ours').exec()
  const before = turns()
  const during = await load(4_000)
  const most = Math.max(...turns().map((now, i) => now - before[i]!))
  t.equal(during.other, 0)
  t.ok(most <= 12, `${most} turns in four seconds: it is trusted again later each time`)
  t.ok(during.admitted >= 20 * 4 * 0.5, `${during.admitted} admitted: the parts are used`)
  t.ok(during.admitted <= 2 * allowance(20, 40, 4_000))
  for (const name of await admin.keys('voxgate:rate:*')) await admin.del(name)
  await turned('ok')
  await load(500)
  t.same(
    apps.map(app => app.limits.redis),
    ['ok', 'ok']
  )
})

t.test('Redis is not there at the start', { skip: redisServer.missing }, async t => {
  const service = await start(t, { REDIS_URL: 'redis://127.0.0.1:1', KEY_BURST: '10', KEY_RATE: never, REPLICAS: '2' })
  const before = performance.now()
  t.same(statuses(await many(20, () => service.call('GET', '/skills'))), { 200: 5, 429: 15 })
  t.ok(performance.now() - before < 3_000)
  t.equal(service.app.limits.redis, 'unavailable')
})

t.test('something else answers in the place of Redis', async t => {
  for (const [what, reply] of [
    ['text', '$3\r\nabc\r\n'],
    ['nothing', '*0\r\n'],
    ['nil', '$-1\r\n'],
    ['more than was asked for', '*3\r\n:1000000\r\n:1000000\r\n:0\r\n'],
    ['a number for everything', ':1\r\n']
  ] as const) {
    const sockets = new Set<Socket>()
    const server = createTcpServer(socket => {
      sockets.add(socket)
      // One reply for each command, which is an array; signs of life are answered as they should be, but for `text`.
      socket
        .on('error', () => {})
        .on('data', data => {
          for (const command of String(data).split(/(?=^\*\d+\r\n\$\d+\r\n[a-z]+\r\n)/im))
            socket.write(command.includes('voxgate:replicas') && what !== 'text' ? ':1\r\n' : reply)
        })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const service = await startService({
      env: {
        REDIS_URL: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
        KEY_BURST: '10',
        KEY_RATE: never,
        TENANT_RATE: never
      }
    })
    const first = performance.now()
    while (what !== 'text' && service.app.limits.redis !== 'ok' && performance.now() - first < 5_000) await sleep(5)
    const found = statuses(await many(60, () => service.call('GET', '/skills')))
    t.ok((found[200] ?? 0) <= 20, `${what}: ${JSON.stringify(found)}`)
    t.equal((found[200] ?? 0) + (found[429] ?? 0), 60, 'never unlimited, nor anything but a limit')
    t.equal(service.app.limits.limiter.replicas, 1)
    await service.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})
