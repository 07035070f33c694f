import { Problem } from '../problem.ts'

export interface BreakerOptions {
  /** So many failures in a row mean that the upstream is away. */
  failures: number
  /** Milliseconds from one probe to the next. */
  interval: number
}

/** Keeps calls from an upstream that fails again and again, and lets one through at a time to see whether it is back. One per tenant and host. */
export interface Breaker {
  /** Lets an attempt in, and tells whether it is a probe. Throws Problem `upstream-unavailable` while the upstream is taken for away. */
  enter(now: number): boolean
  /** Told how each attempt that was let in has ended. */
  leave(probe: boolean, failed: boolean, now: number): void
}

export function createBreaker({ failures: limit, interval }: BreakerOptions): Breaker {
  let failures = 0
  let probeAt: number | undefined
  let probing = false
  return {
    enter(now) {
      if (probeAt === undefined) return false
      if (probing || now < probeAt)
        throw new Problem(
          'upstream-unavailable',
          'The upstream has failed again and again; it is asked once in a while whether it is back.',
          {
            headers: { 'retry-after': String(Math.max(1, Math.ceil((probeAt - now) / 1000))) }
          }
        )
      probing = true
      return true
    },
    leave(probe, failed, now) {
      if (!failed) {
        failures = 0
        probeAt = undefined
        probing = false
        return
      }
      failures++
      if (probe) probing = false
      // Those that were under way when it opened do not move the probe.
      if (probe ? probeAt !== undefined : probeAt === undefined && failures >= limit) probeAt = now + interval
    }
  }
}
