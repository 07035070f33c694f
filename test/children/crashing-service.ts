import { flushCompileCache } from 'node:module'
import type { CompiledQuery, DatabaseConnection, Driver } from 'kysely'
import { build } from '../../src/app.ts'
import type { StoreDialect } from '../../src/database/changes.ts'
import { dialectOf } from '../../src/database/database.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'
import { testConfig } from '../support.ts'

/**
 * A service in a process of its own, that prints its address and can be killed: by the test, or by itself where CRASH_AT says,
 * `before insert`, `after sent` and so on: around the statement that makes a record, or that gives it the state.
 */
const [masterKey = '', origin = ''] = process.argv.slice(2)
const [side, step] = (process.env.CRASH_AT ?? '').split(' ')

const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}

const isStep = ({ sql, parameters }: CompiledQuery): boolean =>
  step === 'insert'
    ? sql.startsWith('insert into "idempotency"')
    : sql.startsWith('update "idempotency" set "state"') && parameters[0] === step

/** The same object, with one function in place of its own. */
const withOne = <T extends object>(object: T, name: keyof T, replacement: unknown): T =>
  new Proxy(object, {
    get(target, key) {
      if (key === name) return replacement
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })

const crashing = (dialect: StoreDialect): StoreDialect =>
  withOne(dialect, 'createDriver', (): Driver => {
    const driver = dialect.createDriver()
    return withOne(driver, 'acquireConnection', async (): Promise<DatabaseConnection> => {
      const connection = await driver.acquireConnection()
      return withOne(connection, 'executeQuery', async (query: CompiledQuery) => {
        if (isStep(query) && side === 'before') await die()
        const result = await connection.executeQuery(query)
        if (isStep(query) && side === 'after') await die()
        return result
      })
    })
  })

const config = testConfig(process.env as Record<string, string>)
const dialect = dialectOf(config.database)
const store = await openStore(side ? crashing(dialect) : dialect, createVault(Buffer.from(masterKey, 'base64')))
const app = await build({ config, store, origin })
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
// The next of many starts sooner.
flushCompileCache()
