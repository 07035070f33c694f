/** What a CSV file of a call list can be: its size, and the encodings it can be written in. */

/** How many columns and cells a file can have: a row without a field still has its cell. */
export const maxColumns = 200
export const maxCells = 500_000

/** The encodings that can be written, by their names in lower case. */
export const encodings: Record<string, BufferEncoding> = {
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
