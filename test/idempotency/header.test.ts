import { createHash } from 'node:crypto'
import t from 'tap'
import { fingerprintOf, hashing, keyHeader, keyHeaders, readKey, replayedHeader, verdictOn } from '../../src/idempotency/header.ts'
import { Problem, type ProblemType } from '../../src/problems/problem.ts'

const pattern = new RegExp(keyHeaders(false).properties['Idempotency-Key']?.pattern)

t.test('the headers are lower case, as Node spells them', async t => {
  t.same([keyHeader, replayedHeader], ['idempotency-key', 'idempotency-replayed'])
})

t.test('a key has 1 to 255 visible ASCII characters, bare or in quotes', async t => {
  for (const key of ['a', '!', '~', 'a"b', '#'.repeat(255), '"a"', '"!"', '"]~["', `"${'a'.repeat(255)}"`, '"a\\"b"', '"\\\\"'])
    t.match(key, pattern)
  for (const key of [
    '',
    ' ',
    'a b',
    'a\u007f',
    'é',
    'a'.repeat(256),
    '"',
    '""',
    '"a',
    '"a"b"',
    '"a\\b"',
    '"a\\"',
    `"${'a'.repeat(256)}"`,
    '"a" '
  ])
    t.notMatch(key, pattern)
})

t.test('the header is required where an operation says so', async t => {
  t.same(keyHeaders(true).required, ['Idempotency-Key'])
  t.equal(keyHeaders(false).required, undefined)
  t.match(keyHeaders(true).properties['Idempotency-Key'], { type: 'string', minLength: 1, description: /Required, because/ })
  t.notMatch(keyHeaders(false).properties['Idempotency-Key']?.description, /Required/)
})

t.test('in quotes or bare, a key is the same', async t => {
  t.equal(readKey('abc'), 'abc')
  t.equal(readKey('"abc"'), 'abc')
  t.equal(readKey('"a\\"b\\\\c"'), 'a"b\\c')
  t.equal(readKey('a\\"b"'), 'a\\"b"', 'a bare one is taken as it is')
})

t.test('a fingerprint is the SHA-256 of the JSON with its members in order', async t => {
  const json = '[null,{"a":[{"c":1,"d":2}],"b":"x"}]'
  t.equal(fingerprintOf(null, { b: 'x', a: [{ d: 2, c: 1 }] }), createHash('sha256').update(json).digest('base64url'))
})

t.test('the order of members does not matter to a fingerprint, the order of items does', async t => {
  t.equal(fingerprintOf({ a: 1, b: 2, c: 3 }), fingerprintOf({ c: 3, b: 2, a: 1 }))
  t.not(fingerprintOf([1, 2]), fingerprintOf([2, 1]))
  t.not(fingerprintOf('a', 'b'), fingerprintOf('ab'))
  t.not(fingerprintOf({ a: 1 }), fingerprintOf({ a: '1' }))
})

t.test('bytes pass through unchanged, and their hash comes at their end', async t => {
  const hashes: string[] = []
  const chunks = [Buffer.from('ab'), Buffer.from('c')]
  async function* source() {
    yield* chunks
  }
  const passed = []
  for await (const chunk of hashing(source(), hash => hashes.push(hash))) {
    t.same(hashes, [])
    passed.push(chunk)
  }
  t.same(passed, chunks)
  t.same(hashes, [createHash('sha256').update('abc').digest('base64url')])
})

const upstream = { method: 'AddSkill', code: 118, name: 'TAKEN', message: 'taken' }
const verdict = (type: ProblemType, sent: boolean, fromUpstream = false) =>
  verdictOn(new Problem(type, 'x', fromUpstream ? { upstream } : {}), sent)

t.test('a key is free again when nothing was sent', async t => {
  for (const type of ['outcome-unknown', 'upstream-fault', 'invalid-request', 'not-found'] as const)
    t.equal(verdict(type, false, true), 'free', type)
})

t.test('an outcome that nobody knows stays unknown', async t => {
  for (const type of ['outcome-unknown', 'upstream-fault', 'upstream-answer-invalid', 'internal-error'] as const)
    t.equal(verdict(type, true), 'unknown', type)
})

t.test('what the upstream says of the request is said again', async t => {
  for (const type of ['invalid-request', 'state-conflict', 'not-found'] as const) t.equal(verdict(type, true, true), 'answered', type)
})

t.test('of what was found without the upstream, only a missing thing and a conflict are said again', async t => {
  for (const type of ['state-conflict', 'not-found'] as const) t.equal(verdict(type, true), 'answered', type)
  t.equal(verdict('invalid-request', true), 'free')
})

t.test('a limit, an outage or the credentials of the tenant leave the key free', async t => {
  for (const type of ['rate-limited', 'credentials-missing', 'upstream-unavailable'] as const)
    t.equal(verdict(type, true, true), 'free', type)
})
