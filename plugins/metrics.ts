import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { registerRateLimits, registerResponses } from '../src/limits/metrics.ts'
import { Problem } from '../src/problems/problem.ts'
import { Metrics, sample, samplesOf } from '../src/telemetry/metrics.ts'
import { RequestMetrics } from '../src/telemetry/request-metrics.ts'
import { version } from '../src/telemetry/version.ts'
import { registerTenants } from '../src/tenants/metrics.ts'
import { registerBulkhead, registerDrift, registerUpstream } from '../src/voximplant/metrics.ts'

type MetricsOptions = Config['metrics'] & Pick<Config['server'], 'basePath' | 'environment'>

/** `app.metrics`, and `/metrics` unless it has a port of its own. */
export default fp(
  async (app: FastifyInstance, { basePath, environment, port, token, maxTenants }: MetricsOptions) => {
    const metrics = new Metrics(token)
    const requests = new RequestMetrics(maxTenants)
    app.decorate('metrics', metrics)

    requests.register(metrics, () => app.requests.inFlight)
    registerUpstream(metrics, app.upstream, tenantId => requests.labelOf(tenantId))
    registerDrift(metrics, app.upstream.drift)
    registerBulkhead(metrics, app.upstream.bulkhead)
    registerResponses(metrics, app.responses)
    registerRateLimits(metrics, app.limits)
    registerTenants(metrics, app.tenants)
    metrics.counter('voxgate_rejections_unaudited_total', {
      help: 'Rejected requests of valid keys that the audit log does not have.',
      read: () => sample(app.refusals.counts.dropped)
    })
    metrics.counter('voxgate_idempotency_total', {
      help: 'Requests with an Idempotency-Key by outcome.',
      labels: ['outcome'],
      read: () => samplesOf('outcome', app.idempotency.counts)
    })
    metrics.gauge('voxgate_build_info', {
      help: 'The running version.',
      labels: ['version', 'node'],
      read: () => [[{ version, node: process.version }, 1]]
    })

    app.onEnd((request, reply) => {
      const { trace, tenant, method, routeOptions } = request
      const disconnected = trace.disconnect.aborted
      requests.record({
        method,
        route: routeOptions.url,
        status: disconnected ? 499 : reply.statusCode,
        ms: reply.elapsedTime,
        tenantId: tenant?.tenantId,
        problem: trace.problem,
        disconnected
      })
    })

    // In production only behind a token, or on a port of its own.
    if (port !== 0 || (token === '' && environment === 'production')) return
    app.get(
      `${basePath}/metrics`,
      {
        schema: { hide: true },
        logLevel: 'warn',
        config: { always: true },
        onRequest: (request, reply, next) => {
          if (metrics.admits(request.headers.authorization)) return next()
          const headers = { 'www-authenticate': 'Bearer realm="voxgate-metrics"' }
          const problem = new Problem('authentication-required', 'Send `Authorization: Bearer` with METRICS_TOKEN.', { headers })
          app.limits.reject(request, reply, problem, next)
        }
      },
      (_request, reply) => {
        reply.type(metrics.contentType)
        return metrics.text()
      }
    )
  },
  { name: 'metrics', dependencies: ['request-trace', 'tenants', 'voximplant', 'limits', 'refusals', 'responses', 'idempotency'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}
