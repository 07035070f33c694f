import { type Counter, increment } from '../telemetry/counters.ts'
import { type Metrics, type Sample, sample, samplesOf } from '../telemetry/metrics.ts'
import type { Bulkhead } from './bulkhead.ts'
import type { Client } from './client.ts'
import type { DriftCounts } from './drift-counts.ts'

/** Metrics of the calls to the upstream. @param labelOf the label of a tenant */
export function registerUpstream(
  metrics: Metrics,
  { counters, open }: Pick<Client, 'counters' | 'open'>,
  labelOf: (tenantId: string) => string
): void {
  const { methods, retries, notRetried, breakers } = counters
  metrics.counter('voxgate_upstream_calls_total', {
    help: 'Attempts of upstream calls by method and outcome.',
    labels: ['method', 'outcome'],
    read: () =>
      [...methods].flatMap(([method, { outcomes }]) =>
        Object.entries(outcomes).map(([outcome, value]): Sample => [{ method, outcome }, value])
      )
  })
  metrics.histogram('voxgate_upstream_duration_seconds', {
    help: 'Duration of attempts of upstream calls.',
    labels: ['method'],
    read: () => [...methods].map(([method, { time }]) => [{ method }, time] as const)
  })
  metrics.counter('voxgate_upstream_unsolicited_responses_total', {
    help: 'Connections closed because the upstream sent an unsolicited response.',
    read: () => sample(counters.unsolicited)
  })
  metrics.counter('voxgate_upstream_retries_total', {
    help: 'Retries by reason.',
    labels: ['reason'],
    read: () => samplesOf('reason', retries)
  })
  metrics.counter('voxgate_upstream_retries_suppressed_total', {
    help: 'Retries that were due but not made, by what prevented them.',
    labels: ['reason'],
    read: () => samplesOf('reason', notRetried)
  })
  metrics.gauge('voxgate_breakers_open', {
    help: 'Open circuit breakers, of tenants and of hosts.',
    labels: ['scope'],
    read: () => {
      const { tenants, hosts } = open()
      return samplesOf('scope', { tenant: tenants.length, host: hosts.length })
    }
  })
  metrics.gauge('voxgate_tenant_breaker_open', {
    help: 'Tenants whose circuit breaker is open: 1, or the number of those that share `other`.',
    labels: ['tenant'],
    read: () => {
      const byLabel: Counter = {}
      for (const tenantId of open().tenants) increment(byLabel, labelOf(tenantId))
      return samplesOf('tenant', byLabel)
    }
  })
  metrics.counter('voxgate_breaker_openings_total', {
    help: 'How often circuit breakers opened.',
    labels: ['scope'],
    read: () => samplesOf('scope', breakers.opened)
  })
  metrics.counter('voxgate_breaker_rejections_total', {
    help: 'Calls rejected by an open circuit breaker.',
    labels: ['scope'],
    read: () => samplesOf('scope', breakers.rejected)
  })
  metrics.counter('voxgate_breaker_probes_total', {
    help: 'Half-open probes.',
    read: () => sample(breakers.probes)
  })
}

/** Metrics of fields that the upstream sends and the declarations do not have. */
export function registerDrift(metrics: Metrics, { unknownFields, unreadableFields }: DriftCounts): void {
  const read = (fields: ReadonlyMap<string, number>) => () => samplesOf('field', Object.fromEntries(fields))
  metrics.counter('voxgate_upstream_unknown_fields_total', {
    help: 'Undeclared fields in responses of the upstream.',
    labels: ['field'],
    read: read(unknownFields)
  })
  metrics.counter('voxgate_upstream_unreadable_fields_total', {
    help: 'Fields in responses of the upstream whose values are not as declared.',
    labels: ['field'],
    read: read(unreadableFields)
  })
}

/** Metrics of the bulkhead. */
export function registerBulkhead(metrics: Metrics, bulkhead: Bulkhead): void {
  metrics.gauge('voxgate_bulkhead_in_flight', { help: 'Upstream calls that have a slot.', read: () => sample(bulkhead.active) })
  metrics.gauge('voxgate_bulkhead_queued', { help: 'Upstream calls that wait for a slot.', read: () => sample(bulkhead.queued) })
  metrics.counter('voxgate_bulkhead_rejected_total', {
    help: 'Upstream calls without a slot: those of the partition, or of the process, were taken.',
    labels: ['scope'],
    read: () => samplesOf('scope', { ...bulkhead.rejected })
  })
}
