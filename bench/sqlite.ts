import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { sql } from 'kysely'
import { postgresDialect } from '../src/database/postgres.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { createIdempotency } from '../src/idempotency/records.ts'
import { openStore, type Store } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'

/**
 * How long the event loop pauses while SQLite is busy, and how long a page of a large audit log takes. With DATABASE_URL, the pages of an empty
 * PostgreSQL database instead. `npm run bench:sqlite`
 */

const say = (text: string) => process.stdout.write(`${text}\n`)
const dir = mkdtempSync(join(tmpdir(), 'voxgate-bench-'))
const url = process.env.DATABASE_URL
const file = join(dir, 'voxgate.db')
const store = await openStore(url ? postgresDialect(url) : sqliteDialect(file), createVault(randomBytes(32)))
const { database } = store

async function measured(what: string, act: () => Promise<unknown>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const before = performance.now()
  const result = await act()
  const ms = performance.now() - before
  delay.disable()
  say(`${what}: ${ms.toFixed(0)} ms, longest pause of the event loop ${(delay.max / 1e6).toFixed(1)} ms${result ? `; ${result}` : ''}`)
}

/** A million entries of 50 tenants, 2,000 actors and 40 actions, one in 1,000 of which failed, in pieces that a statement timeout allows. */
async function fillAuditLog({ database }: Store): Promise<void> {
  const piece = 10_000
  const start = Date.now() - 1_000_000
  for (let from = 0; from < 1_000_000; from += piece) {
    const numbers = url
      ? sql`select n from generate_series(${sql.lit(from)}, ${sql.lit(from + piece - 1)}) n`
      : sql`with recursive c(n) as (select ${sql.lit(from)} union all select n + 1 from c where n < ${sql.lit(from + piece - 1)}) select n from c`
    const time = url ? sql`lpad(to_hex(n + ${sql.lit(start)}), 12, '0')` : sql`printf('%012x', n + ${sql.lit(start)})`
    await sql`insert into audit_log (id, at, actor_kind, actor_id, address, request_id, action, tenant_id, target, outcome, detail)
      select ${time} || '0000abcdefabcdef', '2026-01-01T00:00:00.000Z', 'key', 'key' || (n % 2000), '10.0.0.1', 'request-' || n,
        'call.action' || (n % 40), 'tenant' || (n % 50), null, case when n % 1000 = 0 then 'upstream-fault' else 'done' end,
        '{"method":"SendSmsMessage","selectors":{"applicationId":1234}}' from (${numbers}) numbers`.execute(database)
  }
  if (url) await sql`analyze audit_log`.execute(database)
}

await fillAuditLog(store)
const middle = new Date(Date.now() - 500_000).toISOString()
for (const query of [
  {},
  { tenantId: 'tenant7' },
  { actor: 'key77' },
  { actor: 'nobody' },
  { action: 'call.action7' },
  { action: 'call.none' },
  { outcome: 'upstream-fault' },
  { outcome: 'done' },
  { until: middle },
  { since: middle, until: middle },
  { tenantId: 'tenant7', action: 'call.action7' },
  { tenantId: 'tenant0', outcome: 'upstream-fault' },
  { tenantId: 'tenant7', outcome: 'upstream-fault' },
  { tenantId: 'tenant7', until: middle }
])
  await measured(`audit page ${JSON.stringify(query)}`, async () => `${(await store.auditLog(query)).items.length} entries`)

if (!url) {
  await store.by({ kind: 'cli', id: 'bench' }).createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  await measured('200,000 records written in one statement, with the checkpoint', () =>
    sql`with recursive c(n) as (select 1 union all select n + 1 from c where n < 200000)
      insert into idempotency (id, slot, tenant_id, key_id, operation, state, owner, fingerprint, sealed, created_at, lease_until, expires_at)
      select 'id' || n, 'slot' || n, 'acme', 'key', 'sendSms', 'done', 'owner', 'f', hex(randomblob(150)),
        '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z', '2020-01-02T00:00:00.000Z' from c`
      .execute(database)
      .then(() => undefined)
  )
  const records = createIdempotency(store, { ttl: 1000, lease: 60_000 })
  await measured('sweeps of these records', async () => {
    let passes = 0
    for (let left = 200_000; left > 0; passes++) left -= (await records.sweep()).expired
    return `${passes} passes`
  })
  const code = `const d = new (require('node:sqlite').DatabaseSync)(process.argv[1]); d.exec('begin immediate'); console.log(); setTimeout(() => {}, 15000)`
  const other = spawn(process.execPath, ['-e', code, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(other.stdout, 'data')
  await measured("50 writes behind another process's lock of 15 s", async () => {
    const claims = Array.from({ length: 50 }, (_, i) =>
      records.claim({ tenantId: 'acme', keyId: 'key', lineage: 'key', operation: 'sendSms', key: String(i) }, 'f').then(
        () => true,
        () => false
      )
    )
    const all = await Promise.all(claims)
    return `${all.filter(Boolean).length} were written`
  })
  other.kill()
}
await store.close()
rmSync(dir, { recursive: true })
