import { Type } from '@sinclair/typebox'
import t from 'tap'
import { anything, decimal, hiding, id, integer, json, maybe, passedOn, text, timestamp } from '../../../schemas/common.ts'
import { compileDecoder } from '../../../src/voximplant/wire/codecs.ts'
import { marks } from '../../../src/voximplant/wire/marks.ts'
import { decodeExactly } from '../../../src/voximplant/wire/response.ts'

/** What a decoder makes of JSON that differs from what is declared, and what it counts. */
function decode(schema: Parameters<typeof compileDecoder>[0], source: string) {
  const unknown: string[] = []
  const unreadable: string[] = []
  const drift = { unknown: (field: string) => void unknown.push(field), unreadable: (field: string) => void unreadable.push(field) }
  const value = decodeExactly(JSON.parse(source), source, compileDecoder(schema), drift)
  return { value, unknown, unreadable }
}

const Row = Type.Object(
  {
    userId: maybe(id('x')),
    created: maybe(timestamp('x')),
    note: maybe(text('x')),
    amount: maybe(decimal('x')),
    size: maybe(integer('x'))
  },
  { $id: 'Row' }
)

t.test('members that nobody declared come through in camelCase with their values as they are', async t => {
  const { value, unknown, unreadable } = decode(
    Row,
    '{"user_id":1,"brand_new":{"inner_list":[{"a_b":1,"at":"2026-01-15 09:30:00"},null,"x"],"USD":2},"zero":0.0,"none":null,"is_on":false}'
  )
  t.strictSame(JSON.parse(JSON.stringify(value)), {
    userId: 1,
    brandNew: { innerList: [{ aB: 1, at: '2026-01-15 09:30:00' }, null, 'x'], USD: 2 },
    zero: 0,
    none: null,
    isOn: false
  })
  t.strictSame(unknown, ['Row.brand_new', 'Row.zero', 'Row.none', 'Row.is_on'], 'each is counted')
  t.strictSame(unreadable, [])
})

t.test('a name that is taken is never overwritten', async t => {
  const kept = decode(Row, '{"userId":"evil","user_id":1}')
  t.strictSame({ ...(kept.value as object) }, { userId: 1 })
  t.strictSame(kept.unreadable, ['Row.userId'], 'what is left out is counted')
  const both = decode(Row, '{"foo_bar":1,"fooBar":2}').value
  t.strictSame({ ...(both as object) }, { foo_bar: 1, fooBar: 2 }, 'of two members both come through')
  const spelt = decode(Row, '{"userId":"7","Created":1}')
  t.strictSame({ ...(spelt.value as object) }, { userId: 7, Created: 1 }, 'a declared field in camelCase is read as declared')
})

t.test('names that JavaScript has a use for are harmless', async t => {
  const { value } = decode(Row, '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"toString":"x","to_json":"y"}')
  t.equal(({} as { polluted?: number }).polluted, undefined)
  t.equal((value as { polluted?: number }).polluted, undefined)
  t.equal(JSON.stringify(value), '{"constructor":{"prototype":{"polluted":2}},"toString":"x","toJson":"y"}')
})

t.test('what may be a secret is counted and stays, in every spelling and at every depth', async t => {
  const names = [
    ...['api_key', 'apiKey', 'API_KEY', 'apikey', 'ApiKey', 'api-key', 'old_api_key', 'callback_salt', 'CallbackSalt'],
    ...['password', 'user_password', 'userPassword', 'PASSWORD', 'private_key', 'server_key', 'key', 'keys', 'access_token', 'token'],
    ...['push_token', 'refreshToken', 'client_secret', 'credentials', 'salt', 'jwt', 'pin', 'signature', 'cookie'],
    ...['media_session_access_url', 'mediaSessionAccessSecureUrl', 'access_link']
  ]
  const Hiding = hiding(Row, 'apiKey', 'callbackSalt')
  const passed: string[] = []
  for (const name of names) {
    const secret = JSON.stringify({ [name]: 'canary' })
    const places = [secret, `{"deep":[{"er":${secret}}]}`, `{"user_id":1,"x":${JSON.stringify({ [name]: { inner: ['canary'] } })}}`]
    for (const place of places) {
      for (const schema of [Hiding, Row]) {
        const { value, unreadable } = decode(schema, place)
        if (JSON.stringify(value).includes('canary')) passed.push(`${name} in ${place}`)
        if (schema === Row && unreadable.length !== 1) passed.push(`${name} in ${place} is not counted`)
      }
    }
  }
  t.strictSame(passed, [])
  const texts = [
    'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.c2ln',
    '-----BEGIN RSA PRIVATE KEY-----\nx',
    'https://h/x?a=1&token=abc',
    'api_key=abc&x=1'
  ]
  for (const value of texts) t.strictSame(Object.keys(decode(Row, JSON.stringify({ remark: value })).value as object), [], value)
  const harmless =
    '{"two_factor_auth_required":true,"password_expired":false,"key_id":"k-1","tokens":12,"keyboard":"x","passed":"y","record_url":"https://h/r?record_id=1"}'
  t.equal(Object.keys(decode(Row, harmless).value as object).length, 7, 'what only looks like one comes through')
})

t.test('an integer beyond 2^53 keeps its digits or is left out, and is never rounded', async t => {
  const huge = '12345678901234567890'
  const { value, unknown, unreadable } = decode(
    Row,
    `{"user_id":${huge},"amount":${huge},"size":"${huge}","note":${huge},"new_id":-${huge},"list":[1,${huge}],"odd":9007199254740993}`
  )
  t.strictSame(JSON.parse(JSON.stringify(value)), { note: huge, newId: `-${huge}`, list: [1, huge], odd: '9007199254740993' })
  t.strictSame(unreadable, ['Row.userId', 'Row.amount', 'Row.size'], 'where the schema promises a number it is left out and counted')
  t.strictSame(unknown, ['Row.new_id', 'Row.list', 'Row.odd'], 'and nothing is counted twice')
  t.strictSame({ ...(decode(Row, '{"user_id":9007199254740991}').value as object) }, { userId: 9007199254740991 }, '2^53 - 1 is a number')
})

t.test('an infinite number is left out and counted, and never becomes null', async t => {
  const Wide = Type.Object({ ...Row.properties, extra: maybe(anything('x')), remark: maybe(passedOn('x')) }, { $id: 'Wide' })
  const { value, unreadable } = decode(
    Wide,
    '{"amount":1e400,"size":-1e400,"x":1e400,"y":[1,1e999],"extra":{"a_b":1e400,"c_d":2},"remark":{"e_f":1e400,"g_h":3}}'
  )
  t.strictSame(JSON.parse(JSON.stringify(value)), { y: [1], extra: { c_d: 2 }, remark: { gH: 3 } })
  t.equal(unreadable.length, 6)
})

t.test('numbers as text are numbers, in every way to write one', async t => {
  const Amounts = Type.Object({ amount: maybe(decimal('x')), size: maybe(integer('x')) })
  for (const [written, amount] of [
    ['0E-8', 0],
    ['.5', 0.5],
    ['1.2E-3', 0.0012],
    ['1e3', 1000],
    ['-7.', -7],
    [' +2.50 ', 2.5]
  ] as const)
    t.strictSame({ ...(decode(Amounts, JSON.stringify({ amount: written })).value as object) }, { amount }, written)
  t.strictSame({ ...(decode(Amounts, '{"size":"1e3"}').value as object) }, { size: 1000 })
  for (const written of ['.', 'e3', '1e', '0x10', '1e400', '1,5', 'Infinity'])
    t.strictSame(Object.keys(decode(Amounts, JSON.stringify({ amount: written })).value as object), [], written)
})

t.test('an object that comes as a bare text is read as the field that holds the text', async t => {
  const Reason = Type.Object({ code: maybe(integer('x')), details: maybe(text('x')) }, { ...marks({ bareText: 'details' }) })
  t.strictSame(
    { ...(decode(Reason, '{"code":200,"details":"OK","more_words":"x"}').value as object) },
    { code: 200, details: 'OK', moreWords: 'x' }
  )
  t.strictSame(decode(Reason, '"Normal"').value, { details: 'Normal' })
})

t.test('JSON text in a response and its numbers are read as exactly', async t => {
  const Filters = Type.Object({ filters: maybe(json(Type.Object({ note: maybe(text('x')) }))) })
  const inner = JSON.stringify('{"note":12345678901234567890,"new_one":12345678901234567890}')
  t.strictSame(JSON.parse(JSON.stringify(decode(Filters, `{"filters":${inner}}`).value)), {
    filters: { note: '12345678901234567890', newOne: '12345678901234567890' }
  })
})

t.test('what is nested too deep to be written is left out', async t => {
  const source = `{"deep":${'['.repeat(5000)}${']'.repeat(5000)},"flat":1}`
  const { value, unreadable } = decode(Row, source)
  t.ok(JSON.stringify(value).length < 300)
  t.strictSame(unreadable, ['Row.deep'])
})
