import { Problem } from '../problems/problem.ts'

/** What a process has in hand: calls finished so far, and calls in flight or queued. */
export interface Load {
  readonly finished: number
  readonly inFlight: number
}

export interface LoadShedderOptions {
  /** Up to this many calls in flight every request is admitted, whatever the pressure. */
  minInFlight: number
  /** Maximum time a request is queued before it is rejected, in milliseconds. */
  queueTimeoutMs: number
  load(): Load
  /** Whether memory, and not time, is what the process is short of. */
  isMemoryFull(): boolean
}

/** How often the throughput is sampled, and how often the queue is looked at, in milliseconds. */
const sampleIntervalMs = 250
const pollMs = 10
/** Maximum number of queued requests; further ones are rejected immediately. */
const maxQueued = 1_000
/** While memory is full, this share of what is admitted otherwise. */
const memoryFullShare = 0.1
/** How much of its throughput a process is credited with from one sample to the next: less work for a while is not less capacity. */
const throughputDecay = 0.98

interface Queued {
  rejectAt: number
  admit: () => void
  reject: (problem: Problem) => void
}

/**
 * Admits up to what recent throughput can serve within half of the queue timeout, queues the rest, and rejects what has been queued for too long.
 * A queued caller sends nothing else meanwhile, which costs less than rejecting it again and again. Call `start` and `stop`.
 */
export class LoadShedder {
  /** Requests rejected so far. */
  rejected = 0
  readonly #options: LoadShedderOptions
  readonly #queue: Queued[] = []
  // Created once: a stack trace for each would cost more than the response.
  readonly #overloaded = new Problem('service-unavailable', 'The service is overloaded.', { headers: { 'retry-after': '1' } })
  #timers: NodeJS.Timeout[] = []
  /** Calls finished per millisecond, at the best of late. */
  #throughput = 0
  #finished = 0

  constructor(options: LoadShedderOptions) {
    this.#options = options
  }

  /** Requests queued now. */
  get queued(): number {
    return this.#queue.length
  }

  /** Admits a request of a process under pressure: undefined when immediately, a promise when queued. Throws and rejects with Problem. */
  admit(): Promise<void> | undefined {
    if (this.#queue.length === 0 && this.#capacity() > 0) return undefined
    if (this.#queue.length >= maxQueued) {
      this.rejected++
      throw this.#overloaded
    }
    return new Promise((admit, reject) => this.#queue.push({ rejectAt: performance.now() + this.#options.queueTimeoutMs, admit, reject }))
  }

  start(): void {
    this.#timers = [setInterval(() => this.#sample(), sampleIntervalMs).unref(), setInterval(() => this.#poll(), pollMs).unref()]
  }

  stop(): void {
    this.#timers.forEach(clearInterval)
  }

  #sample(): void {
    const { finished } = this.#options.load()
    this.#throughput = Math.max((finished - this.#finished) / sampleIntervalMs, this.#throughput * throughputDecay)
    this.#finished = finished
  }

  /** How many more calls may be admitted now. */
  #capacity(): number {
    const { minInFlight, queueTimeoutMs, load, isMemoryFull } = this.#options
    const share = isMemoryFull() ? memoryFullShare : 1
    return Math.max(minInFlight, (this.#throughput * queueTimeoutMs) / 2) * share - load().inFlight
  }

  #poll(): void {
    const now = performance.now()
    for (let capacity = this.#queue.length === 0 ? 0 : this.#capacity(); capacity > 0; capacity--) this.#queue.shift()?.admit()
    while (this.#queue[0] && this.#queue[0].rejectAt <= now) {
      this.rejected++
      this.#queue.shift()?.reject(this.#overloaded)
    }
  }
}
