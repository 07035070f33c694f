import type { Span, Tracer } from '@opentelemetry/api'
import { increment } from '../../telemetry/counters.ts'
import { endAttempt, headersOf, startAttempt } from '../../telemetry/spans.ts'
import type { Call, Stage } from '../call.ts'
import { classify } from '../classify.ts'
import type { CallCounters } from '../counters.ts'
import { Download } from '../download.ts'

/**
 * Counts an attempt, and gives it its place in the trace: a span where there is a tracer, the request's own trace otherwise. An attempt for a file
 * lasts until that has come to its end.
 */
export const traced = (tracer: Tracer | undefined, counters: Pick<CallCounters, 'method'>): Stage => {
  const finish = (call: Call, since: number, span: Span | undefined, failure: unknown, status: number | undefined): void => {
    const ms = performance.now() - since
    const outcome = failure === undefined ? 'ok' : classify(failure, status).outcome
    const { time, outcomes } = counters.method(call.method)
    time.observe(ms)
    increment(outcomes, outcome)
    if (call.stats) {
      call.stats.ms += ms
      call.stats.attempts++
    }
    if (span) endAttempt(span, outcome, status)
  }
  return async (call, next) => {
    const since = performance.now()
    const { trace, method, account, headers } = call
    const span = tracer && startAttempt(tracer, trace, method, account.origin, call.sends)
    if (span) Object.assign(headers, headersOf(span))
    else if (trace) {
      headers.traceparent = trace.next()
      if (trace.state !== undefined) headers.tracestate = trace.state
    }
    let result: object
    try {
      result = await next(call)
    } catch (error) {
      finish(call, since, span, error, call.response?.status)
      throw error
    }
    if (result instanceof Download) result.onEnd(failure => finish(call, since, span, failure, failure === undefined ? 200 : undefined))
    else finish(call, since, span, undefined, call.response?.status)
    return result
  }
}
