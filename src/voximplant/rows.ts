import { Readable } from 'node:stream'
import type { Decode, Drift } from './wire/drift.ts'
import { decodeExactly } from './wire/response.ts'

/** A list of rows that is written as JSON already, in pieces of some kilobytes. */
export class Rows {
  /** How many rows there are. */
  length = 0
  readonly pieces: Buffer[] = []
  bytes = 0
}

/** A response body whose items are such a list. */
export type LongList = Record<string, unknown> & { items: Rows }

/**
 * The JSON of a long list as a stream, and how many bytes it has. The list is used up by it.
 * @param onPassed called with the number of bytes of rows that were passed on
 */
export function streamOf(body: LongList, onPassed: (bytes: number) => void): { stream: Readable; bytes: number } {
  const { pieces, bytes } = body.items
  const around = JSON.stringify({ ...body, items: [] })
  const at = around.indexOf('"items":[') + '"items":['.length
  const [head, tail] = [Buffer.from(around.slice(0, at)), Buffer.from(around.slice(at))]
  let next = -1
  const stream = new Readable({
    read() {
      const at = next++
      if (at < 0) this.push(head)
      else if (at < pieces.length) {
        const piece = pieces[at]!
        pieces[at] = head
        onPassed(piece.length)
        this.push(piece)
      } else {
        this.push(tail)
        this.push(null)
      }
    },
    destroy(error, destroyed) {
      pieces.length = 0
      destroyed(error)
    }
  })
  return { stream, bytes: head.length + bytes + tail.length }
}

/** The text of rows that is parsed at one time, in bytes: some tenths of a millisecond. */
const batch = 16_384

const [quote, backslash, comma, open, close, openObject, closeObject] = [0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d] as const

/** Buffers outside of V8's heap have it collect garbage all the more often: the text of rows is put together in the same one every time. */
const scratch = Buffer.allocUnsafeSlow(2 * batch)

/** The text of buffers. @param bytes their length in all */
function textOf(buffers: readonly Buffer[], bytes: number): string {
  if (bytes > scratch.length) return Buffer.concat(buffers, bytes).toString()
  let at = 0
  for (const buffer of buffers) at += buffer.copy(scratch, at)
  return scratch.toString('utf8', 0, at)
}

/**
 * Reads a response of the upstream as it comes: the rows of its `result` are decoded and written a few at a time, so that neither the text nor
 * the objects are ever in memory as a whole. What stands around the rows is kept as text.
 */
export class RowReader {
  readonly rows = new Rows()
  readonly #decode: Decode
  readonly #drift: Drift
  /** What stands around the rows, and the start of rows that have not come completely. */
  readonly #around: Buffer[] = []
  #begun: Buffer[] = []
  #begunBytes = 0
  #parsed = false
  #depth = 0
  #inString = false
  #escaped = false
  #inRows = false
  #seen = false
  /** The text that came last between quotes, at depth 1. */
  #name = ''

  /** @param decode decodes a list of rows */
  constructor(decode: Decode, drift: Drift) {
    this.#decode = decode
    this.#drift = drift
  }

  /** Whether there was a list, and it came to its end. */
  get hasRows(): boolean {
    return this.#seen && !this.#inRows
  }

  /** Throws SyntaxError when a row is no JSON. */
  read(chunk: Buffer): void {
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === backslash) this.#escaped = true
        else if (byte === quote) this.#inString = false
        else if (this.#depth === 1 && this.#name.length <= 6) this.#name += String.fromCharCode(byte)
      } else if (byte === quote) {
        this.#inString = true
        if (this.#depth === 1) this.#name = ''
      } else if (byte === open || byte === openObject) {
        this.#depth++
        if (byte === open && this.#depth === 2 && this.#name === 'result') {
          if (this.#seen) throw new SyntaxError('two lists of rows')
          this.#seen = true
          this.#inRows = true
          this.#keep(chunk.subarray(start, i + 1))
          start = i + 1
        }
      } else if (byte === close || byte === closeObject) {
        this.#depth--
        if (this.#inRows && this.#depth === 1) {
          this.#inRows = false
          this.#flush(chunk.subarray(start, i), true)
          start = i
        }
      } else if (byte === comma && this.#inRows && this.#depth === 2 && this.#begunBytes + i - start >= batch) {
        this.#flush(chunk.subarray(start, i), false)
        start = i + 1
      }
    }
    const rest = chunk.subarray(start)
    if (!this.#inRows) this.#keep(rest)
    else {
      this.#begun.push(rest)
      this.#begunBytes += rest.length
    }
  }

  /** What stands around the rows: the response with an empty list in their place. */
  around(): string {
    return Buffer.concat(this.#around).toString()
  }

  #keep(bytes: Buffer): void {
    // A copy: the few bytes would keep the whole chunk.
    this.#around.push(Buffer.from(bytes))
  }

  #flush(end: Buffer, last: boolean): void {
    this.#begun.push(end)
    const text = textOf(this.#begun, this.#begunBytes + end.length)
    this.#begun = []
    this.#begunBytes = 0
    // Nothing after a comma is no row.
    if (text.trim() === '') {
      if (last && !this.#parsed) return
      throw new SyntaxError('a row is missing')
    }
    this.#parsed = true
    const list = `[${text}]`
    const decoded = decodeExactly(JSON.parse(list), list, this.#decode, this.#drift) as unknown[]
    if (decoded.length === 0) return
    const written = JSON.stringify(decoded).slice(1, -1)
    const piece = Buffer.from(this.rows.length === 0 ? written : `,${written}`)
    this.rows.length += decoded.length
    this.rows.pieces.push(piece)
    this.rows.bytes += piece.length
  }
}
