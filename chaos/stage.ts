import { type ChildProcess, fork, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Dialect } from 'kysely'
import pg from 'pg'
import { Pool } from 'undici'
import { postgresDialect } from '../src/database/postgres.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import type { TenantSettings } from '../src/tenants/model.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { allScopes, createCredential } from '../test/support.ts'
import type { Score } from './control.ts'
import type { Plan } from './faults.ts'
import type { LoadOrder, LoadResult } from './loader.ts'

/** What the report's series stand on: real processes on loopback, load from this one, and everything gone at the end. */

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

/** Ends what was begun, last first. */
export class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), 'voxgate-chaos-'))
  readonly #endings: (() => unknown)[] = []
  readonly masterKey = randomBytes(32)

  atEnd(ending: () => unknown): void {
    this.#endings.push(ending)
  }

  async close(): Promise<void> {
    for (const ending of this.#endings.reverse()) await ending()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Runs with a stage, and clears it whatever happens. */
export async function onStage<T>(act: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = new Stage()
  try {
    return await act(stage)
  } finally {
    await stage.close()
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Asks until it is so. Throws after `patience` milliseconds. */
export async function until(what: string, is: () => Promise<boolean> | boolean, patience = 60_000, pause = 20): Promise<void> {
  const end = performance.now() + patience
  while (!(await Promise.resolve(is()).catch(() => false))) {
    if (performance.now() > end) throw new Error(`${what} has not come in ${patience} ms`)
    await sleep(pause)
  }
}

// -------------------------------------------------------------------------------------------------------------- the upstream

export interface Upstream {
  pid: number
  origin: string
  set(plan: Plan): Promise<void>
  /** With `content` and `arrivals`. */
  score(): Promise<Required<Score>>
  reset(): Promise<void>
}

export async function startUpstream(stage: Stage): Promise<Upstream> {
  const child = fork(here('./child.ts'))
  stage.atEnd(() => child.kill('SIGKILL'))
  const [{ origin, control }] = (await once(child, 'message')) as [{ origin: string; control: string }]
  const ask = async (path: string, method: string, body?: unknown) => {
    const answer = await fetch(`${control}${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body) })
    if (!answer.ok) throw new Error(await answer.text())
    return answer.json()
  }
  return {
    pid: child.pid!,
    origin,
    set: async plan => void (await ask('', 'PUT', plan)),
    score: async () => (await ask('/effects?all=true', 'GET')) as Required<Score>,
    reset: async () => void (await ask('/reset', 'POST'))
  }
}

// -------------------------------------------------------------------------------------------------------------- the service

export interface StageTenant {
  tenantId: string
  accountId: number
  key: string
}

const firstAccount = 700_001

/** Makes tenants in a new database: SQLite in the stage's folder, or the PostgreSQL one. All share a signing key, which is quicker. */
export async function makeTenants(
  stage: Stage,
  count: number,
  databaseUrl?: string,
  settings: (i: number) => TenantSettings = () => ({})
): Promise<StageTenant[]> {
  const dialect: Dialect = databaseUrl ? postgresDialect(databaseUrl) : sqliteDialect(join(stage.dir, 'voxgate.db'))
  const store = await openStore(dialect, createVault(stage.masterKey))
  const { privateKey } = createCredential(firstAccount)
  const administration = store.by({ kind: 'service', id: 'chaos' })
  const tenants: StageTenant[] = []
  for (let i = 0; i < count; i++) {
    const tenantId = `tenant-${i + 1}`
    const accountId = firstAccount + i
    await administration.createTenant({ tenantId, name: tenantId, accountId, settings: settings(i) })
    await administration.putCredential(tenantId, { kind: 'key', accountId, keyId: 'stage', privateKey })
    tenants.push({ tenantId, accountId, key: (await administration.createKey(tenantId, { name: 'stage', scopes: allScopes })).key })
  }
  await store.close()
  return tenants
}

export interface Replica {
  origin: string
  child: ChildProcess
  /** The end of what it wrote. */
  output(): string
  /** Ends when it has ended: its status or signal. */
  ended: Promise<number | string | null>
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null>
  /** Resident memory, in MB. */
  memory(): number
}

/** V8 as in the image, in a container of 512 MB, of which it takes half for its heap. */
export const container = { NODE_OPTIONS: '--max-semi-space-size=16 --max-old-space-size=256' }

/** Limits that do not get in the way of what a series measures; those that are about limits set their own. */
const roomy: Record<string, string> = {
  ...Object.fromEntries(['KEY', 'TENANT', 'ADDRESS'].flatMap(of => [`${of}_RATE`, `${of}_BURST`]).map(name => [name, '1000000'])),
  TENANT_CONCURRENCY: '1000',
  PROCESS_CONCURRENCY: '10000'
}

/** Starts the service as an operator does, and waits until it is ready. */
export async function startReplica(stage: Stage, upstream: string, env: Record<string, string> = {}, port?: number): Promise<Replica> {
  const own = port ?? (await freePort())
  const child = spawn(process.execPath, [here('../bin/run.js'), 'src/server.ts'], {
    env: {
      PATH: process.env.PATH ?? '',
      LOG_LEVEL: 'error',
      DATA_DIR: stage.dir,
      MASTER_KEY: stage.masterKey.toString('base64'),
      VOXIMPLANT_API: upstream,
      PORT: String(own),
      ...roomy,
      ...env
    }
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output = (output + chunk).slice(-20_000)
    })
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string | null)
  stage.atEnd(() => child.kill('SIGKILL'))
  const origin = `http://127.0.0.1:${own}`
  await until('the service', async () => {
    if (child.exitCode !== null) throw new Error(output)
    return (await fetch(`${origin}/health/ready`)).ok
  }).catch(error => {
    throw new Error(`${error.message}:\n${output}`)
  })
  return {
    origin,
    child,
    output: () => output,
    ended,
    stop(signal) {
      child.kill(signal)
      return ended
    },
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  }
}

// -------------------------------------------------------------------------------------------------------------- load

export interface Shot {
  method?: 'GET' | 'POST'
  path: string
  key: string
  /** A value, or its JSON. */
  body?: unknown
  headers?: Record<string, string>
  /** Whether the body of the response is read without being kept: its text is empty. */
  discards?: boolean
}

export interface Hit {
  /** 0 when no answer came. */
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  /** The problem's code, when it is one. */
  code?: string
  /** Milliseconds. */
  ms: number
  /** Why no answer came. */
  error?: string
}

export interface Gun {
  fire(shot: Shot): Promise<Hit>
  close(): Promise<void>
}

/** A caller with a number of connections to one replica. It does not retry. */
export function aim(origin: string, connections: number): Gun {
  const pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 })
  return {
    async fire({ method = 'GET', path, key, body, headers = {}, discards = false }) {
      const begun = performance.now()
      try {
        const answer = await pool.request({
          method,
          path,
          headers: {
            authorization: `Bearer ${key}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers
          },
          body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
        })
        if (discards) await answer.body.dump({ limit: Number.POSITIVE_INFINITY })
        const text = discards ? '' : await answer.body.text()
        const ms = performance.now() - begun
        const code = answer.statusCode >= 400 ? /"code":"([a-z-]+)"/.exec(text)?.[1] : undefined
        return { status: answer.statusCode, headers: answer.headers, text, code, ms }
      } catch (error) {
        const { code, message } = error as { code?: string; message: string }
        return { status: 0, headers: {}, text: '', ms: performance.now() - begun, error: code ?? message }
      }
    },
    close: () => pool.destroy()
  }
}

/** A load generator in a process of its own, where the caller's own work would be in the way. */
export async function startLoader(stage: Stage): Promise<{ pid: number; run(order: LoadOrder): Promise<LoadResult> }> {
  const child = fork(here('./loader.ts'))
  stage.atEnd(() => child.kill('SIGKILL'))
  return {
    pid: child.pid!,
    async run(order) {
      child.send(order)
      return ((await once(child, 'message')) as [LoadResult])[0]
    }
  }
}

/** Gives a process a processor, where there are two or more and `taskset`. */
export const pin = (pid: number, processor: number): boolean =>
  availableParallelism() > 1 && spawnSync('taskset', ['-acp', String(processor), String(pid)]).status === 0

/** Runs something `count` times in a closed loop, with a number of concurrent runs. */
export async function volley(count: number, atOnce: number, act: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker))
}

/** Runs something `perSecond` times a second for a number of seconds in an open loop; ends when all runs have. */
export async function rain(perSecond: number, seconds: number, act: (i: number) => Promise<unknown>): Promise<void> {
  const begun = performance.now()
  const pending = new Set<Promise<unknown>>()
  for (let i = 0; i < perSecond * seconds; ) {
    const due = Math.min(perSecond * seconds, ((performance.now() - begun) / 1000) * perSecond)
    for (; i < due; i++) {
      const one: Promise<unknown> = act(i).finally(() => pending.delete(one))
      pending.add(one)
    }
    await sleep(5)
  }
  await Promise.all(pending)
}

/** The value below which so large a share lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

// -------------------------------------------------------------------------------------------------------------- other servers

export interface Daemon {
  url: string
  kill(signal: NodeJS.Signals): void
  /** Starts it again where it was. */
  start(): Promise<void>
  /** Has ended. */
  ended(): Promise<void>
}

async function startDaemon(
  stage: Stage,
  url: string,
  command: () => [string, string[]],
  ready: () => Promise<boolean>,
  options: SpawnOptions = {}
): Promise<Daemon> {
  let child: ChildProcess
  const start = async () => {
    const [file, args] = command()
    child = spawn(file, args, { stdio: 'ignore', ...options })
    await until(file, ready)
  }
  stage.atEnd(() => {
    child.kill('SIGCONT')
    child.kill('SIGKILL')
  })
  await start()
  return {
    url,
    start,
    kill: signal => void child.kill(signal),
    async ended() {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  }
}

const has = (file: string) => spawnSync(file, ['--version']).status === 0

/** A Redis of the stage's own; undefined where there is no redis-server. */
export async function startRedis(stage: Stage): Promise<Daemon | undefined> {
  if (!has('redis-server')) return undefined
  const port = await freePort()
  const { Redis } = await import('ioredis')
  return startDaemon(
    stage,
    `redis://127.0.0.1:${port}`,
    () => ['redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', stage.dir]],
    async () => {
      const redis = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null })
      redis.on('error', () => {})
      try {
        await redis.connect()
        return (await redis.ping()) === 'PONG'
      } finally {
        redis.disconnect()
      }
    }
  )
}

const postgresBin = (): string | undefined => {
  const base = '/usr/lib/postgresql'
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map(version => join(base, version, 'bin')).find(bin => existsSync(join(bin, 'initdb')))
}

/** A PostgreSQL of the stage's own; undefined where there is none. It refuses root, and runs as `postgres` then. */
export async function startPostgres(stage: Stage): Promise<Daemon | undefined> {
  const bin = postgresBin()
  if (!bin) return undefined
  const port = await freePort()
  const data = mkdtempSync(join(tmpdir(), 'voxgate-chaos-pg-'))
  stage.atEnd(() => rmSync(data, { recursive: true, force: true }))
  const idOf = (flag: string) => Number(spawnSync('id', [flag, 'postgres']).stdout.toString())
  const as = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}
  if (as.uid !== undefined) chownSync(data, as.uid, as.gid)
  const made = spawnSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], { ...as, cwd: data })
  if (made.status !== 0) throw new Error(made.stderr.toString())
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  return startDaemon(
    stage,
    url,
    () => [join(bin, 'postgres'), ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', data]],
    async () => {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 })
      client.on('error', () => {})
      await client.connect()
      await client.end()
      return true
    },
    { ...as, cwd: data }
  )
}
