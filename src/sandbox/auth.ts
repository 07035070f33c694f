import { type KeyObject, verify } from 'node:crypto'
import type { UpstreamErrorName } from '../voximplant/error-codes.ts'
import { Refused } from './codec.ts'

/** An account the sandbox knows, with the means to recognize its callers. */
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
  /** Whether it begins with the demonstration world; the sandbox's setting when absent. */
  demo?: boolean
}

const maxLifetime = 3600
/** How far ahead the caller's clock may be, in seconds. */
const tolerance = 30

const no = (name: UpstreamErrorName, message: string): never => {
  throw new Refused(name, undefined, message)
}

const part = (text: string | undefined): Record<string, unknown> => {
  try {
    return JSON.parse(Buffer.from(text ?? '', 'base64url').toString())
  } catch {
    return no('INVALID_TOKEN_FORMAT', 'The token cannot be read.')
  }
}

/** The account a JWT speaks for. Throws Refused with the upstream's own code: 447 format, 454 lifetime, 455 issued ahead, 456 expired, 100 else. */
export function accountOfToken(token: string, accounts: ReadonlyMap<number, SandboxAccount>, now = Date.now() / 1000): SandboxAccount {
  const [head, body, signature, ...rest] = token.split('.')
  if (!head || !body || !signature || rest.length > 0) no('INVALID_TOKEN_FORMAT', 'A token has three parts.')
  const { alg, kid } = part(head)
  const { iss, iat, exp } = part(body)
  // The Java and .NET clients send the account's id as text.
  const accountId = typeof iss === 'string' && /^\d{1,16}$/.test(iss) ? Number(iss) : iss
  if (alg !== 'RS256' || typeof kid !== 'string' || typeof accountId !== 'number')
    return no('INVALID_TOKEN_FORMAT', 'A token is RS256 with `kid` and the id of an account as `iss`.')
  const account = accounts.get(accountId)
  const parents = [...accounts.values()].filter(other => other.children?.includes(accountId))
  const key = [account, ...parents].map(owner => owner?.keys[kid]).find(candidate => candidate !== undefined)
  if (!account || !key || !verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature!, 'base64url')))
    return no('AUTHORIZATION_FAILED', 'Authorization failed.')
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > maxLifetime)
    return no('INVALID_TOKEN_TTL', `A token lives ${maxLifetime} seconds at most.`)
  if (iat > now + tolerance) no('TOKEN_ISSUED_IN_FUTURE', 'The token was issued in the future.')
  if (exp <= now) no('TOKEN_EXPIRED', 'The token has expired.')
  return account
}

/** The account that the legacy parameters name: `account_id`, `account_name` or `account_email`, with `api_key`. Throws Refused. */
export function accountOfApiKey(texts: ReadonlyMap<string, string>, accounts: ReadonlyMap<number, SandboxAccount>): SandboxAccount {
  const apiKey = texts.get('api_key')
  const found = [...accounts.values()].find(
    account =>
      String(account.accountId) === texts.get('account_id') ||
      (account.name !== undefined && account.name === texts.get('account_name')) ||
      (account.email !== undefined && account.email === texts.get('account_email'))
  )
  if (!found || !apiKey || found.apiKey !== apiKey) return no('AUTHORIZATION_FAILED', 'Authorization failed.')
  return found
}
