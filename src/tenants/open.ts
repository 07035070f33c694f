import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { dialectOf } from '../database/database.ts'
import { readOrCreatePrivate } from '../database/private-files.ts'
import { OperatorError } from '../problems/operator-error.ts'
import { checkMasterKey, masterKeyText, vaultOf } from '../vault/master-keys.ts'
import { openStore, type Store } from './store.ts'

export interface OpenOptions {
  /** Prints a line for the operator. */
  print(line: string): void
  /** Creates a master key in the data directory where none is configured. */
  createsKey?: boolean
}

/** Opens the store that a configuration describes, for the server and for the command line. Throws OperatorError. */
export async function openStoreOf(config: Config, { print, createsKey = false }: OpenOptions): Promise<Store> {
  const { dataDir } = config.database
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const generates = config.vault.provider === 'local' && config.server.environment !== 'production'
  let masterKey = masterKeyText(config.vault)
  if (masterKey === '' && generates) {
    const file = join(dataDir, 'master.key')
    if (!createsKey && !existsSync(file))
      throw new OperatorError(`the master key is missing: set MASTER_KEY, or DATA_DIR to the directory of ${file}`)
    const { text, created } = readOrCreatePrivate(file, () => `${randomBytes(32).toString('base64')}\n`)
    masterKey = text
    if (created) print(`A development master key was created: ${file}. In production set MASTER_KEY or MASTER_KEY_FILE.`)
  }
  const weakness = checkMasterKey(config.server, masterKey)
  if (weakness) print(`Warning: ${weakness}.`)
  return openStore(dialectOf(config.database), vaultOf(config, masterKey))
}
