import { readFileSync } from 'node:fs'
import type { Config } from '../config.ts'

/** Options of the upstream client from the configuration. @param ca additional certificate authorities (PEM) */
export const clientOptions = (
  { upstream, retry, circuitBreaker }: Pick<Config, 'upstream' | 'retry' | 'circuitBreaker'>,
  ca: string | undefined
) => ({
  connectTimeout: upstream.connectTimeoutMs,
  headersTimeout: upstream.headersTimeoutMs,
  timeout: upstream.timeoutMs,
  connections: upstream.maxConnections,
  maxAnswerBytes: upstream.maxResponseBytes,
  keepAlive: upstream.keepAliveTimeoutMs,
  rest: upstream.connectionCooldownMs,
  longRest: upstream.quarantineCooldownMs,
  callsPerConnection: upstream.maxRequestsPerConnection,
  retry: {
    retries: retry.maxRetries,
    base: retry.baseDelayMs,
    most: retry.maxDelayMs,
    share: retry.budgetRatio,
    burst: retry.budgetBurst
  },
  breaker: {
    failures: circuitBreaker.failureThreshold,
    hostFailures: circuitBreaker.hostFailureThreshold,
    hostTenants: circuitBreaker.minHostTenants,
    interval: circuitBreaker.probeIntervalMs,
    probeTimeout: circuitBreaker.probeTimeoutMs
  },
  ca
})

/** Additional certificate authorities for the upstream (PEM), from the file that is configured. */
export const upstreamCa = ({ caFile }: Config['upstream']): string | undefined => (caFile ? readFileSync(caFile, 'utf8') : undefined)
