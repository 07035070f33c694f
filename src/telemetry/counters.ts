/** Counts that cost nothing to keep: plain numbers, which `plugins/metrics.ts` reads when it is asked for them. */

/** Upper bounds of the histograms, in seconds; the last one is infinity. */
export const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

/** How long things took. */
export class Timing {
  /** By bound, and one more for what is beyond the last; not cumulated. */
  readonly counts = new Array<number>(bounds.length + 1).fill(0)
  sum = 0

  /** Counts one, of so many milliseconds. */
  add(ms: number): void {
    const seconds = ms / 1000
    this.sum += seconds
    let at = 0
    while (at < bounds.length && seconds > bounds[at]!) at++
    this.counts[at]!++
  }
}

/** A count by name. The names are ours, so that there are few. */
export type Tally = Record<string, number>

export const count = (tally: Tally, name: string): void => {
  tally[name] = (tally[name] ?? 0) + 1
}
