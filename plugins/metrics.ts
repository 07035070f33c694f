import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Config } from '../src/config.ts'
import type { LoadShedder } from '../src/limits/load-shedder.ts'
import { Problem } from '../src/problems/problem.ts'
import { bounds, count, type Tally, Timing } from '../src/telemetry/counters.ts'
import { version } from '../src/telemetry/version.ts'

export interface MetricsOptions {
  /** The path the service is mounted under. */
  basePath: string
  environment: Config['server']['environment']
  /** The separate port for `/metrics`; 0 for none. */
  port: number
  /** What a scraper has to show as a bearer token; empty for nothing. */
  token: string
  /** Maximum number of tenants with their own label, in the order of their first request; the others share `other`. */
  maxTenants: number
}

export interface Metrics {
  contentType: string
  /** Everything, as text for Prometheus. */
  text(): Promise<string>
  /** Whether a request with this `Authorization` may read it. */
  admits(authorization: string | undefined): boolean
}

type Labels = Record<string, string>
type Sample = readonly [labels: Labels, value: number]

/** The process's own metrics, which all apps of a process share. */
let ofProcess: Registry | undefined
const processRegistry = (): Registry => {
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** The verbs that are a label; others are `other`, as the caller makes them up. */
const verbs = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** What requests to one address with one verb came to. */
class Meter {
  readonly time = new Timing()
  readonly statuses = new Map<number, number>()

  add(status: number, ms: number): void {
    this.time.add(ms)
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }
}

const samples = (label: string, tally: Readonly<Tally>): Sample[] =>
  Object.entries(tally).map(([name, value]) => [{ [label]: name }, value])

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * `app.metrics`: what is counted everywhere, as text for Prometheus. On the way of a request plain numbers are added up; prom-client, which would
 * hash labels each time, only meets them when somebody asks.
 */
export default fp(
  async (app: FastifyInstance, { basePath: base, environment, port, token, maxTenants }: MetricsOptions) => {
    // In production only behind a token, or on a port of its own.
    const serve = port === 0 && (token !== '' || environment !== 'production')
    const registry = new Registry()
    const counter = (name: string, help: string, read: () => Sample[]) => add('counter', name, help, read)
    const gauge = (name: string, help: string, read: () => Sample[]) => add('gauge', name, help, read)
    const add = (type: 'counter' | 'gauge', name: string, help: string, read: () => Sample[]) =>
      registry.registerMetric({
        name,
        get: async () => ({ name, help, type, values: read().map(([labels, value]) => ({ labels, value })) })
      } as never)
    const histogram = (name: string, help: string, read: () => (readonly [Labels, Timing])[]) =>
      registry.registerMetric({
        name,
        async get() {
          const values = read().flatMap(([labels, { counts, sum }]) => {
            let total = 0
            const buckets = counts.map((here, i) => {
              total += here
              return { metricName: `${name}_bucket`, labels: { ...labels, le: String(bounds[i] ?? '+Inf') }, value: total }
            })
            return [...buckets, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total }]
          })
          return { name, help, type: 'histogram', values }
        }
      } as never)

    const meters = new Map<string, Map<string, Meter>>()
    const byTenant = new Map<string, Tally>()
    const problems: Tally = {}
    const callers = { gone: 0 }
    app.onEnd((request, reply) => {
      const { journey, tenant, method } = request
      const status = journey.gone ? 499 : reply.statusCode
      const route = request.routeOptions.url ?? 'none'
      let ofRoute = meters.get(route)
      if (!ofRoute) {
        ofRoute = new Map()
        meters.set(route, ofRoute)
      }
      const verb = verbs.has(method) ? method : 'other'
      let meter = ofRoute.get(verb)
      if (!meter) {
        meter = new Meter()
        ofRoute.set(verb, meter)
      }
      meter.add(status, reply.elapsedTime)
      if (journey.gone) callers.gone++
      if (journey.problem !== undefined) count(problems, journey.problem)
      if (!tenant) return
      const { tenantId } = tenant
      let ofTenant = byTenant.get(tenantId)
      if (!ofTenant) {
        const name = byTenant.size < maxTenants ? tenantId : 'other'
        ofTenant = byTenant.get(name) ?? {}
        byTenant.set(name, ofTenant)
      }
      count(ofTenant, status < 400 ? '2xx' : status < 500 ? '4xx' : '5xx')
    })
    const tenantLabel = (tenantId: string): string => (byTenant.has(tenantId) ? tenantId : 'other')
    const eachMeter = <T>(read: (labels: Labels, meter: Meter) => T[]): T[] =>
      [...meters].flatMap(([route, ofRoute]) => [...ofRoute].flatMap(([method, meter]) => read({ route, method }, meter)))

    counter('voxgate_requests_total', 'Requests answered; status 499: the caller had gone.', () =>
      eachMeter((labels, { statuses }) => [...statuses].map(([status, value]): Sample => [{ ...labels, status: String(status) }, value]))
    )
    histogram('voxgate_request_seconds', 'How long requests took, until the answer was out.', () =>
      eachMeter((labels, { time }) => [[labels, time] as const])
    )
    gauge('voxgate_requests_under_way', 'Requests that are not answered yet.', () => [[{}, app.requests.inFlight]])
    counter(
      'voxgate_tenant_requests_total',
      'Requests by tenant and class of status; tenants beyond METRICS_MAX_TENANTS are `other`.',
      () =>
        [...byTenant].flatMap(([tenant, tally]) =>
          Object.entries(tally).map(([status, value]): Sample => [{ tenant, class: status }, value])
        )
    )
    counter('voxgate_problems_total', 'Problems answered, by kind.', () => samples('code', problems))
    counter('voxgate_callers_gone_total', 'Requests whose caller went away before the answer was out.', () => [[{}, callers.gone]])

    const { upstream } = app
    const { methods, retries, notRetried, breakers, open } = upstream
    const eachMethod = <T>(read: (method: string, tally: { time: Timing; outcomes: Tally }) => T[]): T[] =>
      [...methods].flatMap(([method, tally]) => read(method, tally))
    counter('voxgate_upstream_calls_total', 'Attempts at the upstream, by method and outcome.', () =>
      eachMethod((method, { outcomes }) => Object.entries(outcomes).map(([outcome, value]): Sample => [{ method, outcome }, value]))
    )
    histogram('voxgate_upstream_seconds', 'How long attempts at the upstream took.', () =>
      eachMethod((method, { time }) => [[{ method }, time] as const])
    )
    counter(
      'voxgate_upstream_unsolicited_total',
      'Connections that ended because the upstream sent what nobody had asked for, such as a second answer.',
      () => [[{}, upstream.unsolicited]]
    )
    counter('voxgate_upstream_retries_total', 'Attempts that were not the first, by the reason.', () => samples('reason', retries))
    counter('voxgate_upstream_retries_refused_total', 'Retries that were due but not made, by what forbade them.', () =>
      samples('reason', notRetried)
    )
    gauge('voxgate_breakers_open', 'Breakers that are open now, of tenants and of hosts.', () => {
      const { tenants, hosts } = open()
      return [
        [{ scope: 'tenant' }, tenants.length],
        [{ scope: 'host' }, hosts.length]
      ]
    })
    gauge('voxgate_tenant_breaker_open', 'Tenants whose breaker is open now: 1, or how many of `other`.', () => {
      const now: Tally = {}
      for (const tenantId of open().tenants) count(now, tenantLabel(tenantId))
      return samples('tenant', now)
    })
    counter('voxgate_breaker_openings_total', 'How often breakers opened.', () => samples('scope', breakers.opened))
    counter('voxgate_breaker_refusals_total', 'Calls that an open breaker answered.', () => samples('scope', breakers.refused))
    counter('voxgate_breaker_probes_total', 'Calls that went out to see whether the upstream is back.', () => [[{}, breakers.probes]])

    const { drift, gate, limits, tenants } = app
    const driftOf = (fields: ReadonlyMap<string, number>) => [...fields].map(([field, value]): Sample => [{ field }, value])
    counter('voxgate_upstream_unknown_fields_total', 'Fields in answers of the upstream that are not declared.', () =>
      driftOf(drift.unknown)
    )
    counter('voxgate_upstream_unreadable_fields_total', 'Fields in answers of the upstream that are not what is declared.', () =>
      driftOf(drift.unreadable)
    )
    gauge('voxgate_gate_active', 'Calls that have a place at the upstream.', () => [[{}, gate.active]])
    gauge('voxgate_gate_waiting', 'Calls that wait for a place.', () => [[{}, gate.waiting]])
    counter('voxgate_gate_refused_total', 'Calls that got no place: the lane was full, or the process.', () =>
      samples('scope', gate.refused)
    )
    const { responses } = app
    gauge(
      'voxgate_response_bytes',
      'Bytes of responses held in memory: of the upstream while they are read, and of ours until they are taken.',
      () => [[{}, responses.budget.held]]
    )
    gauge('voxgate_responses_waiting', 'Large responses of the upstream that wait for room in memory.', () => [
      [{}, responses.budget.waiting]
    ])
    counter('voxgate_responses_total', 'What became of large responses, and of those that callers did not take.', () => [
      [{ outcome: 'waited' }, responses.budget.counts.waited],
      [{ outcome: 'abandoned' }, responses.budget.counts.abandoned],
      [{ outcome: 'dropped' }, responses.counts.dropped],
      [{ outcome: 'refused' }, responses.counts.refused]
    ])
    const shedding = () => (app as { loadShedder?: LoadShedder }).loadShedder
    gauge('voxgate_requests_held', 'Requests that are held back because there is too much to do.', () => [[{}, shedding()?.queued ?? 0]])
    counter('voxgate_requests_shed_total', 'Requests turned away because there was too much to do.', () => [
      [{}, shedding()?.rejected ?? 0]
    ])
    counter('voxgate_limiter_refused_total', 'Requests beyond a rate limit, by whose it was.', () =>
      samples('scope', limits.limiter.rejected)
    )
    gauge('voxgate_limiter_shared', 'Whether Redis shares the rate limits: 1; each replica holds its part: 0.', () =>
      limits.redis === 'off' ? [] : [[{}, limits.redis === 'ok' ? 1 : 0]]
    )
    counter('voxgate_limiter_turns_total', 'How often Redis went or came back.', () => [[{}, limits.redisStateChanges]])
    gauge('voxgate_replicas', 'Replicas that share the limits, as far as this one knows.', () => [[{}, limits.limiter.replicas]])
    counter('voxgate_cache_total', 'Look-ups of keys and credentials: hit, miss, or stale while the database was away.', () =>
      Object.entries(tenants.caches).flatMap(([cache, counts]) =>
        Object.entries(counts).map(([outcome, value]): Sample => [{ cache, outcome }, value])
      )
    )
    counter('voxgate_key_lookups_rejected_total', 'Look-ups of API keys that were not made: too many came at once.', () => [
      [{}, tenants.lookups.rejected]
    ])
    gauge('voxgate_key_lookups_queued', 'Look-ups of API keys that wait for their turn.', () => [[{}, tenants.lookups.queued]])
    counter('voxgate_refusals_unaudited_total', 'Refused requests of keys that were right, of which the audit log has nothing.', () => [
      [{}, app.refusals.counts.dropped]
    ])
    counter('voxgate_idempotency_total', 'What became of requests with an Idempotency-Key.', () =>
      samples('outcome', (app as { idempotency?: { counts: Tally } }).idempotency?.counts ?? {})
    )
    gauge('voxgate_build_info', 'The version that runs.', () => [[{ version, node: process.version }, 1]])

    const all = Registry.merge([processRegistry(), registry])
    const expected = token === '' ? undefined : hash(`Bearer ${token}`)
    const metrics: Metrics = {
      contentType: all.contentType,
      text: () => all.metrics(),
      admits: authorization => expected === undefined || (authorization !== undefined && timingSafeEqual(hash(authorization), expected))
    }
    app.decorate('metrics', metrics)
    if (serve)
      app.get(
        `${base}/metrics`,
        {
          schema: { hide: true },
          logLevel: 'warn',
          config: { always: true },
          onRequest: (request, reply, next) => {
            if (metrics.admits(request.headers.authorization)) return next()
            const problem = new Problem('authentication-required', 'Send `Authorization: Bearer` with METRICS_TOKEN.', {
              headers: { 'www-authenticate': 'Bearer realm="voxgate-metrics"' }
            })
            app.limits.reject(request, reply, problem, next)
          }
        },
        async (_request, reply) => {
          reply.type(metrics.contentType)
          return metrics.text()
        }
      )
  },
  { name: 'metrics', dependencies: ['journey', 'tenants', 'voximplant', 'limits', 'refusals', 'responses'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}
