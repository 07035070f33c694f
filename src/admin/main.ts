import { operations } from '../../routes/catalogue.ts'
import { scopeTable } from '../api/scopes.ts'
import type { Config } from '../config.ts'
import { createIdempotency } from '../idempotency/records.ts'
import { ByteBudget } from '../limits/byte-budget.ts'
import type { Store } from '../tenants/store.ts'
import { createCheck } from './credential-verifier.ts'
import { type Administrator, createAdministrator } from './service.ts'

export interface AdministratorSettings {
  config: Config
  store: Store
  /** The upstream for tenants without a host of their own. */
  origin: string
  /** Further certificate authorities to trust there (PEM). */
  ca?: string | undefined
}

/** How the upstream is called. */
export const clientOptions = (config: Config, ca: string | undefined) => ({
  connectTimeout: config.UPSTREAM_CONNECT_TIMEOUT,
  headersTimeout: config.UPSTREAM_HEADERS_TIMEOUT,
  timeout: config.UPSTREAM_TIMEOUT,
  connections: config.UPSTREAM_CONNECTIONS,
  maxAnswerBytes: config.UPSTREAM_MAX_ANSWER,
  keepAlive: config.UPSTREAM_KEEP_ALIVE,
  rest: config.UPSTREAM_REST,
  longRest: config.UPSTREAM_LONG_REST,
  callsPerConnection: config.UPSTREAM_CALLS_PER_CONNECTION,
  retry: {
    retries: config.UPSTREAM_RETRIES,
    base: config.UPSTREAM_RETRY_BASE,
    most: config.UPSTREAM_RETRY_MAX,
    share: config.UPSTREAM_RETRY_SHARE,
    burst: config.UPSTREAM_RETRY_BURST
  },
  breaker: {
    failures: config.BREAKER_FAILURES,
    hostFailures: config.BREAKER_HOST_FAILURES,
    hostTenants: config.BREAKER_HOST_TENANTS,
    interval: config.BREAKER_INTERVAL,
    probeTimeout: config.BREAKER_PROBE_TIMEOUT
  },
  ca
})

/** What administrators do, for the admin API and for the command line. */
export const administrator = ({ config, store, origin, ca }: AdministratorSettings): Administrator =>
  createAdministrator({
    store,
    origin,
    check: createCheck(operations, {
      ...clientOptions(config, ca),
      budget: new ByteBudget({ max: config.RESPONSE_MEMORY, share: config.TENANT_RESPONSE_MEMORY })
    }),
    hosts: config.UPSTREAM_HOSTS,
    scopes: scopeTable(operations),
    records: createIdempotency(store, { ttl: config.IDEMPOTENCY_TTL, lease: config.IDEMPOTENCY_LEASE })
  })
