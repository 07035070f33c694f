import { Problem } from '../problems/problem.ts'
import { meaningOf } from './error-codes.ts'
import { type Progress, TransportError, UpstreamError } from './errors.ts'

/**
 * How an attempt counts for a circuit breaker. `success`: any response but an HTTP 5xx, which is a `serverError`; `noResponse`: none, though the
 * upstream should have sent one; `ignored`: it ended for reasons of ours or the caller's, and says nothing of the upstream.
 */
export type CallResult = 'success' | 'serverError' | 'noResponse' | 'ignored'

/** Why a failed attempt may be repeated. `unsent`: nothing of it has left; `transport`: its response was lost; `response`: the upstream cannot now. */
export type RetryReason = 'unsent' | 'transport' | 'response'

/** What a failed attempt means to everyone who has to know. */
export interface Classification {
  /** The label of metrics and spans. */
  outcome: 'cancelled' | 'timeout' | 'crowded' | 'oversized' | 'lost' | 'unsent' | 'refused' | 'rate-limited' | 'fault' | 'invalid'
  breaker: CallResult
  /** Undefined where the next attempt would fail in the same way, or must not be made. */
  retry: RetryReason | undefined
  /** Whether the upstream may have acted on it. */
  sent: boolean
}

const transportFailures: Record<TransportError['reason'], (progress: Progress) => Omit<Classification, 'sent'>> = {
  aborted: () => ({ outcome: 'cancelled', breaker: 'ignored', retry: undefined }),
  'not-permitted': () => ({ outcome: 'cancelled', breaker: 'ignored', retry: undefined }),
  deadline: progress => ({ outcome: 'timeout', breaker: 'noResponse', retry: progress === 'sent' ? 'transport' : 'unsent' }),
  crowded: () => ({ outcome: 'crowded', breaker: 'success', retry: undefined }),
  oversized: () => ({ outcome: 'oversized', breaker: 'success', retry: undefined }),
  connection: progress =>
    progress === 'sent'
      ? { outcome: 'lost', breaker: 'noResponse', retry: 'transport' }
      : { outcome: 'unsent', breaker: 'noResponse', retry: 'unsent' }
}

/** Kinds of problem in a response that another attempt may not meet. */
const temporary: readonly string[] = ['upstream-fault', 'upstream-unavailable', 'upstream-answer-invalid', 'rate-limited']

/**
 * Classifies the failure of an attempt.
 * @param status the HTTP status of its response; undefined where none was read
 */
export function classify(failure: unknown, status: number | undefined): Classification {
  if (failure instanceof TransportError)
    return { ...transportFailures[failure.reason](failure.progress), sent: failure.progress === 'sent' }
  if (status === undefined) return { outcome: 'cancelled', breaker: 'ignored', retry: undefined, sent: false }
  const isRefusal = failure instanceof UpstreamError
  const type = isRefusal ? meaningOf(failure.code).type : failure instanceof Problem ? failure.type : ''
  return {
    outcome: isRefusal ? 'refused' : status === 429 ? 'rate-limited' : status >= 500 ? 'fault' : 'invalid',
    breaker: status >= 500 ? 'serverError' : 'success',
    retry: temporary.includes(type) ? 'response' : undefined,
    sent: true
  }
}
