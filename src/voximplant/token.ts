import { type KeyObject, sign } from 'node:crypto'

/** A service account's key, ready to sign. */
export interface SigningKey {
  accountId: number
  keyId: string
  privateKey: KeyObject
}

/** The upstream takes at most 3600 s from `iat` to `exp`. */
const lifetime = 1800
/** A token is replaced this many seconds before its end, so that none expires in flight. */
const margin = 300

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * Signs an RS256 token. A signature costs a quarter of a millisecond, hence the cache around this.
 * @param now seconds since the epoch
 */
export function mint({ accountId, keyId, privateKey }: SigningKey, now: number): string {
  const body = `${encode({ alg: 'RS256', typ: 'JWT', kid: keyId })}.${encode({ iss: accountId, iat: now, exp: now + lifetime })}`
  return `${body}.${sign('sha256', Buffer.from(body), privateKey).toString('base64url')}`
}

export interface Tokens {
  /** The `Authorization` header of a credential. */
  (key: SigningKey): string
  /** The upstream has refused the token: the next one is new, and by the upstream's clock (its `Date`), where it tells the time. */
  renew(key: SigningKey, upstreamDate: string | undefined): void
}

/** A clock that is further off than a day is not one to sign by: a token for next year would be good next year. */
const mostSkew = 86_400

/** Seconds by which the upstream's clock is ahead of ours; 0 when it does not tell, or tells nonsense. */
export function skewOf(upstreamDate: string | undefined, now: number): number {
  const theirs = upstreamDate === undefined ? Number.NaN : Date.parse(upstreamDate)
  const skew = Math.round((theirs - now) / 1000)
  return Math.abs(skew) <= mostSkew ? skew : 0
}

/** Tokens by credential: a credential is one object per stored version, so that a new version never meets an old token. */
export function createTokens(clock: () => number = Date.now): Tokens {
  const cache = new WeakMap<SigningKey, { header: string; until: number; skew: number }>()
  const header = (key: SigningKey, skew?: number): string => {
    const cached = cache.get(key)
    // How old a token is, a clock that may be set does not say.
    if (skew === undefined && cached && performance.now() < cached.until) return cached.header
    const corrected = skew ?? cached?.skew ?? 0
    const fresh = `Bearer ${mint(key, Math.floor(clock() / 1000) + corrected)}`
    cache.set(key, { header: fresh, until: performance.now() + (lifetime - margin) * 1000, skew: corrected })
    return fresh
  }
  return Object.assign((key: SigningKey) => header(key), {
    renew(key: SigningKey, upstreamDate: string | undefined) {
      header(key, skewOf(upstreamDate, clock()))
    }
  })
}
