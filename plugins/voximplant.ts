import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createUpstream, type Upstream } from '../src/api/upstream.ts'
import type { Config } from '../src/config.ts'
import { findTracer } from '../src/telemetry/spans.ts'
import { type Client, createClient } from '../src/voximplant/client.ts'
import { DriftCounts } from '../src/voximplant/drift-counts.ts'

export interface VoximplantOptions {
  config: Pick<Config, 'upstream' | 'retry' | 'circuitBreaker' | 'bulkhead' | 'uploads'>
  /** Additional certificate authorities (PEM). */
  ca?: string | undefined
}

/** `app.upstream`: calls of the upstream for requests, and the client behind them. */
export default fp(
  async (app: FastifyInstance, { config, ca }: VoximplantOptions) => {
    const drift = new DriftCounts()
    const client = createClient({
      config,
      ca,
      budget: app.responses.budget,
      drift,
      tracer: findTracer(),
      onBreakerStateChange: ({ scope, state, origin, tenantId }) =>
        app.log[state === 'open' ? 'warn' : 'info'](
          { breaker: scope, upstream: origin, tenant: tenantId },
          state === 'open' ? 'breaker opened' : 'breaker closed'
        )
    })
    const calls = createUpstream({ client, accounts: app.tenants, config, replicas: () => app.limits.limiter.replicas })
    app.decorate('upstream', { ...client, calls, drift })
    app.tenants.onForget(tenantId => client.forget(tenantId))
    app.addHook('onClose', () => client.close())
  },
  { name: 'voximplant', dependencies: ['tenants', 'limits', 'request-trace', 'responses'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    upstream: Client & {
      /** Calls for requests. */
      calls: Upstream
      drift: DriftCounts
    }
  }
}
