import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type Server, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { postgres, postgresDatabase, sqliteDatabase, type TestDatabase } from './databases.ts'
import { emptyList, startStub } from './stub.ts'
import { createCredential, freePort, noLimits, services, startRedis, tester } from './support.ts'

/** How the service ends: real processes under load, in front of an upstream that takes its time. */

const { redis: redisServer } = await services()
const starter = fileURLToPath(new URL('../bin/run.js', import.meta.url))

const listening = async (server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An upstream that answers after 20 to 150 ms, and for `slow` applications after 1.5 s. */
async function slowUpstream(t: Test): Promise<string> {
  const { origin } = await startStub(t, async ({ body, response }) => {
    await sleep(body.includes('slow') ? 1_500 : 20 + Math.random() * 130)
    response.end(emptyList)
  })
  return origin
}

interface World {
  key: string
  env: Record<string, string>
}

/** A database with a tenant, and the settings with which a service finds it. */
async function world(database: TestDatabase, upstream: string): Promise<World> {
  const masterKey = randomBytes(32)
  const store = await openStore(database.dialect(), createVault(masterKey))
  const administration = store.by(tester)
  await administration.createTenant({ tenantId: 'tenant', name: 'tenant', accountId: 1 })
  await administration.putCredential('tenant', createCredential(1))
  const { key } = await administration.createKey('tenant', { name: 'test', scopes: ['*'] })
  await store.close()
  return { key, env: { ...database.env, MASTER_KEY: masterKey.toString('base64'), VOXIMPLANT_API: upstream, ...noLimits } }
}

interface Started {
  child: ChildProcess
  origin: string
  ended: Promise<number | string>
}

async function startProcess(t: Test, env: Record<string, string>, port?: number): Promise<Started> {
  const own = port ?? (await freePort())
  const child = spawn(process.execPath, [starter, 'src/server.ts'], {
    env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'error', PORT: String(own), DOCS: 'false', ...env }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  let output = ''
  child.stderr.on('data', chunk => {
    output += chunk
  })
  const running = (async () => {
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) if (String(chunk).includes('is running')) return
    throw new Error(`it ended: ${output}`)
  })()
  await running
  child.stdout.resume()
  return { child, origin: `http://127.0.0.1:${own}`, ended }
}

interface Answer {
  /** 0 when there was none. */
  status: number
  error?: string
  connection: string | undefined
}

const get = (url: string, { key, agent }: { key?: string; agent?: Agent | false } = {}): Promise<Answer> =>
  new Promise(resolve => {
    const request = send(url, { agent: agent ?? false, headers: key ? { authorization: `Bearer ${key}` } : {} })
    const fail = (error: NodeJS.ErrnoException) => resolve({ status: 0, error: error.code ?? error.message, connection: undefined })
    request.on('error', fail).on('response', (response: IncomingMessage) => {
      response.resume().on('error', fail)
      response.on('end', () => resolve({ status: response.statusCode!, connection: response.headers.connection }))
    })
    request.end()
  })

/** Whether a replica is ready, asked often, as balancers do. */
function watch(origins: () => string[], every: number) {
  const ready = new Set<string>()
  let over = false
  const watching = (async () => {
    while (!over) {
      await Promise.all(
        origins().map(async origin => {
          if ((await get(`${origin}/health/ready`)).status === 200) ready.add(origin)
          else ready.delete(origin)
        })
      )
      await sleep(every)
    }
  })()
  return {
    ready,
    async stop() {
      over = true
      await watching
    }
  }
}

/** Each takes the start of a process; ROUNDS=20 for more, as `npm run chaos:report -- terms` does. */
const rounds = Number(process.env.ROUNDS ?? 3)

t.test(`SIGTERM ${rounds} times under load`, { timeout: 600_000 }, async t => {
  const upstream = await slowUpstream(t)
  const { key, env } = await world(sqliteDatabase(t), upstream)
  const total = { answered: 0, late: 0, refused: 0, lost: 0 }
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { child, origin, ended } = await startProcess(t, { ...env, DRAIN_DELAY: '1000' })
    const agent = new Agent({ keepAlive: true, maxSockets: 24 })
    const watcher = watch(() => [origin], 20)
    while (!watcher.ready.has(origin)) await sleep(5)
    let signalled = 0
    let answered = 0
    const client = async (path: string) => {
      while (watcher.ready.has(origin)) {
        const { status, error } = await get(`${origin}${path}`, { key, agent })
        if (status === 200) {
          answered++
          if (signalled > 0) total.late++
        } else if (error === 'ECONNREFUSED') total.refused++
        else {
          total.lost++
          t.comment(`round ${round}: ${status} ${error}`)
        }
      }
    }
    const clients = [
      ...Array.from({ length: 16 }, () => client('/skills')),
      ...Array.from({ length: 4 }, () => client('/applications?applicationName=slow'))
    ]
    while (answered < 40) await sleep(5)
    signalled = performance.now()
    child.kill('SIGTERM')
    await Promise.all(clients)
    const code = await ended
    took.push(performance.now() - signalled)
    if (code !== 0) t.fail(`round ${round} ended with ${code}`)
    total.answered += answered
    await watcher.stop()
    agent.destroy()
  }
  t.comment(
    `${rounds} times SIGTERM: ${total.answered} answered, ${total.late} of them after the signal, ${total.refused} refused, ${total.lost} lost; it took ${Math.max(...took).toFixed(0)} ms at most`
  )
  t.equal(total.lost, 0, 'nothing that was accepted is lost')
  t.ok(total.late >= rounds, 'and there was something to lose')
})

t.test('between the signal and the end', { timeout: 120_000 }, async t => {
  const upstream = await slowUpstream(t)
  const { key, env } = await world(sqliteDatabase(t), upstream)
  const { child, origin, ended } = await startProcess(t, { ...env, DRAIN_DELAY: '2000' })
  t.same((await get(`${origin}/health/startup`)).status, 200)
  const ready = (await (await fetch(`${origin}/health/ready`)).json()) as { upstream: string }
  t.match(ready, { status: 'ok', store: 'ok', redis: 'off' })
  let found = ready.upstream
  for (const end = performance.now() + 30_000; found === 'unknown' && performance.now() < end; await sleep(20))
    found = ((await (await fetch(`${origin}/health/ready`)).json()) as { upstream: string }).upstream
  t.equal(found, 'ok', 'the upstream is named')
  const agent = new Agent({ keepAlive: true })
  t.match(await get(`${origin}/skills`, { key, agent }), { status: 200, connection: 'keep-alive' })
  const slow = get(`${origin}/applications?applicationName=slow`, { key, agent })
  child.kill('SIGTERM')
  while ((await get(`${origin}/health/ready`)).status === 200) await sleep(5)
  t.equal((await get(`${origin}/health/ready`)).status, 503, 'not ready any more')
  t.equal((await get(`${origin}/health/live`)).status, 200, 'but alive')
  t.match(await get(`${origin}/skills`, { key, agent }), { status: 200, connection: 'close' }, 'and serving, the connection’s last')
  t.match(await slow, { status: 200, connection: 'close' }, 'on connections with a request from before too')
  t.equal(await ended, 0)
  t.match(await get(`${origin}/health/live`), { error: 'ECONNREFUSED' })
})

t.test('a second signal ends it immediately', { timeout: 120_000 }, async t => {
  const silent = createServer(() => {})
  const upstream = await listening(silent)
  t.teardown(() => {
    silent.closeAllConnections()
    silent.close()
  })
  const { key, env } = await world(sqliteDatabase(t), upstream)
  const { child, origin, ended } = await startProcess(t, env)
  const arrived = once(silent, 'request')
  const held = get(`${origin}/skills`, { key })
  await arrived
  child.kill('SIGTERM')
  while ((await get(`${origin}/health/live`)).error !== 'ECONNREFUSED') await sleep(10)
  t.equal(child.exitCode, null, 'it waits for the request')
  const before = performance.now()
  child.kill('SIGTERM')
  t.equal(await ended, 1)
  t.ok(performance.now() - before < 5_000)
  t.equal((await held).status, 0)
})

t.test('a rolling restart of two replicas', { timeout: 600_000, skip: postgres.missing || redisServer.missing }, async t => {
  const upstream = await slowUpstream(t)
  const { key, env } = await world(await postgresDatabase(t), upstream)
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  const settings = { ...env, REDIS_URL: redis.url, DRAIN_DELAY: '1000' }
  const ports = [await freePort(), await freePort()]
  const replicas = await Promise.all(ports.map(port => startProcess(t, settings, port)))

  const origins = replicas.map(({ origin }) => origin)
  const watcher = watch(() => origins, 50)
  while (watcher.ready.size < 2) await sleep(5)
  /** In turn to those that are ready; sent to the next one only when a connection was refused. */
  let turn = 0
  const retried = { count: 0 }
  const proxy = createServer((incoming, outgoing) => {
    const pass = (left: number) => {
      const ready = origins.filter(origin => watcher.ready.has(origin))
      const among = ready.length > 0 ? ready : origins
      const to = among[turn++ % among.length]!
      const onward = send(`${to}${incoming.url}`, { agent: false, headers: { authorization: incoming.headers.authorization } })
      onward.on('response', response => {
        outgoing.writeHead(response.statusCode!)
        response.pipe(outgoing)
      })
      onward.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' && left > 0) {
          retried.count++
          pass(left - 1)
        } else outgoing.destroy()
      })
      onward.end()
    }
    pass(3)
  })
  const front = await listening(proxy)
  t.teardown(() => {
    proxy.closeAllConnections()
    proxy.close()
  })

  let over = false
  const counts = { answered: 0, lost: 0 }
  const client = async () => {
    while (!over) {
      const { status, error } = await get(`${front}/skills`, { key })
      if (status === 200) counts.answered++
      else {
        counts.lost++
        t.comment(`${status} ${error}`)
      }
    }
  }
  const clients = Array.from({ length: 12 }, client)
  for (const [i, port] of ports.entries()) {
    replicas[i]!.child.kill('SIGTERM')
    t.equal(await replicas[i]!.ended, 0)
    replicas[i] = await startProcess(t, settings, port)
    while (!watcher.ready.has(replicas[i]!.origin)) await sleep(10)
    await sleep(200)
  }
  over = true
  await Promise.all(clients)
  await watcher.stop()
  for (const { child, ended } of replicas) {
    child.kill('SIGTERM')
    await ended
  }
  t.comment(
    `a rolling restart of two replicas: ${counts.answered} answered, ${counts.lost} lost, ${retried.count} connections refused and tried elsewhere`
  )
  t.equal(counts.lost, 0)
  t.ok(counts.answered > 50)
})
