import t from 'tap'
import { TokenBucket } from '../../src/limits/token-bucket.ts'

const rate = { perSecond: 2, burst: 3 }

t.test('a bucket starts with its burst', async t => {
  const bucket = new TokenBucket(rate, 0)
  t.same(
    [1, 2, 3, 4].map(() => bucket.tryTake(0)),
    [true, true, true, false]
  )
})

t.test('tokens come back at the rate, up to the burst', async t => {
  const bucket = new TokenBucket(rate, 0)
  for (let i = 0; i < 3; i++) bucket.tryTake(0)
  t.notOk(bucket.tryTake(499))
  t.ok(bucket.tryTake(500))
  t.notOk(bucket.tryTake(500))
  t.equal(bucket.level(60_000), 3)
})

t.test('an attempt without a token takes nothing', async t => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0)
  bucket.tryTake(0)
  for (let at = 0; at < 1_000; at += 100) t.notOk(bucket.tryTake(at))
  t.ok(bucket.tryTake(1_000))
})

t.test('the time until the next token is exact', async t => {
  const bucket = new TokenBucket(rate, 0)
  t.equal(bucket.msUntilAvailable(0), 0)
  for (let i = 0; i < 3; i++) bucket.tryTake(0)
  t.equal(bucket.msUntilAvailable(0), 500)
  t.equal(bucket.msUntilAvailable(200), 300)
})

t.test('a refund makes the token available again', async t => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0)
  bucket.tryTake(0)
  bucket.refund()
  t.ok(bucket.tryTake(0))
})

t.test('take goes into debt, which the rate pays back', async t => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0)
  bucket.take(0)
  bucket.take(0)
  t.equal(bucket.msUntilAvailable(0), 2_000)
})

t.test('a changed rate holds for the time since the last token was taken', async t => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 10 }, 0)
  for (let i = 0; i < 10; i++) bucket.tryTake(0)
  bucket.setRate({ perSecond: 100, burst: 20 })
  t.equal(bucket.level(100), 10)
  t.equal(bucket.level(1_000), 20)
})

t.test('a lower burst takes what is beyond it', async t => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 10 }, 0)
  bucket.setRate({ perSecond: 1, burst: 2 })
  t.equal(bucket.level(0), 2)
  t.ok(bucket.isFull(0))
})

t.test('a bucket that lacks a token is not full', async t => {
  const bucket = new TokenBucket(rate, 0)
  bucket.tryTake(0)
  t.notOk(bucket.isFull(0))
  t.ok(bucket.isFull(500))
})

t.test('the level can be replaced, and counts from then on', async t => {
  const bucket = new TokenBucket(rate, 0)
  bucket.setLevel(1, 1_000)
  t.equal(bucket.level(1_000), 1)
  t.equal(bucket.level(1_500), 2)
})

t.test('a bucket says its rate', async t => {
  const bucket = new TokenBucket(rate, 0)
  t.same(bucket.rate, rate)
  bucket.setRate({ perSecond: 7, burst: 8 })
  t.same(bucket.rate, { perSecond: 7, burst: 8 })
})
