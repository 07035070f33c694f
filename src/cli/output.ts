/** The results of commands as text. */

/** Rows below each other, in columns. */
export function table(head: string[], rows: (string | number | undefined)[][]): string {
  const lines = [head, ...rows.map(row => row.map(cell => String(cell ?? '-')))]
  const widths = head.map((_, i) => Math.max(...lines.map(line => line[i]!.length)))
  return lines.map(line => line.map((cell, i) => cell.padEnd(i === line.length - 1 ? 0 : widths[i]!)).join('  ')).join('\n')
}

/** An object, a row for each field. */
const card = (fields: object): string =>
  table(
    ['FIELD', 'VALUE'],
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)])
  )

/** The result of a command that returns an object. */
export const fieldsOf = async <T extends object>(value: Promise<T>) => {
  const json = await value
  return { json, text: card(json) }
}

/** The result of a command that returns nothing but a confirmation. */
export const confirmed = async (done: Promise<unknown>, text: string) => {
  await done
  return { json: { done: text }, text }
}
