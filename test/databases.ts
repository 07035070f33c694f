import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Test } from 'tap'
import type { StoreDialect } from '../src/database/changes.ts'
import { postgresDialect } from '../src/database/postgres.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { freePort, services } from './support.ts'

/** An empty database of a test's own, on any of the kinds that the store runs on. It goes when the test ends. */
export interface TestDatabase {
  kind: 'SQLite' | 'PostgreSQL'
  /** What a process opens it by: a file, or a URL. */
  address: string
  /** The settings that point a service at it. */
  env: Record<string, string>
  dialect(): StoreDialect
  /** Raw SQL, past the store. */
  exec(sql: string): Promise<void>
  /** Everything in it, as text. */
  dump(): Promise<string>
}

export function sqliteDatabase(t: Test): TestDatabase {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'voxgate.db')
  return {
    kind: 'SQLite',
    address: file,
    env: { DATA_DIR: dir },
    dialect: () => sqliteDialect(file),
    async exec(sql) {
      const database = new DatabaseSync(file)
      database.exec(sql)
      database.close()
    },
    async dump() {
      const database = new DatabaseSync(file)
      database.exec('pragma wal_checkpoint(truncate)')
      database.close()
      return readFileSync(file, 'latin1')
    }
  }
}

export const { postgres } = await services()

/** On the PostgreSQL that `postgres.missing` says nothing against. */
export async function postgresDatabase(t: Test): Promise<TestDatabase> {
  const name = `voxgate_test_${randomBytes(6).toString('hex')}`
  const as = async <T>(database: string, act: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: postgres.url(database) })
    await client.connect()
    try {
      return await act(client)
    } finally {
      await client.end()
    }
  }
  await as('postgres', client => client.query(`create database ${name}`))
  t.teardown(() => as('postgres', client => client.query(`drop database ${name} with (force)`)))
  return {
    kind: 'PostgreSQL',
    address: postgres.url(name),
    env: { DATABASE_URL: postgres.url(name) },
    dialect: () => postgresDialect(postgres.url(name)),
    exec: sql => as(name, async client => void (await client.query(sql))),
    dump: () =>
      as(name, async client => {
        const { rows } = await client.query("select table_name from information_schema.tables where table_schema = 'public'")
        const dumped: string[] = []
        for (const { table_name } of rows)
          dumped.push(...(await client.query(`select row_to_json(t)::text as row from "${table_name}" t`)).rows.map(({ row }) => row))
        return dumped.join('\n')
      })
  }
}

const binaries = ['15', '16', '17', '18', '14'].map(version => `/usr/lib/postgresql/${version}/bin`)
const bin = binaries.find(dir => existsSync(join(dir, 'initdb')))
if (!bin && process.env.CI === 'true') throw new Error('there is no PostgreSQL server to start, and CI=true')

/** Why no PostgreSQL can be started, for a test's `skip`. */
export const missingServer = bin ? false : 'there is no PostgreSQL server to start'

/** A PostgreSQL of a test's own, that it may stop, freeze and kill. */
export interface OwnPostgres {
  url: string
  start(): Promise<void>
  /** As an administrator stops it: connections are ended, what was committed stays. */
  stop(): Promise<void>
  /** SIGKILL to all of its processes, as when the machine loses power. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT to all of it: its connections stay open, and say nothing. */
  freeze(): void
  thaw(): void
}

export async function ownPostgres(t: Test): Promise<OwnPostgres> {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-postgres-'))
  const port = await freePort()
  // It refuses to run as root.
  const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  const user = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : {}
  if (user.uid !== undefined) chownSync(dir, user.uid, user.gid)
  const data = join(dir, 'data')
  const made = spawnSync(join(bin!, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync'], {
    ...user,
    encoding: 'utf8',
    cwd: dir
  })
  if (made.status !== 0) throw new Error(made.stderr)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | undefined
  const children = () =>
    spawnSync('ps', ['-o', 'pid=', '--ppid', String(server!.pid)], { encoding: 'utf8' })
      .stdout.split('\n')
      .map(Number)
      .filter(pid => pid > 0)
  const signal = (name: NodeJS.Signals) => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    for (const pid of [server.pid!, ...children()]) {
      try {
        process.kill(pid, name)
      } catch {
        // It ended meanwhile.
      }
    }
  }
  const end = async (how: NodeJS.Signals) => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    if (how === 'SIGKILL') signal(how)
    else server.kill(how)
    await ended
  }
  const postgres: OwnPostgres = {
    url,
    async start() {
      const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${dir}`, '-c', 'max_connections=40']
      server = spawn(join(bin!, 'postgres'), ['-D', data, '-p', String(port), ...settings], { ...user, cwd: dir, stdio: 'ignore' })
      for (;;) {
        const client = new pg.Client({ connectionString: url })
        try {
          await client.connect()
          await client.end()
          return
        } catch (error) {
          if (server.exitCode !== null) throw error
          await new Promise(resolve => setTimeout(resolve, 50))
        }
      }
    },
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT')
  }
  t.teardown(async () => {
    signal('SIGCONT')
    await postgres.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  await postgres.start()
  return postgres
}

/** The same tests on every kind of database. Where PostgreSQL is missing, its half says that it was skipped and why. */
export function onEveryDatabase(t: Test, name: string, check: (t: Test, database: TestDatabase) => Promise<void>): void {
  t.test(`${name}, on SQLite`, async t => check(t, sqliteDatabase(t)))
  t.test(`${name}, on PostgreSQL`, { skip: postgres.missing }, async t => check(t, await postgresDatabase(t)))
}
