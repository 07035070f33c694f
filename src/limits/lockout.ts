import { LRUCache } from 'lru-cache'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** Ten failures in a row, then one every 30 seconds. */
const failureRate: Rate = { burst: 10, perSecond: 1 / 30 }
/** Sources in memory; the one whose last failure is the oldest makes room. */
const maxSources = 10_000

/** Slows down the guessing of secrets: a source with too many failed attempts has to wait, whatever it sends. */
export class Lockout {
  readonly #failures = new LRUCache<string, TokenBucket>({ max: maxSources })

  /** Milliseconds until a source may try again; 0: now. */
  msUntilAllowed(source: string, now: number): number {
    return this.#failures.peek(source)?.msUntilAvailable(now) ?? 0
  }

  /** Records a failed attempt of a source. */
  recordFailure(source: string, now: number): void {
    const bucket = this.#failures.get(source) ?? new TokenBucket(failureRate, now)
    bucket.take(now)
    this.#failures.set(source, bucket)
  }
}
