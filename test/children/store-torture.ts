import { flushCompileCache } from 'node:module'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DatabaseConnection } from 'kysely'
import type { StoreDialect } from '../../src/database/changes.ts'
import { postgresDialect } from '../../src/database/postgres.ts'
import { sqliteDialect } from '../../src/database/sqlite.ts'
import { DatabaseUnavailableError } from '../../src/database/unavailable.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'

/**
 * A process that is to be killed: it writes credentials and rotates the master key on two databases concurrently, and says what was acknowledged.
 * It waits for its orders on standard input, so that its start costs nobody's time; with `at`, it kills itself at a named point.
 */
export interface Orders {
  databases: string[]
  /** Base64; the first one is to become the master key. */
  masterKeys: string[]
  /** PEM. */
  privateKeys: string[]
  tenants: number
  round: number
  /** The statement of the first or second database that it does not survive: before or after it, at its nth time. */
  at?: { database: number; when: 'before' | 'after'; statement: string; nth: number }
}

// Those that are killed would keep nothing for the next.
flushCompileCache()

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`)
const die = () => process.kill(process.pid, 'SIGKILL')

/** Tries again where others keep the database busy. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error
    }
  }
}

/** A dialect whose process dies at a statement. */
function deadly(dialect: StoreDialect, { when, statement, nth }: NonNullable<Orders['at']>): StoreDialect {
  let seen = 0
  const pass = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const here = what.startsWith(statement) && ++seen === nth
    if (here && when === 'before') die()
    const result = await act()
    if (here) die()
    return result
  }
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: database => dialect.createIntrospector(database),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => {
      const driver = dialect.createDriver()
      const behind = new WeakMap<DatabaseConnection, DatabaseConnection>()
      return {
        init: () => driver.init(),
        async acquireConnection() {
          const real = await driver.acquireConnection()
          const mine: DatabaseConnection = {
            executeQuery: query => pass(query.sql, () => real.executeQuery(query)),
            streamQuery: real.streamQuery
          }
          behind.set(mine, real)
          return mine
        },
        beginTransaction: (connection, settings) => pass('begin', () => driver.beginTransaction(behind.get(connection)!, settings)),
        commitTransaction: connection => pass('commit', () => driver.commitTransaction(behind.get(connection)!)),
        rollbackTransaction: connection => driver.rollbackTransaction(behind.get(connection)!),
        releaseConnection: connection => driver.releaseConnection(behind.get(connection)!),
        destroy: () => driver.destroy()
      }
    },
    feed: dialect.feed
  }
}

for await (const line of createInterface(process.stdin)) {
  const { databases, masterKeys, privateKeys, tenants, round, at } = JSON.parse(line) as Orders
  const [current, ...others] = masterKeys.map(text => Buffer.from(text, 'base64'))
  await Promise.all(
    databases.map(async (address, index) => {
      const open = () => {
        const dialect = address.startsWith('postgres:') ? postgresDialect(address) : sqliteDialect(address)
        return openStore(at?.database === index ? deadly(dialect, at) : dialect, createVault(current!, others))
      }
      const store = await patiently(open)
      const administration = store.by({ kind: 'cli', id: `round-${round}` })
      say({ opened: index })
      const write = async () => {
        for (let i = 0; ; i++) {
          // SQLite answers within the turn: the other database, and the parent, get theirs.
          await nextTurn()
          const tenantId = `tenant-${(round * 7 + i) % tenants}`
          const credential = {
            kind: 'key',
            accountId: 1,
            keyId: `${round}-${i}`,
            privateKey: privateKeys[i % privateKeys.length]!
          } as const
          const { version, fingerprint } = await patiently(() => administration.putCredential(tenantId, credential))
          say({ database: index, tenantId, version, fingerprint })
        }
      }
      const rotate = async () => {
        const { rewrapped, left } = await patiently(() => administration.rotateMasterKey({ batch: 2 }))
        say({ database: index, rewrapped, left })
      }
      await Promise.all([write(), rotate()])
    })
  )
}
