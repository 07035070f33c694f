import { Semaphore } from '../limits/semaphore.ts'
import { DatabaseUnavailableError } from './unavailable.ts'

/** Maximum number of concurrent loads: fewer than the pool has connections, so that changes and probes find one. */
const maxConcurrentLoads = 8
/** While the database is unavailable: the interval of probes, and the time one may take, in milliseconds. */
const probeIntervalMs = 500
const probeTimeoutMs = 5_000
/** A load that takes longer than this makes the database count as slow, in milliseconds. */
export const slowLoadMs = 300

/** The way of caches to the database: few concurrent loads, and one in a while as long as it is unavailable; others fail immediately. */
export class LoadGuard {
  readonly #semaphore = new Semaphore(maxConcurrentLoads)
  /** When the loads in flight began, the oldest first. */
  readonly #started = new Set<{ at: number }>()
  #isDown = false
  #nextProbeAt = 0

  /** Whether a load would fail immediately. */
  get rejects(): boolean {
    return this.#isDown && performance.now() < this.#nextProbeAt
  }

  /** Whether the database is unavailable, or slow at the moment. */
  get isSlow(): boolean {
    if (this.#isDown) return true
    const [oldest] = this.#started
    return oldest !== undefined && performance.now() - oldest.at >= slowLoadMs
  }

  /** Throws DatabaseUnavailableError, and what the load throws. */
  async run<T>(load: () => Promise<T>): Promise<T> {
    if (this.rejects) throw new DatabaseUnavailableError()
    if (this.#isDown) {
      this.#nextProbeAt = performance.now() + probeTimeoutMs
      return this.#run(load)
    }
    return this.#semaphore.run(() => {
      if (this.#isDown) throw new DatabaseUnavailableError()
      return this.#run(load)
    })
  }

  async #run<T>(load: () => Promise<T>): Promise<T> {
    const start = { at: performance.now() }
    this.#started.add(start)
    try {
      const value = await load()
      this.#isDown = false
      return value
    } catch (error) {
      this.#isDown = error instanceof DatabaseUnavailableError
      // Spread, so that replicas do not probe together.
      if (this.#isDown) this.#nextProbeAt = performance.now() + probeIntervalMs * (0.5 + Math.random() / 2)
      throw error
    } finally {
      this.#started.delete(start)
    }
  }
}
