import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'

/**
 * Envelope encryption: the master key wraps one data key per tenant, the data key seals that tenant's secrets. AES-256-GCM throughout; the
 * associated data names the place a text belongs to, so that a row copied elsewhere does not open.
 */

const nonceLength = 12
const tagLength = 16
const keyLength = 32

/** A sealed text does not open: wrong key, wrong place, or not whole. Says nothing more on purpose. */
export class SealError extends Error {
  constructor(message = 'a sealed value does not open') {
    super(message)
    this.name = 'SealError'
  }
}

/** Where a sealed text belongs; every part is authenticated. */
export type Place = readonly [kind: string, ...parts: (string | number)[]]

// JSON keeps the parts apart: ['a', 'bc'] and ['ab', 'c'] are different places.
const associated = (place: Place): Buffer => Buffer.from(JSON.stringify(['voxgate', ...place]))

/** Seals a text: `v1.<key id>.<base64url of nonce, ciphertext, tag>`. */
export function seal(key: Buffer, keyId: string, plain: Buffer, place: Place): string {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  cipher.setAAD(associated(place))
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  return `v1.${keyId}.${sealed.toString('base64url')}`
}

/** Opens what `seal` made for the same place. Throws SealError. */
export function open(key: Buffer, envelope: string, place: Place): Buffer {
  const [version, , payload, ...rest] = envelope.split('.')
  if (version !== 'v1' || payload === undefined || rest.length > 0 || !/^[A-Za-z0-9_-]+$/.test(payload)) throw new SealError()
  const bytes = Buffer.from(payload, 'base64url')
  // Non-canonical base64 would let a changed text open.
  if (bytes.length < nonceLength + tagLength || bytes.toString('base64url') !== payload) throw new SealError()
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceLength), { authTagLength: tagLength })
    decipher.setAAD(associated(place))
    decipher.setAuthTag(bytes.subarray(bytes.length - tagLength))
    return Buffer.concat([decipher.update(bytes.subarray(nonceLength, bytes.length - tagLength)), decipher.final()])
  } catch {
    throw new SealError()
  }
}

/** The id of the key an envelope was sealed with. */
export const keyIdOf = (envelope: string): string => envelope.split('.')[1] ?? ''

/** Wraps and opens data keys with the master key. */
export interface Vault {
  /** Names the master key without telling it. */
  readonly masterKeyId: string
  /** A new data key for a tenant, wrapped. */
  createDataKey(tenantId: string): string
  openDataKey(tenantId: string, wrapped: string): Buffer
  /** A text that only this master key opens: stored once, it tells a wrong key at the next start. */
  createCanary(): string
  /** Throws SealError when the canary was made with another master key. */
  checkCanary(canary: string): void
}

const canaryText = Buffer.from('voxgate')

/** A vault over one master key. Throws when it is not 32 bytes. */
export function createVault(masterKey: Buffer): Vault {
  if (masterKey.length !== keyLength) throw new Error(`the master key must have ${keyLength} bytes, not ${masterKey.length}`)
  const masterKeyId = hash('sha256', Buffer.concat([Buffer.from('voxgate master key id\n'), masterKey]), 'hex').slice(0, 12)
  return {
    masterKeyId,
    createDataKey: tenantId => seal(masterKey, masterKeyId, randomBytes(keyLength), ['data-key', tenantId]),
    openDataKey: (tenantId, wrapped) => open(masterKey, wrapped, ['data-key', tenantId]),
    createCanary: () => seal(masterKey, masterKeyId, canaryText, ['canary']),
    checkCanary(canary) {
      open(masterKey, canary, ['canary'])
    }
  }
}

/** Reads a master key: 32 bytes in base64 or base64url. Throws, without showing it, when it is anything else. */
export function readMasterKey(text: string): Buffer {
  const trimmed = text.trim()
  const bytes = Buffer.from(trimmed, 'base64')
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed) || bytes.length !== keyLength)
    throw new Error(`the master key must be ${keyLength} bytes in base64 (\`openssl rand -base64 32\`)`)
  return bytes
}
