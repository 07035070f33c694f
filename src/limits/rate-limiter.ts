import { LRUCache } from 'lru-cache'
import { RateLimitBucket, type SharedBuckets } from './rate-limit-bucket.ts'
import type { Rate } from './token-bucket.ts'

export type RateLimitScope = 'key' | 'tenant' | 'address'

/** What requests are counted against: buckets in the order of the headers, each of which has to have a token. */
export interface RateLimitSubject {
  readonly id: string
  readonly buckets: readonly { readonly scope: RateLimitScope; readonly bucket: RateLimitBucket }[]
  /** The rate that was set for the tenant, if any. */
  readonly ownRate: Rate | undefined
  /** The smallest burst of the buckets. */
  readonly max: number
  /** The value of `RateLimit-Policy`. */
  readonly policy: string
}

/** What the rate limits of a caller depend on. */
export interface RateLimitCaller {
  readonly keyId: string
  /** The same for a key and those that it is rotated to. */
  readonly lineage: string
  readonly tenantId: string
  readonly settings: { readonly rateLimit?: Rate | undefined }
}

export interface RateLimiterOptions {
  /** Rates of subjects without their own. */
  rates: Readonly<Record<RateLimitScope, Rate>>
  /** Replicas that enforce the limits, at least. */
  replicas: number
  /** Buckets of keys and tenants that all replicas share. */
  shared?: SharedBuckets | undefined
}

/** Attempts of a request to get a token by a lease; each lease serves all requests that wait for it. */
const maxLeases = 4
/** Subjects and buckets in memory; the least recently used make room. */
const maxEntries = 100_000
/** How often full buckets are dropped, in milliseconds. */
const sweepIntervalMs = 10_000

/** The window is the time in which an empty bucket becomes full. */
const policyOf = (scope: RateLimitScope, { perSecond, burst }: Rate): string =>
  `"${scope}";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`

/** Rate limits per key, tenant and address. Call `close`. */
export class RateLimiter {
  /** Rejected requests by the scope of the bucket that had no token. */
  readonly rejected: Record<RateLimitScope, number> = { key: 0, tenant: 0, address: 0 }
  readonly #options: RateLimiterOptions
  readonly #subjects = new LRUCache<string, RateLimitSubject>({ max: maxEntries })
  readonly #buckets = new LRUCache<string, RateLimitBucket>({ max: maxEntries })
  /** Separate, so that requests from many addresses evict no bucket of a key; never shared, so that they cannot fill Redis. */
  readonly #addressBuckets = new LRUCache<string, RateLimitBucket>({ max: maxEntries })
  readonly #sweepTimer = setInterval(() => this.#sweep(), sweepIntervalMs).unref()

  constructor(options: RateLimiterOptions) {
    this.#options = options
  }

  /** Replicas that enforce the limits, as far as this one knows. */
  get replicas(): number {
    return this.#options.shared?.replicas ?? this.#options.replicas
  }

  /** A key and its tenant. A tenant's own rate is also that of each of its keys: one key may use all of it. */
  subjectOfCaller({ keyId, lineage, tenantId, settings }: RateLimitCaller): RateLimitSubject {
    const ownRate = settings.rateLimit
    const subject = this.#subjects.get(keyId)
    // Settings that were read again are another object.
    if (subject && subject.ownRate === ownRate) return subject
    const { rates } = this.#options
    return this.#addSubject(keyId, ownRate, [
      // A key and the one that it is rotated to share a bucket; otherwise a rotation would double the rate for its grace period.
      ['key', lineage, ownRate ?? rates.key],
      ['tenant', tenantId, ownRate ?? rates.tenant]
    ])
  }

  /** @param address an IPv4 address, or an IPv6 network */
  subjectOfAddress(address: string): RateLimitSubject {
    return this.#subjects.get(address) ?? this.#addSubject(address, undefined, [['address', address, this.#options.rates.address]])
  }

  /** The subject of an id, if it has made a request lately. */
  find(id: string): RateLimitSubject | undefined {
    return this.#subjects.get(id)
  }

  /** Takes a token of every bucket, or of none: 0, or the milliseconds until the next attempt. A promise only while a lease is awaited. */
  take(subject: RateLimitSubject, attempt = 1): number | Promise<number> {
    const now = performance.now()
    for (const [i, { scope, bucket }] of subject.buckets.entries()) {
      const taken = bucket.tryTake(now)
      if (taken === true) continue
      for (const { bucket } of subject.buckets.slice(0, i)) bucket.refund()
      if (taken === false || attempt === maxLeases) {
        this.rejected[scope]++
        return bucket.msUntilAvailable(now)
      }
      bucket.waiting++
      return taken.then(() => {
        bucket.waiting--
        return this.take(subject, attempt + 1)
      })
    }
    return 0
  }

  /** Requests that may follow immediately. */
  remaining({ buckets }: RateLimitSubject): number {
    const now = performance.now()
    return Math.min(...buckets.map(({ bucket }) => bucket.remaining(now)))
  }

  /** The value of `RateLimit`: the bucket with the fewest tokens, and the seconds until there are more. */
  describe({ buckets }: RateLimitSubject): string {
    const now = performance.now()
    let fewest: { scope: RateLimitScope; bucket: RateLimitBucket; remaining: number } | undefined
    for (const { scope, bucket } of buckets) {
      const remaining = bucket.remaining(now)
      if (!fewest || remaining < fewest.remaining) fewest = { scope, bucket, remaining }
    }
    return fewest ? `"${fewest.scope}";r=${fewest.remaining};t=${Math.max(1, Math.ceil(1 / fewest.bucket.rate.perSecond))}` : ''
  }

  close(): void {
    clearInterval(this.#sweepTimer)
  }

  #addSubject(
    id: string,
    ownRate: Rate | undefined,
    parts: readonly (readonly [scope: RateLimitScope, id: string, rate: Rate])[]
  ): RateLimitSubject {
    const subject: RateLimitSubject = {
      id,
      ownRate,
      buckets: parts.map(([scope, name, rate]) => ({ scope, bucket: this.#bucket(scope, name, rate) })),
      max: Math.min(...parts.map(([, , { burst }]) => burst)),
      policy: parts.map(([scope, , rate]) => policyOf(scope, rate)).join(', ')
    }
    this.#subjects.set(id, subject)
    return subject
  }

  #bucket(scope: RateLimitScope, name: string, rate: Rate): RateLimitBucket {
    const buckets = scope === 'address' ? this.#addressBuckets : this.#buckets
    const id = `${scope}/${name}`
    let bucket = buckets.get(id)
    if (bucket) bucket.setRate(rate)
    else {
      bucket = new RateLimitBucket(id, rate, scope === 'address' ? undefined : this.#options.shared, () => this.replicas)
      buckets.set(id, bucket)
    }
    return bucket
  }

  /** Drops idle buckets, and all subjects with them: a subject holds the very buckets that others of its key or tenant have. */
  #sweep(): void {
    this.#subjects.clear()
    const now = performance.now()
    for (const buckets of [this.#buckets, this.#addressBuckets])
      for (const [name, bucket] of buckets) if (bucket.isIdle(now)) buckets.delete(name)
  }
}
