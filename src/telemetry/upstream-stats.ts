import type { Hold } from '../limits/byte-budget.ts'

/** The upstream calls of one request, and the memory that their response takes. */
export class UpstreamStats {
  /** Milliseconds spent in attempts. */
  ms = 0
  /** Attempts, and those that were not the first of their call. */
  attempts = 0
  retries = 0
  /** What a large response holds in memory. */
  hold: Hold | undefined = undefined
  #closed = false

  /** Takes over what a response holds in memory. */
  keep(hold: Hold): void {
    this.release()
    if (this.#closed) hold.release()
    else this.hold = hold
  }

  release(): void {
    this.hold?.release()
    this.hold = undefined
  }

  /** Releases what is held, and all that is kept later: the request has ended. */
  close(): void {
    this.#closed = true
    this.release()
  }
}
