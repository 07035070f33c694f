import { Type } from '@sinclair/typebox'
import t from 'tap'
import { compileRowsReader, type Row, type RowFile } from '../../../src/api/body/rows.ts'
import { Problem } from '../../../src/problems/problem.ts'

/** A file that keeps its rows and refuses one that is named `bad`. */
class Kept implements RowFile {
  readonly rows: Row[] = []
  add(rows: readonly Row[]): void {
    this.rows.push(...rows)
    if (rows.some(({ bad }) => bad)) throw new Problem('invalid-request', 'bad')
  }
  *pieces(): Generator<Buffer> {
    for (const row of this.rows) yield Buffer.from(JSON.stringify(row))
  }
}

const files: Kept[] = []
const reader = compileRowsReader({
  name: 'rows',
  schema: Type.Array(Type.Object({ n: Type.Integer() }, { additionalProperties: Type.Union([Type.Boolean(), Type.String()]) }), {
    minItems: 1,
    maxItems: 5_000
  }),
  fields: { name: Type.String() },
  createFile() {
    files.push(new Kept())
    return files.at(-1)!
  }
})
const read = (body: unknown) => reader.read(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), JSON.parse)
const pointers = async (body: unknown) => (await read(body)).problem?.errors?.map(({ pointer }) => pointer)
const many = Array.from({ length: 4_000 }, (_, n) => ({ n, text: 'x'.repeat(200) }))

t.test('a body is read into its fields and a file of its rows', async t => {
  const body = await read({ rows: many, name: 'a' })
  t.strictSame(body.input, { name: 'a' })
  t.equal(body.problem, undefined)
  const { pieces, bytes } = await body.write()
  t.equal(Buffer.concat(pieces).length, bytes)
  t.strictSame(files.at(-1)!.rows, many)
})

t.test('other work is done between the rows of a long body', async t => {
  let turns = 0
  let over = false
  const count = () => {
    turns++
    if (!over) setImmediate(count)
  }
  count()
  await read({ rows: many, name: 'a' })
  over = true
  t.ok(turns >= 40, `${turns} turns`)
})

t.test('what is wrong with rows is named by its place in the list, before what is wrong beside it', async t => {
  const rows: unknown[] = [...many]
  rows[3_000] = { n: 'x' }
  rows[3_999] = { text: true }
  t.strictSame(await pointers({ rows, name: 1, more: 1 }), ['/rows/3000/n', '/rows/3999/n', '/name', '/more'])
})

t.test('no more than 21 violations are looked for', async t => {
  t.equal((await pointers({ rows: Array(4_000).fill({}), name: 1 }))?.length, 21)
})

t.test('the list itself is checked', async t => {
  t.strictSame(await pointers({ rows: [], name: 'a' }), ['/rows'])
  t.strictSame(await pointers({ rows: Array(5_001).fill({ n: 1 }), name: 'a' }), ['/rows'])
  t.strictSame(await pointers({ rows: 'x', name: 'a' }), ['/rows'])
  t.strictSame(await pointers({ name: 'a' }), ['/rows'])
  t.strictSame((await reader.read(undefined, JSON.parse)).problem?.errors?.[0]?.detail, 'is required: a JSON object')
})

t.test('no further rows are read once the file takes none', async t => {
  const body = await read({ rows: [{ n: 1, bad: true }, ...many], name: 'a' })
  t.ok(files.at(-1)!.rows.length < 200)
  t.equal(body.problem, undefined)
  await t.rejects(body.write(), { message: 'bad' })
})

t.test('a row that is no JSON rejects', async t => {
  await t.rejects(read('{"rows":[{"n":1},{"n":tru}],"name":"a"}'), SyntaxError)
})
