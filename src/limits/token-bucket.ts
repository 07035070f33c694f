/** A rate: `burst` tokens at most, refilled with `perSecond` tokens a second. */
export interface Rate {
  perSecond: number
  burst: number
}

/** A token bucket, full when it is created. Times are milliseconds of `performance.now()`. */
export class TokenBucket {
  #rate: Rate
  #tokens: number
  #updatedAt: number

  constructor(rate: Rate, now = performance.now()) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#updatedAt = now
  }

  get rate(): Rate {
    return this.#rate
  }

  /** Tokens in the bucket, with fractions. */
  level(now: number): number {
    return Math.min(this.#rate.burst, this.#tokens + ((now - this.#updatedAt) * this.#rate.perSecond) / 1000)
  }

  /** Takes a token if there is one. */
  tryTake(now: number): boolean {
    const level = this.level(now)
    if (level < 1) return false
    this.#set(level - 1, now)
    return true
  }

  /** Takes a token, also one that is still to come: the bucket is then in debt. */
  take(now: number): void {
    this.#set(this.level(now) - 1, now)
  }

  /** Puts a token back. */
  refund(): void {
    this.#tokens++
  }

  /** Milliseconds until there is a token; 0 when there is one. */
  msUntilAvailable(now: number): number {
    return Math.max(0, ((1 - this.level(now)) * 1000) / this.#rate.perSecond)
  }

  isFull(now: number): boolean {
    return this.level(now) >= this.#rate.burst
  }

  /** Changes the rate, which then holds for the time since the last token was taken, too: a raised rate admits the next request. */
  setRate(rate: Rate): void {
    this.#tokens = Math.min(this.#tokens, rate.burst)
    this.#rate = rate
  }

  /** Replaces what is in the bucket. */
  setLevel(tokens: number, now: number): void {
    this.#set(tokens, now)
  }

  #set(tokens: number, now: number): void {
    this.#tokens = tokens
    this.#updatedAt = now
  }
}
