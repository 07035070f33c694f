/** Token buckets: `burst` requests at once, and `perSecond` more each second. Times are milliseconds of one monotonic clock. */
export interface Rate {
  perSecond: number
  burst: number
}

/**
 * One bucket as this process knows it. On its own, `tokens` is its level at `at`. Shared, `tokens` are those that were leased from the common
 * bucket, and `left` is what that had at `at`.
 */
export interface Bucket {
  /** What it is called in common; undefined for one that is this process's own always. */
  readonly id: string | undefined
  perSecond: number
  burst: number
  tokens: number
  at: number
  left: number
  /** While shared: the common bucket has none before. */
  emptyUntil: number
  shared: boolean
  /** Requests that wait for a lease. */
  waiting: number
  /** A lease that is on its way. */
  lease: Promise<void> | undefined
}

/** The common buckets, somewhere else. */
export interface Common {
  /** Whether they can be had now. */
  readonly up: boolean
  /** How many processes share them: what each may have on its own is its part. At least 1. */
  readonly replicas: number
  /** Fills a bucket with tokens of the common one; never fails: when there are none to be had, `up` is false afterwards. */
  lease(bucket: Bucket): Promise<void>
}

/** Whether a request may pass: at once, or after a lease has come, whereupon one asks again. */
export type Taken = 'yes' | 'no' | Promise<void>

/** How many tokens are leased at a time, so that all replicas together hoard at most a tenth of a second's. */
export const sliceOf = ({ perSecond }: Rate, replicas: number): number => Math.max(1, Math.floor(perSecond / 10 / replicas))

export interface Buckets {
  /** The bucket of a name, made when there is none, with the rate that holds now. */
  bucket(name: string, rate: Rate, common: boolean): Bucket
  /** The bucket of a name, if there is one. */
  find(name: string): Bucket | undefined
  take(bucket: Bucket, now: number): Taken
  /** Gives a token back: the request did not pass after all. */
  giveBack(bucket: Bucket): void
  /** Tokens that are left. An estimate where the bucket is shared. */
  left(bucket: Bucket, now: number): number
  /** Milliseconds until the next token. */
  wait(bucket: Bucket, now: number): number
  /** Drops those that are full again. */
  sweep(now: number): void
  readonly size: number
}

/** More buckets than this are not kept: the oldest go. */
const mostBuckets = 100_000

/** Buckets of this process, filled by the clock, or, while that can be had, from the common ones. */
export function createBuckets(common: Common | undefined, replicas: () => number): Buckets {
  const buckets = new Map<string, Bucket>()

  /** A bucket of one's own is a part of the whole, never less than one request. */
  const ownBurst = ({ burst }: Bucket): number => Math.max(1, burst / replicas())
  const ownRate = ({ perSecond }: Bucket): number => perSecond / replicas() / 1000
  const estimate = ({ left, burst, perSecond, at }: Bucket, now: number): number => Math.min(burst, left + ((now - at) * perSecond) / 1000)

  const level = (bucket: Bucket, now: number): number => Math.min(ownBurst(bucket), bucket.tokens + (now - bucket.at) * ownRate(bucket))

  /** The common buckets have gone, or come back. */
  const turn = (bucket: Bucket, now: number, shared: boolean): void => {
    if (shared) {
      bucket.tokens = 0
      bucket.left = 0
      bucket.emptyUntil = 0
    } else bucket.tokens = Math.min(ownBurst(bucket), bucket.tokens + estimate(bucket, now) / replicas())
    bucket.at = now
    bucket.shared = shared
  }

  const lease = (bucket: Bucket): Promise<void> => {
    bucket.lease ??= common!.lease(bucket).then(() => {
      bucket.lease = undefined
    })
    return bucket.lease
  }

  return {
    bucket(name, { perSecond, burst }, isCommon) {
      let bucket = buckets.get(name)
      if (!bucket) {
        if (buckets.size >= mostBuckets) buckets.delete(buckets.keys().next().value!)
        bucket = {
          id: isCommon && common ? name : undefined,
          perSecond,
          burst,
          tokens: Math.max(1, burst / replicas()),
          at: performance.now(),
          left: burst,
          emptyUntil: 0,
          shared: false,
          waiting: 0,
          lease: undefined
        }
        buckets.set(name, bucket)
      } else if (bucket.perSecond !== perSecond || bucket.burst !== burst) {
        bucket.perSecond = perSecond
        bucket.burst = burst
        bucket.emptyUntil = 0
        bucket.tokens = Math.min(bucket.tokens, burst)
      }
      return bucket
    },
    find: name => buckets.get(name),
    take(bucket, now) {
      const shared = bucket.id !== undefined && common!.up
      if (shared !== bucket.shared) turn(bucket, now, shared)
      if (!shared) {
        bucket.tokens = level(bucket, now)
        bucket.at = now
        if (bucket.tokens < 1) return 'no'
        bucket.tokens--
        return 'yes'
      }
      if (bucket.tokens >= 1) {
        bucket.tokens--
        // Asks for more before there are none, so that nobody waits.
        if (bucket.tokens < sliceOf(bucket, common!.replicas) / 2 && bucket.lease === undefined && now >= bucket.emptyUntil)
          void lease(bucket)
        return 'yes'
      }
      if (now < bucket.emptyUntil) return 'no'
      return lease(bucket)
    },
    giveBack(bucket) {
      bucket.tokens++
    },
    left(bucket, now) {
      const left = bucket.shared ? bucket.tokens + (now < bucket.emptyUntil ? 0 : estimate(bucket, now)) : level(bucket, now)
      return Math.max(0, Math.floor(Math.min(left, bucket.burst)))
    },
    wait(bucket, now) {
      if (bucket.shared) return Math.max(1, bucket.emptyUntil - now)
      return Math.max(1, (1 - level(bucket, now)) / ownRate(bucket))
    },
    sweep(now) {
      for (const [name, bucket] of buckets) {
        if (bucket.lease || bucket.waiting > 0) continue
        const full = bucket.shared ? bucket.tokens + estimate(bucket, now) >= bucket.burst : level(bucket, now) >= ownBurst(bucket)
        if (full) buckets.delete(name)
      }
    },
    get size() {
      return buckets.size
    }
  }
}
