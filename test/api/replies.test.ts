import { Type } from '@sinclair/typebox'
import t from 'tap'
import { id, maybe, ref, text, timestamp } from '../../schemas/common.ts'
import { accepted, created, done, fields, first, list, listBeside, outcome, outcomes, page, report, value } from '../../src/api/replies.ts'

const Thing = Type.Object({ thingId: id('The id.'), thingName: maybe(text('The name.', { examples: ['x'] })) }, { $id: 'ReplyThing' })
const Report = Type.Object({ created: maybe(timestamp('x')), completed: maybe(timestamp('x')) }, { $id: 'ReplyReport' })
const Outcome = Type.Object({ result: Type.Boolean(), errorMsg: maybe(text('x')), thingId: maybe(id('x')) }, { $id: 'ReplyOutcome' })

/** A request, as replies see it. */
const request = (input: Record<string, unknown> = {}) => ({ input, url: '/things', base: '/base' })

/** A problem of this type, whatever it says. */
const problem = (type: string) => ({ type, message: /./ })

t.test('a page has its items, their number and links', async t => {
  const { body, headers } = page(ref(Thing)).read({ result: [{ thingId: 1 }], totalCount: 3, count: 1 }, request({ limit: 1 }))
  t.strictSame(body, { items: [{ thingId: 1 }], total: 3 })
  t.strictSame(headers, { link: '</things?limit=1&offset=1>; rel="next"' })
})

t.test('a page tells the number that the upstream says where it has another number of items', async t => {
  t.match(page(ref(Thing)).read({ result: [], totalCount: 3, count: 2 }, request()).body, { items: [], total: 3, count: 2 })
})

t.test('what stands beside the items comes through, under another name where its own is taken', async t => {
  const { body } = page(ref(Thing)).read({ result: [], totalCount: 0, items: 'other', timezone: 'UTC' }, request())
  t.match(body, { items: [], timezone: 'UTC', beside: { items: 'other' } })
})

t.test('a list without a result is empty', async t => {
  t.strictSame(list(ref(Thing)).read({}, request()).body, { items: [] })
})

t.test('the fields of a single item may stand in place of a list', async t => {
  const reply = list(ref(Thing), { orOne: true })
  t.strictSame(reply.read({ thingId: 1 }, request()).body, { items: [{ thingId: 1 }] })
  t.strictSame(list(ref(Thing)).read({ thingId: 1 }, request()).body, { items: [], thingId: 1 }, 'where the reply says so')
})

t.test('a list under a name of its own becomes the items, and an acknowledgement is left out', async t => {
  const reply = listBeside('results', ref(Thing), 'x')
  t.strictSame(reply.read({ result: 1, results: [{ thingId: 1 }] }, request()).body, { items: [{ thingId: 1 }] })
  t.strictSame(reply.read({ result: { more: 1 } }, request()).body, { items: [], result: { more: 1 } }, 'data is not')
})

t.test('an item is the row that bears exactly the id or the name', async t => {
  const reply = first(ref(Thing), 'thingId')
  const result = [
    { thingId: 1, thingName: 'support2' },
    { thingId: 2, thingName: 'support' }
  ]
  t.match(reply.read({ result }, request({ thingId: '~support' })).body, { thingId: 2 })
  t.match(reply.read({ result }, request({ thingId: 2 })).body, { thingId: 2 })
  t.match(reply.read({ result: [{ thingId: '2' }] }, request({ thingId: 2 })).body, { thingId: '2' }, 'an id that comes as text')
  t.match(reply.read({ result: [{ thingName: 'x' }] }, request({ thingId: 2 })).body, { thingName: 'x' }, 'a row without its id')
  for (const thingId of [3, '~suppor']) t.throws(() => reply.read({ result }, request({ thingId })), problem('not-found'))
})

t.test('a report that is not complete says when to look again', async t => {
  const reply = report(ref(Report), 'reportId')
  const age = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString()
  const retryAfter = (row: object) => Number(reply.read({ result: [row] }, request()).headers?.['retry-after'])
  t.equal(reply.read({ result: [{ completed: age(0) }] }, request()).headers, undefined)
  t.equal(retryAfter({}), 5, 'of unknown age')
  t.equal(retryAfter({ created: age(40) }), 10, 'after a quarter of its age')
  t.equal(retryAfter({ created: age(0) }), 1)
  t.equal(retryAfter({ created: age(3600) }), 60)
})

t.test('a value that is missing is a broken response, or a thing that does not exist', async t => {
  t.throws(() => value(ref(Thing)).read({}, request()), problem('upstream-answer-invalid'))
  const reply = value(ref(Thing), { absent: 'not-found' })
  for (const response of [{}, { result: {} }, { result: [] }]) t.throws(() => reply.read(response, request()), problem('not-found'))
  t.strictSame(reply.read({ result: { thingId: 1 }, more: 2 }, request()).body, { thingId: 1, more: 2 })
})

t.test('fields beside the result become the body, with the result under a name of its own', async t => {
  t.strictSame(fields({ price: Type.Number() }).read({ result: 1, price: 2 }, request()).body, { price: 2 })
  t.strictSame(fields({ removed: Type.Number() }, { result: 'removed' }).read({ result: 3 }, request()).body, { removed: 3 })
})

t.test('a creation returns the ids and the address of what was created', async t => {
  const reply = created({ thingId: id('x') }, '/rooms/:roomId/things/:thingId')
  t.strictSame(reply.read({ result: 1, thingId: 5 }, request({ roomId: 'a b' })), {
    body: { thingId: 5 },
    headers: { location: '/base/rooms/a%20b/things/5' }
  })
  t.throws(() => reply.read({ result: 1 }, request()), problem('upstream-answer-invalid'), 'without the id')
  t.throws(() => reply.read({ result: false }, request()), problem('state-conflict'))
  const within = created({ thingId: id('x') }, '/things/:thingId', { within: true })
  t.match(within.read({ result: { thingId: 5 } }, request()), { body: { thingId: 5 }, headers: { location: '/base/things/5' } })
})

t.test('a creation without an id that may be missing has no address', async t => {
  t.strictSame(created({ thingId: maybe(id('x')) }, '/things/:thingId').read({ result: 1 }, request()), { body: {} })
})

t.test('a report that was ordered has an id and an address', async t => {
  const reply = accepted({ reportId: id('x') }, '/reports/:reportId')
  t.strictSame(reply.read({ result: 1, reportId: 7 }, request()), { body: { reportId: 7 }, headers: { location: '/base/reports/7' } })
  t.throws(() => reply.read({ result: 1 }, request()), problem('upstream-answer-invalid'))
  const inResult = accepted({ reportId: id('x') }, '/reports/:reportId', { inResult: true })
  t.strictSame(inResult.read({ result: 7 }, request()).body, { reportId: 7 })
})

t.test('outcomes come as a list, or as one outcome spread over the response', async t => {
  const reply = outcomes(Outcome)
  t.strictSame(reply.read({ result: [{ result: true }, { result: false, error_msg: 'no' }] }, request()).body, {
    items: [{ result: true }, { result: false, errorMsg: 'no' }]
  })
  t.strictSame(reply.read({ result: true, thingId: 1 }, request()).body, { items: [{ thingId: 1, result: true }] })
})

t.test('a single outcome that failed is a conflict with the reason of the upstream', async t => {
  const reply = outcome(Outcome)
  t.strictSame(reply.read({ result: true }, request()), { body: undefined })
  t.throws(() => reply.read({ result: false, errorMsg: 'gone' }, request()), { type: 'state-conflict', message: /: gone\.$/ })
  t.throws(() => reply.read({ result: [{ result: false }] }, request()), { type: 'state-conflict', message: /gave no reason/ })
})

t.test('a change that was not made is a conflict, and one that was has no body', async t => {
  t.strictSame(done.read({ result: 1, anything: 2 }, request()), { body: undefined })
  t.throws(() => done.read({ result: false, msg: 'busy' }, request()), { type: 'state-conflict', message: /: busy\.$/ })
})
