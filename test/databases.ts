import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Test } from 'tap'
import { postgresDialect } from '../src/tenants/postgres.ts'
import { sqliteDialect } from '../src/tenants/sqlite.ts'
import type { StoreDialect } from '../src/tenants/store.ts'
import { services } from './support.ts'

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
        const tables = await Promise.all(
          rows.map(({ table_name }) => client.query(`select row_to_json(t)::text as row from "${table_name}" t`))
        )
        return tables.flatMap(table => table.rows.map(({ row }) => row)).join('\n')
      })
  }
}

/** The same tests on every kind of database. Where PostgreSQL is missing, its half says that it was skipped and why. */
export function onEveryDatabase(t: Test, name: string, check: (t: Test, database: TestDatabase) => Promise<void>): void {
  t.test(`${name}, on SQLite`, async t => check(t, sqliteDatabase(t)))
  t.test(`${name}, on PostgreSQL`, { skip: postgres.missing }, async t => check(t, await postgresDatabase(t)))
}
