import { text } from 'node:stream/consumers'
import { Type } from '@sinclair/typebox'
import t from 'tap'
import { RowReader, streamOf } from '../../src/voximplant/rows.ts'
import { compileDecoder } from '../../src/voximplant/wire/codecs.ts'
import type { Drift } from '../../src/voximplant/wire/drift.ts'

const row = Type.Object({ userId: Type.Integer(), userName: Type.String(), nested: Type.Array(Type.Object({ skillId: Type.Integer() })) })
const drift: Drift = { unknown: () => undefined, unreadable: () => undefined }
const decode = compileDecoder(Type.Array(row), 'rows')

/** Reads a text in chunks of a number of bytes. */
function readIn(size: number, bytes: Buffer): RowReader {
  const reader = new RowReader(decode, drift)
  for (let i = 0; i < bytes.length; i += size) reader.read(bytes.subarray(i, i + size))
  return reader
}

/** What a caller gets of it. */
async function bodyOf(reader: RowReader) {
  const { stream, bytes } = streamOf({ items: reader.rows, total: 7 }, () => {})
  const written = await text(stream)
  return { body: JSON.parse(written), announced: bytes, sent: Buffer.byteLength(written) }
}

const names = ['plain', 'quo"te', 'back\\slash', '\\"', '],[', '{"result":[1]}', 'Ünïcödé', '\u{1f600}', 'a,b', '\\\\', '']
const wire = Array.from({ length: 300 }, (_, i) => ({
  user_id: i,
  user_name: names[i % names.length],
  nested: [{ skill_id: i }, { skill_id: -i }]
}))
const rest = Array.from({ length: 300 }, (_, i) => ({
  userId: i,
  userName: names[i % names.length],
  nested: [{ skillId: i }, { skillId: -i }]
}))

t.test('rows are the same wherever the response is cut, and so is what stands around them', async t => {
  const source = { note: 'result', before: [{ result: [1, 2] }], result: wire, total_count: 7 }
  for (const spaces of [0, 2])
    for (const size of [1, 7, 4_096, 65_536]) {
      const reader = readIn(size, Buffer.from(JSON.stringify(source, null, spaces)))
      t.strictSame(JSON.parse(reader.around()), { ...source, result: [] })
      const { body, announced, sent } = await bodyOf(reader)
      t.strictSame(body, { items: rest, total: 7 }, `${size} bytes at one time, ${spaces} spaces`)
      t.equal(announced, sent, 'the length is known before')
      t.equal(reader.rows.length, 300)
    }
})

t.test('many rows are read in several pieces, none of which holds a whole response', async t => {
  const reader = readIn(65_536, Buffer.from(JSON.stringify({ result: Array.from({ length: 40 }, () => wire).flat() })))
  t.equal(reader.rows.length, 12_000)
  t.ok(reader.rows.pieces.length > 20)
  t.ok(Math.max(...reader.rows.pieces.map(piece => piece.length)) < 65_536)
})

t.test('a list without rows is an empty list', async t => {
  for (const source of ['{"result":[],"count":0}', '{ "result" : [ \n ] }']) {
    const reader = readIn(3, Buffer.from(source))
    t.ok(reader.hasRows)
    t.strictSame((await bodyOf(reader)).body, { items: [], total: 7 })
  }
})

t.test('a response without a list has no rows, and is kept as it is', async t => {
  for (const source of [
    '{"error":{"code":1,"msg":"result"}}',
    '{"result":{"user_id":1}}',
    '<html>[result]</html>',
    '{"inner":{"result":[1]}}'
  ]) {
    const reader = readIn(5, Buffer.from(source))
    t.notOk(reader.hasRows, source)
    t.equal(reader.around(), source)
  }
})

t.test('a list that ends before its end has no rows', async t => {
  t.notOk(readIn(9, Buffer.from('{"result":[{"user_id":1},{"user_id":2}')).hasRows)
})

t.test('what is no JSON among rows is refused, wherever it is cut', async t => {
  const good = JSON.stringify({ user_id: 1, user_name: 'x'.repeat(20_000), nested: [] })
  for (const source of [
    `{"result":[${good},,${good}]}`,
    `{"result":[${good},]}`,
    `{"result":[,${good}]}`,
    `{"result":[${good} ${good}]}`,
    `{"result":[${good},{"user_id":tru}]}`,
    '{"result":[],"result":[]}'
  ])
    for (const size of [11, 65_536]) t.throws(() => readIn(size, Buffer.from(source)), SyntaxError)
})

t.test('integers beyond 2^53 keep their digits', async t => {
  const reader = readIn(10, Buffer.from('{"result":[{"user_id":9007199254740993,"user_name":12345678901234567890}]}'))
  t.match(await text(streamOf({ items: reader.rows }, () => {}).stream), '"userName":"12345678901234567890"')
})

t.test('rows that cannot be read are left out, as in a list that is read as a whole', async t => {
  const source = { result: [null, { user_id: 1, user_name: 'a', nested: [] }, 'text', null] }
  const whole = decode(source.result, drift)
  const { body } = await bodyOf(readIn(10, Buffer.from(JSON.stringify(source))))
  t.strictSame(body.items, whole)
})
