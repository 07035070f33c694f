import t from 'tap'
import type { Row } from '../../src/api/body/rows.ts'
import { CsvFile, type CsvFormat } from '../../src/api/csv.ts'
import type { Problem, Violation } from '../../src/problems/problem.ts'
import { maxCells, maxColumns } from '../../src/voximplant/wire/csv-limits.ts'
import { disproportion, growth } from '../growth.ts'

/** Rows of JSON as CSV, in time and memory that grow with what the rows hold. */

/** The file of rows that come in batches of 100. */
function csvOf(rows: Row[], format: CsvFormat = {}): string {
  const file = new CsvFile(format, '/tasks')
  for (let i = 0; i < rows.length; i += 100) file.add(rows.slice(i, i + 100))
  return Buffer.concat([...file.pieces()]).toString()
}

/** The violations that rows are refused with. */
function refusal(rows: Row[], format = {}): Violation[] {
  try {
    csvOf(rows, format)
  } catch (error) {
    return (error as Problem).errors ?? []
  }
  return []
}

const columns = (count: number, from = 0): Row => Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${from + i}`, 1]))

t.test('rows with more than 200 different fields are refused, and the rows that go beyond are named', async t => {
  t.strictSame(refusal([columns(maxColumns), columns(maxColumns)]), [])
  const errors = refusal([columns(maxColumns), { c1: 1 }, { 'one/too~many': 1 }, { another: 1 }])
  t.strictSame(
    errors.map(({ pointer }) => pointer),
    ['/tasks/2/one~1too~0many', '/tasks/3/another']
  )
  t.match(errors[0]!.detail, /200 different fields/)
  t.ok(refusal(Array.from({ length: 5_000 }, (_, i) => columns(8, 8 * i))).length <= 21, 'not one violation for each')
})

t.test('rows that would have more than 500,000 cells are refused, and the first row that does not fit is named', async t => {
  const rows = (count: number): Row[] => [columns(100), ...Array.from({ length: count - 1 }, () => ({ c0: 1 }))]
  t.strictSame(refusal(rows(maxCells / 100)), [])
  const [error, ...others] = refusal(rows(maxCells / 100 + 1))
  t.strictSame(others, [])
  t.equal(error?.pointer, '/tasks/5000')
  t.match(error?.detail, /100 different fields of these rows, 5000 rows fit/)
})

t.test('a field that every object inherits is empty in rows that do not have it', async t => {
  t.equal(csvOf([{ a: 1 }, { constructor: 2, toString: 'x' }]), 'a;constructor;toString\n1;;\n;2;x\n')
})

t.test('a number whose digits JSON has lost already is refused by name', async t => {
  t.strictSame(refusal([{ a: 9007199254740991, b: -9007199254740991, c: 0.1 }]), [])
  const errors = refusal([{ a: JSON.parse('12345678901234567890') }, { b: -(2 ** 60) }])
  t.strictSame(
    errors.map(({ pointer }) => pointer),
    ['/tasks/0/a', '/tasks/1/b']
  )
  t.match(errors[0]!.detail, /send it as text/)
})

t.test('of rows that are all invalid the first 21 are reported', async t => {
  const rows = Array.from({ length: 1_000 }, () => ({ a: 'Ж' }))
  t.equal(refusal(rows, { encoding: 'latin1' }).length, 21)
})

t.test('a file is written some thousand cells at a time, with all columns in each row', async t => {
  const file = new CsvFile({}, '/tasks')
  for (let i = 0; i < 1_000; i++) file.add([{ a: i, [`b${i % 9}`]: i }])
  const pieces = [...file.pieces()]
  t.equal(pieces.length, 3)
  const lines = Buffer.concat(pieces).toString().split('\n')
  t.equal(lines.length, 1_002)
  t.equal(lines[1], '0;0;;;;;;;;')
  t.equal(lines[1_000], '999;999;;;;;;;;')
})

t.test('rows are refused at the row with the 21st column beyond the limit, before the others come', async t => {
  const file = new CsvFile({}, '/tasks')
  file.add([columns(maxColumns)])
  file.add([columns(20, maxColumns)])
  t.throws(() => file.add([{ another: 1 }]), /one column too many/)
})

t.test('the time to write rows grows with the rows, whatever fields they have', async t => {
  const shapes: Record<string, (i: number) => Row> = {
    'the same fields': () => columns(8),
    'fields of their own': i => columns(8, 8 * i),
    'one field of 150': i => columns(1, i % 150),
    'long texts': () => ({ a: '"'.repeat(500), b: ' x;'.repeat(100) })
  }
  for (const [name, shape] of Object.entries(shapes)) {
    const make = (count: number) => Array.from({ length: count }, (_, i) => shape(i))
    const [small, large] = [make(500), make(500 * growth)]
    t.equal(
      await disproportion(
        () => refusal(small),
        () => refusal(large)
      ),
      undefined,
      name
    )
  }
})
