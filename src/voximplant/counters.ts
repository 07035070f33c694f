import { type Counter, Histogram } from '../telemetry/counters.ts'
import { type BreakerCounts, createBreakerCounts } from './circuit-breaker.ts'

/** Attempts of one method: their durations and their outcomes. */
export interface MethodCounters {
  readonly time: Histogram
  readonly outcomes: Counter
}

/** What became of calls. */
export class CallCounters {
  readonly methods = new Map<string, MethodCounters>()
  /** Attempts after the first, by the reason; and retries that were due but not made, by what was exceeded. */
  readonly retries: Counter = {}
  readonly notRetried: Counter = {}
  readonly breakers: BreakerCounts = createBreakerCounts()
  /** Connections that were closed because of an unsolicited response. */
  unsolicited = 0

  method(name: string): MethodCounters {
    let counters = this.methods.get(name)
    if (!counters) {
      counters = { time: new Histogram(), outcomes: {} }
      this.methods.set(name, counters)
    }
    return counters
  }
}
