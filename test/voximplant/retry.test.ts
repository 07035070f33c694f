import t from 'tap'
import { backoffMs, parseRetryAfter, RetryBudget, shouldRetry } from '../../src/voximplant/retry.ts'

t.test('Retry-After is read as seconds or as a date', async t => {
  t.equal(parseRetryAfter('7', undefined), 7)
  t.equal(parseRetryAfter('Tue, 24 Nov 2026 15:00:07 GMT', 'Tue, 24 Nov 2026 15:00:00 GMT'), 7, 'by the upstream’s clock')
  t.equal(parseRetryAfter(new Date(Date.now() - 60_000).toUTCString(), undefined), 0, 'in the past')
})

t.test('seconds of a date are rounded up, so that nobody comes too early', async t => {
  const inHalfASecond = new Date(Date.now() + 10_500).toUTCString()
  const seconds = parseRetryAfter(inHalfASecond, undefined)
  t.ok(seconds === 10 || seconds === 11, String(seconds))
  t.equal(parseRetryAfter('Tue, 24 Nov 2026 15:00:01 GMT', '2026-11-24T15:00:00.400Z'), 1)
})

t.test('nonsense is no Retry-After', async t => {
  for (const nonsense of ['', '-1', '1.5', 'soon', '1e3', '99999999999', undefined, ['1', '2']])
    t.equal(parseRetryAfter(nonsense, undefined), undefined, String(nonsense))
})

t.test('a read is retried as often as configured, for every reason', async t => {
  for (const reason of ['unsent', 'transport', 'response'] as const) {
    t.equal(shouldRetry('any', reason, 2, 2), true, reason)
    t.equal(shouldRetry('any', reason, 3, 2), false, reason)
  }
})

t.test('an idempotent change is retried once, and not for what the upstream says', async t => {
  t.equal(shouldRetry('transport', 'transport', 1, 2), true)
  t.equal(shouldRetry('transport', 'unsent', 1, 2), true)
  t.equal(shouldRetry('transport', 'response', 1, 2), false)
  t.equal(shouldRetry('transport', 'transport', 2, 2), false)
})

t.test('any other change is retried only when nothing of it was sent', async t => {
  t.equal(shouldRetry('unsent', 'unsent', 1, 2), true)
  t.equal(shouldRetry('unsent', 'transport', 1, 2), false)
  t.equal(shouldRetry('unsent', 'response', 1, 2), false)
})

t.test('nothing is retried where retries are off', async t => {
  for (const kind of ['any', 'transport', 'unsent'] as const) t.equal(shouldRetry(kind, 'unsent', 1, 0), false, kind)
})

t.test('the pause doubles with each attempt up to its maximum, with full jitter', async t => {
  const options = { baseDelayMs: 100, maxDelayMs: 350 }
  for (const [attempts, most] of [
    [1, 100],
    [2, 200],
    [3, 350],
    [9, 350]
  ] as const) {
    const pauses = Array.from({ length: 500 }, () => backoffMs(attempts, options))
    t.ok(Math.max(...pauses) <= most && Math.max(...pauses) > most * 0.8, `at most ${most} ms`)
    t.ok(Math.min(...pauses) < most * 0.2, 'and as little as nothing')
  }
})

t.test('the budget lends its burst, then a share of the calls', async t => {
  const budget = new RetryBudget({ budgetRatio: 0.25, budgetBurst: 2 })
  t.same([budget.tryWithdraw(), budget.tryWithdraw(), budget.tryWithdraw()], [true, true, false])
  for (let i = 0; i < 3; i++) budget.deposit()
  t.equal(budget.tryWithdraw(), false, 'three quarters of a retry are none')
  budget.deposit()
  t.equal(budget.tryWithdraw(), true)
  for (let i = 0; i < 100; i++) budget.deposit()
  t.same([budget.tryWithdraw(), budget.tryWithdraw(), budget.tryWithdraw()], [true, true, false], 'never more than the burst')
})

t.test('white space around a Retry-After does not matter, and every digit counts', async t => {
  t.equal(parseRetryAfter(' 120 ', undefined), 120)
})

t.test('a date that does not begin with its weekday is no Retry-After', async t => {
  t.equal(parseRetryAfter('2026-11-24T15:00:00Z', undefined), undefined)
})

t.test('of several Date headers none is the clock of the upstream', async t => {
  const inTenMinutes = new Date(Date.now() + 600_000).toUTCString()
  const seconds = parseRetryAfter(inTenMinutes, ['Tue, 24 Nov 2026 15:00:00 GMT'])
  t.ok(seconds !== undefined && seconds >= 599 && seconds <= 600, String(seconds))
})
