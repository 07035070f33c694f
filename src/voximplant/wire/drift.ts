/** Where a response departs from what is declared, for a metric. */
export interface Drift {
  /** The upstream sent a member that is not declared; it is passed on all the same. */
  unknown(field: string): void
  /** The upstream sent a value that was left out: it cannot be read as declared, or may be a secret that is not declared. */
  unreadable(field: string): void
}

/** Decodes a value of a response as declared; undefined when it holds none. Throws `inexact` on numbers beyond 2^53. */
export type Decode = (raw: unknown, drift: Drift) => unknown

/** Keeps what is counted until it is certain that the decoding holds. */
export class NotedDrift implements Drift {
  #notes: (readonly ['unknown' | 'unreadable', string])[] | undefined
  #note(kind: 'unknown' | 'unreadable', field: string): void {
    this.#notes ??= []
    this.#notes.push([kind, field])
  }
  unknown(field: string): void {
    this.#note('unknown', field)
  }
  unreadable(field: string): void {
    this.#note('unreadable', field)
  }
  report(drift: Drift): void {
    for (const [kind, field] of this.#notes ?? []) drift[kind](field)
  }
}
