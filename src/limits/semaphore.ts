/** Bounds how many tasks run concurrently; further ones wait in the order of their arrival. */
export class Semaphore {
  readonly #max: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Tasks that wait. */
  get queued(): number {
    return this.#waiting.length
  }

  /** Runs a task as soon as there is room. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#max) this.#running++
    // The task that ends hands its place on, so that nobody can take it in between.
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
