import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { StoreDialect } from './changes.ts'
import { postgresDialect } from './postgres.ts'
import { sqliteDialect } from './sqlite.ts'

/** The database that a configuration names: PostgreSQL by its URL, else a SQLite file in the data directory. */
export const dialectOf = ({ url, dataDir }: Config['database']): StoreDialect =>
  url ? postgresDialect(url) : sqliteDialect(join(dataDir, 'voxgate.db'))
