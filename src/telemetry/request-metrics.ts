import { type Counter, Histogram, increment } from './counters.ts'
import { type Labels, type Metrics, type Sample, sample, samplesOf } from './metrics.ts'

/** A request whose response is out, or whose caller has disconnected. */
export interface FinishedRequest {
  method: string
  /** The pattern of its route; undefined where there is none. */
  route: string | undefined
  status: number
  /** How long it took, in milliseconds. */
  ms: number
  tenantId: string | undefined
  /** The type of the problem that was the response. */
  problem: string | undefined
  disconnected: boolean
}

/** Methods with a label of their own; callers can make up others. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Requests of one route with one method. */
class RouteCounts {
  readonly time = new Histogram()
  readonly statuses = new Map<number, number>()
}

/** Counts requests by route, method, status, tenant and problem. */
export class RequestMetrics {
  readonly #routes = new Map<string, Map<string, RouteCounts>>()
  readonly #tenants = new Map<string, Counter>()
  readonly #problems: Counter = {}
  readonly #maxTenants: number
  #disconnects = 0

  /** @param maxTenants tenants with a label of their own, in the order of their first request; the others share `other` */
  constructor(maxTenants: number) {
    this.#maxTenants = maxTenants
  }

  record({ method, route = 'none', status, ms, tenantId, problem, disconnected }: FinishedRequest): void {
    const { time, statuses } = this.#countsOf(route, methods.has(method) ? method : 'other')
    time.observe(ms)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (disconnected) this.#disconnects++
    if (problem !== undefined) increment(this.#problems, problem)
    if (tenantId !== undefined) increment(this.#counterOf(tenantId), status < 400 ? '2xx' : status < 500 ? '4xx' : '5xx')
  }

  /** The label of a tenant. */
  labelOf(tenantId: string): string {
    return this.#tenants.has(tenantId) ? tenantId : 'other'
  }

  /** @param inFlight requests without a response now */
  register(metrics: Metrics, inFlight: () => number): void {
    metrics.counter('voxgate_http_requests_total', {
      help: 'Requests with a response; status 499: the caller had disconnected.',
      labels: ['route', 'method', 'status'],
      read: () =>
        this.#eachRoute().flatMap(([labels, { statuses }]) =>
          [...statuses].map(([status, value]): Sample => [{ ...labels, status: String(status) }, value])
        )
    })
    metrics.histogram('voxgate_http_request_duration_seconds', {
      help: 'Duration of requests, up to the last byte of the response.',
      labels: ['route', 'method'],
      read: () => this.#eachRoute().map(([labels, { time }]) => [labels, time] as const)
    })
    metrics.gauge('voxgate_http_requests_in_flight', { help: 'Requests without a response.', read: () => sample(inFlight()) })
    metrics.counter('voxgate_tenant_requests_total', {
      help: 'Requests by tenant and class of status; tenants beyond METRICS_MAX_TENANTS are `other`.',
      labels: ['tenant', 'class'],
      read: () =>
        [...this.#tenants].flatMap(([tenant, tally]) =>
          samplesOf('class', tally).map(([labels, value]): Sample => [{ tenant, ...labels }, value])
        )
    })
    metrics.counter('voxgate_problems_total', {
      help: 'Problem responses by type.',
      labels: ['code'],
      read: () => samplesOf('code', this.#problems)
    })
    metrics.counter('voxgate_client_disconnects_total', {
      help: 'Requests whose caller disconnected before the end of the response.',
      read: () => sample(this.#disconnects)
    })
  }

  #eachRoute(): (readonly [Labels, RouteCounts])[] {
    return [...this.#routes].flatMap(([route, byMethod]) => [...byMethod].map(([method, counts]) => [{ route, method }, counts] as const))
  }

  #countsOf(route: string, method: string): RouteCounts {
    const byMethod = this.#routes.get(route) ?? new Map<string, RouteCounts>()
    const counts = byMethod.get(method)
    if (counts) return counts
    const created = new RouteCounts()
    this.#routes.set(route, byMethod.set(method, created))
    return created
  }

  #counterOf(tenantId: string): Counter {
    let tally = this.#tenants.get(tenantId)
    if (!tally) {
      const label = this.#tenants.size < this.#maxTenants ? tenantId : 'other'
      tally = this.#tenants.get(label) ?? {}
      this.#tenants.set(label, tally)
    }
    return tally
  }
}
