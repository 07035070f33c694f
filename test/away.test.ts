import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { build, operations } from '../src/app.ts'
import { LoadGuard } from '../src/database/load-guard.ts'
import { postgresDialect } from '../src/database/postgres.ts'
import { DatabaseUnavailableError } from '../src/database/unavailable.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import { Cache } from '../src/tenants/cache.ts'
import { openStore, type Store } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { missingServer, type OwnPostgres, ownPostgres, postgres, postgresDatabase } from './databases.ts'
import { allScopes, createCredential, sandboxAccount, startService, testConfig, tester } from './support.ts'

/** Several replicas on one database: what one changes, the others notice; and what they serve while the database is unavailable. */

interface Replica {
  app: FastifyInstance
  store: Store
  /** The status and the problem's code that a key gets for a list. */
  ask(key: string): Promise<{ status: number; code?: string; retryAfter?: string }>
}

const accountId = 500_001

/** Replicas with one sandbox behind them, and two tenants. The cache is slow on purpose: what is quick comes through the feed. */
async function replicas(t: Test, url: string, count: number, env: Record<string, string> = { CACHE_TTL: '60000' }) {
  const credential = createCredential(accountId)
  const sandbox = await buildSandbox({ operations, accounts: [sandboxAccount(credential)], demo: true })
  const origin = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const masterKey = randomBytes(32)
  const made: Replica[] = []
  for (let i = 0; i < count; i++) {
    const store = await openStore(postgresDialect(url), createVault(masterKey))
    const app = await build({ config: testConfig(env), store, origin })
    await app.ready()
    made.push({
      app,
      store,
      async ask(key) {
        const answer = await app.inject({ url: '/applications', headers: { authorization: `Bearer ${key}` } })
        const retryAfter = answer.headers['retry-after'] as string | undefined
        return { status: answer.statusCode, ...(answer.statusCode === 200 ? {} : { code: answer.json().code, retryAfter }) }
      }
    })
  }
  t.teardown(async () => {
    for (const { app } of made) await app.close()
    await sandbox.close()
  })
  const administration = made[0]!.store.by(tester)
  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId })
  await administration.putCredential('acme', credential)
  const createKey = async () => administration.createKey('acme', { name: 'test', scopes: allScopes })
  return { replicas: made, administration, createKey, credential, sandbox }
}

/** Asks until the answer is the one that is waited for; milliseconds. */
async function until(act: () => Promise<boolean>): Promise<number> {
  const before = Date.now()
  while (!(await act())) {
    if (Date.now() - before > 30_000) throw new Error('it does not come to that')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return Date.now() - before
}

t.test('changes reach the other replica', { skip: postgres.missing }, async t => {
  const { address } = await postgresDatabase(t)
  const { replicas: both, administration, createKey, credential, sandbox } = await replicas(t, address, 2)
  const [, other] = both
  const { key, keyId } = await createKey()
  const second = await createKey()
  for (const one of both) t.match(await one.ask(key), { status: 200 })
  t.match(await other!.ask(second.key), { status: 200 })

  const took: Record<string, number> = {}
  await administration.revokeKey(keyId)
  t.match(await both[0]!.ask(key), { status: 401 }, 'immediately where it was done')
  took.revoked = await until(async () => (await other!.ask(key)).status === 401)
  await administration.updateTenant('acme', { enabled: false })
  took.disabled = await until(async () => (await other!.ask(second.key)).code === 'tenant-disabled')
  await administration.updateTenant('acme', { enabled: true })
  took.enabled = await until(async () => (await other!.ask(second.key)).status === 200)
  const fresh = { ...createCredential(accountId), keyId: 'second' }
  sandbox.sandbox.addAccount({ ...sandboxAccount(fresh), demo: true })
  await administration.putCredential('acme', fresh)
  took.credential = await until(async () => {
    const account = await other!.app.tenants.account('acme')
    return account?.credential.kind === 'key' && account.credential.keyId === 'second'
  })
  await administration.updateTenant('acme', { settings: { concurrency: 7 } })
  took.settings = await until(async () => (await other!.app.tenants.authenticate(second.key))?.settings.concurrency === 7)
  await administration.deleteTenant('acme')
  took.deleted = await until(async () => (await other!.ask(second.key)).status === 401)
  t.comment(`milliseconds on the other replica: ${JSON.stringify(took)}, of a CACHE_TTL of 60000`)
  for (const [what, ms] of Object.entries(took)) t.ok(ms < 10_000, what)
  t.ok(credential)
})

t.test('in one process, without a feed', async t => {
  const service = await startService({ env: { CACHE_TTL: '60000' } })
  t.teardown(() => service.close())
  const { store, tenants } = service
  t.equal((await service.call('GET', '/applications')).status, 200)
  await store.by(tester).updateTenant('tenant-1', { enabled: false })
  t.equal((await service.call('GET', '/applications')).body.code, 'tenant-disabled', 'immediately')
  await store.by(tester).updateTenant('tenant-1', { enabled: true, settings: { defaultHeaders: { 'x-team': 'a' } } })
  t.equal((await service.call('GET', '/applications')).status, 200)
  const caller = await service.app.tenants.authenticate(tenants[0]!.key)
  t.same(caller?.settings, { defaultHeaders: { 'x-team': 'a' } })
  const { key } = await store.by(tester).createKey('tenant-1', {
    name: 'near',
    scopes: ['*'],
    childAccounts: [5],
    allowedCidrs: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7']
  })
  const near = await service.app.tenants.authenticate(key)
  t.same([...(near!.childAccounts as Set<number>)], [5])
  const [list] = near!.networks
  t.same(
    ['10.1.2.3', '11.1.2.3', '192.0.2.7', '192.0.2.8'].map(address => list!(address)),
    [true, false, true, false]
  )
  t.ok(list!('2001:db8::1'))
})

/** Everything that has to hold while the database is unavailable, for any reason. */
async function whileUnavailable(t: Test, { replica, known, unknown, administration }: Outage, how: string): Promise<void> {
  const before = Date.now()
  for (let i = 0; i < 20; i++) t.match(await replica.ask(known), { status: 200 }, `${how}: a cached tenant is served`)
  const refused = await replica.ask(unknown)
  t.match(refused, { status: 503, code: 'store-unavailable', retryAfter: /^\d+$/ }, `${how}: others get a clear 503`)
  const herd = await Promise.all(Array.from({ length: 200 }, () => replica.ask(unknown)))
  t.ok(herd.every(({ status }) => status === 503))
  await t.rejects(administration.updateTenant('acme', { name: 'New' }), DatabaseUnavailableError, `${how}: nothing is changed`)
  // The answer of the probe before is kept for a second.
  const notReady = await until(async () => (await replica.app.inject('/health/ready')).statusCode === 503)
  t.ok(notReady < 3_000, `${how}: not ready after ${notReady} ms`)
  t.comment(`${how}: ${Date.now() - before} ms for all of it`)
}

interface Outage {
  replica: Replica
  known: string
  unknown: string
  administration: ReturnType<Store['by']>
}

t.test('an outage of the database keeps cached tenants served and ends with it', { skip: missingServer, timeout: 300_000 }, async t => {
  const own: OwnPostgres = await ownPostgres(t)
  // Short, so that what is cached has to be looked up, in vain.
  const { replicas: both, administration, createKey } = await replicas(t, own.url, 2, { CACHE_TTL: '50' })
  const [replica, other] = both as [Replica, Replica]
  const { key: known, keyId } = await createKey()
  const makeUnknown = async () => (await createKey()).key
  const warm = async () => {
    for (const one of both) await until(async () => (await one.ask(known)).status === 200)
  }
  const ways: [string, () => void | Promise<void>, () => void | Promise<void>][] = [
    ['stopped', own.stop, own.start],
    ['killed', own.kill, own.start],
    ['frozen', async () => own.freeze(), async () => own.thaw()]
  ]
  for (const [how, stop, back] of ways) {
    const unknown = await makeUnknown()
    await warm()
    await stop()
    await new Promise(resolve => setTimeout(resolve, 100))
    await whileUnavailable(t, { replica, known, unknown, administration }, how)
    await back()
    const took = await until(async () => (await replica.ask(unknown)).status === 200)
    t.comment(`${how}: ${took} ms until it is served as before`)
    await until(async () => (await replica.app.inject('/health/ready')).statusCode === 200)
  }

  // The feed has come back too.
  await warm()
  let heard = 0
  const off = other.store.onChange(({ tenantId, keyId }) => {
    if (tenantId === 'acme' && keyId === undefined) heard++
  })
  await until(async () => {
    await administration.updateTenant('acme', { name: `Acme ${Date.now()}` })
    return heard > 0
  })
  off()
  await administration.revokeKey(keyId)
  await until(async () => (await other.ask(known)).status === 401)
  t.pass('changes reach the other replica as before')
})

t.test('cached entries are served while the database is unavailable, other look-ups fail quickly', async t => {
  let unavailable = false
  let hang: Promise<void> | undefined
  let loads = 0
  let atOnce = 0
  let most = 0
  const guard = new LoadGuard()
  const load = async (key: string) => {
    loads++
    most = Math.max(most, ++atOnce)
    try {
      await (hang ?? new Promise(resolve => setTimeout(resolve, 1)))
      if (unavailable) throw new DatabaseUnavailableError()
      return key === 'nobody' ? undefined : `${key}!`
    } finally {
      atOnce--
    }
  }
  const brief = new Cache<string>({ guard, ttlMs: 1, graceMs: 200 }, load)
  const lasting = new Cache<string>({ guard, ttlMs: 1, graceMs: Number.POSITIVE_INFINITY }, load)
  const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
  await Promise.all(Array.from({ length: 300 }, (_, i) => lasting.get(`t${i}`)))
  t.ok(most <= 8, `at most 8 concurrent loads: ${most}`)
  await brief.get('k')
  await brief.get('nobody')
  unavailable = true
  loads = 0
  await pause(5)
  t.equal(await brief.get('k'), 'k!', 'served after its time')
  for (let i = 0; i < 300; i++) t.equal(await lasting.get(`t${i}`), `t${i}!`)
  await t.rejects(Promise.resolve(brief.get('nobody')), DatabaseUnavailableError, 'what was unknown may be known by now')
  await t.rejects(Promise.resolve(brief.get('new')), DatabaseUnavailableError)
  t.ok(loads < 20, `the database is left alone: ${loads} loads for 303 questions`)
  brief.delete('k')
  await t.rejects(Promise.resolve(brief.get('k')), DatabaseUnavailableError, 'what was forgotten on purpose is not served')
  await pause(220)
  unavailable = false
  await until(async () => (await Promise.resolve(brief.get('k')).catch(() => undefined)) === 'k!')
  unavailable = true
  await pause(5)
  t.equal(await brief.get('k'), 'k!')
  await pause(250)
  await t.rejects(Promise.resolve(brief.get('k')), DatabaseUnavailableError, 'nor for longer than its grace')
  t.equal(await lasting.get('t1'), 't1!', 'others are served as long as it takes')
  unavailable = false
  most = 0
  await until(async () => !guard.rejects)
  await until(async () => (await Promise.resolve(lasting.get('fresh')).catch(() => undefined)) === 'fresh!')
  await Promise.all(Array.from({ length: 300 }, (_, i) => lasting.get(`t${i}`)))
  t.ok(most <= 8, `no herd when it is back: ${most} concurrently`)
  // One that does not answer at all.
  let thaw = () => {}
  await pause(5)
  hang = new Promise(resolve => {
    thaw = resolve
  })
  t.equal(await lasting.get('t5'), 't5!', 'a load that hangs keeps nobody waiting for long')
  await pause(5)
  t.equal(lasting.get('t6'), 't6!', 'and those after it not at all')
  thaw()
})
