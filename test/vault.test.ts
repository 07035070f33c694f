import { generateKeyPairSync, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { sqliteDialect } from '../src/database/sqlite.ts'
import type { Tables } from '../src/database/tables.ts'
import { openStore, type Store } from '../src/tenants/store.ts'
import { createVault, open, SealError, seal } from '../src/vault/vault.ts'
import { tester } from './support.ts'

/** What somebody who can write to the database, or to a backup of it, cannot do with what is sealed: exchange it, turn it back, change it. */

const tenants = 50
const versions = 3

type Table = 'tenants' | 'credentials'
type Row = Record<string, string | number | null>

/** Fifty tenants that differ in everything, each with three versions of its credential; half have keys, half the older API keys. */
async function populate(): Promise<Store> {
  const store = await openStore(sqliteDialect(':memory:'), createVault(randomBytes(32)))
  for (let i = 0; i < tenants; i++) {
    const tenantId = `tenant-${i}`
    const accountId = 1000 + i
    await store.by(tester).createTenant({ tenantId, name: tenantId, accountId, apiHost: `api-${i}.example.com` })
    for (let version = 1; version <= versions; version++) {
      const { privateKey } = generateKeyPairSync('ed25519', {
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' }
      })
      await store
        .by(tester)
        .putCredential(
          tenantId,
          i % 2
            ? { kind: 'key', accountId, keyId: `key-${i}-${version}`, privateKey }
            : { kind: 'api-key', accountId, apiKey: `api-key-${i}-${version}` }
        )
    }
  }
  return store
}

/** Counts what opens although it should not, and what fails otherwise than as something sealed. */
function counter() {
  const counts = { tried: 0, opened: 0, crashed: 0 }
  return {
    counts,
    async attempt(act: () => unknown): Promise<void> {
      counts.tried++
      try {
        await act()
        counts.opened++
      } catch (error) {
        if (!(error instanceof SealError)) counts.crashed++
      }
    }
  }
}

const none = (t: Test, { tried, opened, crashed }: { tried: number; opened: number; crashed: number }, what: string) => {
  t.comment(`${tried} ${what}: ${opened} opened, ${crashed} crashed`)
  t.ok(tried > 0)
  t.equal(opened, 0, `${what}: none opens`)
  t.equal(crashed, 0, `${what}: none crashes`)
}

t.test('rows exchanged between tenants', async t => {
  const store = await populate()
  t.teardown(() => store.close())
  const { database } = store
  const rowOf = async (table: Table, i: number): Promise<Row> => {
    let query = database.selectFrom(table).selectAll().where('tenant_id', '=', `tenant-${i}`)
    if (table === 'credentials') query = query.where('version' as never, '=', versions as never)
    return (await query.executeTakeFirstOrThrow()) as unknown as Row
  }
  const write = async (table: Table, i: number, values: Row) => {
    let query = database
      .updateTable(table)
      .set(values as Partial<Tables[Table]>)
      .where('tenant_id', '=', `tenant-${i}`)
    if (table === 'credentials') query = query.where('version' as never, '=', versions as never)
    await query.execute()
  }
  const rows = await Promise.all(
    Array.from({ length: tenants }, async (_, i) => ({ tenants: await rowOf('tenants', i), credentials: await rowOf('credentials', i) }))
  )
  for (let i = 0; i < tenants; i++) t.ok((await store.account(`tenant-${i}`))?.credential, 'opens as it was stored')

  const fields: [Table, string[]][] = [
    ['credentials', ['sealed']],
    ['credentials', ['kind']],
    ['credentials', ['account_id']],
    ['credentials', ['key_id']],
    ['credentials', ['fingerprint']],
    ['tenants', ['account_id']],
    ['tenants', ['api_host']],
    ['tenants', ['head']],
    ['tenants', ['data_key']],
    ['tenants', ['data_key', 'head']],
    ['tenants', ['data_key', 'head', 'account_id', 'api_host']]
  ]
  const whole = ['kind', 'account_id', 'key_id', 'fingerprint', 'sealed']
  const swapped = counter()
  const fieldwise = counter()
  for (let i = 0; i < tenants; i++) {
    for (let j = 0; j < tenants; j++) {
      if (i === j) continue
      const take = (table: Table, names: string[]): Row => Object.fromEntries(names.map(name => [name, rows[j]![table][name]!]))
      await write('credentials', i, take('credentials', whole))
      await swapped.attempt(() => store.account(`tenant-${i}`))
    }
    for (let j = 0; j < tenants; j++) {
      if (i === j) continue
      // The other tenant's row under this one's name, beside a credential that is not its own either.
      const { tenant_id: _, ...row } = rows[j]!.tenants
      await write('tenants', i, row)
      await swapped.attempt(() => store.account(`tenant-${i}`))
    }
    await write('credentials', i, rows[i]!.credentials)
    await write('tenants', i, rows[i]!.tenants)
  }
  none(t, swapped.counts, 'whole rows, between every ordered pair of 50 tenants')

  for (let i = 0; i < tenants; i++)
    for (const [table, names] of fields) {
      // With some of its neighbours, of the same kind and of the other.
      for (const j of [1, 2, 3, 10].map(step => (i + step) % tenants)) {
        const taken = Object.fromEntries(names.map(name => [name, rows[j]![table][name]!]))
        if (names.every(name => rows[i]![table][name] === taken[name])) continue
        await write(table, i, taken)
        await fieldwise.attempt(() => store.account(`tenant-${i}`))
      }
      await write(table, i, rows[i]![table])
    }
  none(t, fieldwise.counts, 'single fields, of each of 50 tenants and four others')

  const back = counter()
  for (let i = 0; i < tenants; i++) {
    const tenantId = `tenant-${i}`
    const all = await database.selectFrom('credentials').selectAll().where('tenant_id', '=', tenantId).execute()
    const latest = all.find(({ version }) => version === versions)!
    for (const old of all.filter(({ version }) => version < versions)) {
      await database.updateTable('tenants').set({ credential_version: old.version }).where('tenant_id', '=', tenantId).execute()
      await back.attempt(() => store.account(tenantId))
      await database.updateTable('tenants').set({ credential_version: versions }).where('tenant_id', '=', tenantId).execute()
      for (const values of [{ sealed: old.sealed }, { ...old, version: versions }]) {
        await database.updateTable('credentials').set(values).where('tenant_id', '=', tenantId).where('version', '=', versions).execute()
        await back.attempt(() => store.account(tenantId))
      }
      await database.updateTable('credentials').set(latest).where('tenant_id', '=', tenantId).where('version', '=', versions).execute()
    }
  }
  none(t, back.counts, 'versions rolled back')

  const secrets = counter()
  const envelopes = await Promise.all(rows.map((_, i) => store.seal(`tenant-${i}`, Buffer.from(`answer ${i}`), ['answer', 'place'])))
  for (let i = 0; i < tenants; i++) {
    t.equal((await store.open(`tenant-${i}`, envelopes[i]!, ['answer', 'place'])).toString(), `answer ${i}`)
    for (let j = 0; j < tenants; j++)
      if (i !== j) await secrets.attempt(() => store.open(`tenant-${i}`, envelopes[j]!, ['answer', 'place']))
    await secrets.attempt(() => store.open(`tenant-${i}`, envelopes[i]!, ['answer', 'elsewhere']))
    await secrets.attempt(() => store.open(`tenant-${i}`, String(rows[i]!.credentials.sealed), ['credential']))
  }
  none(t, secrets.counts, 'small secrets, of another tenant or place')

  for (let i = 0; i < tenants; i++) t.ok((await store.account(`tenant-${i}`))?.credential, 'and all is well afterwards')
})

t.test('envelopes changed', async t => {
  const key = randomBytes(32)
  const vault = createVault(randomBytes(32))
  const flips = counter()
  const cuts = counter()
  for (let i = 0; i < 50; i++) {
    const place = ['credential', `tenant-${i}`, i] as const
    const tenantId = `tenant-${i}`
    // Of every length from nothing on; every other one is a wrapped data key.
    const [envelope, opens]: [string, (text: string) => unknown] =
      i % 2
        ? [seal(key, `c${i}`, randomBytes(i), place), text => open(key, `c${i}`, text, place)]
        : await vault.createDataKey(tenantId).then(text => [text, (other: string) => vault.openDataKey(tenantId, other)] as const)
    await opens(envelope)
    const bytes = Buffer.from(envelope)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      await flips.attempt(() => opens(flipped.toString('latin1')))
    }
    for (let length = 0; length < envelope.length; length++) {
      await cuts.attempt(() => opens(envelope.slice(0, length)))
      if (length > 0) await cuts.attempt(() => opens(envelope.slice(length)))
    }
    for (const more of ['A', '=', '.', '\n', ' ', '\0', envelope]) {
      await cuts.attempt(() => opens(envelope + more))
      await cuts.attempt(() => opens(more + envelope))
    }
    // A shorter tag, with the bytes that are left.
    const payload = Buffer.from(envelope.split('.')[2]!, 'base64url')
    for (let length = 0; length < payload.length; length++)
      await cuts.attempt(() => opens(`${envelope.split('.').slice(0, 2).join('.')}.${payload.subarray(0, length).toString('base64url')}`))
  }
  none(t, flips.counts, 'flipped bits, every one of 50 envelopes')
  none(t, cuts.counts, 'truncations and additions')
})
