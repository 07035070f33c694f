import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createQuota, QuotaExceeded } from '../../src/database/quota.ts'
import { inBatches } from '../../src/database/sweep.ts'
import { createIdempotency, recordQuota } from '../../src/idempotency/records.ts'
import { deleteEntries, entryQuota } from '../../src/tenants/audit-log.ts'
import { openStore, type Store } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'
import { onEveryDatabase, type TestDatabase } from '../databases.ts'
import { startService, tester } from '../support.ts'

/** What the database keeps has an end: by age, and by number for each tenant. */

t.setTimeout(600_000)

const dayMs = 86_400_000

async function open(t: Test, database: TestDatabase): Promise<Store> {
  const store = await openStore(database.dialect(), createVault(randomBytes(32)))
  t.teardown(() => store.close())
  await store.by(tester).createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  return store
}

/** Entries of a moment, with the ids that the service would give them. */
async function entries({ database }: Store, at: Date, count: number): Promise<void> {
  const time = at.getTime().toString(16).padStart(12, '0')
  for (let i = 0; i < count; i++)
    await database
      .insertInto('audit_log')
      .values({
        id: `${time}${i.toString(16).padStart(4, '0')}${randomBytes(6).toString('hex')}`,
        at: at.toISOString(),
        actor_kind: 'key',
        actor_id: 'someKey',
        address: null,
        request_id: null,
        action: 'call.sendSms',
        tenant_id: 'acme',
        target: null,
        outcome: 'done',
        detail: null
      })
      .execute()
}

onEveryDatabase(t, 'audit entries are deleted by their age, and found by their time', async (t, database) => {
  const store = await open(t, database)
  const now = Date.now()
  await entries(store, new Date(now - 500 * dayMs), 7)
  await entries(store, new Date(now - 300 * dayMs), 5)
  const limit = new Date(now - 400 * dayMs)
  const old = { since: new Date(now - 501 * dayMs).toISOString(), until: limit.toISOString() }
  t.equal((await store.auditLog(old)).items.length, 7)
  const exactly = new Date(now - 300 * dayMs).toISOString()
  t.equal(
    (await store.auditLog({ since: exactly, until: new Date(now - dayMs).toISOString() })).items.length,
    5,
    'since includes its moment'
  )
  t.equal((await store.auditLog({ until: exactly })).items.length, 7, 'until does not')
  t.equal((await store.auditLog({ since: '0001-01-01T00:00:00Z', until: '9999-12-31T23:59:59Z' })).items.length, 13)
  t.same(
    await Promise.all([deleteEntries(store.database, limit), deleteEntries(store.database, limit)]).then(
      both => both[0].rows + both[1].rows
    ),
    7
  )
  t.equal((await store.auditLog(old)).items.length, 0)
  t.equal((await store.auditLog({ actor: 'someKey' })).items.length, 5, 'younger ones stay')
})

onEveryDatabase(t, 'each filter of the audit log has an index', async (t, { kind, dialect }) => {
  const store = await openStore(dialect(), createVault(randomBytes(32)))
  t.teardown(() => store.close())
  const { database } = store
  if (kind === 'PostgreSQL') {
    await sql`insert into audit_log (id, at, actor_kind, actor_id, action, tenant_id, outcome)
      select lpad(to_hex(n), 12, '0'), '', 'key', 'key' || n % 1000, 'call.' || n % 1000, 'tenant' || n % 1000, 'outcome' || n % 1000
      from generate_series(1, 20000) n`.execute(database)
    await sql`analyze audit_log`.execute(database)
  }
  for (const column of ['tenant_id', 'actor_id', 'action', 'outcome']) {
    const page = database.selectFrom('audit_log').selectAll().where(sql.ref<string>(column), '=', 'key7').orderBy('id', 'desc').limit(101)
    const { sql: text, parameters } = page.compile()
    const explain = kind === 'SQLite' ? 'explain query plan ' : 'explain '
    const plan = await sql`${sql.raw(explain + text.replace(/\?|\$1/, `'${parameters[0]}'`).replace(/\?|\$2/, '101'))}`.execute(database)
    const steps = JSON.stringify(plan.rows)
    t.match(steps, /audit_log_by_/, column)
    t.notMatch(steps, /SCAN|Seq Scan|TEMP B-TREE/, column)
  }
})

onEveryDatabase(t, 'an outcome that stays unknown is forgotten in the end, with an entry in the audit log', async (t, database) => {
  const store = await open(t, database)
  const claim = { tenantId: 'acme', keyId: 'key', lineage: 'key', operation: 'sendSms', key: 'mine' }
  const begin = async (unknownTtl: number) => {
    const records = createIdempotency(store, { ttl: 1000, lease: 1, unknownTtl })
    return { records, begun: await records.claim(claim, 'f') }
  }
  const { records, begun } = await begin(60_000)
  if (!('attempt' in begun)) throw new Error('it is known')
  await begun.attempt.sending('f')
  await begun.attempt.end({ kind: 'unknown' })
  t.match(await records.sweep(), { forgotten: 0, more: false }, 'not yet')
  t.match(await createIdempotency(store, { ttl: 1000, lease: 1 }).sweep(), { forgotten: 0 }, 'never, without a limit')
  await store.database.executeQuery(sql`update idempotency set lease_until = '2020-01-01T00:00:00.000Z'`.compile(store.database))
  t.match(await records.sweep(), { forgotten: 1, more: false })
  t.match((await store.auditLog({ action: 'idempotency.forget' })).items, [{ actor: { kind: 'service' }, detail: { records: 1 } }])
  t.ok('attempt' in (await begin(60_000)).begun, 'the key can be used again')
})

onEveryDatabase(t, 'a tenant has a limited number of idempotency records', async (t, database) => {
  const store = await open(t, database)
  const records = createIdempotency(store, { ttl: 1000, lease: 60_000, quota: recordQuota(store.database, 3) })
  const claim = (key: string) => records.claim({ tenantId: 'acme', keyId: 'key', lineage: 'key', operation: 'addSkill', key }, 'f')
  for (const key of ['a', 'b', 'c']) t.ok('attempt' in (await claim(key)))
  await t.rejects(claim('d'), QuotaExceeded)
  t.ok('known' in (await claim('a')), 'what is stored is still returned')
  const other = createIdempotency(store, { ttl: 1000, lease: 60_000, quota: recordQuota(store.database, 3) })
  await t.rejects(
    other.claim({ tenantId: 'acme', keyId: 'key', lineage: 'key', operation: 'addSkill', key: 'e' }, 'f'),
    QuotaExceeded,
    'another process counts the same'
  )
})

onEveryDatabase(t, 'a tenant adds a limited number of audit entries in a day', async (t, database) => {
  const store = await open(t, database)
  await entries(store, new Date(Date.now() - dayMs), 5)
  const quota = entryQuota(store.database, store.clock, 3)
  t.equal(await quota.allows('acme'), true, 'those of the day before do not count')
  await entries(store, new Date(), 2)
  t.equal(await entryQuota(store.database, store.clock, 3).allows('acme'), false, 'creating the tenant was one')
})

t.test('over their quota, audited calls and new keys are refused, and the rest goes on', async t => {
  const service = await startService({ env: { AUDIT_MAX_ENTRIES_PER_DAY: '6', IDEMPOTENCY_MAX_RECORDS: '2' } })
  t.teardown(() => service.close())
  // The tenant's creation, its credential and its key are three of them.
  const sms = () =>
    service.call(
      'POST',
      '/sms-messages',
      { source: '14155550100', destination: '14155550101', smsBody: 'Hi' },
      {
        headers: { 'idempotency-key': randomUUID() }
      }
    )
  const refused = { status: 429, body: { code: 'tenant-quota-exceeded', retryable: true }, headers: { 'retry-after': /^\d+$/ } }
  const before = service.upstreamRequests()
  for (let i = 0; i < 2; i++) t.not((await sms()).status, 429)
  t.match(await sms(), { ...refused, body: { ...refused.body, detail: /2 remembered requests/ } })
  const remove = () => service.call('DELETE', '/applications/1')
  t.not((await remove()).status, 429)
  const made = service.upstreamRequests()
  t.match(await remove(), { ...refused, body: { ...refused.body, detail: /6 audit entries/ } })
  t.equal(service.upstreamRequests(), made, 'nothing was sent')
  t.ok(made > before)
  t.equal((await service.call('GET', '/applications')).status, 200, 'what is not audited goes on')
})

t.test('a quota is counted again when it may have changed', async t => {
  let there = 0
  let counted = 0
  let today = 'monday'
  const quota = createQuota({
    max: 2,
    period: () => today,
    count: async () => {
      counted++
      return there
    }
  })
  t.equal(await quota.allows('acme'), true)
  quota.add('acme')
  quota.add('acme')
  t.equal(await quota.allows('acme'), false)
  t.equal(counted, 1, 'not for every request')
  today = 'tuesday'
  there = 1
  t.equal(await quota.allows('acme'), true)
  t.equal(counted, 2)
  const none = createQuota({ max: 0, count: () => Promise.reject(new Error('not asked')) })
  t.equal(await none.allows('acme'), true)
})

t.test('a sweep ends when its time is over, and says that there is more', async t => {
  let batches = 0
  const full = async () => {
    batches++
    return 500
  }
  t.match(await inBatches(full, performance.now() - 1), { rows: 500, more: true })
  t.equal(batches, 1)
  t.match(await inBatches(async () => 3), { rows: 3, more: false })
})
