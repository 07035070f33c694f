import { readFileSync } from 'node:fs'
import { type Config, ConfigError } from '../config.ts'
import { OperatorError } from '../problems/operator-error.ts'
import { transitKey } from './transit.ts'
import { createVault, type KeyProvider, localKey, readMasterKey, type Vault } from './vault.ts'

/** MASTER_KEY, or the file that holds it; empty when neither is set. Throws when the file cannot be read. */
export const masterKeyText = ({ masterKey, masterKeyFile }: Config['vault']): string =>
  masterKey || (masterKeyFile && readFileSync(masterKeyFile, 'utf8'))

/** Why a master key is no random one; undefined when that is not obvious. Of random keys about one in a billion is refused. */
export function weaknessOfKey(text: string): string | undefined {
  const key = readMasterKey(text)
  const counts = new Map<number, number>()
  const steps = new Map<number, number>()
  const count = (of: Map<number, number>, value: number) => of.set(value, (of.get(value) ?? 0) + 1)
  for (const [i, byte] of key.entries()) {
    count(counts, byte)
    if (i > 0) count(steps, (byte - key[i - 1]! + 256) % 256)
  }
  if (counts.size === 1) return 'consists of one byte again and again'
  if (key.every(byte => (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d)) return 'is readable text'
  if (counts.size <= 16 || Math.max(...counts.values()) >= 8) return 'has too few different bytes'
  if (Math.max(...steps.values()) >= 8) return 'counts up or down'
  // A pass phrase of the right length that happens to be base64.
  const typed = text.trim().replace(/=+$/, '')
  if (!/[A-Z]/.test(typed) || !/[a-z]/.test(typed)) return 'is typed text'
  return undefined
}

/**
 * Refuses a master key without entropy in production; elsewhere says what is wrong with it. Keys before it may be weak: that is how one is left behind.
 * Throws ConfigError.
 */
export function checkMasterKey({ environment }: Config['server'], text: string): string | undefined {
  const weakness = text === '' ? undefined : weaknessOfKey(text)
  if (!weakness) return undefined
  const problem = `MASTER_KEY ${weakness}: make one with \`openssl rand -base64 32\`; where this one has sealed something, keep it in MASTER_KEY_PREVIOUS until \`npx voxgate rotate-master-key\` has run`
  if (environment === 'production') throw new ConfigError([problem])
  return problem
}

/**
 * The vault that a configuration describes. The provider it names wraps; every other key that is given unwraps, so that a rotation can go from
 * any to any.
 * @param masterKey the text of the master key in this process, where there is one
 */
export function vaultOf({ vault, transit }: Pick<Config, 'vault' | 'transit'>, masterKey: string): Vault {
  const before = [
    ...vault.previousKeys.split(','),
    ...(vault.previousKeysFile ? readFileSync(vault.previousKeysFile, 'utf8').split('\n') : [])
  ]
  const previous = before.filter(text => text.trim() !== '').map(text => localKey(readMasterKey(text)))
  const local = masterKey === '' ? [] : [localKey(readMasterKey(masterKey))]
  const remote: KeyProvider[] = transit.address
    ? [
        transitKey({
          ...transit,
          ca: transit.caFile ? readFileSync(transit.caFile, 'utf8') : undefined
        })
      ]
    : []
  const [current, ...others] = vault.provider === 'transit' ? [...remote, ...local] : [...local, ...remote]
  if (!current) throw new OperatorError('the master key is missing')
  return createVault(current, [...others, ...previous])
}
