import { type TObject, Type } from '@sinclair/typebox'
import t from 'tap'
import {
  anything,
  day,
  decimal,
  flag,
  flagAs,
  hiding,
  id,
  idList,
  idOrName,
  idsOrNames,
  integer,
  json,
  list,
  listItem,
  maybe,
  oneOf,
  paging,
  ref,
  strict,
  text,
  timestamp,
  unixTime
} from '../../../schemas/common.ts'
import { compileDecoder, compileEncoder, decodeParam } from '../../../src/voximplant/wire/codecs.ts'
import type { Drift } from '../../../src/voximplant/wire/drift.ts'
import { compileForm, type FormOptions } from '../../../src/voximplant/wire/form.ts'
import { toCamel, toSnake } from '../../../src/voximplant/wire/names.ts'
import { fromUpstreamTime, toUpstreamTime } from '../../../src/voximplant/wire/times.ts'

/**
 * Golden vectors, typed by hand from the upstream's documentation: the service and the sandbox share the code under test, so that a round
 * trip through both would prove nothing.
 */

const form = (input: TObject['properties'], value: Record<string, unknown>, options: FormOptions = {}) =>
  compileForm('Method', strict(input), options).encode(value)
const params = (encoded: string) => Object.fromEntries(new URLSearchParams(encoded))

t.test('names', async t => {
  for (const [camel, snake] of [
    ['userId', 'user_id'],
    ['acdQueueId', 'acd_queue_id'],
    ['a2pSmsEnabled', 'a2p_sms_enabled'],
    ['withOperatorcount', 'with_operatorcount'],
    ['slThresholds', 'sl_thresholds'],
    ['USD', 'USD'],
    ['IM', 'IM'],
    ['x', 'x']
  ] as const) {
    t.equal(toSnake(camel), snake)
    t.equal(toCamel(snake), camel)
  }
})

t.test('forms', async t => {
  t.equal(form({ userId: id('x') }, { userId: 5 }), 'cmd=Method&user_id=5', 'an id')
  t.equal(form({ userId: maybe(id('x')) }, {}), 'cmd=Method', 'what is left out is not sent')
  t.equal(form({ userId: id('x') }, { userId: 9007199254740991 }), 'cmd=Method&user_id=9007199254740991', 'the largest id')
  t.equal(form({ bind: flag('x') }, { bind: false }), 'cmd=Method&bind=false', 'a boolean')
  t.equal(
    form({ enabled: flagAs('x', { false: 'disable', true: 'enable' }) }, { enabled: true }, { rename: { enabled: 'command' } }),
    'cmd=Method&command=enable',
    'a boolean with words'
  )
  t.equal(form({ userId: idList('x') }, { userId: [1, 2, 3] }), 'cmd=Method&user_id=1%3B2%3B3', 'ids are joined by ;')
  t.same(params(form({ acdStatus: list(oneOf(['READY', 'DND']), 'x') }, { acdStatus: ['READY', 'DND'] })), {
    cmd: 'Method',
    acd_status: 'READY;DND'
  })
  t.same(
    params(form({ remoteNumber: list(listItem(), 'x') }, { remoteNumber: ['+1 555', 'a&b=c'] })),
    { cmd: 'Method', remote_number: '+1 555;a&b=c' },
    'text is escaped'
  )
  t.same(params(form({ userDisplayName: text('x') }, { userDisplayName: 'Zoë 日本 💡 + & = %' })), {
    cmd: 'Method',
    user_display_name: 'Zoë 日本 💡 + & = %'
  })
  t.equal(form({ applicationId: idOrName('x', 'y') }, { applicationId: 5 }), 'cmd=Method&application_id=5', 'a reference by id')
  t.equal(
    form({ applicationId: idOrName('x', 'y') }, { applicationId: '~support' }),
    'cmd=Method&application_name=support',
    'a reference by name'
  )
  t.equal(
    form({ applicationId: idOrName('x', 'y') }, { applicationId: '~5' }),
    'cmd=Method&application_name=5',
    'a name of digits is a name'
  )
  t.equal(
    form({ applicationId: idOrName('x', 'y') }, { applicationId: '~support' }, { rename: { '~applicationId': 'requiredApplicationName' } }),
    'cmd=Method&required_application_name=support'
  )
  t.same(params(form({ userId: idsOrNames('x', 'y') }, { userId: ['~ada', '~grace'] })), { cmd: 'Method', user_name: 'ada;grace' })
  t.same(params(form({ userId: idsOrNames('x', 'y') }, { userId: [7, 8] })), { cmd: 'Method', user_id: '7;8' })
  t.equal(
    form({ userName: text('x') }, { userName: 'bob' }, { rename: { userName: 'newUserName' } }),
    'cmd=Method&new_user_name=bob',
    'rename'
  )
  t.equal(
    form({ userId: id('x') }, { userId: 1 }, { fixed: { bind: true, output: 'json' } }),
    'cmd=Method&bind=true&output=json&user_id=1',
    'fixed'
  )
  t.equal(form(paging, { limit: 20, offset: 40 }), 'cmd=Method&count=20&offset=40', 'limit is count')
  t.equal(
    form({ fromDate: timestamp('x') }, { fromDate: '2026-01-15T11:30:00+02:00' }),
    'cmd=Method&from_date=2026-01-15%2009%3A30%3A00',
    'an instant becomes UTC'
  )
  t.equal(form({ date: day('x') }, { date: '2026-01-15' }), 'cmd=Method&date=2026-01-15', 'a day stays')
  t.equal(form({ expiresAt: unixTime('x') }, { expiresAt: '2026-01-15T09:30:00Z' }), 'cmd=Method&expires_at=1768469400', 'Unix seconds')
  t.equal(form({ expiresAt: unixTime('x') }, { expiresAt: '1970-01-01T00:00:00Z' }), 'cmd=Method&expires_at=0', 'the epoch')
  t.equal(form({ price: decimal('x') }, { price: 0.0000001 }), 'cmd=Method&price=0.0000001', 'no exponent')
  const skills = json(
    Type.Array(strict({ sqSkillId: id('x'), sqSkillLevel: integer('x'), since: maybe(timestamp('x')), note: maybe(anything('x')) }))
  )
  t.same(
    JSON.parse(
      params(form({ sqSkills: skills }, { sqSkills: [{ sqSkillId: 1, sqSkillLevel: 5, since: '2026-01-15T09:30:00Z', note: { aB: 1 } }] }))
        .sq_skills!
    ),
    [{ sq_skill_id: 1, sq_skill_level: 5, since: '2026-01-15 09:30:00', note: { aB: 1 } }]
  )
  t.throws(() => form({ a: text('x') }, { a: '\ud800' }), { field: 'a', message: /surrogate/ }, 'half a character is refused')
  t.throws(
    () => form({ a: timestamp('x') }, { a: '9999-12-31T23:59:59-01:00' }),
    { field: 'a', message: /9999/ },
    'the year 10000 is refused'
  )
  t.throws(() => form({ a: unixTime('x') }, { a: 'nonsense' }), { message: /instant/ })
})

t.test('a declaration that contradicts itself stops the start', async t => {
  const wrong: [RegExp, TObject['properties'], FormOptions?][] = [
    [/a: the upstream has no form/, { a: Type.Null() }],
    [/a: the upstream has no form/, { a: Type.Union([Type.String(), Type.Number()]) }],
    [/forms have no parameter of kind object/, { a: Type.Object({ b: Type.String() }) }],
    [/lists hold numbers or text/, { a: Type.Array(Type.Boolean()) }],
    [/rename names b/, { a: id('x') }, { rename: { b: 'c' } }],
    [/that field takes no name/, { a: id('x') }, { rename: { '~a': 'c' } }],
    [/its ~name form needs a rename/, { phone: idOrName('x', 'y') }],
    [/two fields are sent as user_name/, { userId: idOrName('x', 'y'), userName: text('x') }]
  ]
  for (const [message, input, options] of wrong) t.throws(() => compileForm('M', strict(input), options), { message })
})

interface Counted extends Drift {
  unknownFields: string[]
  unreadableFields: string[]
}
const drift = (): Counted => {
  const unknownFields: string[] = []
  const unreadableFields: string[] = []
  return {
    unknownFields,
    unreadableFields,
    unknown: field => void unknownFields.push(field),
    unreadable: field => void unreadableFields.push(field)
  }
}

t.test('answers', async t => {
  const decode = (schema: Parameters<typeof compileDecoder>[0], raw: unknown, counted = drift()) => compileDecoder(schema)(raw, counted)
  const Skill = Type.Object({ skillId: id('x'), skillName: maybe(text('x')) }, { $id: 'GoldenSkill' })
  const User = hiding(
    Type.Object(
      {
        userId: id('x'),
        userActive: maybe(flag('x')),
        balance: maybe(decimal('x')),
        mobilePhone: maybe(text('x')),
        created: maybe(timestamp('x')),
        birthday: maybe(day('x')),
        expiresAt: maybe(unixTime('x')),
        skills: maybe(Type.Array(ref(Skill))),
        rates: maybe(Type.Record(Type.String(), Type.Number())),
        filters: maybe(json(Type.Object({ fromDate: maybe(timestamp('x')) }))),
        extra: maybe(anything('x')),
        CALL: maybe(ref(Skill))
      },
      { $id: 'GoldenUser' }
    ),
    'apiKey'
  )
  const counted = drift()
  t.same(
    decode(
      User,
      {
        user_id: 1001,
        user_active: true,
        balance: 1.5,
        mobile_phone: '1555',
        created: '2026-01-15 09:30:00',
        birthday: '1990-02-28',
        expires_at: 1768469400,
        skills: [{ skill_id: 1, skill_name: 'a' }],
        rates: { USD: 1, __proto: 2 },
        filters: '{"from_date":"2026-01-01 00:00:00"}',
        extra: { some_thing: [1] },
        CALL: { skill_id: 2 },
        api_key: 'secret',
        new_field: 1
      },
      counted
    ),
    {
      userId: 1001,
      userActive: true,
      balance: 1.5,
      mobilePhone: '1555',
      created: '2026-01-15T09:30:00Z',
      birthday: '1990-02-28',
      expiresAt: '2026-01-15T09:30:00Z',
      skills: [{ skillId: 1, skillName: 'a' }],
      rates: { USD: 1, __proto: 2 },
      filters: { fromDate: '2026-01-01T00:00:00Z' },
      extra: { some_thing: [1] },
      CALL: { skillId: 2 },
      newField: 1
    },
    'every kind; the hidden field is gone'
  )
  t.same(counted.unknownFields, ['GoldenUser.new_field'], 'what is not declared is counted')
  t.same(counted.unreadableFields, [])

  t.same(
    decode(User, {
      user_id: '9007199254740991',
      user_active: '1',
      balance: '2.50',
      mobile_phone: 14155550100,
      created: '',
      expires_at: '1768469400',
      skills: { skill_id: 3 },
      CALL: [{ skill_id: 4 }]
    }),
    {
      userId: 9007199254740991,
      userActive: true,
      balance: 2.5,
      mobilePhone: '14155550100',
      expiresAt: '2026-01-15T09:30:00Z',
      skills: [{ skillId: 3 }],
      CALL: { skillId: 4 }
    },
    'numbers as text, text as numbers, an object for a list and the reverse'
  )
  t.same(
    decode(User, {
      user_id: 1,
      user_active: null,
      balance: null,
      mobile_phone: null,
      created: null,
      skills: null,
      rates: null,
      CALL: null,
      extra: null
    }),
    { userId: 1 },
    'nulls are left out'
  )
  t.same(decode(User, { user_id: 1, skills: {} }), { userId: 1, skills: [] }, 'an empty object for an empty list')
  t.same(decode(User, { user_id: 1, skills: [null, { skill_id: 1 }, 'x'] }), { userId: 1, skills: [{ skillId: 1 }] })

  const bad = drift()
  t.same(
    decode(
      User,
      {
        user_id: 1,
        user_active: 'maybe',
        balance: 'much',
        mobile_phone: {},
        created: '0000-00-00 00:00:00',
        birthday: '2026-02-30x',
        expires_at: 'soon',
        rates: 5,
        filters: '{',
        CALL: 7
      },
      bad
    ),
    { userId: 1 },
    'what cannot be read is left out'
  )
  t.equal(bad.unreadableFields.length, 9, 'and counted')
  t.equal(decode(Type.Integer(), '99999999999999999999'), undefined, 'an id that JSON cannot hold is not made up')
})

t.test('times', async t => {
  for (const [upstream, instant] of [
    ['2026-01-15 09:30:00', '2026-01-15T09:30:00Z'],
    ['2024-02-29 23:59:59', '2024-02-29T23:59:59Z'],
    ['2000-02-29 00:00:00', '2000-02-29T00:00:00Z']
  ] as const) {
    t.equal(fromUpstreamTime(upstream), instant)
    t.equal(toUpstreamTime(instant), upstream)
  }
  for (const text of [
    '0000-00-00 00:00:00',
    '2026-02-29 00:00:00',
    '1900-02-29 00:00:00',
    '2026-13-01 00:00:00',
    '2026-04-31 00:00:00',
    '2026-01-01 24:00:00',
    '2026-01-01 00:60:00',
    '2026-01-01 00:00:60',
    '2026-01-01',
    'x',
    '2026-1-01 00:00:000',
    '2026-01-01T00:00:00'
  ])
    t.equal(fromUpstreamTime(text), undefined, text)
  t.equal(fromUpstreamTime('2026-01-15T11:30:00+02:00'), '2026-01-15T09:30:00Z')
  t.equal(toUpstreamTime('2026-01-15T09:30:00.999Z'), '2026-01-15 09:30:00', 'fractions are cut')
  // Every minute of a leap year, against the language's own calendar.
  let wrong = 0
  let compared = 0
  for (let ms = Date.UTC(2024, 0, 1); ms < Date.UTC(2025, 0, 1); ms += 61_000) {
    const iso = new Date(ms).toISOString()
    if (fromUpstreamTime(`${iso.slice(0, 10)} ${iso.slice(11, 19)}`) !== `${iso.slice(0, 19)}Z`) wrong++
    compared++
  }
  t.equal(wrong, 0)
  t.comment(`${compared} instants`)
})

t.test('parameters as the upstream reads them', async t => {
  t.equal(decodeParam('number', '12'), 12)
  t.equal(decodeParam('number', '1e3'), undefined)
  t.equal(decodeParam('boolean', 'true'), true)
  t.equal(decodeParam('boolean', 'yes'), undefined)
  t.same(decodeParam('id-list', '1;2'), [1, 2])
  t.equal(decodeParam('id-list', 'all'), 'all')
  t.equal(decodeParam('id-list', '1;x'), undefined)
  t.same(decodeParam('text-list', 'a;b'), ['a', 'b'])
  t.equal(decodeParam('timestamp', '2026-01-15 09:30:00'), '2026-01-15T09:30:00Z')
  t.equal(decodeParam('date', '2026-13-15'), undefined)
  t.equal(decodeParam('date', '2026-01-15 00:00:00'), '2026-01-15', 'as the official client writes a day')
  t.equal(decodeParam('json-text', '{'), undefined)
})

t.test('answers as the upstream writes them', async t => {
  const write = compileEncoder(
    Type.Object({
      userId: id('x'),
      created: maybe(timestamp('x')),
      tags: maybe(Type.Array(Type.Object({ tagName: text('x') }))),
      expiresAt: maybe(unixTime('x'))
    })
  )
  t.same(
    write({
      userId: 1,
      created: '2026-01-15T09:30:00Z',
      tags: [{ tagName: 'a', other: 1 }],
      expiresAt: '2026-01-15T09:30:00Z',
      undeclared: 1
    }),
    {
      user_id: 1,
      created: '2026-01-15 09:30:00',
      tags: [{ tag_name: 'a' }],
      expires_at: 1768469400
    }
  )
})
