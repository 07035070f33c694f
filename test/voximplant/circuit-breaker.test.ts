import t from 'tap'
import { CircuitBreaker, createBreakerCounts, HostCircuitBreaker } from '../../src/voximplant/circuit-breaker.ts'
import { thrown } from './calls.ts'

const options = { failureThreshold: 3, hostFailureThreshold: 4, minHostTenants: 2, probeIntervalMs: 1000, probeTimeoutMs: 100 }

function createBreakers(...tenants: string[]) {
  const counts = createBreakerCounts()
  const changes: string[] = []
  const onStateChange = (scope: string, state: string) => changes.push(`${scope} ${state}`)
  const host = new HostCircuitBreaker(options, counts, onStateChange)
  const breakers = tenants.map(tenant => new CircuitBreaker(tenant, host, options, counts, onStateChange))
  return { host, breakers, counts, changes }
}

const fail = (breaker: CircuitBreaker, times: number, result: 'noResponse' | 'serverError' = 'serverError') => {
  for (let i = 0; i < times; i++) breaker.record(breaker.tryAcquire(0, true), result, 0)
}

const one = () => {
  const { breakers, ...rest } = createBreakers('a')
  const [breaker] = breakers
  if (!breaker) throw new Error('no breaker')
  return { breaker, ...rest }
}

t.test('a breaker opens with the failure that reaches the threshold, not before', async t => {
  const { breaker, changes, counts } = one()
  fail(breaker, 2)
  t.equal(breaker.state, 'closed')
  fail(breaker, 1)
  t.equal(breaker.state, 'open')
  t.same(changes, ['tenant open'])
  t.equal(counts.opened.tenant, 1)
})

t.test('a success between failures keeps the breaker closed', async t => {
  const { breaker } = one()
  fail(breaker, 2)
  breaker.record(breaker.tryAcquire(0, true), 'success', 0)
  fail(breaker, 2)
  t.equal(breaker.state, 'closed')
})

t.test('an ignored result neither opens nor closes a breaker', async t => {
  const { breaker } = one()
  fail(breaker, 2)
  breaker.record(breaker.tryAcquire(0, true), 'ignored', 0)
  t.equal(breaker.state, 'closed')
  fail(breaker, 1)
  breaker.record(breaker.tryAcquire(1000, true), 'ignored', 1000)
  t.equal(breaker.state, 'open')
})

t.test('an open breaker rejects with the seconds to the next probe, rounded up', async t => {
  const { breaker, counts } = one()
  fail(breaker, 3)
  t.match(
    thrown(() => breaker.tryAcquire(999, true)),
    { type: 'upstream-unavailable', headers: { 'retry-after': '1' } }
  )
  t.equal(counts.rejected.tenant, 1)
})

t.test('an open breaker admits one probe per interval, and is half-open while it is in flight', async t => {
  const { breaker, counts } = one()
  fail(breaker, 3)
  const probe = breaker.tryAcquire(1000, true)
  t.equal(probe.probeTimeoutMs, 100)
  t.equal(breaker.state, 'half-open')
  t.match(
    thrown(() => breaker.tryAcquire(1999, true)),
    { type: 'upstream-unavailable' }
  )
  breaker.record(probe, 'noResponse', 2000)
  t.equal(breaker.state, 'open')
  t.equal(breaker.tryAcquire(2000, true).probeTimeoutMs, 200)
  t.equal(counts.probes, 2)
})

t.test('a probe that hangs delays no other probe', async t => {
  const { breaker } = one()
  fail(breaker, 3)
  breaker.tryAcquire(1000, true)
  t.equal(breaker.tryAcquire(2000, true).probeTimeoutMs, 100)
})

t.test("a probe's timeout doubles with each failed probe, and starts anew when the breaker opens again", async t => {
  const { breaker } = one()
  fail(breaker, 3)
  const timeouts = [1, 2, 3, 4].map(n => {
    const probe = breaker.tryAcquire(n * 1000, true)
    breaker.record(probe, 'noResponse', n * 1000)
    return probe.probeTimeoutMs
  })
  t.same(timeouts, [100, 200, 400, 800])
  breaker.record(breaker.tryAcquire(5000, true), 'success', 5000)
  for (let i = 0; i < 3; i++) breaker.record(breaker.tryAcquire(6000, true), 'serverError', 6000)
  t.equal(breaker.tryAcquire(7000, true).probeTimeoutMs, 100)
})

t.test('an attempt from before the opening that fails is no failed probe', async t => {
  const { breaker } = one()
  const early = breaker.tryAcquire(0, true)
  fail(breaker, 3)
  breaker.record(early, 'noResponse', 10)
  t.equal(breaker.tryAcquire(1000, true).probeTimeoutMs, 100)
})

t.test('a change is a probe only when no read has come for another interval', async t => {
  const { breaker } = one()
  fail(breaker, 3)
  t.match(
    thrown(() => breaker.tryAcquire(1999, false)),
    { type: 'upstream-unavailable' }
  )
  t.ok(breaker.tryAcquire(2000, false).probeTimeoutMs)
})

t.test('the first success closes a breaker', async t => {
  const { breaker, changes, counts } = one()
  fail(breaker, 3)
  breaker.record(breaker.tryAcquire(1000, true), 'success', 1000)
  t.equal(breaker.state, 'closed')
  t.equal(breaker.tryAcquire(1001, true).probeTimeoutMs, undefined)
  t.same(changes, ['tenant open', 'tenant closed'])
  t.equal(counts.closed.tenant, 1)
})

t.test("a host's breaker opens when enough calls of enough tenants get no response", async t => {
  const { breakers, host, changes } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) return t.fail('no breakers')
  for (let i = 0; i < 3; i++) a.record(a.tryAcquire(0, true), 'noResponse', 0)
  t.equal(host.state, 'closed')
  b.record(b.tryAcquire(0, true), 'noResponse', 0)
  t.equal(host.state, 'open')
  t.same(changes, ['tenant open', 'host open'])
  t.match(
    thrown(() => b.tryAcquire(1, true)),
    { type: 'upstream-unavailable' },
    'for those as well whose own breaker is closed'
  )
})

t.test('one tenant alone does not open the breaker of a host, nor do server errors', async t => {
  const { breakers, host } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) return t.fail('no breakers')
  const admission = a.tryAcquire(0, true)
  for (let i = 0; i < 10; i++) a.record(admission, 'noResponse', 0)
  t.equal(host.state, 'closed')
  const other = b.tryAcquire(0, true)
  for (let i = 0; i < 10; i++) b.record(other, 'serverError', 0)
  t.equal(host.state, 'closed')
})

t.test('a probe that the host rejects does not use up the turn of the tenant', async t => {
  const { breakers, host } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) return t.fail('no breakers')
  const [first, second] = [a.tryAcquire(0, true), b.tryAcquire(0, true)]
  for (let i = 0; i < 3; i++) {
    a.record(first, 'noResponse', 0)
    b.record(second, 'noResponse', 0)
  }
  t.equal(a.tryAcquire(1000, true).probeTimeoutMs, 100)
  t.match(
    thrown(() => b.tryAcquire(1000, true)),
    { type: 'upstream-unavailable' }
  )
  t.equal(b.tryAcquire(2000, true).probeTimeoutMs, 100)
  t.equal(host.state, 'half-open')
})

t.test("a success closes the host's breaker for all, and each tenant's by its own", async t => {
  const { breakers, host } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) return t.fail('no breakers')
  const [first, second] = [a.tryAcquire(0, true), b.tryAcquire(0, true)]
  for (let i = 0; i < 3; i++) {
    a.record(first, 'noResponse', 0)
    b.record(second, 'noResponse', 0)
  }
  a.record(a.tryAcquire(1000, true), 'success', 1000)
  t.same([host.state, a.state, b.state], ['closed', 'closed', 'open'])
})

/** Two breakers of a host that is open: its own and that of each tenant. */
const openHost = () => {
  const { breakers, ...rest } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) throw new Error('no breakers')
  const [first, second] = [a.tryAcquire(0, true), b.tryAcquire(0, true)]
  for (let i = 0; i < 2; i++) {
    a.record(first, 'noResponse', 0)
    b.record(second, 'noResponse', 0)
  }
  return { a, b, ...rest }
}

t.test("a host's breaker opens with the failure that reaches its threshold, and is counted once", async t => {
  const { host, counts, changes, a } = openHost()
  t.equal(host.state, 'open')
  t.equal(counts.opened.host, 1)
  const admission = a.tryAcquire(1000, true)
  a.record(admission, 'noResponse', 1000)
  t.equal(counts.opened.host, 1)
  t.same(changes, ['host open', 'tenant open'])
})

t.test("a host's breaker stays closed while fewer tenants than the minimum are affected, whatever the number of failures", async t => {
  const { breakers, host } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) return t.fail('no breakers')
  const admission = a.tryAcquire(0, true)
  for (let i = 0; i < 4; i++) a.record(admission, 'noResponse', 0)
  t.equal(host.state, 'closed')
  b.record(admission, 'noResponse', 0)
  t.equal(host.state, 'open')
})

t.test("a response between the failures starts the count of the host's breaker anew, of its tenants too", async t => {
  const { breakers, host } = createBreakers('a', 'b')
  const [a, b] = breakers
  if (!a || !b) return t.fail('no breakers')
  const admission = a.tryAcquire(0, true)
  for (let i = 0; i < 3; i++) a.record(admission, 'noResponse', 0)
  b.record(admission, 'serverError', 0)
  for (let i = 0; i < 3; i++) b.record(admission, 'noResponse', 0)
  t.equal(host.state, 'closed')
  b.record(admission, 'noResponse', 0)
  t.equal(host.state, 'closed', 'the tenant from before does not count')
})

t.test("an ignored result does not close the host's breaker", async t => {
  const { a, host } = openHost()
  a.record(a.tryAcquire(1000, true), 'ignored', 1000)
  t.equal(host.state, 'open')
})

t.test("the problem says which breaker is open, the tenant's or the host's, and each is counted", async t => {
  const { breaker, counts } = one()
  fail(breaker, 3)
  t.match(
    thrown(() => breaker.tryAcquire(1, true)),
    { message: /has failed again and again/ }
  )
  t.same(counts.rejected, { tenant: 1, host: 0 })
  const shared = openHost()
  t.match(
    thrown(() => shared.a.tryAcquire(1, true)),
    { message: /has stopped answering/ }
  )
  t.same(shared.counts.rejected, { tenant: 0, host: 1 })
})

t.test('the seconds to the next probe are those of the interval', async t => {
  const counts = createBreakerCounts()
  const slow = { ...options, probeIntervalMs: 7_500 }
  const breaker = new CircuitBreaker('a', new HostCircuitBreaker(slow, counts, () => {}), slow, counts, () => {})
  fail(breaker, 3)
  t.match(
    thrown(() => breaker.tryAcquire(0, true)),
    { headers: { 'retry-after': '8' } }
  )
  t.match(
    thrown(() => breaker.tryAcquire(5_000, true)),
    { headers: { 'retry-after': '3' } }
  )
  t.match(
    thrown(() => breaker.tryAcquire(7_500, false)),
    { headers: { 'retry-after': '1' } },
    'at least one'
  )
})

t.test("the first response closes the host's breaker, and is counted once", async t => {
  const { a, host, counts, changes } = openHost()
  a.record(a.tryAcquire(1000, true), 'success', 1000)
  a.record(a.tryAcquire(1001, true), 'success', 1001)
  t.equal(host.state, 'closed')
  t.equal(counts.closed.host, 1)
  t.same(changes, ['host open', 'host closed'])
})

t.test('successes of closed breakers change nothing', async t => {
  const { breaker, counts, changes } = one()
  fail(breaker, 1)
  for (let i = 0; i < 2; i++) breaker.record(breaker.tryAcquire(0, true), 'success', 0)
  fail(breaker, 1, 'noResponse')
  breaker.record(breaker.tryAcquire(0, true), 'success', 0)
  t.same(counts, createBreakerCounts())
  t.same(changes, [])
})

t.test('a probe of an open host alone has the timeout of the host', async t => {
  const { b } = openHost()
  t.equal(b.state, 'closed')
  t.equal(b.tryAcquire(1000, true).probeTimeoutMs, 100)
})

t.test('a probe that is ignored does not double the timeout of the next', async t => {
  const { breaker } = one()
  fail(breaker, 3)
  breaker.record(breaker.tryAcquire(1000, true), 'ignored', 1000)
  t.equal(breaker.tryAcquire(2000, true).probeTimeoutMs, 100)
})

t.test("a host's breaker stays closed below its threshold, though enough tenants are affected", async t => {
  const { breakers, host } = createBreakers('a', 'b')
  for (const breaker of breakers) breaker.record(breaker.tryAcquire(0, true), 'noResponse', 0)
  t.equal(host.state, 'closed')
})
