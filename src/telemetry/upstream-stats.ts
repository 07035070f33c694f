/** The memory that a response takes, as the response budget counts it. */
export interface ResponseMemory {
  readonly bytes: number
  /** Counts this many bytes in place of those counted before; never waits. */
  set(bytes: number): void
  /** Grants a number of bytes, which the caller takes. */
  hand(bytes: number): void
  release(): void
}

/** The upstream calls of one request, and the memory that their response takes. */
export class UpstreamStats {
  /** Milliseconds spent in attempts. */
  ms = 0
  /** Attempts, and those that were not the first of their call. */
  attempts = 0
  retries = 0
  /** What a large response holds in memory. */
  hold: ResponseMemory | undefined = undefined
  #closed = false

  /** Takes over what a response holds in memory. */
  keep(hold: ResponseMemory): void {
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
