import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

/** Responses in memory: large ones that wait for room, and those that callers do not take. */

const user = (i: number) => ({ user_id: i, user_name: `user-${i}`, user_display_name: 'x'.repeat(400), user_active: true })
const rowsOf = (bytes: number) => Array.from({ length: Math.ceil(bytes / 480) }, (_, i) => user(i))
const listOf = (bytes: number) => {
  const result = rowsOf(bytes)
  return JSON.stringify({ result, total_count: result.length, count: result.length })
}
const list5MB = listOf(5_000_000)
const rows5MB = rowsOf(5_000_000).length

/** Asks until it is so; the test fails when it takes too long. */
async function until(t: Test, what: string, is: () => boolean): Promise<void> {
  for (let tries = 0; !is(); tries++) {
    if (tries === 3_000) return void t.fail(what)
    await sleep(10)
  }
  t.pass(what)
}

/** A service on a socket, and an upstream that answers what the test says for the `userName` asked for. */
async function start(
  t: Test,
  env: Record<string, string>,
  answer: (name: string, form: URLSearchParams) => string | undefined,
  tenants = 1
) {
  const stub = await startStub(t, ({ form, response }) => {
    const text = answer(form.get('user_name') ?? '', form)
    if (text === undefined) return
    response.setHeader('content-length', Buffer.byteLength(text))
    response.end(text)
  })
  const service = await startService({ origin: stub.origin, env: { ...noShedding, ...env }, tenants })
  t.teardown(() => service.close())
  const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const get = (path: string, tenant = 0) =>
    fetch(`${address}${path}`, { headers: { authorization: `Bearer ${service.tenants[tenant]!.key}` } })
  /** A connection that has sent requests and reads nothing. */
  const ask = (path: string, times = 1, tenant = 0): Socket => {
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${service.tenants[tenant]!.key}\r\n\r\n`.repeat(times))
    return socket
  }
  return { ...service, get, ask, ...service.app.responses }
}

/** A busy machine sheds load by itself. */
const noShedding = {
  LOAD_SHEDDING_MAX_EVENT_LOOP_DELAY: '0',
  LOAD_SHEDDING_MAX_EVENT_LOOP_UTILIZATION: '0',
  LOAD_SHEDDING_MAX_HEAP_RATIO: '0'
}

const users = (name: string) => `/applications/1/users?userName=${name}`

t.test('a response that its caller does not take ends with its connection, and holds nothing afterwards', async t => {
  const { ask, budget, counts } = await start(t, { RESPONSE_TIMEOUT: '300' }, () => list5MB)
  const socket = ask(users('x'))
  await until(t, 'it is held', () => budget.held > 1_000_000)
  await until(t, 'it is dropped', () => counts.dropped === 1)
  await until(t, 'nothing is held', () => budget.held === 0 && budget.permits === 0)
  socket.resume()
  await once(socket, 'close')
  t.ok(socket.bytesRead < 5_000_000, 'the caller got a part of it')
})

t.test('a caller that takes a response slowly but steadily gets all of it', async t => {
  const { ask, budget, counts } = await start(t, { RESPONSE_TIMEOUT: '2000' }, () => list5MB)
  const socket = ask(users('x'))
  const begun = performance.now()
  let bytes = 0
  let end = ''
  socket.on('data', chunk => {
    bytes += chunk.length
    end = (end + chunk).slice(-100)
    socket.pause()
    setTimeout(() => socket.resume(), 30)
  })
  socket.resume()
  await until(t, 'all of it has come', () => end.endsWith(`"total":${rows5MB}}`))
  t.ok(bytes > 4_900_000)
  t.ok(performance.now() - begun > 2_000, 'in a longer time than it may take nothing')
  t.equal(counts.dropped, 0)
  await until(t, 'nothing is held', () => budget.held === 0)
})

t.test('a caller that takes a little now and then does not hold a response for ever', async t => {
  const { ask, counts } = await start(t, { RESPONSE_TIMEOUT: '400' }, () => list5MB)
  const socket = ask(users('x'))
  const begun = performance.now()
  const timer = setInterval(() => socket.read(1), 50)
  t.teardown(() => clearInterval(timer))
  await until(t, 'it is dropped', () => counts.dropped === 1)
  t.ok(performance.now() - begun > 300)
})

t.test('responses to callers without a key have the deadline too', async t => {
  const { ask, counts, budget } = await start(t, { RESPONSE_TIMEOUT: '300' }, () => undefined)
  // One of them fits into the buffers of the system.
  ask('/openapi.json', 16)
  await until(t, 'they are dropped', () => counts.dropped > 0)
  await until(t, 'nothing is held', () => budget.held === 0)
})

t.test('a tenant that leaves its share untaken is refused until it takes some; another is served', async t => {
  const small = listOf(200_000)
  const env = { TENANT_RESPONSE_MEMORY: '1048576', RESPONSE_TIMEOUT: '60000' }
  const { get, budget, counts, tenants } = await start(t, env, () => small, 2)
  // What callers of the tenant leave untaken, for as long as the test likes.
  const untaken = budget.hold(tenants[0]!.tenantId)
  untaken.hand(1_048_576)
  const refused = await get(users('x'))
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('retry-after'), '60')
  const problem = (await refused.json()) as { code: string; detail: string }
  t.equal(problem.code, 'concurrency-limited')
  t.match(problem.detail, /still to be taken/)
  t.ok(counts.refused >= 1)
  t.equal((await get(users('x'), 1)).status, 200)
  t.equal((await get('/health/ready')).status, 200)
  untaken.set(1_000_000)
  t.equal((await get(users('x'))).status, 200)
})

t.test('while several tenants leave the budget untaken, requests are queued and rejected', async t => {
  const small = listOf(200_000)
  const env = {
    RESPONSE_MEMORY: '2097152',
    TENANT_RESPONSE_MEMORY: '1048576',
    LOAD_SHEDDING_MIN_IN_FLIGHT: '1',
    QUEUE_TIMEOUT: '100',
    RESPONSE_TIMEOUT: '60000'
  }
  const pending: string[] = []
  const { get, budget, app } = await start(t, env, name => (name === 'never' ? void pending.push(name) : small), 3)
  for (const key of ['tenant-1', 'tenant-2']) budget.hold(key).hand(1_048_576)
  t.ok(budget.isFull)
  // One is in flight, which is all that is admitted.
  void get(users('never'), 2).catch(() => {})
  await until(t, 'it is in flight', () => pending.length === 1)
  const shed = await get(users('x'), 2)
  t.equal(shed.status, 503)
  t.equal(((await shed.json()) as { code: string }).code, 'service-unavailable')
  t.ok(app.loadShedder.rejected >= 1)
})

t.test('large responses of a tenant beyond its share wait for each other; another tenant does not', async t => {
  const held: { release(): void }[] = []
  const large = listOf(3_000_000)
  const env = { RESPONSE_MEMORY: '8388608', TENANT_RESPONSE_MEMORY: '4194304' }
  const { get, budget } = await start(t, env, () => large, 2)
  // What another response of the tenant holds, as long as the test likes.
  const blocker = budget.hold('tenant-1')
  blocker.acquire(3_000_000, () => held.push(blocker))
  let ended = false
  const waiting = get(users('x')).then(response => {
    ended = true
    return response.json() as Promise<{ total: number }>
  })
  await until(t, 'it waits', () => budget.waiting === 1)
  t.equal((await get(users('x'), 1)).status, 200)
  t.equal(ended, false)
  blocker.release()
  t.equal((await waiting).total, rowsOf(3_000_000).length)
  await until(t, 'nothing is held', () => budget.held === 0 && budget.permits === 0)
})

t.test('a read whose deadline passes while it waits gets Retry-After, and is no fault of the upstream', async t => {
  const env = { RESPONSE_MEMORY: '1048576', TENANT_RESPONSE_MEMORY: '1048576', UPSTREAM_TIMEOUT: '3000', BREAKER_FAILURE_THRESHOLD: '1' }
  const { get, budget, app } = await start(t, env, name => (name === 'x' ? list5MB : '{"result":[],"count":0,"total_count":0}'))
  const blocker = budget.hold('another')
  blocker.acquire(900_000, () => {})
  const response = await get(users('x'))
  t.equal(response.status, 503)
  t.equal(response.headers.get('retry-after'), '5')
  const { code, detail } = (await response.json()) as { code: string; detail: string }
  t.equal(code, 'service-unavailable')
  t.match(detail, /smaller pages/)
  t.equal(app.upstream.counters.methods.get('GetUsers')!.outcomes.crowded, 1)
  t.equal(budget.waiting, 0)
  t.equal((await get(users('y'))).status, 200, 'no breaker has opened')
  blocker.release()
  t.equal((await get(users('x'))).status, 200)
})

t.test('a long list is the same as a short one, row by row', async t => {
  const { call } = await start(t, {}, name => (name === 'long' ? listOf(600_000) : JSON.stringify({ result: [user(7)], total_count: 9 })))
  const short = await call('GET', users('short'))
  const long = await call('GET', users('long'))
  t.strictSame(long.body.items[7], short.body.items[0])
  t.strictSame(Object.keys(long.body), Object.keys(short.body))
  t.equal(long.body.items.length, long.body.total)
  t.equal(long.headers['content-type'], short.headers['content-type'])
  t.equal(Number(long.headers['content-length']), Buffer.byteLength(long.text))
  const head = await call('HEAD', users('long'))
  t.strictSame([head.status, head.text, head.headers['content-length']], [200, '', long.headers['content-length']])
})

t.test('a long list that is no JSON, or breaks off, is the fault of the upstream', async t => {
  const { call, budget } = await start(t, {}, name =>
    name === 'broken' ? listOf(600_000).replace('"user_id":1000', '"user_id":') : listOf(600_000).slice(0, -100)
  )
  for (const name of ['broken', 'cut']) {
    const { status, body } = await call('GET', users(name))
    t.equal(status, 502)
    t.equal(body.code, 'upstream-answer-invalid')
  }
  t.equal(budget.held, 0)
})

t.test('a caller that disconnects while its large response waits leaves the queue', async t => {
  const { ask, budget } = await start(t, { RESPONSE_MEMORY: '1048576' }, () => list5MB)
  const blocker = budget.hold('another')
  blocker.acquire(900_000, () => {})
  const socket = ask(users('x'))
  await until(t, 'it waits', () => budget.waiting === 1)
  socket.destroy()
  await until(t, 'it does not wait any more', () => budget.waiting === 0)
  blocker.release()
  t.equal(budget.held, 0)
})
