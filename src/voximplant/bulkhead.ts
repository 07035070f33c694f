import { Problem } from '../problems/problem.ts'

export interface GateOptions {
  /** Calls under way at once, of all tenants. */
  most: number
  /** So many calls of one lane may wait for their turn, and so long, in milliseconds. */
  queue: number
  deadline: number
}

/** What shares one limit: a tenant's calls, or an account's conferences. */
export interface Lane {
  active: number
  /** How many may be under way at once; as it was given last. */
  limit: number
  waiting: Waiter[]
}

interface Waiter {
  admit(): void
  timer: NodeJS.Timeout
}

/** The one bulkhead in front of the upstream: so many calls at once per lane and in all, a few more may wait for a moment. */
export interface Gate {
  lane(key: string): Lane
  /**
   * Takes a place; `leave` gives it back. Nothing to wait for when there is room, otherwise a promise of it. Throws Problem when there is no
   * room to wait either, or no place in time: `concurrency-limited` where the lane is full, `service-unavailable` where the process is.
   */
  enter(lane: Lane, limit: number): Promise<void> | undefined
  leave(lane: Lane): void
  /** Calls under way and those that wait; those that ended and that were refused so far. */
  readonly active: number
  readonly waiting: number
  readonly finished: number
  readonly refused: { lane: number; process: number }
}

export function createGate({ most, queue, deadline }: GateOptions): Gate {
  const lanes = new Map<string, Lane>()
  /** Lanes somebody waits in; whoever was served goes to the end, so that all of them have their turns. */
  const contended = new Set<Lane>()
  const refused = { lane: 0, process: 0 }
  let active = 0
  let waiting = 0
  let finished = 0

  const refuse = ({ active: here, limit }: Lane): Problem => {
    const headers = { 'retry-after': String(Math.ceil(deadline / 1000)) }
    if (here >= limit) {
      refused.lane++
      return new Problem('concurrency-limited', `No more than ${limit} of these calls may be under way at once.`, { headers })
    }
    refused.process++
    return new Problem('service-unavailable', 'Too many calls are under way.', { headers })
  }

  /** The first lane in turn that may go on, if there is room at all. */
  const next = (): Lane | undefined => {
    if (active >= most) return undefined
    for (const lane of contended) if (lane.active < lane.limit) return lane
    return undefined
  }
  const admit = () => {
    for (let lane = next(); lane; lane = next()) {
      const waiter = lane.waiting.shift()!
      contended.delete(lane)
      if (lane.waiting.length > 0) contended.add(lane)
      waiting--
      active++
      lane.active++
      clearTimeout(waiter.timer)
      waiter.admit()
    }
  }

  return {
    lane(key) {
      let lane = lanes.get(key)
      if (!lane) {
        // One per tenant that has called; the idle ones go before there are too many.
        if (lanes.size >= 10_000) for (const [key, { active, waiting }] of lanes) if (active + waiting.length === 0) lanes.delete(key)
        lane = { active: 0, limit: 0, waiting: [] }
        lanes.set(key, lane)
      }
      return lane
    },
    enter(lane, limit) {
      lane.limit = limit
      if (lane.active < limit && active < most && lane.waiting.length === 0) {
        active++
        lane.active++
        return undefined
      }
      if (lane.waiting.length >= queue) throw refuse(lane)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          lane.waiting.splice(lane.waiting.indexOf(waiter), 1)
          if (lane.waiting.length === 0) contended.delete(lane)
          waiting--
          reject(refuse(lane))
        }, deadline)
        const waiter: Waiter = { admit: resolve, timer }
        lane.waiting.push(waiter)
        contended.add(lane)
        waiting++
      })
    },
    leave(lane) {
      active--
      finished++
      lane.active--
      if (waiting > 0) admit()
    },
    get active() {
      return active
    },
    get waiting() {
      return waiting
    },
    get finished() {
      return finished
    },
    refused
  }
}
