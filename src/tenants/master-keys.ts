import { readFileSync } from 'node:fs'
import type { Config } from '../config.ts'
import { transitKey } from './transit.ts'
import { createVault, type KeyProvider, localKey, readMasterKey, type Vault } from './vault.ts'

/** MASTER_KEY, or the file that holds it; empty when neither is set. Throws when the file cannot be read. */
export const masterKeyText = ({ MASTER_KEY, MASTER_KEY_FILE }: Config): string =>
  MASTER_KEY || (MASTER_KEY_FILE && readFileSync(MASTER_KEY_FILE, 'utf8'))

/**
 * The vault that a configuration describes. The provider it names wraps; every other key that is given unwraps, so that a rotation can go from
 * any to any.
 * @param masterKey the text of the master key in this process, where there is one
 */
export function vaultOf(config: Config, masterKey: string): Vault {
  const before = [
    ...config.MASTER_KEY_PREVIOUS.split(','),
    ...(config.MASTER_KEY_PREVIOUS_FILE ? readFileSync(config.MASTER_KEY_PREVIOUS_FILE, 'utf8').split('\n') : [])
  ]
  const previous = before.filter(text => text.trim() !== '').map(text => localKey(readMasterKey(text)))
  const local = masterKey === '' ? [] : [localKey(readMasterKey(masterKey))]
  const transit: KeyProvider[] = config.TRANSIT_ADDRESS
    ? [
        transitKey({
          address: config.TRANSIT_ADDRESS,
          mount: config.TRANSIT_MOUNT,
          key: config.TRANSIT_KEY,
          token: config.TRANSIT_TOKEN,
          tokenFile: config.TRANSIT_TOKEN_FILE,
          ca: config.TRANSIT_CA_FILE ? readFileSync(config.TRANSIT_CA_FILE, 'utf8') : undefined
        })
      ]
    : []
  const [current, ...others] = config.MASTER_KEY_PROVIDER === 'transit' ? [...transit, ...local] : [...local, ...transit]
  if (!current) throw new Error('the master key is missing')
  return createVault(current, [...others, ...previous])
}
