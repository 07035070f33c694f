/** Slows guessing down: whoever has failed too often waits, right or wrong. */
export interface Throttle {
  /** Milliseconds until this source may try again; 0: now. */
  wait(source: string, now: number): number
  failed(source: string, now: number): void
}

/** So many failures are free, and then one in so many milliseconds. */
const free = 10
const interval = 30_000
const most = 10_000

/** Failures by source, forgotten again at an even pace. Bounded: when there are too many sources, the oldest is forgotten. */
export function createThrottle(): Throttle {
  /** When all of a source's failures will be forgotten. */
  const forgivenAt = new Map<string, number>()
  return {
    wait(source, now) {
      const at = forgivenAt.get(source)
      return at === undefined ? 0 : Math.max(0, at - now - (free - 1) * interval)
    },
    failed(source, now) {
      const at = Math.max(now, forgivenAt.get(source) ?? 0) + interval
      forgivenAt.delete(source)
      if (forgivenAt.size >= most) forgivenAt.delete(forgivenAt.keys().next().value!)
      forgivenAt.set(source, at)
    }
  }
}
