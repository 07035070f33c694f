import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { strict } from '../../../schemas/common.ts'
import { Turns } from '../../limits/turns.ts'
import { invalid } from '../../problems/invalid-request.ts'
import { maxViolations, type Problem, type Violation } from '../../problems/problem.ts'
import { compileCheck } from '../validation.ts'
import { isObject } from '../violations.ts'
import { splitRows } from './scanner.ts'

/** JSON bodies whose list of rows becomes a file: read and written a few rows in each turn of the event loop. */

/** Bytes of rows that are parsed and checked at one time: about a millisecond. */
const batchBytes = 16_384

export type Row = Record<string, string | number | boolean>

/** A file that is made of rows. */
export interface RowFile {
  /** Takes the next rows. Throws Problem as soon as no file can be made of them. */
  add(rows: readonly Row[]): void
  /** The file, once all rows are there: some kilobytes at a time. Throws Problem. */
  pieces(): Iterable<Buffer>
}

export interface RowsOptions {
  /** The field with the rows, and its schema: an array. */
  name: string
  schema: TSchema
  /** The fields beside it. */
  fields: TProperties
  /** An empty file for a body whose other fields are checked. Throws Problem. */
  createFile(body: Record<string, unknown>): RowFile
}

/** A body that has been read. */
export interface RowsBody {
  /** Its other fields. */
  input: Record<string, unknown>
  /** What is wrong with its fields and rows. */
  problem?: Problem
  /** Its file in pieces, and what they have in bytes. Throws Problem when the rows are valid and no file can be made of them. */
  write(): Promise<{ pieces: Buffer[]; bytes: number }>
}

export interface RowsReader {
  /** The schema of the whole body, for the document. */
  schema: TObject
  /** Reads a body. `parse` is the JSON parser of other bodies; `bytes` is undefined where there is no body. Throws Problem for what is no JSON. */
  read(bytes: Buffer | undefined, parse: (text: string) => unknown): Promise<RowsBody>
}

const turns = new Turns()

/** Compiles the reader of a kind of body. */
export function compileRowsReader({ name, schema, fields, createFile }: RowsOptions): RowsReader {
  const body = strict({ [name]: schema, ...fields })
  // The rows are checked by themselves: beside the other fields there is a list of as many items, all empty.
  const checkRest = compileCheck(strict({ [name]: { ...schema, items: {} }, ...fields }), 'body')
  const checkBatch = compileCheck(Type.Array(schema.items as TSchema), 'body')

  function* read(bytes: Buffer | undefined, parse: (text: string) => unknown): Generator<undefined, RowsBody> {
    const { text, rows } = bytes ? splitRows(bytes, body, { name, batchBytes }) : { text: undefined, rows: undefined }
    const parsed = text === undefined ? undefined : parse(text)
    const rest = rows && isObject(parsed) ? { ...parsed, [name]: new Array(rows.count) } : parsed
    const checked = checkRest(rest)
    const errors = 'error' in checked ? (checked.error.errors ?? []) : []
    const wrong: Violation[] = []
    let file: RowFile | undefined
    let fault: unknown
    try {
      if (isObject(rest) && errors.length === 0) file = createFile(rest)
    } catch (error) {
      fault = error
    }
    const isListed = rows && !errors.some(({ pointer }) => pointer === `/${name}`)
    for (const { bytes: part, first } of isListed ? rows.batches : []) {
      if (fault || wrong.length + errors.length > maxViolations) break
      if (rows && rows.batches.length > 1) yield
      const batch = parse(`[${part}]`) as Row[]
      const outcome = checkBatch(batch)
      if ('error' in outcome)
        for (const { pointer, detail } of outcome.error.errors ?? [])
          wrong.push({ in: 'body', pointer: pointer.replace(/^\/(\d+)/, (_, i) => `/${name}/${first + Number(i)}`), detail })
      if (wrong.length > 0) continue
      try {
        file?.add(batch)
      } catch (error) {
        fault = error
      }
    }
    const { [name]: _, ...input } = isObject(rest) ? rest : {}
    const all = [...wrong, ...errors].slice(0, maxViolations + 1)
    return {
      input,
      ...(all.length > 0 ? { problem: invalid(all) } : {}),
      async write() {
        if (fault || !file) throw fault
        return turns.run(written(file))
      }
    }
  }

  return { schema: body, read: (bytes, parse) => turns.run(read(bytes, parse)) }
}

function* written(file: RowFile): Generator<undefined, { pieces: Buffer[]; bytes: number }> {
  const pieces: Buffer[] = []
  let bytes = 0
  for (const piece of file.pieces()) {
    if (pieces.length > 0) yield
    pieces.push(piece)
    bytes += piece.length
  }
  return { pieces, bytes }
}
