import { PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Change, ChangeFeed, StoreDialect } from './changes.ts'
import { guardDriver } from './unavailable.ts'

// The driver gives 64-bit integers as text; account ids fit in a number.
pg.types.setTypeParser(20, Number)

/** How long a connection may take, and how long a statement, in milliseconds: a database that hangs must not hang the service. */
const connectTimeout = 2_000
const statementTimeout = 5_000

/** The channel on which replicas tell each other what has changed. */
const channel = 'voxgate_changes'
/** The pauses before a lost feed is connected again grow from one to the other, in milliseconds. */
const shortestPause = 100
const longestPause = 2_000
/** How often a silent feed is asked whether it is there, in milliseconds. */
const heartbeat = 10_000

const awayCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT'],
  // Shutting down, crashed, starting, session ended, statement timeout; written to where only reading is possible, after a failover.
  ...['57P01', '57P02', '57P03', '57P05', '57014', '25006']
])

/** Whether an error of the driver means that the server is not there, overloaded or too slow. Classes 08: connection, 53: resources. */
function isAway(error: unknown): boolean {
  const { code, message = '' } = error as { code?: string; message?: string }
  if (code !== undefined && (awayCodes.has(code) || /^(08|53)...$/.test(code))) return true
  return /^(Query read timeout|timeout exceeded when trying to connect|timeout expired|Connection terminated|The server does not support SSL)|not queryable|was closed and is not/.test(
    message
  )
}

class GuardedPostgresDialect extends PostgresDialect {
  override createDriver() {
    return guardDriver(super.createDriver(), isAway)
  }
}

/**
 * Kysely over PostgreSQL.
 * @param url `postgres://user:password@host:port/database`
 * @param onError called when an idle connection breaks; without a listener that would end the process
 */
export function postgresDialect(url: string, onError: (error: Error) => void = () => {}): StoreDialect {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: connectTimeout,
    query_timeout: statementTimeout,
    statement_timeout: statementTimeout,
    application_name: 'voxgate'
  })
  pool.on('error', onError)
  pool.on('connect', client => client.on('error', onError))
  return Object.assign(new GuardedPostgresDialect({ pool }), { feed: changeFeed(url) })
}

const changeOf = (payload: string | undefined): Change => {
  try {
    return JSON.parse(payload ?? '{}')
  } catch {
    return {}
  }
}

/** Changes by LISTEN and NOTIFY, on a connection of their own. */
const changeFeed = (url: string): ChangeFeed => ({
  async notify(transaction, change) {
    await sql`select pg_notify(${channel}, ${JSON.stringify(change)})`.execute(transaction)
  },
  listen(onChange) {
    let closed = false
    let client: pg.Client | undefined
    let pause = shortestPause
    let timer: NodeJS.Timeout | undefined
    let beat: NodeJS.Timeout | undefined

    const connect = async () => {
      const mine = new pg.Client({
        connectionString: url,
        connectionTimeoutMillis: connectTimeout,
        query_timeout: statementTimeout,
        keepAlive: true,
        application_name: 'voxgate changes'
      })
      client = mine
      const lost = () => {
        if (client !== mine) return
        client = undefined
        clearInterval(beat)
        mine.end().catch(() => {})
        if (closed) return
        timer = setTimeout(connect, pause * (0.5 + Math.random() / 2)).unref()
        pause = Math.min(pause * 2, longestPause)
      }
      mine.on('error', lost)
      mine.on('end', lost)
      mine.on('notification', ({ payload }) => onChange(changeOf(payload)))
      try {
        await mine.connect()
        await mine.query(`listen ${channel}`)
        pause = shortestPause
        // Changes before this were not received.
        onChange({})
        beat = setInterval(() => mine.query('select 1').catch(lost), heartbeat).unref()
      } catch {
        lost()
      }
    }
    void connect()
    return {
      async close() {
        closed = true
        clearTimeout(timer)
        clearInterval(beat)
        const last = client
        client = undefined
        // A server that hangs must not hang the shutdown.
        await Promise.race([last?.end().catch(() => {}), new Promise(resolve => setTimeout(resolve, 1_000).unref())])
      }
    }
  }
})
