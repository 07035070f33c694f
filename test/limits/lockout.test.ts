import t from 'tap'
import { Lockout } from '../../src/limits/lockout.ts'

/** A lockout with failures of source `a` at one time. */
const afterFailures = (count: number, now: number) => {
  const lockout = new Lockout()
  for (let i = 0; i < count; i++) lockout.recordFailure('a', now)
  return lockout
}

t.test('nine failures lock nobody out', async t => {
  t.equal(afterFailures(9, 1_000).msUntilAllowed('a', 1_000), 0)
})

t.test('after ten failures a source waits for 30 seconds, others do not', async t => {
  const lockout = afterFailures(10, 1_000)
  t.equal(Math.round(lockout.msUntilAllowed('a', 1_000)), 30_000)
  t.equal(Math.round(lockout.msUntilAllowed('a', 11_000)), 20_000)
  t.equal(lockout.msUntilAllowed('b', 1_000), 0)
})

t.test('each further failure costs another 30 seconds', async t => {
  const lockout = afterFailures(10, 1_000)
  t.equal(lockout.msUntilAllowed('a', 31_001), 0)
  lockout.recordFailure('a', 31_001)
  t.equal(Math.round(lockout.msUntilAllowed('a', 31_001) / 100), 300)
})

t.test('failures are forgotten after five minutes', async t => {
  const lockout = afterFailures(10, 0)
  for (let i = 0; i < 9; i++) lockout.recordFailure('a', 300_001)
  t.equal(lockout.msUntilAllowed('a', 300_001), 0)
})

t.test('10,000 sources are remembered', async t => {
  const lockout = afterFailures(10, 0)
  for (let i = 0; i < 9_999; i++) lockout.recordFailure(`other-${i}`, 0)
  t.ok(lockout.msUntilAllowed('a', 0) > 0)
  lockout.recordFailure('one more', 0)
  t.equal(lockout.msUntilAllowed('a', 0), 0)
})
