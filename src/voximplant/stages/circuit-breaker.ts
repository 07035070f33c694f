import type { Stage } from '../call.ts'
import { classify } from '../classify.ts'
import { Download } from '../download.ts'

/**
 * Admits an attempt while the breakers of its target are closed, and records its result: of a file, once that has come to its end. Throws Problem
 * `upstream-unavailable` while a breaker is open. Sets the timeout of the attempt.
 */
export const circuitBreaker: Stage = async (call, next) => {
  const now = performance.now()
  const { breaker } = call.target
  const admission = breaker.tryAcquire(now, call.safe)
  // A change that is aborted leaves its caller in the dark, so that it has its time as a probe too.
  const limitMs = call.safe ? Math.min(call.timeoutMs, admission.probeTimeoutMs ?? call.timeoutMs) : call.timeoutMs
  call.attemptTimeoutMs = call.attempt === 1 ? limitMs : Math.min(limitMs, call.deadline - now)
  let result: object
  try {
    result = await next(call)
  } catch (error) {
    breaker.record(admission, classify(error, call.response?.status).breaker, performance.now())
    throw error
  }
  if (result instanceof Download)
    result.onEnd(failure =>
      breaker.record(admission, failure === undefined ? 'success' : classify(failure, undefined).breaker, performance.now())
    )
  else breaker.record(admission, 'success', performance.now())
  return result
}
