import type { TSchema } from '@sinclair/typebox'
import { invalid } from '../../problems/invalid-request.ts'
import { Problem } from '../../problems/problem.ts'

/**
 * A pass over the bytes of a JSON body before it is parsed. V8 keeps every name that it parses until a full garbage collection, so a body of thousands of
 * unknown fields costs more than all else of its request; a pass over the bytes costs some milliseconds per MiB, and ends early.
 */

/** Bodies up to this many bytes are parsed as they are. */
const minScannedBytes = 4_096
/** Unknown fields, and values in an object or a list that no field takes, from which on a body is not parsed. */
export const maxUnknown = 500

const [quote, backslash, slash, comma, colon, letterU, openList, closeList, openObject, closeObject] = [
  0x22, 0x5c, 0x2f, 0x2c, 0x3a, 0x75, 0x5b, 0x5d, 0x7b, 0x7d
] as const

/** Consecutive rows of a list: their JSON, without the brackets, and the index of the first one. */
export interface Batch {
  bytes: Buffer
  first: number
}

/** The list of rows of a body. */
export interface RowBatches {
  batches: Batch[]
  /** Number of rows; where there are more than `maxItems` of the schema, one more than that. */
  count: number
}

export interface RowsOptions {
  /** The field of the body whose list is split. */
  name: string
  /** Bytes of a batch: it ends with the first row that reaches them. */
  batchBytes: number
}

export const malformed = (): Problem => new Problem('malformed-body', 'The body is not valid JSON.')

/** Throws Problem when a body has more than `maxUnknown` values that its schema has no place for. What is no JSON may pass. */
export function checkSize(bytes: Buffer, schema: TSchema): void {
  if (bytes.length > minScannedBytes) new Scanner(bytes).scan(schema)
}

/** The text of a body with an empty list in place of its rows, and where they stand; undefined: there is no list. Throws Problem as `checkSize` does. */
export function splitRows(bytes: Buffer, schema: TSchema, options: RowsOptions): { text: string; rows: RowBatches | undefined } {
  const scanner = new Scanner(bytes, options)
  scanner.scan(schema)
  const { list } = scanner
  if (!list) return { text: bytes.toString(), rows: undefined }
  return { text: bytes.toString('utf8', 0, list.start + 1) + bytes.toString('utf8', list.end - 1), rows: list.rows }
}

class Scanner {
  /** The rows, and where their list begins and ends. */
  list: { rows: RowBatches; start: number; end: number } | undefined
  readonly #bytes: Buffer
  readonly #options: RowsOptions | undefined
  #at = 0
  #unknown = 0

  constructor(bytes: Buffer, options?: RowsOptions) {
    this.#bytes = bytes
    this.#options = options
  }

  /** What comes after the value is for the parser to refuse. */
  scan(schema: TSchema): void {
    // A byte order mark.
    if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb && this.#bytes[2] === 0xbf) this.#at = 3
    this.#value(schema, true)
  }

  #value(schema: TSchema, top = false): void {
    const first = this.#next()
    const inner = first === openObject ? shapeOf(schema, 'object') : first === openList ? shapeOf(schema, 'array') : 'any'
    if (inner === 'any') this.#skip()
    else if (inner === 'none') this.#skip(true)
    else if (first === openObject) this.#members(closeObject, () => this.#member(inner.properties ?? noFields, top))
    else this.#members(closeList, () => this.#value(inner.items))
  }

  #members(close: number, member: () => void): void {
    this.#at++
    if (this.#next() === close) {
      this.#at++
      return
    }
    for (;;) {
      member()
      const after = this.#next()
      this.#at++
      if (after === close) return
      if (after !== comma) throw malformed()
    }
  }

  #member(fields: Record<string, TSchema>, top: boolean): void {
    if (this.#next() !== quote) throw malformed()
    const start = this.#at
    this.#at = endOfString(this.#bytes, start)
    const name = fieldAt(this.#bytes, start, this.#at, fields)
    if (this.#next() !== colon) throw malformed()
    this.#at++
    const first = this.#next()
    if (name === undefined) {
      this.#count()
      this.#skip()
    } else if (top && name === this.#options?.name && first === openList) this.#rows(fields[name]!, this.#options)
    else this.#value(fields[name]!)
  }

  #rows({ maxItems = Number.POSITIVE_INFINITY }: TSchema, { batchBytes }: RowsOptions): void {
    if (this.list) throw malformed()
    const start = this.#at
    const batches: Batch[] = []
    let count = 0
    let [from, first] = [start + 1, 0]
    const close = (end: number) => {
      batches.push({ bytes: this.#bytes.subarray(from, end), first })
      from = end + 1
      first = count
    }
    this.#members(closeList, () => {
      // More are refused: they are not looked at.
      if (count > maxItems) {
        this.#at = endOfValue(this.#bytes, start) - 1
        return
      }
      this.#next()
      this.#skip()
      count++
      if (this.#next() === comma && this.#at - from >= batchBytes) close(this.#at)
    })
    if (count > first) close(this.#at - 1)
    this.list = { rows: { batches, count }, start, end: this.#at }
  }

  /** The next byte that is no white space. */
  #next(): number {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined) throw malformed()
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte
      this.#at++
    }
  }

  #skip(counts = false): void {
    this.#at = endOfValue(this.#bytes, this.#at, counts ? () => this.#count() : undefined)
  }

  #count(): void {
    if (++this.#unknown <= maxUnknown) return
    throw invalid([{ in: 'body', pointer: '', detail: `has more than ${maxUnknown} fields and values that are not taken here` }])
  }
}

const noFields: Record<string, TSchema> = {}

/** What of the kind a schema takes: nothing, anything, or what the schema says of its fields or items. */
function shapeOf(schema: TSchema, kind: 'object' | 'array'): TSchema | 'any' | 'none' {
  if (schema.anyOf) return (schema.anyOf as TSchema[]).every(branch => shapeOf(branch, kind) === 'none') ? 'none' : 'any'
  if (schema.type === undefined) return 'any'
  if (![schema.type].flat().includes(kind)) return 'none'
  if (kind === 'array') return typeof schema.items === 'object' ? schema : 'any'
  return schema.additionalProperties === false ? schema : 'any'
}

/** The names of an object's fields by their length. Those of the catalogue are ASCII. */
const namesByLength = new WeakMap<Record<string, TSchema>, Map<number, string[]>>()
function namesOf(fields: Record<string, TSchema>): Map<number, string[]> {
  let names = namesByLength.get(fields)
  if (!names) {
    names = Map.groupBy(Object.keys(fields), name => name.length)
    namesByLength.set(fields, names)
  }
  return names
}

const characters = new Uint16Array(255)

/** Which of the fields the name between these quotes is, if any. Makes no string of it, which would cost more than all else. */
function fieldAt(bytes: Buffer, start: number, end: number, fields: Record<string, TSchema>): string | undefined {
  let length = 0
  for (let i = start + 1; i < end - 1; i++) {
    if (length === characters.length) return undefined
    let code = bytes[i]!
    if (code === backslash) {
      code = bytes[++i]!
      if (code === letterU) {
        code = Number.parseInt(bytes.toString('latin1', i + 1, i + 5), 16)
        i += 4
      } else if (code !== slash) return undefined
    }
    characters[length++] = code
  }
  return namesOf(fields)
    .get(length)
    ?.find(candidate => {
      for (let i = 0; i < length; i++) if (candidate.charCodeAt(i) !== characters[i]) return false
      return true
    })
}

/** The end of the string that begins here. */
function endOfString(bytes: Buffer, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === backslash) i++
    else if (byte === quote) return i + 1
  }
  throw malformed()
}

/** The end of the value that begins here. `count` is called for each further value in it. */
function endOfValue(bytes: Buffer, start: number, count?: () => void): number {
  const first = bytes[start]
  if (first === quote) return endOfString(bytes, start)
  if (first !== openObject && first !== openList) return endOfWord(bytes, start)
  let depth = 0
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === quote) i = endOfString(bytes, i) - 1
    else if (byte === openObject || byte === openList) depth++
    else if (byte === closeObject || byte === closeList) {
      if (--depth === 0) return i + 1
    } else if (byte === comma) count?.()
  }
  throw malformed()
}

/** The end of a number, `true`, `false` or `null`. */
function endOfWord(bytes: Buffer, start: number): number {
  let i = start
  for (; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === comma || byte === closeObject || byte === closeList || byte <= 0x20) break
  }
  if (i === start) throw malformed()
  return i
}
