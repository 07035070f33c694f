import { type KeyObject, verify } from 'node:crypto'
import type { UpstreamErrorName } from '../voximplant/error-codes.ts'
import { SandboxError } from './codec.ts'

/** An account of the sandbox, with what authenticates its callers. */
export interface SandboxAccount {
  accountId: number
  /** The account's name, part of the full names of its applications. */
  name?: string
  email?: string
  /** Service-account keys: key id -> public key. */
  keys: Record<string, KeyObject>
  apiKey?: string
  /** Accounts this one may act for with its own keys. */
  children?: readonly number[]
  /** Whether it starts with demonstration data; absent: the sandbox's setting. */
  demo?: boolean
}

const maxLifetime = 3600
/** How far ahead the caller's clock may be, in seconds. */
const tolerance = 30

const fail = (name: UpstreamErrorName, message: string): never => {
  throw new SandboxError(name, undefined, message)
}

const part = (text: string | undefined): Record<string, unknown> => {
  try {
    return JSON.parse(Buffer.from(text ?? '', 'base64url').toString())
  } catch {
    return fail('INVALID_TOKEN_FORMAT', 'The token cannot be read.')
  }
}

/** The account that a JWT authenticates. Throws SandboxError with the upstream's own code: 447 format, 454 lifetime, 455 issued ahead, 456 expired, 100 else. */
export function accountOfToken(token: string, accounts: ReadonlyMap<number, SandboxAccount>, now = Date.now() / 1000): SandboxAccount {
  const [head, body, signature, ...rest] = token.split('.')
  if (!head || !body || !signature || rest.length > 0) return fail('INVALID_TOKEN_FORMAT', 'A token has three parts.')
  const { alg, kid } = part(head)
  const { iss, iat, exp } = part(body)
  // The Java and .NET clients send the account's id as text.
  const accountId = typeof iss === 'string' && /^\d{1,16}$/.test(iss) ? Number(iss) : iss
  if (alg !== 'RS256' || typeof kid !== 'string' || typeof accountId !== 'number')
    return fail('INVALID_TOKEN_FORMAT', 'A token is RS256 with `kid` and the id of an account as `iss`.')
  const account = accounts.get(accountId)
  const parents = [...accounts.values()].filter(other => other.children?.includes(accountId))
  const key = [account, ...parents].map(owner => owner?.keys[kid]).find(candidate => candidate !== undefined)
  if (!account || !key || !verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
    return fail('AUTHORIZATION_FAILED', 'Authorization failed.')
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > maxLifetime)
    return fail('INVALID_TOKEN_TTL', `A token is valid for at most ${maxLifetime} seconds.`)
  if (iat > now + tolerance) fail('TOKEN_ISSUED_IN_FUTURE', 'The token was issued in the future.')
  if (exp <= now) fail('TOKEN_EXPIRED', 'The token has expired.')
  return account
}

/** The account that the legacy parameters name: `account_id`, `account_name` or `account_email`, with `api_key`. Throws SandboxError. */
export function accountOfApiKey(texts: ReadonlyMap<string, string>, accounts: ReadonlyMap<number, SandboxAccount>): SandboxAccount {
  const apiKey = texts.get('api_key')
  const account = [...accounts.values()].find(
    ({ accountId, name, email }) =>
      String(accountId) === texts.get('account_id') ||
      (name !== undefined && name === texts.get('account_name')) ||
      (email !== undefined && email === texts.get('account_email'))
  )
  if (!account || !apiKey || account.apiKey !== apiKey) return fail('AUTHORIZATION_FAILED', 'Authorization failed.')
  return account
}
