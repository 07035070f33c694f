import { type Rate, TokenBucket } from './token-bucket.ts'

/** Buckets that replicas share, outside of this process. */
export interface SharedBuckets {
  /** Whether they can be reached. */
  readonly up: boolean
  /** Replicas that share them, at least 1: without them each replica enforces its part of a rate. */
  readonly replicas: number
  /** Moves tokens of the shared bucket into a bucket. Never rejects: when that fails, `up` is false afterwards. */
  lease(bucket: RateLimitBucket): Promise<void>
}

/** Tokens to lease at a time: all replicas together hold at most a tenth of a second's worth. */
const leaseSize = ({ perSecond }: Rate, replicas: number): number => Math.max(1, Math.floor(perSecond / 10 / replicas))

/** The part of a rate that one of several replicas enforces, at least one request. */
const partOf = ({ perSecond, burst }: Rate, replicas: number): Rate => ({
  perSecond: perSecond / replicas,
  burst: Math.max(1, burst / replicas)
})

/**
 * A token bucket of one subject. While the shared buckets can be reached it is filled by leases from them; otherwise it is this replica's part of the rate.
 */
export class RateLimitBucket {
  /** Its name among the shared buckets. */
  readonly id: string
  /** Requests that wait for a lease. */
  waiting = 0
  readonly #shared: SharedBuckets | undefined
  readonly #replicas: () => number
  readonly #local: TokenBucket
  #rate: Rate
  #partOfReplicas: number
  /** Whether tokens are leased. */
  #leases = false
  #leased = 0
  /** What the shared bucket had left at the last lease, when that was, and until when it has none. */
  #sharedLeft = 0
  #leasedAt = 0
  #emptyUntil = 0
  #lease: Promise<void> | undefined

  /** @param shared undefined for a bucket that is always local @param replicas how many replicas there are now */
  constructor(id: string, rate: Rate, shared: SharedBuckets | undefined, replicas: () => number) {
    this.id = id
    this.#rate = rate
    this.#shared = shared
    this.#replicas = replicas
    this.#partOfReplicas = replicas()
    this.#local = new TokenBucket(partOf(rate, this.#partOfReplicas))
  }

  get rate(): Rate {
    return this.#rate
  }

  setRate(rate: Rate): void {
    if (rate.perSecond === this.#rate.perSecond && rate.burst === this.#rate.burst) return
    this.#rate = rate
    this.#emptyUntil = 0
    this.#leased = Math.min(this.#leased, rate.burst)
    this.#local.setRate(partOf(rate, this.#partOfReplicas))
  }

  /** Takes a token: whether there was one, or a promise after which to try again. */
  tryTake(now: number): boolean | Promise<void> {
    const shared = this.#update(now)
    if (!shared) return this.#local.tryTake(now)
    if (this.#leased >= 1) {
      this.#leased--
      // Leases the next tokens before there are none, so that no request waits.
      if (this.#leased < leaseSize(this.#rate, shared.replicas) / 2 && !this.#lease && now >= this.#emptyUntil) void this.#leaseFrom(shared)
      return true
    }
    return now < this.#emptyUntil ? false : this.#leaseFrom(shared)
  }

  /** Puts a token back. */
  refund(): void {
    if (this.#leases) this.#leased++
    else this.#local.refund()
  }

  /** Whole tokens left; an estimate while they are leased. */
  remaining(now: number): number {
    const left = this.#leases ? this.#leased + (now < this.#emptyUntil ? 0 : this.#estimate(now)) : this.#local.level(now)
    return Math.max(0, Math.floor(Math.min(left, this.#rate.burst)))
  }

  /** Milliseconds until the next token, at least 1. */
  msUntilAvailable(now: number): number {
    return Math.max(1, this.#leases ? this.#emptyUntil - now : this.#local.msUntilAvailable(now))
  }

  /** Whether forgetting the bucket changes nothing. */
  isIdle(now: number): boolean {
    if (this.#lease || this.waiting > 0) return false
    return this.#leases ? this.#leased + this.#estimate(now) >= this.#rate.burst : this.#local.isFull(now)
  }

  /** Tokens to ask for: the size of a lease, or as many as requests wait for. */
  wanted(replicas: number): number {
    return Math.max(leaseSize(this.#rate, replicas), this.waiting)
  }

  /** Takes in what a lease has brought. @param left what the shared bucket has left @param emptyMs for how long that has none */
  addLease(tokens: number, left: number, emptyMs: number, now: number): void {
    this.#leased += tokens
    this.#sharedLeft = left
    this.#leasedAt = now
    this.#emptyUntil = now + emptyMs
  }

  #leaseFrom(shared: SharedBuckets): Promise<void> {
    this.#lease ??= shared.lease(this).then(() => {
      this.#lease = undefined
    })
    return this.#lease
  }

  /** What the shared bucket has by now if nobody else takes from it. */
  #estimate(now: number): number {
    return Math.min(this.#rate.burst, this.#sharedLeft + ((now - this.#leasedAt) * this.#rate.perSecond) / 1000)
  }

  /** Switches between leases and the local part. Returns the shared buckets while they can be reached. */
  #update(now: number): SharedBuckets | undefined {
    const leases = this.#shared?.up === true
    if (leases !== this.#leases) {
      this.#leases = leases
      if (leases) {
        this.#leased = 0
        this.#sharedLeft = 0
        this.#emptyUntil = 0
      } else this.#local.setLevel(this.#leased + this.#estimate(now) / this.#replicas(), now)
      this.#leasedAt = now
    }
    const replicas = this.#replicas()
    if (replicas !== this.#partOfReplicas) {
      this.#partOfReplicas = replicas
      this.#local.setRate(partOf(this.#rate, replicas))
    }
    return leases ? this.#shared : undefined
  }
}
