import t from 'tap'
import { Problem } from '../../../src/problems/problem.ts'
import { UpstreamStats } from '../../../src/telemetry/upstream-stats.ts'
import type { Call, ResponseHead } from '../../../src/voximplant/call.ts'
import { CallCounters } from '../../../src/voximplant/counters.ts'
import { TransportError, UpstreamError } from '../../../src/voximplant/errors.ts'
import { retried } from '../../../src/voximplant/stages/retried.ts'
import { createCall, transports } from '../calls.ts'

const options = { maxRetries: 2, baseDelayMs: 1, maxDelayMs: 20, budgetRatio: 0, budgetBurst: 10 }
const lost = new TransportError('connection', 'sent')
const unsent = new TransportError('connection', 'unsent')
const busy = new UpstreamError(162, 'try later')

/** Runs a call whose attempts all fail, unless stopped; returns what it rejects with and how many attempts there were. */
async function run(call: Call, failure: Error, response?: ResponseHead, succeedAt = Number.POSITIVE_INFINITY, changes = {}) {
  const counters = new CallCounters()
  let attempts = 0
  const outcome = await retried({ ...options, ...changes }, counters)(call, async next => {
    next.response = response
    if (++attempts >= succeedAt) return { result: 1 }
    throw failure
  }).catch(error => error)
  return { outcome, attempts, counters }
}

for (const kind of ['form', 'download'] as const)
  t.test(`a read with a ${kind} is made again until it succeeds`, async t => {
    const stats = new UpstreamStats()
    const call = createCall({ content: transports[kind].content, stats })
    const { outcome, attempts, counters } = await run(call, lost, undefined, 3)
    t.same(outcome, { result: 1 })
    t.equal(attempts, 3)
    t.same(counters.retries, { transport: 2 })
    t.equal(stats.retries, 2)
  })

t.test('an upload is never made again', async t => {
  t.equal((await run(createCall({ content: transports.upload.content }), unsent)).attempts, 1)
})

t.test('a read that fails again and again ends with the problem of its last attempt', async t => {
  const { outcome, attempts } = await run(createCall(), lost)
  t.equal(attempts, 3)
  t.match(outcome, { type: 'upstream-unreachable', cause: lost })
})

t.test('a change whose response was lost is not made again: its outcome is unknown', async t => {
  const { outcome, attempts } = await run(createCall({ safe: false, retry: 'unsent' }), lost)
  t.equal(attempts, 1)
  t.match(outcome, { type: 'outcome-unknown' })
})

t.test('a change of which nothing was sent is made again once', async t => {
  t.equal((await run(createCall({ safe: false, retry: 'unsent' }), unsent)).attempts, 2)
})

t.test('a call without a kind of retry is made once', async t => {
  t.equal((await run(createCall({ retry: undefined }), lost)).attempts, 1)
})

t.test('an error of the upstream comes through as it is', async t => {
  const taken = new UpstreamError(118, 'taken')
  const { outcome, attempts } = await run(createCall(), taken, { status: 200, headers: {} })
  t.equal(attempts, 1)
  t.equal(outcome, taken)
})

t.test('a problem without a response, such as that of an open breaker, is not retried', async t => {
  t.equal((await run(createCall(), new Problem('upstream-unavailable', 'open'))).attempts, 1)
})

t.test('a short Retry-After is waited for, a long one is for the caller', async t => {
  const since = performance.now()
  const call = createCall({ timeoutMs: 10_000 })
  t.equal((await run(call, busy, { status: 503, headers: { 'retry-after': '1' } }, 2, { maxDelayMs: 1000 })).attempts, 2)
  t.ok(performance.now() - since >= 990)
  t.equal((await run(createCall(), busy, { status: 503, headers: { 'retry-after': '2' } }, 2, { maxDelayMs: 1000 })).attempts, 1)
})

t.test('no attempt begins that could only end after the deadline', async t => {
  const call = createCall()
  call.deadline = performance.now()
  const { attempts, counters } = await run(call, lost)
  t.equal(attempts, 1)
  t.same(counters.notRetried, { deadline: 1 })
})

t.test('the budget of the tenant ends retries', async t => {
  const call = createCall()
  while (call.target.budget.tryWithdraw());
  const { attempts, counters } = await run(call, lost)
  t.equal(attempts, 1)
  t.same(counters.notRetried, { 'tenant-budget': 1 })
})

t.test('the budget of the process, five bursts of a tenant, ends retries of all tenants', async t => {
  const counters = new CallCounters()
  const stage = retried({ ...options, maxRetries: 1, budgetBurst: 1 }, counters)
  for (let i = 0; i < 6; i++)
    await stage(createCall(), async () => {
      throw lost
    }).catch(() => {})
  t.same(counters.retries, { transport: 5 })
  t.same(counters.notRetried, { 'process-budget': 1 })
})

t.test('the disconnect of its caller ends the pause of a read', async t => {
  const disconnect = new AbortController()
  const call = createCall({ signal: disconnect.signal, timeoutMs: 100_000 })
  setTimeout(() => disconnect.abort(), 20)
  const since = performance.now()
  await run(call, busy, { status: 503, headers: { 'retry-after': '10' } }, 2, { maxDelayMs: 60_000 })
  t.ok(performance.now() - since < 5_000)
})
