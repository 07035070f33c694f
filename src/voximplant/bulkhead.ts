import { Problem } from '../problems/problem.ts'

export interface BulkheadOptions {
  /** Maximum calls in flight, of all partitions. */
  maxProcessConcurrency: number
  /** Maximum calls of one partition that wait for a slot, and for how long, in milliseconds. */
  maxQueueLength: number
  queueTimeoutMs: number
}

/** Calls that share one limit: those of a tenant, or those of an account that start a session. */
export interface Partition {
  active: number
  /** Maximum calls in flight, as it was given last. */
  limit: number
  queue: QueuedCall[]
}

interface QueuedCall {
  admit(): void
  timer: NodeJS.Timeout
}

/** Idle partitions are dropped when there are more. */
const maxPartitions = 10_000

/** Limits concurrent calls per partition and in all. Calls beyond a limit wait in a short queue; partitions take turns. */
export class Bulkhead {
  readonly #options: BulkheadOptions
  readonly #partitions = new Map<string, Partition>()
  /** Partitions with a queue. One that was served goes to the end, so that all have their turns. */
  readonly #contended = new Set<Partition>()
  readonly #rejected = { partition: 0, process: 0 }
  #active = 0
  #queued = 0
  #finished = 0

  constructor(options: BulkheadOptions) {
    this.#options = options
  }

  /** Calls in flight, calls that wait for a slot, and those that have ended or were rejected so far. */
  get active(): number {
    return this.#active
  }
  get queued(): number {
    return this.#queued
  }
  get finished(): number {
    return this.#finished
  }
  get rejected(): Readonly<{ partition: number; process: number }> {
    return this.#rejected
  }

  partition(key: string): Partition {
    let partition = this.#partitions.get(key)
    if (!partition) {
      if (this.#partitions.size >= maxPartitions)
        for (const [idle, { active, queue }] of this.#partitions) if (active + queue.length === 0) this.#partitions.delete(idle)
      partition = { active: 0, limit: 0, queue: [] }
      this.#partitions.set(key, partition)
    }
    return partition
  }

  /**
   * Takes a slot, which `release` gives back: immediately where there is one, otherwise a promise of it. Throws Problem when the queue is full or
   * no slot is free in time: `concurrency-limited` where the partition is at its limit, `service-unavailable` where the process is.
   */
  acquire(partition: Partition, limit: number): Promise<void> | undefined {
    partition.limit = limit
    if (partition.active < limit && this.#active < this.#options.maxProcessConcurrency && partition.queue.length === 0) {
      this.#active++
      partition.active++
      return undefined
    }
    if (partition.queue.length >= this.#options.maxQueueLength) throw this.#reject(partition)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        partition.queue.splice(partition.queue.indexOf(queued), 1)
        if (partition.queue.length === 0) this.#contended.delete(partition)
        this.#queued--
        reject(this.#reject(partition))
      }, this.#options.queueTimeoutMs)
      const queued: QueuedCall = { admit: resolve, timer }
      partition.queue.push(queued)
      this.#contended.add(partition)
      this.#queued++
    })
  }

  release(partition: Partition): void {
    this.#active--
    this.#finished++
    partition.active--
    if (this.#queued > 0) this.#admitQueued()
  }

  #reject({ active, limit }: Partition): Problem {
    const headers = { 'retry-after': String(Math.ceil(this.#options.queueTimeoutMs / 1000)) }
    if (active >= limit) {
      this.#rejected.partition++
      return new Problem('concurrency-limited', `No more than ${limit} of these calls may be in flight.`, { headers })
    }
    this.#rejected.process++
    return new Problem('service-unavailable', 'Too many calls are in flight.', { headers })
  }

  #admitQueued(): void {
    for (let partition = this.#next(); partition; partition = this.#next()) {
      const queued = partition.queue.shift()
      this.#contended.delete(partition)
      if (!queued) continue
      if (partition.queue.length > 0) this.#contended.add(partition)
      this.#queued--
      this.#active++
      partition.active++
      clearTimeout(queued.timer)
      queued.admit()
    }
  }

  /** The partition whose turn it is, if there is a slot for it. */
  #next(): Partition | undefined {
    if (this.#active >= this.#options.maxProcessConcurrency) return undefined
    for (const partition of this.#contended) if (partition.active < partition.limit) return partition
    return undefined
  }
}
