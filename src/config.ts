import { type Static, Type } from '@sinclair/typebox'
import { envSchema } from 'env-schema'
import { compileNetworks, isNetwork, type TrustsHop } from './tenants/networks.ts'

const port = (description: string, fallback: number) => Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description })
const ms = (description: string, fallback: number) =>
  Type.Integer({ minimum: 1, default: fallback, description: `${description}, in milliseconds` })

const rate = (description: string) => Type.Number({ exclusiveMinimum: 0, default: 50, description })
const burst = (description: string) => Type.Integer({ minimum: 1, default: 100, description })

/** Every setting: its variable, type, default and meaning. The README's table is checked against it. */
export const settings = Type.Object({
  NODE_ENV: Type.String({
    enum: ['development', 'production', 'test'],
    default: 'development',
    description:
      '`development`, `test` or `production`, which makes nothing up: a master key and VOXIMPLANT_API have to be given, secrets travel by TLS, and a key without entropy refuses the start'
  }),
  HOST: Type.String({ default: '127.0.0.1', description: 'The address to listen on; `0.0.0.0` for every one' }),
  PORT: port('The port to listen on', 8080),
  BASE_PATH: Type.String({
    default: '',
    pattern: '^(/[A-Za-z0-9._~-]+)*$',
    description: 'A path to mount the service under, such as `/voximplant`'
  }),
  LOG_LEVEL: Type.String({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    description: 'How much is logged'
  }),
  METRICS_TOKEN: Type.String({
    default: '',
    description: 'What a scraper of `/metrics` shows as a bearer token; in production there is no `/metrics` without it or METRICS_PORT'
  }),
  METRICS_PORT: port('A port of its own for `/metrics`, which is then not served beside the API; 0 for none', 0),
  METRICS_HOST: Type.String({
    default: '127.0.0.1',
    description: 'The address METRICS_PORT listens on; where others reach it, METRICS_TOKEN keeps them out'
  }),
  METRICS_TENANTS: Type.Integer({
    minimum: 0,
    default: 100,
    description: 'So many tenants, the first that call, have a label of their own in the metrics; the others share one'
  }),
  TRUST_PROXY: Type.String({
    default: 'false',
    pattern: '^(true|false|[1-9]\\d?|[0-9A-Fa-f.:/]+(\\s*,\\s*[0-9A-Fa-f.:/]+)*)$',
    description:
      'Whose `X-Forwarded-*` headers are believed: how many proxies stand in front (`1`), or their addresses or networks (comma-separated). `true` believes every one, also the caller unless the proxy replaces what he sent'
  }),
  CORS_ORIGINS: Type.String({
    default: '',
    description:
      'Origins of web pages that may call the service, comma-separated, such as `https://app.example.com`; `*` for every one, none by default'
  }),
  DOCS: Type.Boolean({ default: true, description: 'Whether `/docs` and `/openapi.json` are served' }),
  DATA_DIR: Type.String({
    default: './data',
    description: 'Where the embedded database, the development master key and the sandbox keep their files'
  }),
  DATABASE_URL: Type.String({
    default: '',
    pattern: '^(|postgres(ql)?://.+)$',
    description:
      'A PostgreSQL database, shared by many replicas: `postgres://user:password@host:5432/voxgate`; without it SQLite in DATA_DIR, for one'
  }),
  MASTER_KEY: Type.String({
    default: '',
    description: "The key that seals the tenants' secrets: 32 bytes in base64 (`openssl rand -base64 32`)"
  }),
  MASTER_KEY_FILE: Type.String({ default: '', description: 'A file that holds MASTER_KEY' }),
  MASTER_KEY_PREVIOUS: Type.String({
    default: '',
    description: 'Other master keys that may still have sealed something, comma-separated: while keys are rotated'
  }),
  MASTER_KEY_PREVIOUS_FILE: Type.String({ default: '', description: 'A file that holds such keys, one a line' }),
  MASTER_KEY_PROVIDER: Type.String({
    enum: ['local', 'transit'],
    default: 'local',
    description: 'Who holds the master key: `local`, this process; `transit`, the transit engine of HashiCorp Vault or OpenBao'
  }),
  TRANSIT_ADDRESS: Type.String({
    default: '',
    pattern: '^(|https?://[^/?#]+/?)$',
    description: 'The address of Vault or OpenBao, such as `https://vault.internal:8200`'
  }),
  TRANSIT_TOKEN: Type.String({ default: '', description: 'A token that may `update` encrypt and decrypt of the key' }),
  TRANSIT_TOKEN_FILE: Type.String({ default: '', description: 'A file that holds TRANSIT_TOKEN; read again when the token is refused' }),
  TRANSIT_MOUNT: Type.String({ default: 'transit', description: 'Where the transit engine is mounted' }),
  TRANSIT_KEY: Type.String({ default: 'voxgate', description: 'The name of the key: an AEAD such as `aes256-gcm96`, not derived' }),
  TRANSIT_CA_FILE: Type.String({ default: '', description: 'A PEM file with further certificate authorities to trust there' }),
  ADMIN_TOKEN: Type.String({
    default: '',
    description:
      'Who may use `/admin`: `id:token`, several separated by commas, each token of 32 characters or more (`openssl rand -base64 32`). In production `/admin` is off without it; else one is made in DATA_DIR'
  }),
  ADMIN_TOKEN_FILE: Type.String({ default: '', description: 'A file that holds ADMIN_TOKEN' }),
  ADMIN_PORT: port('A port of its own for `/admin`, which the other port then does not serve; 0 for none', 0),
  ADMIN_HOST: Type.String({ default: '127.0.0.1', description: 'The address ADMIN_PORT listens on' }),
  VOXIMPLANT_API: Type.String({
    default: '',
    pattern: '^(|sandbox|https?://[^/?#]+/?)$',
    description:
      'The upstream: `https://api.voximplant.com`, or `sandbox` for the embedded one: the default while no master key, database or production is configured'
  }),
  UPSTREAM_HOSTS: Type.String({
    default: '*.voximplant.com',
    pattern: '^(\\*\\.)?[a-z0-9.-]+(:\\d{1,5})?(\\s*,\\s*(\\*\\.)?[a-z0-9.-]+(:\\d{1,5})?)*$',
    description:
      "Hosts that a tenant's `apiHost` may be, comma-separated: names, or `*.` before a domain. Administrators cannot send credentials, or connections, anywhere else"
  }),
  UPSTREAM_CA_FILE: Type.String({ default: '', description: 'A PEM file with further certificate authorities to trust at the upstream' }),
  UPSTREAM_CONNECT_TIMEOUT: ms('How long a connection to the upstream may take', 2_000),
  UPSTREAM_HEADERS_TIMEOUT: ms('How long the upstream may be silent', 10_000),
  UPSTREAM_TIMEOUT: ms('How long a call of the upstream may take in all', 30_000),
  UPSTREAM_SESSION_TIMEOUT: ms('The same of a call that starts a conference', 15_000),
  UPSTREAM_KEEP_ALIVE: ms('How long a connection to the upstream is kept without a call', 15_000),
  UPSTREAM_REST: Type.Integer({
    minimum: 0,
    default: 2,
    description:
      'How long a connection to the upstream is left alone after an answer, in milliseconds: a second answer that comes meanwhile ends it and reaches nobody'
  }),
  UPSTREAM_LONG_REST: Type.Integer({
    minimum: 0,
    default: 100,
    description: 'The same, in milliseconds, for a host that has sent a second answer within the last hour'
  }),
  UPSTREAM_CALLS_PER_CONNECTION: Type.Integer({
    minimum: 0,
    default: 0,
    description:
      'Calls that a connection to the upstream is used for; 0 for as many as it lasts, 1 for an upstream whose second answers may come at any time'
  }),
  UPSTREAM_CONNECTIONS: Type.Integer({
    minimum: 1,
    default: 250,
    description: 'Connections to the upstream per tenant and host, at most: enough for TENANT_CONCURRENCY and SESSION_CONCURRENCY'
  }),
  UPSTREAM_MAX_ANSWER: Type.Integer({
    minimum: 1024,
    default: 33_554_432,
    description: 'The longest answer of the upstream that is read, in bytes'
  }),
  UPSTREAM_DOWNLOAD_TIMEOUT: ms('How long the upstream may keep a download waiting, from chunk to chunk and in all', 120_000),
  UPSTREAM_RETRIES: Type.Integer({
    minimum: 0,
    maximum: 10,
    default: 2,
    description:
      'How often a read that failed is tried again; repeatable changes at most once, others only when nothing was sent; 0 for never'
  }),
  UPSTREAM_RETRY_BASE: ms('The longest pause before the first repetition; it doubles from one to the next', 100),
  UPSTREAM_RETRY_MAX: ms('The longest pause before any repetition; a longer Retry-After is passed on to the caller', 2_000),
  UPSTREAM_RETRY_SHARE: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.2,
    description: 'Of the calls so large a share may be tried again: of each tenant, and of all in the process'
  }),
  UPSTREAM_RETRY_BURST: Type.Integer({
    minimum: 1,
    default: 10,
    description: 'So many of a tenant may be at once, beyond that; five times as many of all'
  }),
  BREAKER_FAILURES: Type.Integer({
    minimum: 1,
    default: 10,
    description: 'After so many failures of the upstream in a row, calls of that tenant are answered 503 at once'
  }),
  BREAKER_HOST_FAILURES: Type.Integer({
    minimum: 1,
    default: 20,
    description: 'After so many calls in a row that a host left unanswered, calls of all its tenants are answered 503 at once'
  }),
  BREAKER_HOST_TENANTS: Type.Integer({
    minimum: 1,
    default: 3,
    description: 'Of so many different tenants at least: fewer are their own trouble'
  }),
  BREAKER_INTERVAL: ms('How often the upstream is then asked whether it is back', 1_000),
  BREAKER_PROBE_TIMEOUT: ms('How long it may take to answer that', 1_000),
  BODY_LIMIT: Type.Integer({ minimum: 1024, default: 65_536, description: 'The longest JSON body taken, in bytes' }),
  UPLOAD_LIMIT: Type.Integer({ minimum: 1, default: 104_857_600, description: 'The largest file taken, in bytes' }),
  REQUEST_TIMEOUT: ms('How long a request may take to arrive', 30_000),
  UPLOAD_TIMEOUT: ms('How long a request with a file may take to arrive, and to be passed on', 120_000),
  KEY_RATE: rate('Requests per second of an API key'),
  KEY_BURST: burst('Requests of an API key at once, beyond its rate'),
  TENANT_RATE: rate('Requests per second of a tenant without a limit of its own'),
  TENANT_BURST: burst('Requests of such a tenant at once, beyond its rate'),
  ADDRESS_RATE: rate('Requests per second of an address that shows no valid key'),
  ADDRESS_BURST: burst('Requests of such an address at once, beyond its rate'),
  REDIS_URL: Type.String({
    default: '',
    pattern: '^(|rediss?://.+)$',
    description: 'A Redis through which all replicas share the rate limits: `redis://host:6379`; without it each holds its part of them'
  }),
  REDIS_TIMEOUT: ms('How long Redis may take for an answer before each replica goes on by itself', 100),
  REPLICAS: Type.Integer({
    minimum: 1,
    default: 1,
    description: 'How many replicas there are at least: without Redis, or while it is away, each holds that part of the limits'
  }),
  TENANT_CONCURRENCY: Type.Integer({
    minimum: 1,
    default: 50,
    description: 'Upstream calls under way at once of a tenant without a limit of its own, per process'
  }),
  SESSION_CONCURRENCY: Type.Integer({
    minimum: 1,
    default: 180,
    description: 'Calls under way at once that start a conference, per account and all replicas; the upstream takes 200'
  }),
  PROCESS_CONCURRENCY: Type.Integer({
    minimum: 1,
    default: 2_000,
    description: 'Upstream calls under way at once of all tenants, per process'
  }),
  RESPONSE_MEMORY: Type.Integer({
    minimum: 1_048_576,
    default: 134_217_728,
    description:
      'Bytes of responses held in memory: large ones of the upstream wait for room, and while callers leave so much untaken, requests are held back and turned away'
  }),
  TENANT_RESPONSE_MEMORY: Type.Integer({
    minimum: 1_048_576,
    default: 67_108_864,
    description: 'The same of one tenant, whose further requests are then refused with 429; all callers without a key count as one'
  }),
  RESPONSE_TIMEOUT: ms(
    'For how long a caller may take nothing of a response, and how long it may take for each MiB, before the connection is closed',
    30_000
  ),
  QUEUE_LENGTH: Type.Integer({ minimum: 0, default: 100, description: 'How many calls of a tenant may wait for a place' }),
  QUEUE_TIMEOUT: ms('How long a call may wait for a place, and a request while there is too much to do', 1_000),
  IDEMPOTENCY_TTL: ms('How long the answer to a request with an Idempotency-Key is kept and repeated', 86_400_000),
  IDEMPOTENCY_LEASE: ms('How long the Idempotency-Key of a request under way stays taken after its process has died', 15_000),
  IDEMPOTENCY_UNKNOWN_TTL: Type.Integer({
    minimum: 0,
    default: 2_592_000_000,
    description:
      'How long a request with an Idempotency-Key whose outcome stays unknown is remembered, in milliseconds; 0 for ever. Afterwards its key can be used again'
  }),
  IDEMPOTENCY_MAX_RECORDS: Type.Integer({
    minimum: 0,
    default: 250_000,
    description:
      'How many requests with an Idempotency-Key are remembered of a tenant; further ones are refused (429) until some have expired; 0 for any number'
  }),
  AUDIT_RETENTION_DAYS: Type.Integer({
    minimum: 0,
    default: 400,
    description: 'How long entries of the audit log are kept, in days; 0 for ever'
  }),
  AUDIT_MAX_ENTRIES_PER_DAY: Type.Integer({
    minimum: 0,
    default: 250_000,
    description:
      "How many entries a tenant's calls may add to the audit log in a day (UTC); further calls that would be written there are refused (429); 0 for any number"
  }),
  SHED_DELAY: Type.Integer({
    minimum: 0,
    default: 500,
    description: 'Requests are held back, and then turned away, while the event loop is later than this, in milliseconds; 0 for never'
  }),
  SHED_UTILIZATION: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.98,
    description: 'Requests are held back, and then turned away, while the event loop is busy for a larger part of its time; 0 for never'
  }),
  SHED_HEAP: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.9,
    description: 'Requests are held back, and then turned away, while a larger part of the heap is in use; 0 for never'
  }),
  SHED_KEEP: Type.Integer({
    minimum: 1,
    default: 100,
    description: 'With fewer upstream calls under way and waiting nobody is turned away (a tenth, for the heap)'
  }),
  DRAIN_DELAY: Type.Integer({
    minimum: 0,
    maximum: 60_000,
    default: 0,
    description: 'How long it serves on after SIGTERM, not ready any more, so that balancers notice, in milliseconds; the image sets 3000'
  }),
  CACHE_TTL: ms('How long keys and credentials are kept in memory before they are looked up again', 5_000)
})

/** The configuration: typed, checked and frozen. */
export type Config = Readonly<Static<typeof settings>>

/** What is wrong with the environment, all of it. */
export class ConfigError extends Error {
  readonly problems: string[]
  constructor(problems: string[]) {
    super(`The configuration is not valid:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Whether a text is an origin as browsers send it: `scheme://host[:port]`. */
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

/** Whether a URL is plain http to another machine. */
function isOpen(url: string): boolean {
  if (!url.startsWith('http://') || !URL.canParse(url)) return false
  const { hostname } = new URL(url)
  return hostname !== 'localhost' && hostname !== '[::1]' && !/^127(\.\d{1,3}){3}$/.test(hostname)
}

/** Reads the configuration from an environment. Throws ConfigError with a list of everything that is wrong. */
export function readConfig(env: Record<string, string | undefined>): Config {
  // An empty variable is an unset one, as in compose files.
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name in settings.properties && value !== undefined && value !== '')
  )
  const problems: string[] = []
  let config: Config | undefined
  try {
    config = envSchema<Config>({ schema: settings, data: given, env: false })
  } catch (error) {
    const { errors } = error as { errors?: { instancePath: string; message?: string; params?: { allowedValues?: string[] } }[] }
    if (!errors) throw error
    for (const { instancePath, message, params } of errors) {
      const name = instancePath.slice(1)
      problems.push(
        `${name} ${message}${params?.allowedValues ? ` (${params.allowedValues.join(', ')})` : ''}; it means: ${(settings.properties as Record<string, { description?: string }>)[name]?.description}`
      )
    }
  }
  const keyed = (['MASTER_KEY', 'MASTER_KEY_FILE', 'DATABASE_URL'] as const).find(name => given[name])
  const beside = keyed ?? (given.MASTER_KEY_PROVIDER === 'transit' ? 'MASTER_KEY_PROVIDER' : undefined)
  // The sandbox makes a tenant whose key may do everything, and prints it: never where somebody keeps secrets.
  if (!given.VOXIMPLANT_API && (given.NODE_ENV === 'production' || beside))
    problems.push(
      `VOXIMPLANT_API is required ${given.NODE_ENV === 'production' ? 'in production' : `beside ${beside}`}: set VOXIMPLANT_API=https://api.voximplant.com, or VOXIMPLANT_API=sandbox for the embedded sandbox and its demo tenant`
    )
  if (given.NODE_ENV === 'production') {
    for (const name of ['VOXIMPLANT_API', 'TRANSIT_ADDRESS'] as const)
      if (isOpen(given[name] ?? ''))
        problems.push(
          `${name} has to be https in production, but on the loopback: credentials and keys would travel in the clear; set ${name}=https://...`
        )
    if (!given.MASTER_KEY && !given.MASTER_KEY_FILE && given.MASTER_KEY_PROVIDER !== 'transit')
      problems.push('MASTER_KEY or MASTER_KEY_FILE is required in production: 32 random bytes in base64 (`openssl rand -base64 32`)')
  }
  for (const item of config && !/^(true|false|\d+)$/.test(config.TRUST_PROXY) ? proxyNetworks(config.TRUST_PROXY) : [])
    if (!isNetwork(item)) problems.push(`TRUST_PROXY: ${item} is neither an address nor a network in CIDR notation such as 10.0.0.0/8`)
  if (given.ADMIN_TOKEN && given.ADMIN_TOKEN_FILE) problems.push('ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set: give one')
  if (given.MASTER_KEY && given.MASTER_KEY_FILE) problems.push('MASTER_KEY and MASTER_KEY_FILE are both set: give one')
  if (given.MASTER_KEY_PROVIDER === 'transit' && !given.TRANSIT_ADDRESS)
    problems.push('TRANSIT_ADDRESS is required with MASTER_KEY_PROVIDER=transit')
  if (given.TRANSIT_ADDRESS && !given.TRANSIT_TOKEN && !given.TRANSIT_TOKEN_FILE)
    problems.push('TRANSIT_TOKEN or TRANSIT_TOKEN_FILE is required with TRANSIT_ADDRESS')
  if (given.TRANSIT_TOKEN && given.TRANSIT_TOKEN_FILE) problems.push('TRANSIT_TOKEN and TRANSIT_TOKEN_FILE are both set: give one')
  for (const origin of corsOrigins({ CORS_ORIGINS: given.CORS_ORIGINS ?? '' }))
    if (origin !== '*' && !isOrigin(origin))
      problems.push(`CORS_ORIGINS: \`${origin}\` is not an origin: a scheme and a host, such as https://app.example.com, without a path`)
  if (problems.length > 0 || !config) throw new ConfigError(problems)
  return Object.freeze({ ...config, VOXIMPLANT_API: config.VOXIMPLANT_API || 'sandbox' })
}

/** The origins of pages that may call the service: scheme and authority each, or `*`. */
export const corsOrigins = ({ CORS_ORIGINS }: Pick<Config, 'CORS_ORIGINS'>): string[] =>
  CORS_ORIGINS.split(',')
    .map(origin => origin.trim())
    .filter(origin => origin !== '')

/** TRUST_PROXY as a question for each hop of a request; false when no header is believed. */
export function trustedProxies({ TRUST_PROXY }: Config): TrustsHop | false {
  if (TRUST_PROXY === 'false') return false
  if (TRUST_PROXY === 'true') return () => true
  const count = Number(TRUST_PROXY)
  if (!Number.isNaN(count)) return (_, hop) => hop < count
  const proxies = compileNetworks(proxyNetworks(TRUST_PROXY))!
  return address => address !== undefined && proxies(address)
}

const proxyNetworks = (text: string): string[] => text.split(',').map(item => item.trim())
