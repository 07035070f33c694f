import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { makePrivate, writePrivate } from '../../src/database/private-files.ts'
import { SqliteThread, threadEndedCode } from '../../src/database/sqlite-thread.ts'
import { DatabaseUnavailableError } from '../../src/database/unavailable.ts'
import { openStore } from '../../src/tenants/store.ts'
import { createVault } from '../../src/vault/vault.ts'
import { sqliteDatabase } from '../databases.ts'
import { tester } from '../support.ts'

t.setTimeout(300_000)

const folder = (t: Test): string => {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-sqlite-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8)

t.test('statements in flight when the thread crashes fail, and later ones have another thread', async t => {
  const thread = new SqliteThread(join(folder(t), 'a.db'))
  t.teardown(() => thread.close())
  await thread.run('create table numbers (n integer)')
  const slow = thread.run('with recursive c(n) as (select 1 union all select n + 1 from c where n < 100000000) select count(*) from c')
  const queued = thread.run('insert into numbers values (1)')
  void thread.worker!.terminate()
  await t.rejects(slow, { code: threadEndedCode })
  await t.rejects(queued, { code: threadEndedCode })
  t.match(await thread.run('select count(*) as n from numbers'), { rows: [{ n: 0 }] })
  t.equal(thread.starts, 2)
})

t.test('a transaction does not go on in another thread', async t => {
  const thread = new SqliteThread(join(folder(t), 'a.db'))
  t.teardown(() => thread.close())
  await thread.run('create table numbers (n integer)')
  await thread.run('begin immediate')
  const { starts } = thread
  await thread.run('insert into numbers values (1)', [], starts)
  await thread.worker!.terminate()
  await t.rejects(thread.run('insert into numbers values (2)', [], starts), { code: threadEndedCode })
  await t.rejects(thread.run('commit', [], starts), { code: threadEndedCode })
  t.match(await thread.run('select count(*) as n from numbers'), { rows: [{ n: 0 }] }, 'what it wrote was rolled back')
})

t.test('errors keep the codes of SQLite, and parameters that cannot be sent are errors', async t => {
  const thread = new SqliteThread(':memory:')
  t.teardown(() => thread.close())
  await t.rejects(thread.run('select * from missing'), { code: 'ERR_SQLITE_ERROR', errcode: 1, message: /no such table/ })
  await t.rejects(thread.run('select ?', [() => {}]), { name: 'DataCloneError' })
  await thread.close()
  await t.rejects(thread.run('select 1'), { code: threadEndedCode })
})

t.test('closing waits for nobody who waits for a lock', async t => {
  const database = sqliteDatabase(t)
  const store = await openStore(database.dialect(), createVault(randomBytes(32)))
  const other = new DatabaseSync(database.address)
  other.exec('begin immediate')
  const waiting = store.by(tester).createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  const refused = t.rejects(waiting, DatabaseUnavailableError)
  const { rows } = await sql<{ n: number }>`select 1 as n`.execute(store.database).catch(() => ({ rows: [{ n: 0 }] }))
  t.equal(rows.length, 1)
  const before = Date.now()
  await store.close()
  t.ok(Date.now() - before < 20_000, `${Date.now() - before} ms`)
  await refused
  other.exec('rollback')
  other.close()
})

t.test('reads go on while a write waits for the lock of another process', async t => {
  const database = sqliteDatabase(t)
  const store = await openStore(database.dialect(), createVault(randomBytes(32)))
  t.teardown(() => store.close())
  await store.by(tester).createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  const other = new DatabaseSync(database.address)
  other.exec('begin immediate')
  let over = false
  const waiting = store
    .by(tester)
    .updateTenant('acme', { name: 'New' })
    .finally(() => {
      over = true
    })
  for (let i = 0; i < 5; i++) t.match(await store.tenant('acme'), { name: 'Acme' })
  t.notOk(over, 'the write is still waiting')
  other.exec('rollback')
  other.close()
  t.match(await waiting, { name: 'New' })
})

t.test('the files of a database are for their owner only, whatever the umask and their rights before', async t => {
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const database = sqliteDatabase(t)
  const names = ['', '-wal', '-shm'].map(suffix => database.address + suffix)
  const masterKey = randomBytes(32)
  const first = await openStore(database.dialect(), createVault(masterKey))
  t.same(names.map(modeOf), ['600', '600', '600'])
  for (const name of names) chmodSync(name, 0o666)
  const second = await openStore(database.dialect(), createVault(masterKey))
  t.same(names.map(modeOf), ['600', '600', '600'])
  await first.close()
  await second.close()
})

t.test('private files are written as a whole and for their owner only', async t => {
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const file = join(folder(t), 'state.json')
  writeFileSync(file, 'old', { mode: 0o666 })
  writeFileSync(`${file}.new`, 'what a crash has left', { mode: 0o666 })
  writePrivate(file, 'new')
  t.equal(modeOf(file), '600')
  chmodSync(file, 0o644)
  makePrivate(file)
  t.equal(modeOf(file), '600')
  t.doesNotThrow(() => makePrivate(`${file}.missing`), 'what is not there is not made')
  t.throws(() => statSync(`${file}.missing`))
})
