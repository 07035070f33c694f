import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { adminTokensOf } from '../src/admin/tokens.ts'
import { build, operations } from '../src/app.ts'
import { type Config, readConfig } from '../src/config.ts'
import type { StoreDialect } from '../src/database/changes.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import { type Actor, openStore, type Store } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'

/** What tests have in common: a whole service in front of a sandbox on a real socket, with tenants of their own. */

const rsa = {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' }
} as const

/** A service account as an administrator would hold it. */
export interface TestCredential {
  kind: 'key'
  accountId: number
  keyId: string
  privateKey: string
}

/** A fresh RSA key for an account. */
export const createCredential = (accountId: number): TestCredential => ({
  kind: 'key',
  accountId,
  keyId: `key-${accountId}`,
  privateKey: generateKeyPairSync('rsa', rsa).privateKey
})

/** What the sandbox has to know to recognize a credential. */
export const sandboxAccount = ({ accountId, keyId, privateKey }: TestCredential) => ({
  accountId,
  name: `account-${accountId}`,
  keys: { [keyId]: createPublicKey(privateKey) }
})

export interface TestTenant {
  tenantId: string
  credential: TestCredential
  /** An API key with every scope. */
  key: string
}

export interface Service {
  app: FastifyInstance
  store: Store
  tenants: TestTenant[]
  /** The sandbox behind the service; undefined when another upstream was given. */
  sandbox: FastifyInstance
  /** How many requests the upstream has taken. */
  upstreamRequests(): number
  /** One request with a tenant's key, and an Idempotency-Key of its own where one is needed (`undefined` leaves a header out): the answer's status, headers and parsed body. */
  call(
    method: string,
    url: string,
    body?: unknown,
    options?: { tenant?: number; headers?: Record<string, string | undefined> }
  ): Promise<TestAnswer>
  close(): Promise<void>
}

export interface TestAnswer {
  status: number
  headers: Record<string, string | string[] | number | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  body: any
  text: string
}

export interface ServiceOptions {
  /** How many tenants; one by default. */
  tenants?: number
  /** Whether accounts begin with the sandbox's demonstration world. */
  demo?: boolean
  scopes?: string[]
  /** Another upstream than the sandbox; a function is asked when the app is built. */
  origin?: string | ((tenants: TestTenant[]) => Promise<string>)
  env?: Record<string, string>
  /** Another database than one in memory. */
  dialect?: StoreDialect
}

/** Who makes changes in tests. */
export const tester: Actor = { kind: 'service', id: 'test' }

/** A fresh `Idempotency-Key` for a request that is refused without one. */
export function freshKey(method: string, url: string): Record<string, string> {
  const path = url.replace(/\?.*/s, '')
  return method === 'POST' && spending.some(pattern => pattern.test(path)) ? { 'idempotency-key': randomUUID() } : {}
}
const spending = operations
  .filter(({ method, traits }) => method === 'POST' && traits.costsMoney)
  .map(({ url }) => new RegExp(`^${url.replace(/:\w+/g, '[^/]+')}$`))

export const allScopes = ['*', 'bulk', 'spend', 'secrets', 'privileged']

/**
 * The services that tests use where they answer on this machine. `missing` says why not, for a test's `skip`; under CI=true that is a failure
 * instead, so that a pipeline never goes green by leaving tests out.
 */
export async function services() {
  const answers = (port: number) =>
    new Promise<boolean>(resolve => {
      const socket = connect({ host: '127.0.0.1', port, timeout: 1000 })
      const end = (answer: boolean) => {
        socket.destroy()
        resolve(answer)
      }
      socket
        .on('connect', () => end(true))
        .on('error', () => end(false))
        .on('timeout', () => end(false))
    })
  const missing = (name: string, port: number, there: boolean): string | false => {
    if (there) return false
    if (process.env.CI === 'true') throw new Error(`${name} does not answer on 127.0.0.1:${port}, and CI=true`)
    return `${name} does not answer on 127.0.0.1:${port}`
  }
  const port = 5432
  const installed = spawnSync('redis-server', ['--version']).status === 0
  if (!installed && process.env.CI === 'true') throw new Error('there is no redis-server, and CI=true')
  return {
    /** Redis is started by the tests that need one: they stop, freeze and fill it. */
    redis: { missing: installed ? (false as const) : 'there is no redis-server' },
    postgres: {
      missing: missing('PostgreSQL', port, await answers(port)),
      url: (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
    }
  }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** A Redis of the test's own. */
export interface TestRedis {
  url: string
  start(): Promise<void>
  /** Ends it immediately; what it held is gone. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT: its connections stay open. */
  freeze(): void
  thaw(): void
}

export async function startRedis(...settings: string[]): Promise<TestRedis> {
  const port = await freePort()
  let child: ChildProcess
  const redis: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...settings])
      for await (const chunk of child.stdout!) if (String(chunk).includes('Ready to accept connections')) break
      child.stdout!.resume()
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT')
  }
  await redis.start()
  return redis
}

/** Limits that no test meets unless it is about them. */
export const noLimits = Object.fromEntries(
  [
    'KEY_RATE',
    'KEY_BURST',
    'TENANT_RATE',
    'TENANT_BURST',
    'ADDRESS_RATE',
    'ADDRESS_BURST',
    'TENANT_CONCURRENCY',
    'PROCESS_CONCURRENCY'
  ].map(name => [name, '1000000'])
)

/** A configuration for tests: quiet, every call sent once unless a test is about that, no limits, and the settings given. */
export const testConfig = (env: Record<string, string> = {}): Config =>
  readConfig({
    LOG_LEVEL: 'silent',
    VOXIMPLANT_API: 'sandbox',
    UPSTREAM_MAX_RETRIES: '0',
    BREAKER_FAILURE_THRESHOLD: '1000000',
    ...noLimits,
    ...env
  })

/** Starts a service in front of a sandbox. Close it. */
export async function startService({
  tenants: count = 1,
  demo = false,
  scopes = allScopes,
  origin,
  env = {},
  dialect = sqliteDialect(':memory:')
}: ServiceOptions = {}): Promise<Service> {
  const store = await openStore(dialect, createVault(randomBytes(32)))
  const administration = store.by(tester)
  const tenants: TestTenant[] = []
  for (let i = 0; i < count; i++) {
    const tenantId = `tenant-${i + 1}`
    const credential = createCredential(500_001 + i)
    await administration.createTenant({ tenantId, name: tenantId, accountId: credential.accountId })
    await administration.putCredential(tenantId, credential)
    tenants.push({ tenantId, credential, key: (await administration.createKey(tenantId, { name: 'test', scopes })).key })
  }
  const sandbox = await buildSandbox({ operations, accounts: tenants.map(tenant => sandboxAccount(tenant.credential)), demo })
  const address = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const config = testConfig(env)
  const app = await build({
    config,
    store,
    adminTokens: adminTokensOf(config.admin),
    origin: (typeof origin === 'function' ? await origin(tenants) : origin) ?? address
  })
  await app.ready()
  return {
    app,
    store,
    tenants,
    sandbox,
    upstreamRequests: () => sandbox.sandbox.requests,
    async call(method, url, body, { tenant = 0, headers = {} } = {}) {
      const answer = await app.inject({
        method: method as InjectOptions['method'],
        url,
        headers: Object.fromEntries(
          Object.entries({ authorization: `Bearer ${tenants[tenant]!.key}`, ...freshKey(method, url), ...headers }).filter(
            ([, value]) => value !== undefined
          )
        ),
        ...(body === undefined ? {} : { payload: body as InjectOptions['payload'] })
      })
      const json = String(answer.headers['content-type'] ?? '').includes('json')
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: json && answer.body !== '' ? JSON.parse(answer.body) : undefined,
        text: answer.body
      }
    },
    async close() {
      await app.close()
      await sandbox.close()
    }
  }
}
