import { type Metrics, sample, samplesOf } from '../telemetry/metrics.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { LoadShedder } from './load-shedder.ts'
import type { RateLimiter } from './rate-limiter.ts'

export interface RateLimitState {
  readonly limiter: RateLimiter
  readonly redis: 'ok' | 'unavailable' | 'off'
  readonly redisStateChanges: number
}

export interface ResponseState {
  readonly budget: ByteBudget
  readonly counts: { readonly dropped: number; readonly refused: number }
}

/** Metrics of the rate limits. */
export function registerRateLimits(metrics: Metrics, limits: RateLimitState): void {
  metrics.counter('voxgate_rate_limit_rejected_total', {
    help: 'Requests rejected by a rate limit, by its scope.',
    labels: ['scope'],
    read: () => samplesOf('scope', limits.limiter.rejected)
  })
  metrics.gauge('voxgate_rate_limit_shared', {
    help: '1 while Redis shares the rate limits, 0 while each replica enforces its own part; absent without Redis.',
    read: () => (limits.redis === 'off' ? [] : sample(limits.redis === 'ok' ? 1 : 0))
  })
  metrics.counter('voxgate_rate_limit_redis_state_changes_total', {
    help: 'How often Redis became available or unavailable.',
    read: () => sample(limits.redisStateChanges)
  })
  metrics.gauge('voxgate_replicas', {
    help: 'Replicas that enforce the rate limits, as far as this one knows.',
    read: () => sample(limits.limiter.replicas)
  })
}

/** Metrics of the memory that responses take. */
export function registerResponses(metrics: Metrics, { budget, counts }: ResponseState): void {
  metrics.gauge('voxgate_response_memory_bytes', {
    help: 'Bytes of responses in memory: of the upstream while they are read, of ours until callers have read them.',
    read: () => sample(budget.held)
  })
  metrics.gauge('voxgate_responses_queued', {
    help: 'Large responses of the upstream that wait for memory.',
    read: () => sample(budget.waiting)
  })
  metrics.counter('voxgate_responses_total', {
    help: 'Large responses, and responses that callers did not read, by outcome.',
    labels: ['outcome'],
    read: () => samplesOf('outcome', { ...budget.counts, dropped: counts.dropped, refused: counts.refused })
  })
}

/** Metrics of load shedding. */
export function registerLoadShedding(metrics: Metrics, shedder: LoadShedder): void {
  metrics.gauge('voxgate_requests_queued', {
    help: 'Requests queued because the process is overloaded.',
    read: () => sample(shedder.queued)
  })
  metrics.counter('voxgate_requests_shed_total', {
    help: 'Requests rejected because the process is overloaded.',
    read: () => sample(shedder.rejected)
  })
}
