import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely'

/** The database does not answer, or not in time: what was asked may be asked again. A change may have had its effect. */
export class DatabaseAway extends Error {
  constructor(cause?: unknown) {
    const { message, code } = (cause ?? {}) as { message?: string; code?: string }
    super(`the database does not answer${cause === undefined ? '' : `: ${message || code}`}`, { cause })
    this.name = 'DatabaseAway'
  }
}

interface Guarded extends DatabaseConnection {
  behind: DatabaseConnection
}

const guarded = (behind: DatabaseConnection, tell: (error: unknown) => unknown): Guarded => ({
  behind,
  executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    try {
      return await behind.executeQuery<R>(query)
    } catch (error) {
      throw tell(error)
    }
  },
  streamQuery: () => {
    throw new Error('not needed here')
  }
})

/** The same driver, whose failures are DatabaseAway where the database, and not what it was asked, is the reason. */
export function guardDriver(driver: Driver, isAway: (error: unknown) => boolean): Driver {
  const tell = (error: unknown) => (isAway(error) ? new DatabaseAway(error) : error)
  const reach = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act()
    } catch (error) {
      throw tell(error)
    }
  }
  const behind = (connection: DatabaseConnection) => (connection as Guarded).behind
  return {
    init: () => reach(() => driver.init()),
    acquireConnection: async () => guarded(await reach(() => driver.acquireConnection()), tell),
    beginTransaction: (connection, settings: TransactionSettings) => reach(() => driver.beginTransaction(behind(connection), settings)),
    commitTransaction: connection => reach(() => driver.commitTransaction(behind(connection))),
    rollbackTransaction: connection => reach(() => driver.rollbackTransaction(behind(connection))),
    releaseConnection: connection => driver.releaseConnection(behind(connection)),
    destroy: () => driver.destroy()
  }
}
