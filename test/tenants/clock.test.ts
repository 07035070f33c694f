import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createClock } from '../../src/database/clock.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'
import { onEveryDatabase, type TestDatabase } from '../databases.ts'
import { startReplica } from '../replica.ts'
import { startStub } from '../stub.ts'
import { allScopes, tester } from '../support.ts'

t.setTimeout(300_000)

const hour = 3_600_000

t.test('the clock runs between measurements, and follows the database step by step', async t => {
  let theirs = 1_000_000_000
  let monotonic = 5_000
  let roundTrip = 10
  const clock = await createClock(
    async () => {
      monotonic += roundTrip
      return theirs
    },
    () => monotonic
  )
  t.equal(clock.now(), theirs + 5, 'half of the round trip later')
  monotonic += 1234
  t.equal(clock.now(), theirs + 5 + 1234)
  theirs += 1239 + 30_000
  await clock.sync()
  t.equal(clock.now(), theirs + 5, 'a minute is followed immediately')
  theirs += 25 * hour
  await clock.sync()
  const { now } = clock
  t.ok(now() < theirs - 24 * hour, 'a day is not')
  roundTrip = 2_000
  const before = now() - monotonic
  await clock.sync()
  t.equal(now() - monotonic, before, 'a slow measurement says nothing')
})

/** A service whose wall clock can be stepped, and the store that it shares with the command line. */
async function start(t: Test, database: TestDatabase, step: number) {
  let effects = 0
  const { origin } = await startStub(t, ({ form, response }) => {
    if (form.get('cmd') === 'SendSmsMessage') response.end(`{"result":1,"message_id":${++effects}}`)
    else response.end('{"result":[],"total_count":0}')
  })
  const masterKey = randomBytes(32)
  const store = await openStore(database.dialect(), createVault(masterKey))
  t.teardown(() => store.close())
  const administration = store.by(tester)
  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  await administration.putCredential('acme', { kind: 'api-key', accountId: 7, apiKey: 'legacy' })
  const replica = await startReplica(t, { database, origin, masterKey, env: { CLOCK_STEP: String(step), CACHE_TTL: '500' } })
  const call = async (key: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(replica.address + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(body ? { body: JSON.stringify(body) } : {})
    })
    const { code } = (await response.json()) as { code?: string }
    return { status: response.status, code, replayed: response.headers.get('idempotency-replayed') }
  }
  return {
    administration,
    call,
    read: (key: string) => call(key, 'GET', '/skills'),
    sms: (key: string) =>
      call(
        key,
        'POST',
        '/sms-messages',
        { source: '14155550100', destination: '14155550101', smsBody: 'x' },
        { 'idempotency-key': 'once' }
      ),
    effects: () => effects,
    key: (expiresAt?: number) =>
      administration.createKey('acme', {
        name: 'test',
        scopes: allScopes,
        ...(expiresAt ? { expiresAt: new Date(expiresAt).toISOString() } : {})
      }),
    async step() {
      replica.kill('SIGUSR2')
      await sleep(200)
    }
  }
}

onEveryDatabase(t, 'a clock that is stepped back keeps no key valid', async (t, database) => {
  const { administration, read, key, step } = await start(t, database, -hour)
  const revoked = await key()
  const expiring = await key(Date.now() + 4_000)
  t.match(await read(revoked.key), { status: 200 })
  t.match(await read(expiring.key), { status: 200 })
  await step()
  t.match(await read(revoked.key), { status: 200 })
  await administration.revokeKey(revoked.keyId)
  const refused = async (key: string) => {
    for (const end = performance.now() + 30_000; performance.now() < end; await sleep(100)) {
      const answer = await read(key)
      if (answer.status !== 200) return answer
    }
  }
  t.match(await refused(revoked.key), { status: 401, code: 'key-revoked' })
  t.match(await refused(expiring.key), { status: 401, code: 'key-expired' })
})

onEveryDatabase(t, 'a clock that is stepped forward forgets no request and ends no key', async (t, database) => {
  const { sms, effects, key, step } = await start(t, database, 25 * hour)
  const lasting = await key(Date.now() + hour)
  t.match(await sms(lasting.key), { status: 201, replayed: null })
  await step()
  t.match(await sms(lasting.key), { status: 201, replayed: 'true' })
  t.equal(effects(), 1)
})
