import { increment } from '../../telemetry/counters.ts'
import type { DisconnectSignal } from '../../telemetry/disconnect.ts'
import type { Call, Stage } from '../call.ts'
import { classify, type RetryReason } from '../classify.ts'
import type { CallCounters } from '../counters.ts'
import { TransportError, toProblem } from '../errors.ts'
import { backoffMs, parseRetryAfter, RetryBudget, type RetryOptions, shouldRetry } from '../retry.ts'

/** The burst of retries of the process as a whole, in bursts of one tenant. */
const processBursts = 5

/**
 * Makes failed attempts again where that cannot double an effect, within the deadline and the budgets of the tenant and of the process. Throws
 * Problem in place of TransportError.
 */
export const retried = (options: RetryOptions, counters: Pick<CallCounters, 'retries' | 'notRetried'>): Stage => {
  // By calls, not by those in flight: a pause is longer than a call.
  const budget = new RetryBudget({
    budgetRatio: options.budgetRatio,
    budgetBurst: options.budgetBurst * processBursts
  })
  return async (call, next) => {
    call.target.budget.deposit()
    budget.deposit()
    for (call.attempt = 1; ; call.attempt++) {
      let pauseMs: number
      try {
        return await next(call)
      } catch (error) {
        const reason = classify(error, call.response?.status).retry
        const pause = reason && pauseMsFor(call, reason, options)
        const exceeded = pause === undefined ? undefined : exceededBy(call, pause, budget)
        if (exceeded !== undefined) increment(counters.notRetried, exceeded)
        if (reason === undefined || pause === undefined || exceeded !== undefined)
          throw error instanceof TransportError ? toProblem(error, call.method, call.safe) : error
        increment(counters.retries, reason)
        if (call.stats) call.stats.retries++
        pauseMs = pause
      }
      await sleep(pauseMs, call.safe ? call.signal : undefined)
    }
  }
}

/** The pause before the next attempt, in milliseconds; undefined when there must be none, or when the caller has to wait for it. */
function pauseMsFor({ retry, attempt, content, response }: Call, reason: RetryReason, options: RetryOptions): number | undefined {
  if (retry === undefined || !content.repeatable || !shouldRetry(retry, reason, attempt, options.maxRetries)) return undefined
  const seconds = response && parseRetryAfter(response.headers['retry-after'], response.headers.date)
  if (seconds === undefined) return backoffMs(attempt, options)
  return seconds * 1000 <= options.maxDelayMs ? seconds * 1000 : undefined
}

/** What does not allow another attempt; undefined when nothing does. Takes it from the budgets. */
function exceededBy({ target, deadline }: Call, pauseMs: number, budget: RetryBudget): string | undefined {
  if (performance.now() + pauseMs >= deadline) return 'deadline'
  if (!target.budget.tryWithdraw()) return 'tenant-budget'
  return budget.tryWithdraw() ? undefined : 'process-budget'
}

/** Resolves after the pause, or when the caller disconnects. */
const sleep = (ms: number, signal: DisconnectSignal | undefined): Promise<void> =>
  new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end)
  })
