import type { Violation } from './problem.ts'
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
/** A cell as text; numbers without an exponent. */
const plain = (cell: Cell): string => {
  const text = String(cell)
  if (typeof cell !== 'number' || !text.includes('e')) return text
  return Number.isInteger(cell) ? String(BigInt(cell)) : cell.toFixed(20).replace(/\.?0+$/, '')
}

/**
 * Writes rows as CSV. `pointer` is where they stand in the body, as `/tasks`. Throws Problem when the marks contradict one another and when
 * the encoding lacks a character, naming each.
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
  const checked = (text: string, where: string): string => {
    if (!text.isWellFormed()) wrong.push(inBody(where, 'holds half of a surrogate pair, which is not a character'))
    else if (last !== undefined) {
      const strange = [...text].find(character => character.codePointAt(0)! > last)
      if (strange) wrong.push(inBody(where, `holds ${strange}, which ${encoding} does not have`))
    }
    return text
  }
  const marks = new Set([delimiter, quote, sign, '\r', '\n'])
  const columns = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const field = (text: string): string => {
    // A line with nothing on it would be none.
    const bare = text === '' ? columns.length > 1 : text.trim() === text && ![...text].some(character => marks.has(character))
    if (bare) return text
    return quote + (sign === quote ? text : text.replaceAll(sign, sign + sign)).replaceAll(quote, sign + quote) + quote
  }

  for (const column of columns) checked(column, `${pointer}/${rows.findIndex(row => Object.hasOwn(row, column))}/${segment(column)}`)
  const lines = [columns.map(field)]
  for (const [i, row] of rows.entries())
    lines.push(
      columns.map(column => {
        const cell = row[column]
        return cell === undefined ? '' : field(checked(plain(cell), `${pointer}/${i}/${segment(column)}`))
      })
    )
  if (wrong.length > 0) throw invalid(wrong)
  return Buffer.from(lines.map(line => `${line.join(delimiter)}\n`).join(''), nodeEncoding)
}
