/** A queue in which sources take turns: a source with many items delays no other. */
export class FairQueue<T> {
  /** By source, in the order of their turns. */
  readonly #queues = new Map<string, T[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Items of one source. */
  sizeOf(source: string): number {
    return this.#queues.get(source)?.length ?? 0
  }

  push(source: string, item: T): void {
    const queue = this.#queues.get(source)
    if (queue) queue.push(item)
    else this.#queues.set(source, [item])
    this.#size++
  }

  /** Removes the next item; its source goes to the end. */
  shift(): T | undefined {
    for (const [source, queue] of this.#queues) {
      const item = queue.shift()
      this.#queues.delete(source)
      if (queue.length > 0) this.#queues.set(source, queue)
      this.#size--
      return item
    }
    return undefined
  }

  /** Removes an item wherever it stands. */
  remove(source: string, item: T): void {
    const queue = this.#queues.get(source)
    const at = queue?.indexOf(item) ?? -1
    if (!queue || at < 0) return
    queue.splice(at, 1)
    if (queue.length === 0) this.#queues.delete(source)
    this.#size--
  }
}
