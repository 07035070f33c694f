import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely'
import { OperatorError } from '../problems/operator-error.ts'
import { Problem } from '../problems/problem.ts'

/** The database did not respond, or not in time. The query may be retried; a change may have been applied. */
export class DatabaseUnavailableError extends OperatorError {
  constructor(cause?: unknown) {
    const { message, code } = (cause ?? {}) as { message?: string; code?: string }
    super(`the database is unavailable${cause === undefined ? '' : `: ${message || code}`}`, { cause })
  }

  toProblem(): Problem {
    return new Problem('store-unavailable', 'The database is unavailable.', { cause: this })
  }
}

interface Guarded extends DatabaseConnection {
  behind: DatabaseConnection
}

const guarded = (behind: DatabaseConnection, convert: (error: unknown) => unknown): Guarded => ({
  behind,
  executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    try {
      return await behind.executeQuery<R>(query)
    } catch (error) {
      throw convert(error)
    }
  },
  streamQuery: () => {
    throw new Error('not needed here')
  }
})

/** The same driver; failures of the database, not of a query, become DatabaseUnavailableError. */
export function guardDriver(driver: Driver, isUnavailable: (error: unknown) => boolean): Driver {
  const convert = (error: unknown) => (isUnavailable(error) ? new DatabaseUnavailableError(error) : error)
  const reach = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act()
    } catch (error) {
      throw convert(error)
    }
  }
  const behind = (connection: DatabaseConnection) => (connection as Guarded).behind
  return {
    init: () => reach(() => driver.init()),
    acquireConnection: async () => guarded(await reach(() => driver.acquireConnection()), convert),
    beginTransaction: (connection, settings: TransactionSettings) => reach(() => driver.beginTransaction(behind(connection), settings)),
    commitTransaction: connection => reach(() => driver.commitTransaction(behind(connection))),
    rollbackTransaction: connection => reach(() => driver.rollbackTransaction(behind(connection))),
    releaseConnection: connection => driver.releaseConnection(behind(connection)),
    destroy: () => driver.destroy()
  }
}
