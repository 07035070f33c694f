/**
 * Numbers beyond 2^53, which JSON.parse would round. Looking for them in the text of every response would cost half as much as parsing it, so that the
 * decoders notice them: they throw `inexact`, and the text is parsed once more, with such numbers as `ExactNumber`.
 */

/** A JSON number that a double does not hold, as it was written. */
export class ExactNumber {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
  toJSON(): string {
    return this.source
  }
}

/** Thrown by a decoder that meets a number beyond 2^53, or an infinite one. */
export const inexact = new Error('a number beyond 2^53')

/** The number itself, while a double holds it exactly. Throws `inexact`. */
export function exact(value: number): number {
  if (value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER) return value
  throw inexact
}

// The library's types do not know the third parameter yet.
const keepSource = (_: string, value: unknown, context?: { source: string }): unknown =>
  context && typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? new ExactNumber(context.source) : value

/** JSON.parse, with numbers beyond 2^53 as `ExactNumber`. Throws on what is not JSON. */
export const parseExactly = (text: string): unknown => JSON.parse(text, keepSource)
