import { type TSchema, Type } from '@sinclair/typebox'
import t from 'tap'
import {
  anything,
  day,
  file,
  flag,
  flagAs,
  id,
  idList,
  idOrName,
  idsOrNames,
  integer,
  json,
  list,
  maybe,
  oneOf,
  ref,
  text,
  timestamp,
  unixTime
} from '../../../schemas/common.ts'
import { type Codec, codecs, compileDecoder, compileEncoder } from '../../../src/voximplant/wire/codecs.ts'
import { parseExactly } from '../../../src/voximplant/wire/exact-numbers.ts'
import { type Kind, kindOf } from '../../../src/voximplant/wire/marks.ts'

/** What one row of the table does, by hand: [input, output] of each of its functions; a function that is not named does not exist. */
interface Row {
  schema: TSchema
  encodeParam?: readonly [value: unknown, form: string][]
  decodeParam?: readonly [text: string, value: unknown][]
  decodeResponse?: readonly [raw: unknown, value: unknown][]
  encodeResponse?: readonly [value: unknown, raw: unknown][]
}

/** A value that is counted as unreadable, and left out. */
const unreadable = Symbol('unreadable')
const instant = '2026-01-15T09:30:00Z'
const upstreamTime = '2026-01-15 09:30:00'
const Noun = Type.Object({ skillId: id('x'), since: maybe(timestamp('x')) }, { $id: 'CodecNoun' })

const rows: Readonly<Record<Kind, Row>> = {
  number: {
    schema: integer('x'),
    encodeParam: [
      [5, '&f=5'],
      [-0.5, '&f=-0.5'],
      [1e-7, '&f=0.0000001']
    ],
    decodeParam: [
      ['12', 12],
      ['-1.5', -1.5],
      ['1e3', undefined],
      ['', undefined]
    ],
    decodeResponse: [
      [5, 5],
      ['5', 5],
      [true, 1],
      ['', undefined],
      [null, undefined],
      ['1.5', unreadable],
      ['much', unreadable],
      [{}, unreadable]
    ],
    encodeResponse: [[5, 5]]
  },
  text: {
    schema: text('x'),
    encodeParam: [
      ['a b', '&f=a%20b'],
      ['', '&f=']
    ],
    decodeParam: [['a;b', 'a;b']],
    decodeResponse: [
      ['a', 'a'],
      [5, '5'],
      [true, 'true'],
      [null, undefined],
      [parseExactly('12345678901234567890'), '12345678901234567890'],
      [{}, unreadable]
    ],
    encodeResponse: [['a', 'a']]
  },
  boolean: {
    schema: flag('x'),
    encodeParam: [
      [true, '&f=true'],
      [false, '&f=false']
    ],
    decodeParam: [
      ['True', true],
      ['0', false],
      ['yes', undefined]
    ],
    decodeResponse: [
      [true, true],
      [1, true],
      ['false', false],
      ['', undefined],
      [null, undefined],
      ['maybe', unreadable]
    ],
    encodeResponse: [[true, true]]
  },
  words: {
    schema: flagAs('x', { false: 'disable', true: 'enable' }),
    encodeParam: [
      [true, '&f=enable'],
      [false, '&f=disable']
    ],
    // A peer reads the words as they are.
    decodeParam: [['true', true]],
    decodeResponse: [['1', true]],
    encodeResponse: [[false, false]]
  },
  timestamp: {
    schema: timestamp('x'),
    encodeParam: [[instant, '&f=2026-01-15%2009%3A30%3A00']],
    decodeParam: [
      [upstreamTime, instant],
      ['2026-02-30 00:00:00', undefined]
    ],
    decodeResponse: [
      [upstreamTime, instant],
      ['2026-01-15T11:30:00+02:00', instant],
      [1768469400, instant],
      ['', undefined],
      [null, undefined],
      ['0000-00-00 00:00:00', unreadable],
      [8.64e12, unreadable]
    ],
    encodeResponse: [[instant, upstreamTime]]
  },
  unix: {
    schema: unixTime('x'),
    encodeParam: [[instant, '&f=1768469400']],
    decodeResponse: [
      [1768469400, instant],
      ['1768469400', instant],
      [upstreamTime, instant],
      [0, undefined],
      [null, undefined],
      ['soon', unreadable]
    ],
    encodeResponse: [[instant, 1768469400]]
  },
  date: {
    schema: day('x'),
    encodeParam: [['2026-01-15', '&f=2026-01-15']],
    decodeParam: [
      ['2026-01-15', '2026-01-15'],
      [upstreamTime, '2026-01-15'],
      ['2026-02-30', undefined]
    ],
    decodeResponse: [
      ['2026-01-15', '2026-01-15'],
      [upstreamTime, '2026-01-15'],
      ['', undefined],
      [null, undefined],
      ['2026-02-30', unreadable],
      [5, unreadable]
    ],
    encodeResponse: [['2026-01-15', '2026-01-15']]
  },
  'id-list': {
    schema: idList('x'),
    encodeParam: [
      [[1], '&f=1'],
      [[1, 2], '&f=1%3B2']
    ],
    decodeParam: [
      ['1;2', [1, 2]],
      ['all', 'all'],
      ['any', 'all'],
      ['1;x', undefined]
    ],
    decodeResponse: [
      [
        ['1', 2],
        [1, 2]
      ]
    ],
    encodeResponse: [
      [
        [1, 2],
        [1, 2]
      ]
    ]
  },
  'text-list': {
    schema: list(oneOf(['READY', 'DND']), 'x'),
    encodeParam: [[['READY', 'DND'], '&f=READY%3BDND']],
    decodeParam: [['READY;DND', ['READY', 'DND']]],
    decodeResponse: [
      [
        ['READY', 5],
        ['READY', '5']
      ]
    ],
    encodeResponse: [[['READY'], ['READY']]]
  },
  'json-text': {
    schema: json(Noun),
    encodeParam: [[{ skillId: 1, since: instant }, '&f=%7B%22skill_id%22%3A1%2C%22since%22%3A%222026-01-15%2009%3A30%3A00%22%7D']],
    decodeParam: [
      ['{"a_b":1}', { a_b: 1 }],
      ['{', undefined]
    ],
    decodeResponse: [
      ['{"skill_id":1}', { skillId: 1 }],
      [{ skill_id: 1 }, { skillId: 1 }],
      ['{', unreadable]
    ],
    encodeResponse: [[{ skillId: 1 }, '{"skill_id":1}']]
  },
  file: { schema: file('x'), encodeParam: [['bytes', '']], decodeParam: [['bytes', 'bytes']] },
  reference: {
    schema: idOrName('x', 'y'),
    encodeParam: [
      [5, '&f=5'],
      ['~5', '&f_name=5'],
      ['~a;b', '&f_name=a%3Bb']
    ]
  },
  references: {
    schema: idsOrNames('x', 'y'),
    encodeParam: [
      [[7, 8], '&f=7%3B8'],
      [['~ada', '~grace'], '&f_name=ada%3Bgrace']
    ]
  },
  list: {
    schema: Type.Array(ref(Noun)),
    decodeResponse: [
      [[{ skill_id: 1 }], [{ skillId: 1 }]],
      [{ skill_id: 1 }, [{ skillId: 1 }]],
      [{}, []],
      [[null, { skill_id: 1 }], [{ skillId: 1 }]],
      [null, undefined]
    ],
    encodeResponse: [[[{ skillId: 1 }], [{ skill_id: 1 }]]]
  },
  object: {
    schema: Noun,
    decodeResponse: [
      [
        { skill_id: '1', since: upstreamTime },
        { skillId: 1, since: instant }
      ],
      [[{ skill_id: 1 }], { skillId: 1 }],
      [{}, {}],
      [[], undefined],
      [null, undefined],
      [7, unreadable]
    ],
    encodeResponse: [
      [
        { skillId: 1, since: instant, other: 1 },
        { skill_id: 1, since: upstreamTime }
      ],
      [[{ skillId: 1 }], [{ skill_id: 1 }]]
    ]
  },
  record: {
    schema: Type.Record(Type.String({ pattern: '^[A-Z]{3}$' }), Type.Number()),
    decodeResponse: [
      [{ USD: '1.5' }, { USD: 1.5 }],
      [
        { some_key: 1, USD: 2 },
        { someKey: 1, USD: 2 }
      ],
      [null, undefined],
      [5, unreadable]
    ],
    encodeResponse: [[{ USD: 1.5 }, { USD: 1.5 }]]
  },
  any: {
    schema: anything('x'),
    decodeResponse: [
      [{ a_b: [1] }, { a_b: [1] }],
      [0, 0],
      [null, undefined]
    ],
    encodeResponse: [[{ aB: 1 }, { aB: 1 }]]
  }
}

const functions = ['encodeParam', 'decodeParam', 'decodeResponse', 'encodeResponse'] as const satisfies readonly (keyof Codec)[]

for (const [kind, row] of Object.entries(rows)) {
  const codec = codecs[kindOf(row.schema, kind)]

  t.test(`${kind}: the schema has this kind, and the row has the functions that the kind can have`, async t => {
    t.equal(kindOf(row.schema, kind), kind)
    t.strictSame(
      functions.filter(name => codec[name] !== undefined && !(kind === 'list' && name === 'encodeParam')),
      functions.filter(name => row[name] !== undefined)
    )
  })

  for (const [value, expected] of row.encodeParam ?? [])
    t.test(`${kind}: ${JSON.stringify(value)} becomes the parameter ${expected}`, async t => {
      t.equal(codec.encodeParam?.({ name: 'field', schema: row.schema, wire: 'f', nameWire: 'f_name' }).write(value), expected)
    })

  for (const [text, expected] of row.decodeParam ?? [])
    t.test(`${kind}: the parameter ${text || 'without text'} is read as ${JSON.stringify(expected)}`, async t => {
      t.strictSame(codec.decodeParam?.(text), expected)
    })

  for (const [raw, expected] of row.decodeResponse ?? [])
    t.test(
      `${kind}: ${JSON.stringify(raw)} in a response is ${expected === unreadable ? 'unreadable' : JSON.stringify(expected)}`,
      async t => {
        const drift: string[] = []
        const decode = compileDecoder(row.schema, 'place')
        const value = decode(raw, { unknown: () => {}, unreadable: field => void drift.push(field) })
        t.strictSame(value, expected === unreadable ? undefined : expected)
        t.equal(drift.length, expected === unreadable ? 1 : 0, 'what is unreadable is counted once')
      }
    )

  for (const [value, expected] of row.encodeResponse ?? [])
    t.test(`${kind}: ${JSON.stringify(value)} is written as ${JSON.stringify(expected)}`, async t => {
      t.strictSame(compileEncoder(row.schema)(value), expected)
    })
}

t.test('an instant that the upstream cannot hold is refused with the name of its field', async t => {
  const field = { name: 'since', wire: 'since', nameWire: 'since' }
  const tooLate = '9999-12-31T23:59:59-01:00'
  for (const schema of [timestamp('x'), unixTime('x')]) {
    const { encodeParam } = codecs[kindOf(schema, 'since')]
    t.throws(() => encodeParam?.({ ...field, schema }).write(tooLate), { name: 'Unencodable', field: 'since', message: /9999/ })
    t.throws(() => compileEncoder(schema, 'since')(tooLate), { name: 'Unencodable', field: 'since' })
  }
})

t.test('half of a surrogate pair is refused in text, in lists and in JSON text', async t => {
  const half = 'x\ud800'
  const values: [TSchema, unknown][] = [
    [text('x'), half],
    [list(text('x'), 'x'), ['a', half]],
    [idOrName('x', 'y'), `~${half}`],
    [json(Type.Object({ a: text('x') })), { a: half }]
  ]
  for (const [schema, value] of values) {
    const encoder = codecs[kindOf(schema, 'f')].encodeParam?.({ name: 'f', schema, wire: 'f', nameWire: 'f_name' })
    t.throws(() => encoder?.write(value), { field: 'f', message: /surrogate/ }, kindOf(schema, 'f'))
  }
})

t.test('a kind that has no form at a place is refused when it is compiled', async t => {
  t.throws(() => compileDecoder(idOrName('x', 'y'), 'place'), { message: 'place: a response holds no reference' })
  t.throws(() => compileEncoder(file('x'), 'place'), { message: 'place: JSON holds no file' })
  t.throws(() => kindOf(Type.String({ format: 'date-time' }), 'place'), { message: /^place: the upstream has no form for/ })
})
