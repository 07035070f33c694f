/** Counts that cost nothing to keep: plain numbers, which `plugins/metrics.ts` reads on a scrape. */

/** Upper bounds of the histograms, in seconds; the last one is infinity. */
export const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

/** A distribution of durations. */
export class Histogram {
  /** Observations by bucket, the last of which has no upper bound; not cumulative. */
  readonly counts = new Array<number>(bounds.length + 1).fill(0)
  /** Seconds. */
  sum = 0

  /** @param ms milliseconds */
  observe(ms: number): void {
    const seconds = ms / 1000
    this.sum += seconds
    let bucket = 0
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++
    this.counts[bucket]!++
  }
}

/** A counter by the value of one label. The values are ours, so that there are few. */
export type Counter = Record<string, number>

export const increment = (counter: Counter, label: string): void => {
  counter[label] = (counter[label] ?? 0) + 1
}
