import { type TSchema, Type } from '@sinclair/typebox'

/** One setting: its environment variable, and the schema that holds its default and its meaning. */
export interface Setting<T> {
  readonly variable: string
  readonly schema: TSchema & { readonly default: T; readonly description: string }
}

type Limits = { minimum?: number; maximum?: number; exclusiveMinimum?: number }

const setting = <T>(variable: string, type: TSchema, fallback: T, description: string): Setting<T> => ({
  variable,
  schema: { ...type, default: fallback, description }
})
const text = (variable: string, fallback: string, description: string, pattern?: string) =>
  setting(variable, Type.String(pattern === undefined ? {} : { pattern }), fallback, description)
const oneOf = <const T extends string>(variable: string, values: readonly T[], fallback: NoInfer<T>, description: string): Setting<T> =>
  setting<T>(variable, Type.String({ enum: values }), fallback, description)
const flag = (variable: string, fallback: boolean, description: string) => setting(variable, Type.Boolean(), fallback, description)
const integer = (variable: string, fallback: number, description: string, limits: Limits = { minimum: 1 }) =>
  setting(variable, Type.Integer(limits), fallback, description)
const number = (variable: string, fallback: number, description: string, limits: Limits) =>
  setting(variable, Type.Number(limits), fallback, description)
const milliseconds = (variable: string, fallback: number, description: string, limits?: Limits) =>
  integer(variable, fallback, `${description}, in milliseconds`, limits)
const bytes = (variable: string, fallback: number, description: string, minimum = 1) =>
  integer(variable, fallback, `${description}, in bytes`, { minimum })
const port = (variable: string, fallback: number, description: string) =>
  integer(variable, fallback, description, { minimum: 0, maximum: 65_535 })
const ratio = (variable: string, fallback: number, description: string) =>
  number(variable, fallback, description, { minimum: 0, maximum: 1 })
const perSecond = (variable: string, description: string) => number(variable, 50, description, { exclusiveMinimum: 0 })

/** Where a setting of 0 means "no limit", "never" or "for ever". */
const orZero = { minimum: 0 }

/** All settings, by group: the one place with their variables, types, defaults and meanings. The table in the README is checked against it. */
export const settings = {
  server: {
    environment: oneOf(
      'NODE_ENV',
      ['development', 'production', 'test'],
      'development',
      '`development`, `test` or `production`. In production nothing is generated: a master key and VOXIMPLANT_API are required, the upstream and the key server need TLS, and a master key without entropy is rejected'
    ),
    host: text('HOST', '127.0.0.1', 'Address to listen on; `0.0.0.0` for all interfaces'),
    port: port('PORT', 8080, 'Port to listen on'),
    basePath: text('BASE_PATH', '', 'Path prefix of the service, such as `/voximplant`', '^(/[A-Za-z0-9._~-]+)*$'),
    logLevel: oneOf(
      'LOG_LEVEL',
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'info',
      'Minimum level of the lines that are logged'
    ),
    trustProxy: text(
      'TRUST_PROXY',
      'false',
      'Proxies whose `X-Forwarded-*` headers are trusted: their number (`1`), or their addresses or networks, comma-separated. `true` trusts every hop, including the caller unless the proxy overwrites the headers',
      '^(true|false|[1-9]\\d?|[0-9A-Fa-f.:/]+(\\s*,\\s*[0-9A-Fa-f.:/]+)*)$'
    ),
    corsOrigins: text(
      'CORS_ORIGINS',
      '',
      'Origins of web pages that may call the service, comma-separated, such as `https://app.example.com`; `*` for all, none by default'
    ),
    docs: flag('DOCS', true, 'Whether `/docs` and `/openapi.json` are served'),
    maxBodyBytes: bytes('BODY_LIMIT', 65_536, 'Maximum size of a JSON body', 1_024),
    requestTimeoutMs: milliseconds('REQUEST_TIMEOUT', 30_000, 'Timeout for receiving a request'),
    drainDelayMs: milliseconds(
      'DRAIN_DELAY',
      0,
      'Time after SIGTERM in which the service reports that it is not ready and still serves requests, so that load balancers notice; the image sets 3000',
      { minimum: 0, maximum: 60_000 }
    )
  },
  uploads: {
    maxBytes: bytes('UPLOAD_LIMIT', 104_857_600, 'Maximum size of an uploaded file'),
    timeoutMs: milliseconds('UPLOAD_TIMEOUT', 120_000, 'Timeout for receiving a request with a file and forwarding it')
  },
  responses: {
    maxBytes: bytes(
      'RESPONSE_MEMORY',
      134_217_728,
      'Memory for responses of the upstream that are being read and responses that callers have not read yet. While it is full, large responses of the upstream wait and requests are queued, then rejected',
      1_048_576
    ),
    maxTenantBytes: bytes(
      'TENANT_RESPONSE_MEMORY',
      67_108_864,
      'The same per tenant, whose further requests are then rejected with 429; all callers without a key share one budget',
      1_048_576
    ),
    timeoutMs: milliseconds(
      'RESPONSE_TIMEOUT',
      30_000,
      'Time a caller may read nothing of a response, and time per MiB for reading all of it, before the connection is closed'
    )
  },
  metrics: {
    token: text(
      'METRICS_TOKEN',
      '',
      'Bearer token that `/metrics` requires; in production `/metrics` is not served without it or METRICS_PORT'
    ),
    port: port('METRICS_PORT', 0, 'Separate port for `/metrics`, which the API port then does not serve; 0 for none'),
    host: text('METRICS_HOST', '127.0.0.1', 'Address METRICS_PORT listens on; set METRICS_TOKEN where others can reach it'),
    maxTenants: integer(
      'METRICS_MAX_TENANTS',
      100,
      'Maximum number of tenants with their own label in the metrics, in the order of their first request; the others share `other`',
      orZero
    )
  },
  database: {
    dataDir: text('DATA_DIR', './data', 'Directory of the embedded database, the development master key and the files of the sandbox'),
    url: text(
      'DATABASE_URL',
      '',
      'PostgreSQL database that replicas share: `postgres://user:password@host:5432/voxgate`; without it SQLite in DATA_DIR, for one replica',
      '^(|postgres(ql)?://.+)$'
    )
  },
  vault: {
    masterKey: text('MASTER_KEY', '', "Key that encrypts the tenants' secrets: 32 bytes in base64 (`openssl rand -base64 32`)"),
    masterKeyFile: text('MASTER_KEY_FILE', '', 'File with MASTER_KEY'),
    previousKeys: text('MASTER_KEY_PREVIOUS', '', 'Former master keys that may still decrypt, comma-separated, for key rotation'),
    previousKeysFile: text('MASTER_KEY_PREVIOUS_FILE', '', 'File with former master keys, one per line'),
    provider: oneOf(
      'MASTER_KEY_PROVIDER',
      ['local', 'transit'],
      'local',
      'Where the master key is: `local`, in this process; `transit`, in the transit engine of HashiCorp Vault or OpenBao'
    )
  },
  transit: {
    address: text('TRANSIT_ADDRESS', '', 'Address of Vault or OpenBao, such as `https://vault.internal:8200`', '^(|https?://[^/?#]+/?)$'),
    token: text('TRANSIT_TOKEN', '', 'Token with the capability `update` on encrypt and decrypt of the key'),
    tokenFile: text('TRANSIT_TOKEN_FILE', '', 'File with TRANSIT_TOKEN; read again when the token is rejected'),
    mount: text('TRANSIT_MOUNT', 'transit', 'Mount path of the transit engine'),
    key: text('TRANSIT_KEY', 'voxgate', 'Name of the key: an AEAD such as `aes256-gcm96`, not derived'),
    caFile: text('TRANSIT_CA_FILE', '', 'PEM file with additional certificate authorities for Vault or OpenBao')
  },
  admin: {
    token: text(
      'ADMIN_TOKEN',
      '',
      'Tokens for `/admin`: `id:token`, comma-separated, each token at least 32 characters (`openssl rand -base64 32`). Without it `/admin` is off in production, and elsewhere a token is generated in DATA_DIR'
    ),
    tokenFile: text('ADMIN_TOKEN_FILE', '', 'File with ADMIN_TOKEN'),
    port: port('ADMIN_PORT', 0, 'Separate port for `/admin`, which the API port then does not serve; 0 for none'),
    host: text('ADMIN_HOST', '127.0.0.1', 'Address ADMIN_PORT listens on')
  },
  upstream: {
    url: text(
      'VOXIMPLANT_API',
      '',
      'The upstream: `https://api.voximplant.com`, or `sandbox` for the embedded one, the default outside production when neither a master key nor a database is configured',
      '^(|sandbox|https?://[^/?#]+/?)$'
    ),
    allowedHosts: text(
      'UPSTREAM_HOSTS',
      '*.voximplant.com',
      "Hosts allowed as a tenant's `apiHost`, comma-separated: names, or `*.` before a domain. Administrators cannot direct credentials or connections to any other host",
      '^(\\*\\.)?[a-z0-9.-]+(:\\d{1,5})?(\\s*,\\s*(\\*\\.)?[a-z0-9.-]+(:\\d{1,5})?)*$'
    ),
    caFile: text('UPSTREAM_CA_FILE', '', 'PEM file with additional certificate authorities for the upstream'),
    connectTimeoutMs: milliseconds('UPSTREAM_CONNECT_TIMEOUT', 2_000, 'Timeout for connecting to the upstream'),
    headersTimeoutMs: milliseconds('UPSTREAM_HEADERS_TIMEOUT', 10_000, 'Timeout for the headers of a response of the upstream'),
    timeoutMs: milliseconds('UPSTREAM_TIMEOUT', 30_000, 'Timeout of an upstream call, including its retries'),
    sessionTimeoutMs: milliseconds('UPSTREAM_SESSION_TIMEOUT', 15_000, 'The same for a call that starts a conference'),
    downloadTimeoutMs: milliseconds(
      'UPSTREAM_DOWNLOAD_TIMEOUT',
      120_000,
      'Timeout for each chunk of a download from the upstream, and for the whole download'
    ),
    keepAliveTimeoutMs: milliseconds('UPSTREAM_KEEP_ALIVE_TIMEOUT', 15_000, 'Time an idle connection to the upstream stays open'),
    connectionCooldownMs: milliseconds(
      'UPSTREAM_CONNECTION_COOLDOWN',
      2,
      'Time a connection to the upstream stays idle after each response; a misdelivered response that arrives in this time closes the connection and reaches no caller',
      orZero
    ),
    quarantineCooldownMs: milliseconds(
      'UPSTREAM_QUARANTINE_COOLDOWN',
      100,
      'The same for a host that has sent a misdelivered response within the last hour',
      orZero
    ),
    maxRequestsPerConnection: integer(
      'UPSTREAM_MAX_REQUESTS_PER_CONNECTION',
      0,
      'Maximum number of requests per connection to the upstream; 0 for no limit, 1 for an upstream whose misdelivered responses may arrive at any time',
      orZero
    ),
    maxConnections: integer(
      'UPSTREAM_MAX_CONNECTIONS',
      250,
      'Maximum number of connections per tenant and host; at least TENANT_CONCURRENCY plus SESSION_CONCURRENCY'
    ),
    maxResponseBytes: bytes('UPSTREAM_MAX_RESPONSE_SIZE', 33_554_432, 'Maximum size of a response of the upstream', 1_024)
  },
  retry: {
    maxRetries: integer(
      'UPSTREAM_MAX_RETRIES',
      2,
      'Maximum number of retries of a failed read; idempotent changes are retried at most once, other changes only when nothing was sent; 0 for none',
      { minimum: 0, maximum: 10 }
    ),
    baseDelayMs: milliseconds('UPSTREAM_RETRY_BASE_DELAY', 100, 'Maximum delay before the first retry; it doubles with each further retry'),
    maxDelayMs: milliseconds(
      'UPSTREAM_RETRY_MAX_DELAY',
      2_000,
      'Maximum delay before any retry; a longer Retry-After is passed on to the caller'
    ),
    budgetRatio: ratio('UPSTREAM_RETRY_BUDGET_RATIO', 0.2, 'Retry budget: retries as a share of the calls, per tenant and per process'),
    budgetBurst: integer(
      'UPSTREAM_RETRY_BUDGET_BURST',
      10,
      'Retries per tenant beyond that share; five times as many for the whole process'
    )
  },
  circuitBreaker: {
    failureThreshold: integer(
      'BREAKER_FAILURE_THRESHOLD',
      10,
      "Consecutive failures of the upstream that open a tenant's circuit breaker; its calls then fail immediately with 503"
    ),
    hostFailureThreshold: integer(
      'BREAKER_HOST_FAILURE_THRESHOLD',
      20,
      'Consecutive calls without a response that open the circuit breaker of a host for all tenants'
    ),
    minHostTenants: integer(
      'BREAKER_HOST_MIN_TENANTS',
      3,
      'Minimum number of distinct tenants affected before the circuit breaker of a host opens'
    ),
    probeIntervalMs: milliseconds('BREAKER_PROBE_INTERVAL', 1_000, 'Interval between probes while a circuit breaker is open'),
    probeTimeoutMs: milliseconds('BREAKER_PROBE_TIMEOUT', 1_000, 'Timeout of a half-open probe')
  },
  bulkhead: {
    maxTenantConcurrency: integer(
      'TENANT_CONCURRENCY',
      50,
      'Maximum number of concurrent upstream calls of a tenant without its own limit, per process'
    ),
    maxSessionConcurrency: integer(
      'SESSION_CONCURRENCY',
      180,
      'Maximum number of concurrent calls that start a conference, per account and across all replicas; the upstream allows 200'
    ),
    maxProcessConcurrency: integer('PROCESS_CONCURRENCY', 2_000, 'Maximum number of concurrent upstream calls of all tenants, per process'),
    maxQueueLength: integer('QUEUE_LENGTH', 100, 'Maximum number of calls of a tenant that wait for a slot', orZero),
    queueTimeoutMs: milliseconds(
      'QUEUE_TIMEOUT',
      1_000,
      'Maximum time a call waits for a slot, and a request waits in the queue of an overloaded process'
    )
  },
  limits: {
    keyRate: perSecond('KEY_RATE', 'Requests per second of an API key'),
    keyBurst: integer('KEY_BURST', 100, 'Requests that an API key may make in a burst'),
    tenantRate: perSecond('TENANT_RATE', 'Requests per second of a tenant without its own limit'),
    tenantBurst: integer('TENANT_BURST', 100, 'Requests that such a tenant may make in a burst'),
    addressRate: perSecond('ADDRESS_RATE', 'Requests per second of an address without a valid key'),
    addressBurst: integer('ADDRESS_BURST', 100, 'Requests that such an address may make in a burst'),
    redisUrl: text(
      'REDIS_URL',
      '',
      'Redis that shares the rate limits among all replicas: `redis://host:6379`; without it each replica enforces its part of them',
      '^(|rediss?://.+)$'
    ),
    redisTimeoutMs: milliseconds('REDIS_TIMEOUT', 100, 'Timeout of Redis, after which each replica enforces its part of the limits'),
    replicas: integer(
      'REPLICAS',
      1,
      'Minimum number of replicas: without Redis, or while it is unavailable, each enforces that part of the limits'
    )
  },
  idempotency: {
    ttlMs: milliseconds('IDEMPOTENCY_TTL', 86_400_000, 'Time the response to a request with an Idempotency-Key is stored and replayed'),
    leaseMs: milliseconds(
      'IDEMPOTENCY_LEASE',
      15_000,
      'Time the Idempotency-Key of a request in flight stays taken after its process has died'
    ),
    unknownTtlMs: milliseconds(
      'IDEMPOTENCY_UNKNOWN_TTL',
      2_592_000_000,
      'Time a request with an Idempotency-Key whose outcome is unknown is kept; its key can then be used again; 0 for ever',
      orZero
    ),
    maxRecords: integer(
      'IDEMPOTENCY_MAX_RECORDS',
      250_000,
      'Maximum number of stored requests with an Idempotency-Key per tenant; further ones are rejected (429) until some expire; 0 for no limit',
      orZero
    )
  },
  audit: {
    retentionDays: integer('AUDIT_RETENTION_DAYS', 400, 'Days that entries of the audit log are kept; 0 for ever', orZero),
    maxEntriesPerDay: integer(
      'AUDIT_MAX_ENTRIES_PER_DAY',
      250_000,
      "Maximum number of entries that a tenant's calls add to the audit log per day (UTC); further audited calls are rejected (429); 0 for no limit",
      orZero
    )
  },
  loadShedding: {
    maxEventLoopDelayMs: milliseconds(
      'LOAD_SHEDDING_MAX_EVENT_LOOP_DELAY',
      500,
      'Delay of the event loop above which requests are queued, then rejected with 503; 0 for never',
      orZero
    ),
    maxEventLoopUtilization: ratio(
      'LOAD_SHEDDING_MAX_EVENT_LOOP_UTILIZATION',
      0.98,
      'Utilization of the event loop above which requests are queued, then rejected with 503; 0 for never'
    ),
    maxHeapRatio: ratio(
      'LOAD_SHEDDING_MAX_HEAP_RATIO',
      0.9,
      'Share of the heap in use above which requests are queued, then rejected with 503; 0 for never'
    ),
    minInFlight: integer(
      'LOAD_SHEDDING_MIN_IN_FLIGHT',
      100,
      'Upstream calls in flight and queued up to which no request is rejected (a tenth of it when the heap is full)'
    )
  },
  tenants: {
    cacheTtlMs: milliseconds('CACHE_TTL', 5_000, 'Time keys and credentials are cached before they are read again')
  }
} as const

/** Variables of earlier versions, and what replaced them: the start rejects the old names. */
export const renamedVariables: Readonly<Record<string, string>> = {
  METRICS_TENANTS: 'METRICS_MAX_TENANTS',
  UPSTREAM_KEEP_ALIVE: 'UPSTREAM_KEEP_ALIVE_TIMEOUT',
  UPSTREAM_REST: 'UPSTREAM_CONNECTION_COOLDOWN',
  UPSTREAM_LONG_REST: 'UPSTREAM_QUARANTINE_COOLDOWN',
  UPSTREAM_CALLS_PER_CONNECTION: 'UPSTREAM_MAX_REQUESTS_PER_CONNECTION',
  UPSTREAM_CONNECTIONS: 'UPSTREAM_MAX_CONNECTIONS',
  UPSTREAM_MAX_ANSWER: 'UPSTREAM_MAX_RESPONSE_SIZE',
  UPSTREAM_RETRIES: 'UPSTREAM_MAX_RETRIES',
  UPSTREAM_RETRY_BASE: 'UPSTREAM_RETRY_BASE_DELAY',
  UPSTREAM_RETRY_MAX: 'UPSTREAM_RETRY_MAX_DELAY',
  UPSTREAM_RETRY_SHARE: 'UPSTREAM_RETRY_BUDGET_RATIO',
  UPSTREAM_RETRY_BURST: 'UPSTREAM_RETRY_BUDGET_BURST',
  BREAKER_FAILURES: 'BREAKER_FAILURE_THRESHOLD',
  BREAKER_HOST_FAILURES: 'BREAKER_HOST_FAILURE_THRESHOLD',
  BREAKER_HOST_TENANTS: 'BREAKER_HOST_MIN_TENANTS',
  BREAKER_INTERVAL: 'BREAKER_PROBE_INTERVAL',
  SHED_DELAY: 'LOAD_SHEDDING_MAX_EVENT_LOOP_DELAY',
  SHED_UTILIZATION: 'LOAD_SHEDDING_MAX_EVENT_LOOP_UTILIZATION',
  SHED_HEAP: 'LOAD_SHEDDING_MAX_HEAP_RATIO',
  SHED_KEEP: 'LOAD_SHEDDING_MIN_IN_FLIGHT'
}
