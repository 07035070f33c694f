import { maxViolations, type Violation } from '../problems/problem.ts'
import { invalid } from './validation.ts'

/** Rows of JSON as a CSV file: the header is the union of their fields, and a field that a row lacks is empty. */

export interface CsvFormat {
  delimiter?: string
  quote?: string
  /** Stands before a quotation mark or itself within a quotation; without it, a quotation mark is doubled (RFC 4180). */
  escape?: string
  /** One of `encodings`, in any case. */
  encoding?: string
}

type Cell = string | number | boolean

/** How many columns and cells a file can have: a row without a field still has its cell. */
export const maxColumns = 200
export const maxCells = 500_000

/** The encodings that can be written, by their names in lower case. */
const encodings: Record<string, BufferEncoding> = {
  'utf-8': 'utf8',
  utf8: 'utf8',
  'utf-16le': 'utf16le',
  utf16le: 'utf16le',
  'iso-8859-1': 'latin1',
  latin1: 'latin1',
  'us-ascii': 'ascii',
  ascii: 'ascii'
}

/** A regular expression for the names of the encodings that can be written, in any case. */
export const encodingPattern = `^(?:${Object.keys(encodings)
  .map(name => name.replace(/[a-z]/g, letter => `[${letter.toUpperCase()}${letter}]`))
  .join('|')})$`
/** The names of the encodings that can be written. */
export const encodingNames: readonly string[] = Object.keys(encodings)

/** The last character that an encoding has; without one, it has all. */
const lastCharacter: Partial<Record<BufferEncoding, number>> = { latin1: 0xff, ascii: 0x7f }

const inBody = (pointer: string, detail: string): Violation => ({ in: 'body', pointer, detail })
const segment = (name: string): string => name.replace(/~/g, '~0').replace(/\//g, '~1')
/** A cell as text; numbers without an exponent, which those below 2^53 have when they are small. */
const plain = (cell: Cell): string => {
  const text = String(cell)
  return typeof cell === 'number' && text.includes('e') ? cell.toFixed(20).replace(/\.?0+$/, '') : text
}

/**
 * The columns of rows: name -> the first row that has it. Throws Problem, naming rows, when there are more than `maxColumns`, or more than
 * `maxCells` cells in all.
 */
function columnsOf(rows: readonly Record<string, Cell>[], pointer: string): Map<string, number> {
  const columns = new Map<string, number>()
  const beyond: Violation[] = []
  for (const [i, row] of rows.entries()) {
    if (beyond.length > maxViolations) break
    for (const name of Object.keys(row)) {
      if (columns.has(name)) continue
      if (columns.size < maxColumns) columns.set(name, i)
      else if (beyond.length <= maxViolations)
        beyond.push(
          inBody(
            `${pointer}/${i}/${segment(name)}`,
            `would be one column too many: the rows may have ${maxColumns} different fields together, as each is a column of every row. Name fields alike in all rows, or put what differs into one field`
          )
        )
    }
  }
  const most = Math.floor(maxCells / columns.size)
  if (beyond.length === 0 && rows.length > most)
    beyond.push(
      inBody(
        `${pointer}/${most}`,
        `would be beyond ${maxCells} cells: with the ${columns.size} different fields of these rows, ${most} rows fit. Send the rows from here on in another request, or a file`
      )
    )
  if (beyond.length > 0) throw invalid(beyond)
  return columns
}

/**
 * Writes rows as CSV, in time and memory that grow with what they hold. `pointer` is where they stand in the body, as `/tasks`. Throws Problem when
 * the marks contradict one another, when the encoding lacks a character, when a number is not exact, and when there are too many columns or cells,
 * naming each.
 */
export function writeCsv(
  rows: readonly Record<string, Cell>[],
  { delimiter = ';', quote = '"', escape: sign = quote, encoding = 'UTF-8' }: CsvFormat,
  pointer: string
): Buffer {
  const nodeEncoding = encodings[encoding.toLowerCase()]
  if (!nodeEncoding) throw invalid([inBody('/encoding', `must be one of ${encodingNames.join(', ')}; for another one, upload a file`)])
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
    if (fault) wrong.push(inBody(`${pointer}/${row}/${segment(column)}`, fault))
  }
  const columns = columnsOf(rows, pointer)
  const marked = new RegExp(`[${[delimiter, quote, sign].map(mark => `\\u{${mark.codePointAt(0)?.toString(16)}}`).join('')}\\r\\n]`, 'u')
  const field = (text: string): string => {
    // A line with nothing on it would be none.
    const bare = text === '' ? columns.size > 1 : text.trim() === text && !marked.test(text)
    if (bare) return text
    return quote + (sign === quote ? text : text.replaceAll(sign, sign + sign)).replaceAll(quote, sign + quote) + quote
  }

  for (const [column, row] of columns) check(column, row, column)
  const places = new Map([...columns.keys()].map((column, i) => [column, i]))
  const lines = [[...columns.keys()].map(field).join(delimiter)]
  for (const [i, row] of rows.entries()) {
    if (wrong.length > maxViolations) break
    const cells = new Array<string>(columns.size).fill('')
    for (const [column, cell] of Object.entries(row)) {
      if (typeof cell === 'number' && Math.abs(cell) > Number.MAX_SAFE_INTEGER)
        wrong.push(
          inBody(`${pointer}/${i}/${segment(column)}`, 'is a number beyond 9007199254740991, whose last digits are lost; send it as text')
        )
      const text = plain(cell)
      if (typeof cell === 'string') check(text, i, column)
      const place = places.get(column)
      if (place !== undefined) cells[place] = field(text)
    }
    lines.push(cells.join(delimiter))
  }
  if (wrong.length > 0) throw invalid(wrong)
  return Buffer.from(`${lines.join('\n')}\n`, nodeEncoding)
}
