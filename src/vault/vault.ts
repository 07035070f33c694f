import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'
import { OperatorError } from '../problems/operator-error.ts'
import { Problem } from '../problems/problem.ts'

/**
 * Envelope encryption: a master key wraps one data key per tenant, the data key seals that tenant's secrets. AES-256-GCM throughout; the
 * encryption context names where a text belongs, so that a row copied elsewhere does not open.
 */

const nonceLength = 12
const tagLength = 16
const keyLength = 32

/** A sealed text does not open: wrong key, wrong context, or incomplete. Says nothing more on purpose. */
export class SealError extends Error {
  constructor(message = 'a sealed value does not open') {
    super(message)
    this.name = 'SealError'
  }
}

/** A data key is wrapped by a master key that this process does not know; for example on a replica that was not given the new one. */
export class UnknownMasterKey extends SealError {
  readonly keyId: string
  constructor(keyId: string) {
    super(`a data key is wrapped by the master key ${keyId}, which this process was not given`)
    this.name = 'UnknownMasterKey'
    this.keyId = keyId
  }

  toProblem(): Problem {
    return new Problem('store-unavailable', 'This replica does not know the master key that is in use.', { cause: this })
  }
}

/** Where a sealed text belongs; every part is authenticated. */
export type EncryptionContext = readonly [kind: string, ...parts: (string | number)[]]

/** A context as additional authenticated data. JSON keeps the parts apart: ['a', 'bc'] and ['ab', 'c'] are different contexts. */
export const toAad = (context: EncryptionContext): Buffer => Buffer.from(JSON.stringify(['voxgate', ...context]))

/** Seals a text: `v1.<key id>.<base64url of nonce, ciphertext, tag>`. */
export function seal(key: Buffer, keyId: string, plain: Buffer, context: EncryptionContext): string {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  cipher.setAAD(toAad(context))
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  return `v1.${keyId}.${sealed.toString('base64url')}`
}

const shape = /^v1\.([A-Za-z0-9-]{1,64})\.([A-Za-z0-9_-]+)$/

/** The parts of an envelope. Throws SealError when it is none. */
export function partsOf(envelope: string): { keyId: string; bytes: Buffer } {
  const [, keyId, payload] = shape.exec(envelope) ?? []
  if (keyId === undefined || payload === undefined) throw new SealError()
  const bytes = Buffer.from(payload, 'base64url')
  // Non-canonical base64 would let a changed text open.
  if (bytes.toString('base64url') !== payload) throw new SealError()
  return { keyId, bytes }
}

/** Opens what `seal` made with the same key, under the same id, for the same context. Throws SealError. */
export function open(key: Buffer, keyId: string, envelope: string, context: EncryptionContext): Buffer {
  const { keyId: named, bytes } = partsOf(envelope)
  if (named !== keyId || bytes.length < nonceLength + tagLength) throw new SealError()
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceLength), { authTagLength: tagLength })
    decipher.setAAD(toAad(context))
    decipher.setAuthTag(bytes.subarray(bytes.length - tagLength))
    return Buffer.concat([decipher.update(bytes.subarray(nonceLength, bytes.length - tagLength)), decipher.final()])
  } catch {
    throw new SealError()
  }
}

/** Holds a master key, or knows who does. */
export interface KeyProvider {
  /** What it is, for people. */
  readonly name: string
  /** The id of the master key that wraps now; the same key always has the same. */
  current(): Promise<string>
  /** Whether it unwraps what the master key of this id has wrapped. */
  knows(keyId: string): boolean
  /** An envelope that names the key. */
  wrap(plain: Buffer, context: EncryptionContext): Promise<string>
  /** Throws SealError when the envelope is not of this key and context. */
  unwrap(envelope: string, context: EncryptionContext): Promise<Buffer>
  close(): Promise<void>
}

/** A master key in this process's memory. Throws when it is not 32 bytes. */
export function localKey(masterKey: Buffer): KeyProvider {
  if (masterKey.length !== keyLength) throw new OperatorError(`the master key must have ${keyLength} bytes, not ${masterKey.length}`)
  const id = hash('sha256', Buffer.concat([Buffer.from('voxgate master key id\n'), masterKey]), 'hex').slice(0, 12)
  return {
    name: `master key ${id}`,
    current: async () => id,
    knows: keyId => keyId === id,
    wrap: async (plain, context) => seal(masterKey, id, plain, context),
    unwrap: async (envelope, context) => open(masterKey, id, envelope, context),
    async close() {}
  }
}

/** Wraps and opens data keys: with the current master key, and with those before it as long as a rotation lasts. */
export interface Vault {
  /** The id of the master key that wraps now. */
  current(): Promise<string>
  knows(masterKeyId: string): boolean
  /** A new data key for a tenant, wrapped by the current master key. */
  createDataKey(tenantId: string): Promise<string>
  /** Throws UnknownMasterKey, SealError. */
  openDataKey(tenantId: string, wrapped: string): Promise<Buffer>
  /** The same data key, wrapped by the current master key. Throws as openDataKey does. */
  rewrap(tenantId: string, wrapped: string): Promise<string>
  /** The key check value of the current master key: a text that only this key opens. Stored once, it reveals a wrong key at the next start. */
  createKeyCheck(): Promise<string>
  /** Throws SealError when the key check value was made with another key of the same id. */
  verifyKeyCheck(keyCheck: string): Promise<void>
  close(): Promise<void>
}

const keyCheckText = Buffer.from('voxgate')
const provider = (key: Buffer | KeyProvider): KeyProvider => (Buffer.isBuffer(key) ? localKey(key) : key)

/** A vault over the current master key and, while they still wrap something, those before it. Throws when a key is not 32 bytes. */
export function createVault(currentKey: Buffer | KeyProvider, previousKeys: readonly (Buffer | KeyProvider)[] = []): Vault {
  const current = provider(currentKey)
  const providers = [current, ...previousKeys.map(provider)]
  const unwrap = (envelope: string, context: EncryptionContext): Promise<Buffer> => {
    const { keyId } = partsOf(envelope)
    const holder = providers.find(one => one.knows(keyId))
    if (!holder) throw new UnknownMasterKey(keyId)
    return holder.unwrap(envelope, context)
  }
  const openDataKey = async (tenantId: string, wrapped: string): Promise<Buffer> => {
    const key = await unwrap(wrapped, ['data-key', tenantId])
    if (key.length !== keyLength) throw new SealError()
    return key
  }
  return {
    current: () => current.current(),
    knows: keyId => providers.some(one => one.knows(keyId)),
    createDataKey: tenantId => current.wrap(randomBytes(keyLength), ['data-key', tenantId]),
    openDataKey,
    rewrap: async (tenantId, wrapped) => current.wrap(await openDataKey(tenantId, wrapped), ['data-key', tenantId]),
    createKeyCheck: () => current.wrap(keyCheckText, ['canary']),
    async verifyKeyCheck(keyCheck) {
      const text = await unwrap(keyCheck, ['canary'])
      if (!text.equals(keyCheckText)) throw new SealError()
    },
    async close() {
      await Promise.all(providers.map(one => one.close()))
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
