import t from 'tap'
import { Problem } from '../../../src/problems/problem.ts'
import { Download } from '../../../src/voximplant/download.ts'
import { TransportError, UpstreamError } from '../../../src/voximplant/errors.ts'
import { circuitBreaker } from '../../../src/voximplant/stages/circuit-breaker.ts'
import { createCall, createTargets, notCalled, rejection, transports } from '../calls.ts'

const lost = new TransportError('connection', 'sent')

for (const [kind, { content }] of Object.entries(transports)) {
  t.test(`failures of calls with a ${kind} open the breaker, which then lets none out`, async t => {
    const targets = createTargets()
    for (let i = 0; i < 2; i++)
      await t.rejects(
        circuitBreaker(createCall({ content }, targets), () => Promise.reject(lost)),
        lost
      )
    t.same(targets.open().tenants, ['acme'])
    t.match(await rejection(circuitBreaker(createCall({ content }, targets), notCalled)), { type: 'upstream-unavailable' })
  })
}

t.test('an error of the upstream is a response: it does not open the breaker', async t => {
  const targets = createTargets()
  for (let i = 0; i < 5; i++) {
    const call = createCall({}, targets)
    await t.rejects(
      circuitBreaker(call, async next => {
        next.response = { status: 200, headers: {} }
        throw new UpstreamError(118, 'taken')
      })
    )
  }
  t.same(targets.open().tenants, [])
})

t.test('a download is recorded when its stream ends, not with its headers', async t => {
  const targets = createTargets()
  for (let i = 0; i < 2; i++) {
    const { content, result } = transports.download
    const download = await circuitBreaker(createCall({ content }, targets), async () => result())
    t.same(targets.open().tenants, [], 'not yet')
    if (download instanceof Download) download.end(lost)
  }
  t.same(targets.open().tenants, ['acme'])
})

t.test('a download that its caller does not take says nothing of the upstream', async t => {
  const targets = createTargets()
  for (let i = 0; i < 3; i++) {
    const { content, result } = transports.download
    const download = await circuitBreaker(createCall({ content }, targets), async () => result())
    if (download instanceof Download) download.end(new Problem('request-timeout', 'not taken'))
  }
  t.same(targets.open().tenants, [])
})

t.test('the first attempt has the time of the call, a later one what is left of it', async t => {
  const call = createCall({ timeoutMs: 1000 })
  call.deadline = performance.now() + 300
  await circuitBreaker(call, async next => {
    t.equal(next.attemptTimeoutMs, 1000)
    return {}
  })
  call.attempt = 2
  await circuitBreaker(call, async next => {
    t.ok(next.attemptTimeoutMs <= 300)
    return {}
  })
})

t.test('a probe has a short timeout where it is a read, never a longer one than the call', async t => {
  const targets = createTargets()
  const open = createCall({}, targets)
  const { breaker } = open.target
  const before = performance.now() - 5000
  for (let i = 0; i < 2; i++) breaker.record(breaker.tryAcquire(before, true), 'noResponse', before)
  await circuitBreaker(open, async next => {
    t.equal(next.attemptTimeoutMs, 100)
    return Promise.reject(lost)
  }).catch(() => {})
  t.equal(breaker.state, 'open')
})

t.test('a change has its whole time as a probe, too', async t => {
  const targets = createTargets()
  const call = createCall({ safe: false }, targets)
  const { breaker } = call.target
  const before = performance.now() - 5000
  for (let i = 0; i < 2; i++) breaker.record(breaker.tryAcquire(before, true), 'noResponse', before)
  await circuitBreaker(call, async next => {
    t.equal(next.attemptTimeoutMs, 1000)
    return {}
  })
  t.equal(breaker.state, 'closed')
})
