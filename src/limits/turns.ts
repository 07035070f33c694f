/** Work in small steps, one step in each turn of the event loop, by turns of those who have some: other requests come in between. */
export class Turns {
  readonly #queue: { step(): boolean }[] = []
  #scheduled = false

  /** @param work `step` does some work and returns whether there is more. */
  add(work: { step(): boolean }): void {
    this.#queue.push(work)
    this.#schedule()
  }

  /** Runs a generator to its end, up to the next `yield` in each turn. Rejects with what it throws. */
  run<T>(work: Iterator<unknown, T>): Promise<T> {
    return new Promise((resolve, reject) =>
      this.add({
        step() {
          try {
            const { done, value } = work.next()
            if (done) resolve(value)
            return !done
          } catch (error) {
            reject(error)
            return false
          }
        }
      })
    )
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      const work = this.#queue.shift()!
      if (work.step()) this.#queue.push(work)
      if (this.#queue.length > 0) this.#schedule()
    })
  }
}
