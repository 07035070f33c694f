import t from 'tap'
import type { RequestContext, RespondNext } from '../../../src/api/context.ts'
import { createIdempotencyCounts, idempotent } from '../../../src/api/stages/idempotent.ts'
import type { Idempotency } from '../../../src/idempotency/records.ts'
import { Problem } from '../../../src/problems/problem.ts'
import { caller, operationOf, requestThrough } from '../requests.ts'

type Claimed = Awaited<ReturnType<Idempotency['claim']>>

/** The stage with records in memory that answer each claim with `claimed`; what was written to them, in order. */
function create(claimed: Claimed | Error | undefined = undefined) {
  const written: unknown[] = []
  const attempt = {
    id: 'record-1',
    async sending() {
      written.push('sending')
      return true
    },
    async end(end: unknown) {
      written.push(end)
    }
  }
  const counts = createIdempotencyCounts()
  const stage = idempotent({
    records: {
      async claim(claim) {
        written.push(claim)
        if (claimed instanceof Error) throw claimed
        return claimed ?? { attempt }
      }
    },
    counts,
    operations: [operationOf('createSkill'), operationOf('listSkills')],
    callers: { again: () => caller },
    base: '',
    maxRecords: 10
  })
  return { stage, counts, written, attempt }
}

const operation = operationOf('createSkill')
const headers = { 'idempotency-key': 'abc' }
const payload = { skillName: 'billing' }
const created: RespondNext = async ({ attempt, reply }) => {
  await attempt?.beforeSend()
  reply.code(201).header('location', '/skills/7')
  return { skillId: 7 }
}

t.test('a request without a key passes, and nothing is claimed', async t => {
  const { stage, written } = create()
  const next = ({ attempt }: RequestContext) => ({ attempt: attempt === undefined })
  t.match(await requestThrough(stage, next, operation, { payload }), { status: 200, body: { attempt: true } })
  t.same(written, [])
})

t.test('a first request claims its key, is marked before its call is sent, and stores its response', async t => {
  const { stage, written, counts } = create()
  t.match(await requestThrough(stage, created, operation, { headers, payload }), {
    status: 201,
    headers: { location: '/skills/7' },
    body: { skillId: 7 }
  })
  t.match(written, [
    { tenantId: 'acme', keyId: 'key-1', lineage: 'line-1', operation: 'createSkill', key: 'abc' },
    'sending',
    { kind: 'done', answer: { status: 201, headers: { location: '/skills/7' }, body: '{"skillId":7}' }, fingerprint: String }
  ])
  t.match(counts, { claimed: 1, answered: 1 })
})

t.test('a call is marked once, however often it asks for it', async t => {
  const { stage, written } = create()
  await requestThrough(
    stage,
    async context => {
      await Promise.all([context.attempt?.beforeSend(), context.attempt?.beforeSend()])
      return {}
    },
    operation,
    { headers, payload }
  )
  t.equal(written.filter(entry => entry === 'sending').length, 1)
})

const known = (state: 'started' | 'sent' | 'done' | 'unknown', fingerprint?: string): Claimed => ({
  known: {
    id: 'record-1',
    state,
    fingerprint,
    answer: async () => ({ status: 201, headers: { location: '/skills/7' }, body: '{"skillId":7}' })
  }
})
const notCalled: RespondNext = () => Promise.reject(new Error('the call was made'))

t.test('a later request gets the stored response', async t => {
  const { stage, counts } = create(known('done'))
  t.match(await requestThrough(stage, notCalled, operation, { headers, payload }), {
    status: 201,
    headers: { location: '/skills/7', 'idempotency-replayed': 'true' },
    body: { skillId: 7 }
  })
  t.equal(counts.replayed, 1)
})

t.test('a request whose first one is in flight is rejected with 409', async t => {
  for (const state of ['started', 'sent'] as const)
    t.match(await requestThrough(create(known(state)).stage, notCalled, operation, { headers, payload }), {
      status: 409,
      body: { code: 'idempotency-in-flight' }
    })
})

t.test('a request whose first one has an unknown outcome learns how to find it', async t => {
  t.match(await requestThrough(create(known('unknown')).stage, notCalled, operation, { headers, payload }), {
    status: 504,
    body: { code: 'outcome-unknown', settle: { id: 'record-1', method: 'GetSkills', operationId: 'listSkills' } }
  })
})

t.test('the key of a request with other contents is rejected', async t => {
  t.match(await requestThrough(create(known('done', 'another fingerprint')).stage, notCalled, operation, { headers, payload }), {
    status: 422,
    body: { code: 'idempotency-key-reused' }
  })
})

t.test('nothing is sent while the records are unavailable', async t => {
  const { stage, counts } = create(new Error('connection refused'))
  t.match(await requestThrough(stage, notCalled, operation, { headers, payload }), { status: 503, body: { code: 'store-unavailable' } })
  t.equal(counts['store-unavailable'], 1)
})

t.test('a failure before the call was sent frees the key', async t => {
  const { stage, written } = create()
  const next = () => Promise.reject(new Problem('upstream-fault', 'HTTP 500'))
  t.match(await requestThrough(stage, next, operation, { headers, payload }), { status: 502 })
  t.same(written.at(-1), { kind: 'free' })
})

const failSent =
  (problem: Problem): RespondNext =>
  async ({ attempt }) => {
    await attempt?.beforeSend()
    throw problem
  }

t.test('an unknown outcome is stored as such, and returned with the way to find it', async t => {
  const { stage, written } = create()
  const next = failSent(new Problem('outcome-unknown', 'lost'))
  t.match(await requestThrough(stage, next, operation, { headers, payload }), {
    status: 504,
    body: { code: 'outcome-unknown', settle: { id: 'record-1' } }
  })
  t.same(written.at(-1), { kind: 'unknown' })
})

t.test('a rejection by the upstream is stored, and so replayed', async t => {
  const { stage, written } = create()
  const upstream = { method: 'AddSkill', code: 118, name: 'TAKEN', message: 'taken' }
  const next = failSent(new Problem('already-exists', 'taken', { upstream }))
  t.match(await requestThrough(stage, next, operation, { headers, payload }), { status: 409, body: { code: 'already-exists' } })
  t.match(written.at(-1), { kind: 'done', answer: { status: 409, headers: { 'content-type': 'application/problem+json' } } })
})

t.test('a claim that was lost keeps the call here', async t => {
  const { attempt, stage } = create()
  attempt.sending = async () => false
  t.match(await requestThrough(stage, created, operation, { headers, payload }), { status: 409, body: { code: 'idempotency-in-flight' } })
})

/** The fingerprint under which the response to a request is stored. */
async function fingerprintFor(headers: Record<string, string>, payload: object): Promise<unknown> {
  const { stage, written } = create()
  await requestThrough(stage, created, operation, { headers: { 'idempotency-key': 'abc', ...headers }, payload })
  const end = written.at(-1)
  return typeof end === 'object' && end !== null && 'fingerprint' in end ? end.fingerprint : undefined
}

t.test('the same request has the same fingerprint, one with another body or for another child account has not', async t => {
  const fingerprint = await fingerprintFor({}, payload)
  t.type(fingerprint, 'string')
  t.equal(await fingerprintFor({}, payload), fingerprint)
  t.not(await fingerprintFor({}, { skillName: 'other' }), fingerprint)
  const ofChild = await fingerprintFor({ 'voxgate-child-account': '7' }, payload)
  t.not(ofChild, fingerprint)
  t.not(await fingerprintFor({ 'voxgate-child-account': '8' }, payload), ofChild)
})
