import { Type } from '@sinclair/typebox'
import t from 'tap'
import { strict } from '../../../schemas/common.ts'
import { checkSize, malformed, maxUnknown, splitRows } from '../../../src/api/body/scanner.ts'

const schema = strict({
  name: Type.String(),
  inner: strict({ x: Type.Integer() }),
  list: Type.Array(strict({ y: Type.Integer() })),
  any: Type.Unknown(),
  either: Type.Union([Type.String(), Type.Array(Type.String())]),
  rows: Type.Array(Type.Object({}, { additionalProperties: Type.Integer() }), { maxItems: 10 })
})
const fields = (count: number, prefix = 'f') => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, 1]))
const check = (body: unknown) => checkSize(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), schema)
const refused = /more than 500 fields and values/
const padding = 'x'.repeat(5_000)

t.test('a body with more than 500 unknown fields is refused, wherever they are', async t => {
  t.doesNotThrow(() => check({ name: padding, ...fields(maxUnknown) }))
  t.throws(() => check({ name: padding, ...fields(maxUnknown + 1) }), refused)
  t.throws(() => check({ inner: { x: 1, ...fields(300) }, name: padding, ...fields(300) }), refused)
  t.throws(() => check({ list: Array.from({ length: 600 }, (_, i) => ({ y: 1, [`f${i}`]: 1 })) }), refused)
})

t.test('a body with more than 500 values in an object or a list that is not taken there is refused', async t => {
  t.throws(() => check({ name: fields(2_000) }), refused)
  t.throws(() => check({ name: [padding, ...Object.keys(fields(600))] }), refused)
  t.throws(() => check({ either: fields(2_000) }), refused)
  t.throws(() => check([fields(2_000)]), refused)
})

t.test('a body is not refused for many values that are taken', async t => {
  t.doesNotThrow(() => check({ list: Array(2_000).fill({ y: 1 }) }))
  t.doesNotThrow(() => check({ any: fields(2_000), either: Object.keys(fields(2_000)) }))
  t.doesNotThrow(() => check(`{${'"n\\u0061me":"x",'.repeat(1_000)}"inner":{"x":1}}`), 'a name with escapes is that name')
  t.throws(() => check(`{${'"n\\u0062me":"x",'.repeat(1_000)}"inner":{"x":1}}`), refused)
})

t.test('rows are split into batches that hold each row once, with the text around them', async t => {
  const split = (list: string, batchBytes = 12) => {
    const bytes = Buffer.from(`\ufeff{"inner": {"rows": [1]}, "rows" :${list}, "name":"rows"}`)
    const { text, rows } = splitRows(bytes, schema, { name: 'rows', batchBytes })
    return {
      text,
      count: rows?.count,
      batches: rows?.batches.map(batch => [batch.first, JSON.parse(`[${batch.bytes}]`)])
    }
  }
  const text = '\ufeff{"inner": {"rows": [1]}, "rows" :[], "name":"rows"}'
  t.strictSame(split('[]'), { text, count: 0, batches: [] })
  t.strictSame(split(' [\n] ').count, 0)
  t.strictSame(split('[{"a]":"\\"]"},{},{"b":{"c":[1,2]}}, 7 ]'), {
    text,
    count: 4,
    batches: [
      [0, [{ 'a]': '"]' }]],
      [1, [{}, { b: { c: [1, 2] } }]],
      [3, [7]]
    ]
  })
  t.equal(split('"text"').batches, undefined)
})

t.test('rows beyond the number that is taken are counted as one', async t => {
  const bytes = Buffer.from(JSON.stringify({ rows: Array(50).fill({}), name: 'x' }))
  const { text, rows } = splitRows(bytes, schema, { name: 'rows', batchBytes: 100 })
  t.equal(text, '{"rows":[],"name":"x"}')
  t.equal(rows?.count, 11)
})

t.test('what is no JSON around rows is refused', async t => {
  for (const body of [
    '{"rows":[1,]}',
    '{"rows":[,1]}',
    '{"rows":[1 2]}',
    '{"rows":[1',
    '{"rows":[1],"rows":[2]}',
    '{"rows"[1]}',
    '{rows:[1]}'
  ])
    t.throws(() => splitRows(Buffer.from(body), schema, { name: 'rows', batchBytes: 100 }), malformed(), body)
})
