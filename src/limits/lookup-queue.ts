import { Problem } from '../problems/problem.ts'
import { FairQueue } from './fair-queue.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

export interface LookupCounts {
  /** Look-ups that were not made. */
  rejected: number
  /** Look-ups that wait now. */
  readonly queued: number
}

export interface LookupQueueOptions extends Rate {
  maxConcurrent: number
  /** Maximum number of queued look-ups, of all sources and of one. */
  maxQueued: number
  maxQueuedPerSource: number
  /** Maximum time in the queue, in milliseconds. */
  timeoutMs: number
}

/** The share of the free room in the queue that one source may take, so that there is always room for another source. */
const maxRoomShare = 1 / 50

/** Look-ups of API keys that are not in memory: a budget of their own, in which the addresses that ask take turns. */
export class LookupQueue {
  readonly #options: LookupQueueOptions
  readonly #budget: TokenBucket
  readonly #queue = new FairQueue<() => void>()
  // Created once: a stack trace for each would cost more than the look-up.
  readonly #busy = new Problem('service-unavailable', 'More API keys arrived than can be looked up. Send the request again.', {
    headers: { 'retry-after': '1' }
  })
  readonly #disconnected = new Problem('caller-gone', 'The caller disconnected before its API key was looked up.')
  #rejected = 0
  #running = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: LookupQueueOptions) {
    this.#options = options
    this.#budget = new TokenBucket(options)
  }

  get counts(): LookupCounts {
    return { rejected: this.#rejected, queued: this.#queue.size }
  }

  /**
   * Runs a look-up immediately, or when it is its source's turn. Rejects with a Problem: `service-unavailable` when that is not within the
   * timeout or the queue is full, `caller-gone` when the caller has disconnected by then.
   */
  run<T>(source: string, caller: { readonly aborted: boolean } | undefined, load: () => Promise<T>): Promise<T> {
    if (this.#queue.size === 0 && this.#tryStart()) return this.#started(load)
    const { maxQueued, maxQueuedPerSource, timeoutMs } = this.#options
    const room = Math.min(maxQueuedPerSource, Math.max(1, (maxQueued - this.#queue.size) * maxRoomShare))
    if (this.#queue.size >= maxQueued || this.#queue.sizeOf(source) >= room) {
      this.#rejected++
      return Promise.reject(this.#busy)
    }
    return new Promise<T>((resolve, reject) => {
      const start = () => {
        clearTimeout(timeout)
        if (caller?.aborted) {
          this.#running--
          reject(this.#disconnected)
        } else this.#started(load).then(resolve, reject)
      }
      const timeout = setTimeout(() => {
        this.#queue.remove(source, start)
        this.#rejected++
        reject(this.#busy)
      }, timeoutMs)
      this.#queue.push(source, start)
      this.#startQueued()
    })
  }

  /** Takes a place and a token, if there are both. */
  #tryStart(): boolean {
    if (this.#running >= this.#options.maxConcurrent || !this.#budget.tryTake(performance.now())) return false
    this.#running++
    return true
  }

  async #started<T>(load: () => Promise<T>): Promise<T> {
    try {
      return await load()
    } finally {
      this.#running--
      this.#startQueued()
    }
  }

  /** Starts as many look-ups as there are places and tokens for. */
  #startQueued(): void {
    while (this.#queue.size > 0 && this.#tryStart()) this.#queue.shift()?.()
    // Without a free place, a look-up that ends continues; without a token, a timer does.
    if (this.#queue.size === 0 || this.#running >= this.#options.maxConcurrent || this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#startQueued()
    }, this.#budget.msUntilAvailable(performance.now()))
  }
}
