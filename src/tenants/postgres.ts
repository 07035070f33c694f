import { type Dialect, PostgresDialect } from 'kysely'
import pg from 'pg'

// The driver gives 64-bit integers as text; account ids fit in a number.
pg.types.setTypeParser(20, Number)

/** How long a connection may take, and how long a statement, in milliseconds: a database that hangs must not hang the service. */
const connectTimeout = 2_000
const statementTimeout = 5_000

/**
 * Kysely over PostgreSQL.
 * @param url `postgres://user:password@host:port/database`
 * @param onError told of connections that break while they are idle; without a listener that would end the process
 */
export function postgresDialect(url: string, onError: (error: Error) => void = () => {}): Dialect {
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
  return new PostgresDialect({ pool })
}
