import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { invalid } from '../problems/invalid-request.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import type { CredentialInput } from './model.ts'

const smallestKey = 2048

/** The JSON of a credentials file. Throws a Problem that shows nothing of it. */
export function parseCredentials(text: string): unknown {
  try {
    // Editors on Windows begin a file with a byte order mark.
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    throw new Problem('malformed-body', 'The credentials are not JSON, or cut short.')
  }
}

/**
 * The credentials in a credentials.json as downloaded, in today's layout or the older one that nests it under `result`, or in
 * `{accountId, apiKey}`; proves that a key signs. Throws a Problem that says what is wrong, without showing any of it.
 */
export function credentialsIn(file: unknown): CredentialInput {
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw wrong([['', 'must be an object: credentials.json as downloaded, or accountId and apiKey']])
  const given = file as Record<string, unknown>
  if ('apiKey' in given) return legacyCredentials(given)
  const nested = typeof given.result === 'object' && given.result !== null
  const { account_id, key_id, private_key } = (nested ? given.result : given) as Record<string, unknown>
  const at = (field: string) => `${nested ? '/result' : ''}/${field}`
  const accountId = accountIdIn(account_id)
  const faults: [string, string][] = []
  if (accountId === undefined) faults.push([at('account_id'), 'is required: the positive number of the account'])
  if (typeof key_id !== 'string' || key_id === '' || key_id.length > 200)
    faults.push([at('key_id'), 'is required: the id of the key, a text'])
  if (typeof private_key !== 'string') faults.push([at('private_key'), 'is required: the key in PEM form, a text'])
  if (faults.length > 0) throw wrong(faults)
  return { kind: 'key', accountId: accountId!, keyId: key_id as string, privateKey: privateKeyIn(private_key as string, at('private_key')) }
}

function legacyCredentials({ accountId: given, apiKey, ...others }: Record<string, unknown>): CredentialInput {
  const accountId = accountIdIn(given)
  const faults: [string, string][] = Object.keys(others).map(name => [`/${name}`, 'is not a field beside apiKey; the other is accountId'])
  if (accountId === undefined) faults.push(['/accountId', 'is required: the positive number of the account'])
  if (typeof apiKey !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(apiKey))
    faults.push(['/apiKey', "is required: the account's API key, a text"])
  if (faults.length > 0) throw wrong(faults)
  return { kind: 'api-key', accountId: accountId!, apiKey: apiKey as string }
}

const wrong = (faults: [pointer: string, detail: string][]) =>
  invalid(faults.map(([pointer, detail]): Violation => ({ in: 'body', pointer, detail })))

// Some files have the id as text.
const accountIdIn = (given: unknown): number | undefined => {
  const accountId = typeof given === 'number' || (typeof given === 'string' && /^\d{1,16}$/.test(given)) ? Number(given) : Number.NaN
  return Number.isSafeInteger(accountId) && accountId > 0 ? accountId : undefined
}

/** A private key as PEM in PKCS #8, once it has proven that it can do what it is for. */
function privateKeyIn(pem: string, pointer: string): string {
  const unusable = (detail: string) =>
    new Problem('private-key-unusable', `The private key ${detail}.`, { errors: [{ in: 'body', pointer, detail }] })
  let key: KeyObject
  try {
    // Environment variables and secret stores often hold a PEM with its line breaks escaped.
    key = createPrivateKey(pem.includes('\n') ? pem : pem.replace(/(?:\\r)?\\n/g, '\n'))
  } catch {
    throw unusable('is not a private key in PEM form without a passphrase, or is cut short')
  }
  if (key.asymmetricKeyType !== 'rsa') throw unusable(`is of type ${key.asymmetricKeyType}; the upstream takes RSA`)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < smallestKey) throw unusable(`has ${bits} bits; it needs ${smallestKey} at least`)
  const probe = Buffer.from('voxgate')
  if (!verify('sha256', probe, createPublicKey(key), sign('sha256', probe, key))) throw unusable('does not sign')
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
