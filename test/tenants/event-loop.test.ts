import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createIdempotency } from '../../src/idempotency/records.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'
import { sqliteDatabase } from '../databases.ts'
import { startService, tester } from '../support.ts'

t.setTimeout(900_000)

/** SQLite never stops the event loop: 50 ms is the promise. Processor time is counted, which a busy machine does not stretch as it does time. */
const maxPauseMs = 250

/** The processor time that this thread spent between two turns of the event loop at most, in milliseconds, and what `act` came to. */
async function longestPause<T>(act: () => Promise<T>): Promise<{ pauseMs: number; result: T }> {
  const spent = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  let last = spent()
  let pauseMs = 0
  const look = () => {
    const now = spent()
    pauseMs = Math.max(pauseMs, now - last)
    last = now
  }
  const timer = setInterval(look, 5)
  try {
    const result = await act()
    look()
    return { pauseMs, result }
  } finally {
    clearInterval(timer)
  }
}

/** Another process that takes the write lock and keeps it until it is let go. */
async function lockFrom(t: Test, file: string): Promise<{ release(): Promise<void> }> {
  const code = `
    const database = new (require('node:sqlite').DatabaseSync)(process.argv[1], { timeout: 10_000 })
    database.exec('begin immediate')
    console.log('locked')
    process.stdin.once('data', () => { database.exec('rollback'); process.exit() })`
  const child: ChildProcess = spawn(process.execPath, ['-e', code, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  return {
    async release() {
      const ended = once(child, 'exit')
      child.stdin!.write('.')
      await ended
    }
  }
}

t.test('a statement that takes its time does not stop the event loop', async t => {
  const store = await openStore(sqliteDatabase(t).dialect(), createVault(randomBytes(32)))
  t.teardown(() => store.close())
  const slow = sql<{
    n: number
  }>`with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 1500000) select count(*) as n from numbers`
  const before = performance.now()
  const { pauseMs, result } = await longestPause(() => slow.execute(store.database))
  t.equal(result.rows[0]!.n, 1_500_000)
  t.comment(`longest pause ${pauseMs.toFixed(1)} ms of a statement of ${(performance.now() - before).toFixed(0)} ms`)
  t.ok(pauseMs < maxPauseMs, `${pauseMs.toFixed(1)} ms`)
})

t.test('a sweep of 100,000 expired records leaves the event loop to requests', async t => {
  const store = await openStore(sqliteDatabase(t).dialect(), createVault(randomBytes(32)))
  t.teardown(() => store.close())
  await store.by(tester).createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  await sql`with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 100000)
    insert into idempotency (id, slot, tenant_id, key_id, operation, state, owner, fingerprint, sealed, created_at, lease_until, expires_at)
    select 'id' || n, 'slot' || n, 'acme', 'key', 'sendSms', 'done', 'owner', 'f', hex(randomblob(150)),
      '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z', '2020-01-02T00:00:00.000Z' from numbers`.execute(store.database)
  const records = createIdempotency(store, { ttl: 1000, lease: 1000 })
  const { pauseMs, result } = await longestPause(async () => {
    let expired = 0
    for (let passes = 0; expired < 100_000 && passes < 1000; passes++) expired += (await records.sweep()).expired
    return expired
  })
  t.equal(result, 100_000)
  t.comment(`longest pause ${pauseMs.toFixed(1)} ms`)
  t.ok(pauseMs < maxPauseMs, `${pauseMs.toFixed(1)} ms`)
})

const skill = () => ({ skillName: randomUUID() })

t.test('while another process holds the write lock, everything else is served', { timeout: 120_000 }, async t => {
  const database = sqliteDatabase(t)
  const service = await startService({ dialect: database.dialect() })
  t.teardown(() => service.close())
  const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const headers = { authorization: `Bearer ${service.tenants[0]!.key}` }
  t.equal((await fetch(`${address}/applications`, { headers })).status, 200)

  /** Asks every 20 ms until `act` has ended; the slowest response, in milliseconds. */
  const probing = async <T>(path: string, act: () => Promise<T>) => {
    let going = true
    let slowestMs = 0
    const probes: Promise<void>[] = []
    const probe = async () => {
      const before = performance.now()
      const response = await fetch(address + path, { headers })
      await response.text()
      if (response.status !== 200) throw new Error(`${path}: ${response.status}`)
      slowestMs = Math.max(slowestMs, performance.now() - before)
    }
    const asking = (async () => {
      for (; going; await sleep(20)) probes.push(probe())
    })()
    const result = await act()
    going = false
    await asking
    await Promise.all(probes)
    return { result, slowestMs, probes: probes.length }
  }
  const post = async () => {
    const before = performance.now()
    const response = await fetch(`${address}/skills`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      body: JSON.stringify(skill())
    })
    const body = (await response.json()) as { code?: string }
    return { status: response.status, code: body.code, retryAfter: response.headers.get('retry-after'), ms: performance.now() - before }
  }
  const posts = (count: number) => Promise.all(Array.from({ length: count }, post))

  const short = await lockFrom(t, database.address)
  const waiting = posts(10)
  await sleep(1_000)
  await short.release()
  for (const one of await waiting) t.equal(one.status, 201, 'a lock that ends soon is waited for')

  const long = await lockFrom(t, database.address)
  const [alive, served] = await Promise.all([probing('/health/live', () => posts(50)), probing('/applications', () => posts(1))])
  const slowestPost = Math.max(...alive.result.map(({ ms }) => ms))
  t.comment(`50 posts refused within ${slowestPost.toFixed(0)} ms`)
  t.comment(
    `slowest of ${alive.probes} probes ${alive.slowestMs.toFixed(0)} ms, of ${served.probes} reads ${served.slowestMs.toFixed(0)} ms`
  )
  for (const one of [...alive.result, ...served.result]) t.match(one, { status: 503, code: 'store-unavailable', retryAfter: /^\d+$/ })
  // On the event loop, each statement would hold everything up for 5 seconds, one after the other.
  t.ok(slowestPost < 15_000, 'they wait for the lock together')
  t.ok(alive.slowestMs < 4_500, 'every probe is answered meanwhile')
  t.ok(served.slowestMs < 4_500, 'tenants in memory are served meanwhile')
  await long.release()
  t.match(await posts(3), [{ status: 201 }, { status: 201 }, { status: 201 }], 'and the lock gone, it goes on')
})
