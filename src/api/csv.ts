import { invalid } from '../problems/invalid-request.ts'
import { maxViolations, type Violation } from '../problems/problem.ts'
import { encodingNames, encodings, maxCells, maxColumns } from '../voximplant/wire/csv-limits.ts'
import type { Row, RowFile } from './body/rows.ts'

/** Rows of JSON as a CSV file: the header is the union of their fields, and a field that a row lacks is empty. */

export interface CsvFormat {
  delimiter?: string
  quote?: string
  /** Stands before a quotation mark or itself within a quotation; without it, a quotation mark is doubled (RFC 4180). */
  escape?: string
  /** One of `encodings`, in any case. */
  encoding?: string
}

type Cell = Row[string]

/** The last character that an encoding has; without one, it has all. */
const lastCharacter: Partial<Record<BufferEncoding, number>> = { latin1: 0xff, ascii: 0x7f }

const inBody = (pointer: string, detail: string): Violation => ({ in: 'body', pointer, detail })
const segment = (name: string): string => name.replace(/~/g, '~0').replace(/\//g, '~1')
/** A cell as text; numbers without an exponent, which those below 2^53 have when they are small. */
const plain = (cell: Cell): string => {
  const text = String(cell)
  return typeof cell === 'number' && text.includes('e') ? cell.toFixed(20).replace(/\.?0+$/, '') : text
}

/** Cells that are written at one time: about a millisecond. */
const pieceCells = 4_000

/**
 * A CSV file of rows, in time and memory that grow with what they hold. What is wrong is named cell by cell: marks that contradict one another, characters
 * that the encoding lacks, numbers that are not exact, and too many columns or cells.
 */
export class CsvFile implements RowFile {
  readonly #format: Required<CsvFormat>
  readonly #pointer: string
  readonly #convert: (row: Row, pointer: string) => Row
  readonly #rows: Row[] = []
  /** Name -> its place, and the first row that has it. */
  readonly #columns = new Map<string, { place: number; row: number }>()
  /** Columns beyond the limit. */
  readonly #beyond: Violation[] = []

  /**
   * @param pointer where the rows stand in the body, as `/tasks`
   * @param convert converts a row, at its pointer, before it is written
   */
  constructor(format: CsvFormat, pointer: string, convert: (row: Row, pointer: string) => Row = row => row) {
    const { delimiter = ';', quote = '"', escape: sign = quote, encoding = 'UTF-8' } = format
    this.#format = { delimiter, quote, escape: sign, encoding }
    this.#pointer = pointer
    this.#convert = convert
  }

  add(rows: readonly Row[]): void {
    for (const added of rows) {
      const at = this.#rows.length
      const row = this.#convert(added, `${this.#pointer}/${at}`)
      this.#rows.push(row)
      for (const name of Object.keys(row)) {
        if (this.#columns.has(name)) continue
        if (this.#columns.size < maxColumns) this.#columns.set(name, { place: this.#columns.size, row: at })
        else
          this.#beyond.push(
            inBody(
              `${this.#pointer}/${at}/${segment(name)}`,
              `would be one column too many: the rows may have ${maxColumns} different fields together, as each is a column of every row. Name fields alike in all rows, or put what differs into one field`
            )
          )
        if (this.#beyond.length > maxViolations) throw invalid(this.#beyond)
      }
    }
  }

  *pieces(): Generator<Buffer> {
    const { delimiter, quote, escape: sign, encoding } = this.#format
    const nodeEncoding = encodings[encoding.toLowerCase()]
    if (!nodeEncoding) throw invalid([inBody('/encoding', `must be one of ${encodingNames.join(', ')}; for another one, upload a file`)])
    this.#checkCells()
    const wrong: Violation[] = []
    if (delimiter === quote) wrong.push(inBody('/delimiter', 'must differ from `quote`'))
    if (delimiter === sign && sign !== quote) wrong.push(inBody('/delimiter', 'must differ from `escape`'))

    const last = lastCharacter[nodeEncoding]
    const faultOf = (text: string): string | undefined => {
      if (!text.isWellFormed()) return 'holds half of a surrogate pair, which is not a character'
      if (last === undefined) return undefined
      for (const character of text) if ((character.codePointAt(0) ?? 0) > last) return `holds ${character}, which ${encoding} does not have`
      return undefined
    }
    const check = (text: string, row: number, column: string): void => {
      const fault = faultOf(text)
      if (fault) wrong.push(inBody(`${this.#pointer}/${row}/${segment(column)}`, fault))
    }
    const columns = this.#columns
    const marked = new RegExp(`[${[delimiter, quote, sign].map(mark => `\\u{${mark.codePointAt(0)?.toString(16)}}`).join('')}\\r\\n]`, 'u')
    const field = (text: string): string => {
      // A line with nothing on it would be none.
      const bare = text === '' ? columns.size > 1 : text.trim() === text && !marked.test(text)
      if (bare) return text
      return quote + (sign === quote ? text : text.replaceAll(sign, sign + sign)).replaceAll(quote, sign + quote) + quote
    }
    const line = (row: Row, i: number): string => {
      const cells = new Array<string>(columns.size).fill('')
      for (const [column, cell] of Object.entries(row)) {
        if (typeof cell === 'number' && Math.abs(cell) > Number.MAX_SAFE_INTEGER)
          wrong.push(
            inBody(
              `${this.#pointer}/${i}/${segment(column)}`,
              'is a number beyond 9007199254740991, whose last digits are lost; send it as text'
            )
          )
        const text = plain(cell)
        if (typeof cell === 'string') check(text, i, column)
        const place = columns.get(column)?.place
        if (place !== undefined) cells[place] = field(text)
      }
      return `${cells.join(delimiter)}\n`
    }

    for (const [column, { row }] of columns) check(column, row, column)
    const perPiece = Math.max(1, Math.floor(pieceCells / columns.size))
    let text = `${[...columns.keys()].map(field).join(delimiter)}\n`
    for (const [i, row] of this.#rows.entries()) {
      if (wrong.length > maxViolations) break
      text += line(row, i)
      if ((i + 1) % perPiece === 0) {
        yield Buffer.from(text, nodeEncoding)
        text = ''
      }
    }
    if (wrong.length > 0) throw invalid(wrong)
    if (text !== '') yield Buffer.from(text, nodeEncoding)
  }

  /** Throws Problem for columns and cells beyond the limits. */
  #checkCells(): void {
    if (this.#beyond.length > 0) throw invalid(this.#beyond)
    const maxRows = Math.floor(maxCells / this.#columns.size)
    if (this.#rows.length > maxRows)
      throw invalid([
        inBody(
          `${this.#pointer}/${maxRows}`,
          `would be beyond ${maxCells} cells: with the ${this.#columns.size} different fields of these rows, ${maxRows} rows fit. Send the rows from here on in another request, or a file`
        )
      ])
  }
}
