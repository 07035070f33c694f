import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { StoreDialect } from '../tenants/store.ts'
import { postgresDialect } from './postgres.ts'
import { sqliteDialect } from './sqlite.ts'

/** The database that a configuration names: PostgreSQL by its URL, else a SQLite file in the data directory. */
export const dialectOf = ({ DATABASE_URL, DATA_DIR }: Config): StoreDialect =>
  DATABASE_URL ? postgresDialect(DATABASE_URL) : sqliteDialect(join(DATA_DIR, 'voxgate.db'))
