import { setTimeout as sleep } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler
} from 'kysely'
import { makePrivate } from './private-files.ts'
import { SqliteThread, type ThreadResult, threadEndedCode } from './sqlite-thread.ts'
import { guardDriver } from './unavailable.ts'

/** How long a write waits for those before it and for the locks of other processes, in milliseconds. */
const lockTimeoutMs = 5_000
/** The same in memory, where there are no other processes. */
const memoryLockTimeoutMs = 60_000
/** The pauses between two tries to get a lock grow from one to the other, in milliseconds. */
const minPauseMs = 1
const maxPauseMs = 50

class ThreadedSqliteAdapter extends SqliteAdapter {
  /** Two processes that start concurrently must not both run the first migration: SQLite's transactions cover its DDL. */
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  /** Else Kysely lets one statement or transaction in at a time, reads included. The driver knows better. */
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

const busyCode = 5
const errorCodeOf = (error: unknown): number => {
  const { code, errcode } = error as { code?: string; errcode?: number }
  return code === 'ERR_SQLITE_ERROR' && errcode !== undefined ? errcode & 0xff : 0
}

/** One writer at a time, in the order they came. */
class WriterQueue {
  readonly #waiting = new Set<() => void>()
  #taken = false

  /** Throws as SQLite does when the turn does not come by `deadline`. */
  async take(deadline: number): Promise<void> {
    if (!this.#taken) {
      this.#taken = true
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.#waiting.delete(resolve)
      reject(Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR', errcode: busyCode }))
    }, deadline - performance.now())
    this.#waiting.add(resolve)
    await promise
    clearTimeout(timer)
  }

  give(): void {
    const [next] = this.#waiting
    if (next) {
      this.#waiting.delete(next)
      next()
    } else this.#taken = false
  }
}

/** Waits for a lock outside the thread, so that it can be given up. */
async function whenUnlocked(thread: SqliteThread, deadline: number, sql: string, parameters?: readonly unknown[]): Promise<ThreadResult> {
  for (let pauseMs = minPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
    try {
      return await thread.run(sql, parameters)
    } catch (error) {
      if (errorCodeOf(error) !== busyCode || performance.now() >= deadline) throw error
    }
    await sleep(pauseMs * (0.5 + Math.random() / 2))
  }
}

/** Reads outside of transactions have a connection of their own, so that nobody's write holds them up. */
class Connection implements DatabaseConnection {
  readonly #writer: SqliteThread
  readonly #reader: SqliteThread
  readonly #queue: WriterQueue
  readonly #timeoutMs: number
  /** The start of the writer's thread that the transaction belongs to; a later one knows nothing of it. */
  #transaction: number | undefined

  constructor(writer: SqliteThread, reader: SqliteThread, queue: WriterQueue) {
    this.#writer = writer
    this.#reader = reader
    this.#queue = queue
    // In memory there is one connection, and nobody else's lock.
    this.#timeoutMs = reader === writer ? memoryLockTimeoutMs : lockTimeoutMs
  }

  async executeQuery<R>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#run(sql, parameters, query.kind === 'SelectQueryNode')
    return rows ? { rows: rows as R[] } : { rows: [], numAffectedRows: BigInt(changes ?? 0) }
  }

  async #run(sql: string, parameters: readonly unknown[], reads: boolean): Promise<ThreadResult> {
    if (this.#transaction !== undefined) return this.#writer.run(sql, parameters, this.#transaction)
    const deadline = performance.now() + this.#timeoutMs
    // In memory there is one connection, which may be in somebody's transaction.
    if (reads && this.#reader !== this.#writer) return whenUnlocked(this.#reader, deadline, sql, parameters)
    await this.#queue.take(deadline)
    try {
      return await whenUnlocked(this.#writer, deadline, sql, parameters)
    } finally {
      this.#queue.give()
    }
  }

  /** Immediate: a deferred transaction that turns out to write loses against another process's. */
  async begin(): Promise<void> {
    const deadline = performance.now() + this.#timeoutMs
    await this.#queue.take(deadline)
    try {
      await whenUnlocked(this.#writer, deadline, 'begin immediate')
      this.#transaction = this.#writer.starts
    } catch (error) {
      this.#queue.give()
      throw error
    }
  }

  async commit(): Promise<void> {
    await this.#writer.run('commit', [], this.#transaction)
  }

  async rollback(): Promise<void> {
    // Together with its thread, a transaction was rolled back.
    if (this.#transaction === this.#writer.starts) await this.#writer.run('rollback', [], this.#transaction)
  }

  release(): void {
    if (this.#transaction !== undefined) this.#queue.give()
    this.#transaction = undefined
  }

  streamQuery(): never {
    throw new Error('not needed here')
  }
}

class SqliteDriver implements Driver {
  readonly #path: string
  readonly #writer: SqliteThread
  readonly #reader: SqliteThread
  readonly #queue = new WriterQueue()

  constructor(path: string) {
    this.#path = path
    this.#writer = new SqliteThread(path)
    this.#reader = path === ':memory:' ? this.#writer : new SqliteThread(path, { readOnly: true })
  }

  async init(): Promise<void> {
    if (this.#path !== ':memory:') for (const suffix of ['', '-wal', '-shm']) makePrivate(this.#path + suffix, { create: suffix === '' })
    // The writer makes the file what it is before anybody reads it.
    await whenUnlocked(this.#writer, performance.now() + lockTimeoutMs, 'select 1')
  }

  async acquireConnection(): Promise<Connection> {
    return new Connection(this.#writer, this.#reader, this.#queue)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as Connection).release()
  }

  beginTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as Connection).begin()
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as Connection).commit()
  }

  rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as Connection).rollback()
  }

  async destroy(): Promise<void> {
    // The last connection to close empties the log into the file.
    if (this.#reader !== this.#writer) await this.#reader.close()
    await this.#writer.close()
  }
}

/** Busy, locked, read-only, failing to read or write, full, or not to be opened. */
const awayCodes = [busyCode, 6, 8, 10, 13, 14]

/** Whether an error of the driver means that the file, and not what was asked of it, is the reason. */
const isAway = (error: unknown): boolean => awayCodes.includes(errorCodeOf(error)) || (error as { code?: string }).code === threadEndedCode

/** Kysely over Node's own SQLite. @param path a file, or `:memory:` */
export const sqliteDialect = (path: string): Dialect => ({
  createAdapter: () => new ThreadedSqliteAdapter(),
  createDriver: () => guardDriver(new SqliteDriver(path), isAway),
  createIntrospector: database => new SqliteIntrospector(database),
  createQueryCompiler: () => new SqliteQueryCompiler()
})
