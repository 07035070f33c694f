/** How a CSV text is written. */
export interface CsvFormat {
  delimiter: string
  quote: string
  /** Makes the character after it literal. Equal to `quote`: only a doubled quote is literal (RFC 4180). */
  escape: string
}

const lineEnd = /\r\n|[\r\n]/y

/**
 * The rows of a CSV text (RFC 4180) without blank lines. Line ends are CR, LF or CRLF; the last line needs none.
 * Throws SyntaxError at a quote that is not closed, that stands within an unquoted field, or that is followed by anything but a delimiter.
 */
export function readCsv(text: string, { delimiter, quote, escape: sign }: CsvFormat): string[][] {
  const escapes = sign !== quote
  const rows: string[][] = []
  let at = 0
  const fault = (what: string): never => {
    throw new SyntaxError(`line ${text.slice(0, at).split(/\r\n|[\r\n]/).length}: ${what}`)
  }

  const quoted = (): string => {
    let field = ''
    for (at++; ; at++) {
      if (at >= text.length) fault('a quotation is not closed')
      if (escapes && text[at] === sign) field += text[++at] ?? ''
      else if (text[at] !== quote) field += text[at]
      else if (text[at + 1] === quote) field += text[++at]
      else break
    }
    at++
    return field
  }

  const plain = (): string => {
    let field = ''
    for (; at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r'; at++) {
      if (escapes && text[at] === sign) field += text[++at] ?? ''
      else if (text[at] === quote) fault('a quotation mark stands in a field without quotation')
      else field += text[at]
    }
    return field
  }

  while (at < text.length) {
    const start = at
    const row: string[] = []
    for (;;) {
      row.push(text[at] === quote ? quoted() : plain())
      if (text[at] !== delimiter || at >= text.length) break
      at++
    }
    const blank = at === start
    if (at < text.length) {
      lineEnd.lastIndex = at
      if (!lineEnd.test(text)) fault('something follows a quotation')
      at = lineEnd.lastIndex
    }
    if (!blank) rows.push(row)
  }
  return rows
}
