import { Problem } from '../problems/problem.ts'
import { createBuckets, type Rate } from './token-buckets.ts'

/** Look-ups of API keys that are not in memory: a budget of their own, shared fairly among the addresses that ask. */
export interface LookupQueue {
  /**
   * Runs a look-up immediately, or when it is the source's turn. Throws Problem: `service-unavailable` when that is not within the time limit
   * or too many wait, `caller-gone` when the caller has disconnected by then.
   */
  run<T>(source: string, caller: { readonly gone: boolean } | undefined, load: () => Promise<T>): Promise<T>
  readonly counts: LookupCounts
}

export interface LookupCounts {
  /** Look-ups that were not made. */
  rejected: number
  /** Look-ups that wait now. */
  queued: number
}

export interface LookupQueueOptions extends Rate {
  /** Look-ups in flight. */
  maxConcurrent: number
  /** Look-ups that wait, of all sources, and of one. */
  maxQueued: number
  maxQueuedPerSource: number
  /** How long one may wait, in milliseconds. */
  timeoutMs: number
}

interface Waiter {
  start: () => void
  /** It has started or was given up. */
  settled: boolean
}

/** The part of the free room in the queue that one source may take: the fuller it is, the less, so that there is always room for another source. */
const roomShare = 1 / 50

/** Sources have turns, each one look-up at a time. */
export function createLookupQueue(options: LookupQueueOptions): LookupQueue {
  const { maxConcurrent, maxQueued, maxQueuedPerSource, timeoutMs } = options
  const buckets = createBuckets(undefined, () => 1)
  const budget = buckets.bucket('look-ups', options, false)
  /** By source, in the order of their turns. */
  const queues = new Map<string, Waiter[]>()
  const counts: LookupCounts = { rejected: 0, queued: 0 }
  let running = 0
  let timer: NodeJS.Timeout | undefined
  // Made once: a stack for each would cost more than the look-up.
  const busy = new Problem('service-unavailable', 'More API keys than can be looked up have come at once. Send the request again.', {
    headers: { 'retry-after': '1' }
  })
  const gone = new Problem('caller-gone', 'The caller disconnected before its API key was looked up.')

  const started = async <T>(load: () => Promise<T>): Promise<T> => {
    running++
    try {
      return await load()
    } finally {
      running--
      pump()
    }
  }
  const take = (): boolean => running < maxConcurrent && buckets.take(budget, performance.now()) === 'yes'

  /** Starts as many as the budget allows. */
  const pump = () => {
    while (queues.size > 0) {
      const [source, waiters] = queues.entries().next().value!
      const waiter = waiters[0]
      if (!waiter || waiter.settled) {
        waiters.shift()
        if (waiters.length === 0) queues.delete(source)
        continue
      }
      if (!take()) {
        // Whatever is in flight pumps when it ends.
        if (running < maxConcurrent && timer === undefined) timer = setTimeout(tick, buckets.wait(budget, performance.now()))
        return
      }
      waiters.shift()
      queues.delete(source)
      if (waiters.length > 0) queues.set(source, waiters)
      waiter.start()
    }
  }
  const tick = () => {
    timer = undefined
    pump()
  }

  return {
    counts,
    run<T>(source: string, caller: { readonly gone: boolean } | undefined, load: () => Promise<T>): Promise<T> {
      if (queues.size === 0 && take()) return started(load)
      const waiters = queues.get(source) ?? []
      const room = Math.min(maxQueuedPerSource, Math.max(1, (maxQueued - counts.queued) * roomShare))
      if (counts.queued >= maxQueued || waiters.length >= room) {
        counts.rejected++
        return Promise.reject(busy)
      }
      return new Promise<T>((resolve, reject) => {
        const leave = () => {
          waiter.settled = true
          counts.queued--
          clearTimeout(deadline)
        }
        const deadline = setTimeout(() => {
          leave()
          counts.rejected++
          reject(busy)
          pump()
        }, timeoutMs)
        const waiter: Waiter = {
          settled: false,
          start: () => {
            leave()
            if (caller?.gone) reject(gone)
            else started(load).then(resolve, reject)
          }
        }
        counts.queued++
        waiters.push(waiter)
        queues.set(source, waiters)
        pump()
      })
    }
  }
}
