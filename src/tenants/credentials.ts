import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'

/** A credentials file is not one; the message says what is wrong with it, without showing any of it. */
export class CredentialsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CredentialsError'
  }
}

/** A service account as its credentials.json has it. */
export interface ServiceAccount {
  kind: 'key'
  accountId: number
  keyId: string
  /** PEM, PKCS #8. */
  privateKey: string
}

const smallestKey = 2048

/**
 * Reads a credentials.json as downloaded, in today's layout or the older one that nests it under `result`, and proves that its key signs.
 * Throws CredentialsError.
 */
export function readCredentials(text: string): ServiceAccount {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    throw new CredentialsError('the credentials are not JSON, or cut short')
  }
  const layout = file as { result?: Record<string, unknown> } & Record<string, unknown>
  const {
    account_id: accountId,
    key_id: keyId,
    private_key: pem
  } = layout?.result && typeof layout.result === 'object' ? layout.result : (layout ?? {})
  const account = Number(accountId)
  if (!Number.isSafeInteger(account) || account < 1) throw new CredentialsError('the credentials lack account_id, a positive number')
  if (typeof keyId !== 'string' || keyId === '') throw new CredentialsError('the credentials lack key_id, a text')
  if (typeof pem !== 'string') throw new CredentialsError('the credentials lack private_key, a text')
  let key: ReturnType<typeof createPrivateKey>
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new CredentialsError('private_key is not a private key in PEM form')
  }
  if (key.asymmetricKeyType !== 'rsa') throw new CredentialsError(`private_key is of type ${key.asymmetricKeyType}; the upstream takes RSA`)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < smallestKey) throw new CredentialsError(`private_key has ${bits} bits; it needs ${smallestKey} at least`)
  const probe = Buffer.from('voxgate')
  if (!verify('sha256', probe, createPublicKey(key), sign('sha256', probe, key))) throw new CredentialsError('private_key does not sign')
  return { kind: 'key', accountId: account, keyId, privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
