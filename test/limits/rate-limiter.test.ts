import t, { type Test } from 'tap'
import type { RateLimitBucket, SharedBuckets } from '../../src/limits/rate-limit-bucket.ts'
import { RateLimiter } from '../../src/limits/rate-limiter.ts'

/** So slow that no token comes back during a test. */
const rates = {
  key: { perSecond: 0.001, burst: 3 },
  tenant: { perSecond: 0.001, burst: 4 },
  address: { perSecond: 0.001, burst: 2 }
}
const caller = (keyId: string, rateLimit?: { perSecond: number; burst: number }) => ({
  keyId,
  lineage: keyId,
  tenantId: 'acme',
  settings: { rateLimit }
})

function createLimiter(t: Test, options: { shared?: SharedBuckets; replicas?: number } = {}) {
  const limiter = new RateLimiter({ rates, replicas: 1, ...options })
  t.teardown(() => limiter.close())
  return limiter
}

t.test('a request takes a token of its key and of its tenant', async t => {
  const limiter = createLimiter(t)
  const subject = limiter.subjectOfCaller(caller('k1'))
  t.equal(limiter.take(subject), 0)
  t.equal(limiter.remaining(subject), 2)
  t.equal(limiter.describe(subject), '"key";r=2;t=1000')
  t.equal(subject.policy, '"key";q=3;w=3000, "tenant";q=4;w=4000')
})

t.test('a request that one bucket rejects takes nothing of the others', async t => {
  const limiter = createLimiter(t)
  const [first, second] = [limiter.subjectOfCaller(caller('k1')), limiter.subjectOfCaller(caller('k2'))]
  for (let i = 0; i < 5; i++) limiter.take(first)
  t.same(limiter.rejected, { key: 2, tenant: 0, address: 0 })
  t.equal(limiter.take(second), 0, 'the tenant has one token left')
  t.ok(Number(limiter.take(second)) > 0)
  t.same(limiter.rejected, { key: 2, tenant: 1, address: 0 })
})

t.test('the rate of a tenant is also that of its keys', async t => {
  const limiter = createLimiter(t)
  const subject = limiter.subjectOfCaller(caller('k1', { perSecond: 1, burst: 9 }))
  t.equal(subject.policy, '"key";q=9;w=9, "tenant";q=9;w=9')
  t.equal(subject.max, 9)
})

t.test('addresses have buckets of their own', async t => {
  const limiter = createLimiter(t)
  t.same(
    [1, 2, 3].map(() => Number(limiter.take(limiter.subjectOfAddress('192.0.2.1'))) > 0),
    [false, false, true]
  )
  t.equal(limiter.take(limiter.subjectOfAddress('192.0.2.2')), 0)
})

t.test('without shared buckets each replica enforces its part, at least one request', async t => {
  const limiter = createLimiter(t, { replicas: 3 })
  const subject = limiter.subjectOfCaller(caller('k1'))
  t.same(
    [1, 2].map(() => Number(limiter.take(subject)) > 0),
    [false, true]
  )
})

t.test('tokens are leased while the shared buckets can be reached', async t => {
  const leases: string[] = []
  const shared = {
    up: true,
    replicas: 2,
    async lease(bucket: RateLimitBucket) {
      leases.push(bucket.id)
      bucket.addLease(2, 0, 60_000, performance.now())
    }
  }
  const limiter = createLimiter(t, { shared })
  const subject = limiter.subjectOfCaller(caller('k1'))
  t.equal(await limiter.take(subject), 0)
  t.same(leases, ['key/k1', 'tenant/acme'])
  t.equal(limiter.take(subject), 0, 'the second token of the lease')
  t.ok(Number(limiter.take(subject)) > 59_000, 'no further lease while the shared bucket is empty')
  shared.up = false
  t.ok(Number(limiter.take(subject)) > 0, 'what was leased is used up')
})

t.test('requests that wait for a lease share it', async t => {
  let wanted = 0
  const shared = {
    up: true,
    replicas: 1,
    async lease(bucket: RateLimitBucket) {
      await undefined
      wanted = bucket.wanted(1)
      bucket.addLease(wanted, 0, 60_000, performance.now())
    }
  }
  const limiter = createLimiter(t, { shared })
  const subject = limiter.subjectOfCaller(caller('k1'))
  t.same(await Promise.all([1, 2, 3].map(() => limiter.take(subject))), [0, 0, 0])
})
