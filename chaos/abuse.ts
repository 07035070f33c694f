import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { VictimOrder, VictimResult } from './abuse-victim.ts'
import type { Line, Series } from './series.ts'
import {
  aim,
  container,
  type Gun,
  makeTenants,
  onStage,
  rain,
  type Shot,
  type Stage,
  type StageTenant,
  startReplica,
  volley
} from './stage.ts'

/** What a tenant, or anybody, can do to the others: one abuse after another, beside a tenant that calls steadily. */

const maxMemory = 512
const maxRatio = 1.5
/** Milliseconds: a probe of liveness waits for no longer. */
const maxPause = 250

/** The service's own defaults, where the stage's would be roomier. */
const defaults = {
  ...Object.fromEntries(['KEY', 'TENANT', 'ADDRESS'].flatMap(of => [[`${of}_RATE`, '50'] as const, [`${of}_BURST`, '100'] as const])),
  TENANT_CONCURRENCY: '50',
  PROCESS_CONCURRENCY: '2000'
}

interface Scene {
  stage: Stage
  attacker: StageTenant
  origin: string
  gun: Gun
  /** How long the attack lasts. */
  seconds: number
}

interface Attack {
  title: string
  seconds?: number
  /** Before the service starts: the database is at rest. */
  prepare?(stage: Stage): void
  run(scene: Scene): Promise<string>
}

const users = (directive: string): string => `/applications/1/users?userName=${directive}`

/** Statuses and how many there were of each. */
const tallied = (statuses: readonly number[]): string =>
  Object.entries(Object.groupBy(statuses, status => status))
    .map(([status, all]) => `${status === '0' ? 'no response' : status}: ${all!.length}`)
    .join(', ')

/** Sends the same request at a rate for the time of the attack. */
const steadily =
  (perSecond: number, shotOf: (scene: Scene, i: number) => Shot): Attack['run'] =>
  async scene => {
    const statuses: number[] = []
    await rain(perSecond, scene.seconds, async i => void statuses.push((await scene.gun.fire(shotOf(scene, i))).status))
    return tallied(statuses)
  }

/** Bodies are serialized once: that is not what is measured. */
const post = (path: string, value: unknown): ((scene: Scene, i: number) => Shot) => {
  const body = JSON.stringify(value)
  return ({ attacker: { key } }, i) => ({ method: 'POST', path, key, body, headers: { 'idempotency-key': `abuse-${process.pid}-${i}` } })
}

const raggedRows = Array.from({ length: 9_000 }, (_, i) =>
  Object.fromEntries(Array.from({ length: 8 }, (_, j) => [`c${(i * 8 + j).toString(36)}`, 1]))
)
const unknownFields = (bytes: number) => Object.fromEntries(Array.from({ length: bytes / 10 }, (_, i) => [`f${i.toString(36)}`, 1]))
const callList = { ruleId: 1, priority: 1, maxSimultaneous: 1, numAttempts: 1, name: 'abuse' }
const message = { source: '14155550100', destination: '14155550101', smsBody: 'abuse' }

/** Sends requests whose responses are never read; keeps the connections until the stage ends. */
const unread =
  (count: number, perSecond: number, pathOf: string): Attack['run'] =>
  async ({ stage, origin, attacker: { key } }) => {
    const { port } = new URL(origin)
    const sockets: Socket[] = []
    stage.atEnd(() => sockets.forEach(socket => void socket.destroy()))
    await rain(perSecond, count / perSecond, async () => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      socket.pause()
      socket.write(`GET ${pathOf} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`)
      sockets.push(socket)
    })
    // What they hold while nothing else comes.
    await sleep(5_000)
    return `${sockets.length} unread`
  }

/** Reads 50 large responses concurrently, and keeps nothing of them. */
const readLarge =
  (directive: string): Attack['run'] =>
  async ({ origin, attacker: { key } }) => {
    const statuses: number[] = []
    const gun = aim(origin, 50)
    await volley(50, 50, async () => void statuses.push((await gun.fire({ path: users(directive), key, discards: true })).status))
    await gun.close()
    return tallied(statuses)
  }

/** Requests in a closed loop, over a number of connections. */
const flood =
  (connections: number, shot: (scene: Scene) => Shot): Attack['run'] =>
  async scene => {
    const gun = aim(scene.origin, connections)
    const end = performance.now() + scene.seconds * 1000
    const statuses: number[] = []
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (performance.now() < end) statuses.push((await gun.fire(shot(scene))).status)
      })
    )
    await gun.close()
    return tallied(statuses)
  }

/** As many records as one key makes in 67 minutes at its default rate. */
function fillWithExpired(stage: Stage): void {
  const database = new DatabaseSync(join(stage.dir, 'voxgate.db'))
  const [tenant, key] = ['tenant-1', 'abuse']
  const insert = database.prepare(
    `insert into idempotency (id, slot, tenant_id, key_id, operation, state, owner, fingerprint, sealed, created_at, lease_until, expires_at)
     values (?, ?, ?, ?, 'sendSmsMessage', 'done', 'abuse', 'x', 'x', ?, ?, ?)`
  )
  const past = '2026-01-01T00:00:00.000Z'
  database.exec('begin')
  for (let i = 0; i < 200_000; i++) insert.run(`abuse-${i}`, `abuse-${i}`, tenant, key, past, past, past)
  database.exec('commit')
  database.close()
}

/** Another process that holds SQLite's lock for writing for five seconds. */
const lockHolder = `
  const { DatabaseSync } = require('node:sqlite')
  const database = new DatabaseSync(process.argv[1])
  database.exec('begin immediate')
  setTimeout(() => { database.exec('rollback'); process.exit() }, 5000)`

const attacks: Record<string, Attack> = {
  control: { title: 'nothing but valid requests, 50 a second', run: steadily(50, ({ attacker: { key } }) => ({ path: users('x'), key })) },
  C1: {
    title: '604 KB of rows with columns of their own, twice a second',
    run: steadily(2, post('/call-lists', { ...callList, tasks: raggedRows }))
  },
  H2: {
    title: '60 KB with thousands of violations, 45 a second',
    run: steadily(45, post('/applications/1/smart-queues', unknownFields(60_000)))
  },
  'H2 large': {
    title: '0.9 MB with as many violations, 4 a second',
    run: steadily(4, post('/call-lists', { ...callList, ...unknownFields(900_000) }))
  },
  H3: { title: '400 responses of 5 MB that nobody reads, 20 a second', seconds: 27, run: unread(400, 20, users('bytes-5000000')) },
  'H3 small': {
    title: '400 responses of 200 KB that nobody reads, 20 a second',
    seconds: 27,
    run: unread(400, 20, users('bytes-200000'))
  },
  M6: { title: '50 responses of 31 MB', seconds: 30, run: readLarge('bytes-31000000') },
  'M6 chunked': {
    title: '50 responses of 31 MB whose length the upstream does not say',
    seconds: 30,
    run: readLarge('chunked-31000000')
  },
  M1: {
    title: 'an upstream that quotes 225 KB, 5 a second',
    run: steadily(5, ({ attacker: { key } }, i) => ({ path: users(`message-${i % 2 ? 60_000 : 225_000}`), key }))
  },
  M2: {
    title: '200,000 idempotency records that have expired',
    seconds: 125,
    prepare: fillWithExpired,
    async run({ seconds }) {
      await sleep(seconds * 1000)
      return 'swept once or twice'
    }
  },
  M3: {
    title: "another process holds SQLite's lock for writing for 5 s",
    async run(scene) {
      const holder = spawn(process.execPath, ['-e', lockHolder, join(scene.stage.dir, 'voxgate.db')], { stdio: 'ignore' })
      const released = once(holder, 'exit')
      await sleep(300)
      const outcome = await steadily(2, post('/sms-messages', message))({ ...scene, seconds: 4 })
      await released
      return outcome
    }
  },
  L3: {
    title: 'a name looked for among 200,000 rows, 5 a second',
    run: steadily(5, ({ attacker: { key } }) => ({ path: '/applications/1/users/~rows-200000', key }))
  },
  'M7 ready': { title: 'readiness asked from 300 connections', run: flood(300, () => ({ path: '/health/ready', key: '' })) },
  'M7 live': { title: 'liveness asked from 300 connections, to compare', run: flood(300, () => ({ path: '/health/live', key: '' })) },
  M9: {
    title: 'keys that are none from the same address, 100 a second',
    run: steadily(100, (_, i) => ({ path: users('x'), key: `vg_junk${i}` }))
  }
}

/** Starts a process that prints a line when it is ready, or takes orders immediately. */
function startChild(stage: Stage, file: string) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)))
  stage.atEnd(() => child.kill('SIGKILL'))
  return child
}

const line = (what: string, figure: string, bound = '', kept = true): Line => ({ what, figure, bound, kept })

/** The service, its upstream and the victim are processes of their own; each attack has new ones. */
export const runAttack = (name: string, { title, seconds = 10, prepare, run }: Attack, before: number): Promise<Line[]> =>
  onStage(async stage => {
    const upstream = startChild(stage, './abuse-upstream.ts')
    const [upstreamOrigin] = (await once(upstream, 'message')) as [string]
    const [attacker, victim] = (await makeTenants(stage, 2)) as [StageTenant, StageTenant]
    prepare?.(stage)
    const service = await startReplica(stage, upstreamOrigin, { ...defaults, ...container })
    const gun = aim(service.origin, 100)
    stage.atEnd(() => gun.close())
    const observer = startChild(stage, './abuse-victim.ts')
    const observe = async (seconds: number): Promise<VictimResult> => {
      observer.send({ origin: service.origin, key: victim.key, seconds } satisfies VictimOrder)
      return ((await once(observer, 'message')) as [VictimResult])[0]
    }
    // Code is compiled and connections are opened.
    await observe(3)
    const quiet = await observe(before)
    let memory = 0
    const sampling = setInterval(() => {
      try {
        memory = Math.max(memory, service.memory())
      } catch {
        // It has died; the last line says so.
      }
    }, 25)
    const [outcome, beside] = await Promise.all([run({ stage, attacker, origin: service.origin, gun, seconds }), observe(seconds)])
    clearInterval(sampling)
    const alive = service.child.exitCode === null && service.child.signalCode === null
    const ratio = beside.p99 / quiet.p99
    return [
      line(`${name}: ${title}`, `${outcome}${alive ? '' : '; the service died'}`, 'the service lives', alive),
      line(
        `${name}: longest pause`,
        `${beside.pause.toFixed(0)} ms (${quiet.pause.toFixed(0)} before)`,
        `at most ${maxPause} ms`,
        beside.pause <= maxPause
      ),
      line(`${name}: peak of resident memory`, `${memory.toFixed(0)} MB`, `under ${maxMemory} MB`, memory < maxMemory),
      line(
        `${name}: the other tenant`,
        `p50 ${beside.p50.toFixed(1)} ms, p99 ${beside.p99.toFixed(1)} ms (${quiet.p50.toFixed(1)} and ${quiet.p99.toFixed(1)} before): ${ratio.toFixed(2)}x`,
        `at most ${maxRatio}x`,
        ratio <= maxRatio
      ),
      line(`${name}: its requests that failed`, `${beside.failed} of ${beside.requests}`, 'none', beside.failed === 0)
    ]
  })

/** Every attack, one after another. */
export const abuse: Series = async ({ quick, say }) => {
  const lines: Line[] = []
  for (const [name, attack] of Object.entries(attacks)) {
    say(`${name}: ${attack.title}`)
    if (quick && name === 'M2') continue
    lines.push(...(await runAttack(name, attack, quick ? 3 : 10)))
  }
  return lines
}
export { attacks }
