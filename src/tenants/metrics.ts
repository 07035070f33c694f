import type { LookupCounts } from '../limits/lookup-queue.ts'
import { type Metrics, type Sample, sample } from '../telemetry/metrics.ts'
import type { CacheCounts } from './cache.ts'

interface LookupState {
  readonly caches: Readonly<Record<string, CacheCounts>>
  readonly lookups: LookupCounts
}

/** Metrics of the look-ups of keys and credentials. */
export function registerTenants(metrics: Metrics, tenants: LookupState): void {
  metrics.counter('voxgate_cache_lookups_total', {
    help: 'Look-ups of keys and credentials: hit, miss, or stale while the database was unavailable.',
    labels: ['cache', 'outcome'],
    read: () =>
      Object.entries(tenants.caches).flatMap(([cache, counts]) =>
        Object.entries(counts).map(([outcome, value]): Sample => [{ cache, outcome }, value])
      )
  })
  metrics.counter('voxgate_key_lookups_rejected_total', {
    help: 'Look-ups of API keys that were rejected because too many arrived together.',
    read: () => sample(tenants.lookups.rejected)
  })
  metrics.gauge('voxgate_key_lookups_queued', { help: 'Queued look-ups of API keys.', read: () => sample(tenants.lookups.queued) })
}
