import { type ChildProcess, spawn } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openStore, WrongMasterKey } from '../src/tenants/store.ts'
import { createVault, UnknownMasterKey } from '../src/vault/vault.ts'
import type { Orders } from './children/store-torture.ts'
import { onEveryDatabase, postgres, postgresDatabase, sqliteDatabase, type TestDatabase } from './databases.ts'
import { createCredential, tester } from './support.ts'

/** Master keys are exchanged while everything is in use; and whatever is killed at whatever moment, nothing is lost. */

onEveryDatabase(t, 'a rotation while serving', async (t, { dialect }) => {
  const [first, second] = [randomBytes(32), randomBytes(32)]
  const credential = createCredential(1)
  const before = await openStore(dialect(), createVault(first))
  for (let i = 0; i < 25; i++) {
    await before.by(tester).createTenant({ tenantId: `tenant-${i}`, name: 'x', accountId: 1 })
    if (i < 3) await before.by(tester).putCredential(`tenant-${i}`, credential)
  }
  const note = await before.seal('tenant-0', Buffer.from('note'), ['note'])
  await t.rejects(openStore(dialect(), createVault(second)), WrongMasterKey, 'the new key alone is refused')

  const both = await openStore(dialect(), createVault(second, [first]))
  t.match(await both.account('tenant-1'), { version: 1 }, 'what the old key wraps opens with both')
  const progress: number[] = []
  t.match(await both.by(tester).rotateMasterKey({ batch: 10, onProgress: ({ rewrapped }) => progress.push(rewrapped) }), {
    rewrapped: 25,
    left: 0
  })
  t.same(progress, [0, 10, 20, 25])
  t.match(await both.by(tester).rotateMasterKey(), { rewrapped: 0, left: 0 }, 'a second time there is nothing to do')
  const { current, counts } = await both.masterKeys()
  t.same(counts, { [current]: 25 }, 'the old key is retired')
  t.equal((await both.auditLog({ action: 'master-key.rotate' })).items.length, 3, 'each batch is in the audit log')

  t.match(await before.credential('tenant-2').catch(error => error), UnknownMasterKey, 'a replica that knows the old key only says so')
  await t.rejects(before.ping(), { message: /master key/, name: 'WrongMasterKey' }, 'and is not ready')
  await t.rejects(before.by(tester).putCredential('tenant-2', credential), UnknownMasterKey)
  await t.rejects(openStore(dialect(), createVault(first)), WrongMasterKey, 'nor does one start')

  // A replica without the new order creates a tenant: the old key is back in use, and known to be.
  const late = await openStore(dialect(), createVault(first, [second]))
  await late.by(tester).createTenant({ tenantId: 'late', name: 'x', accountId: 1 })
  await both.ping()
  t.same(Object.values((await both.masterKeys()).counts).sort(), [1, 25])
  await t.rejects(openStore(dialect(), createVault(second)), WrongMasterKey, 'the old key is still needed')
  t.match(await both.by(tester).rotateMasterKey(), { rewrapped: 1, left: 0 })

  const after = await openStore(dialect(), createVault(second))
  for (let i = 0; i < 3; i++) t.ok(await after.credential(`tenant-${i}`))
  t.equal((await after.open('tenant-0', note, ['note'])).toString(), 'note', 'small secrets too')
  for (const store of [before, both, late, after]) await store.close()
})

/** Each costs the start of a process: KILLS=200, for a release, takes two to three minutes. */
const kills = Number(process.env.KILLS ?? 80)
t.setTimeout(600_000)
/** The number of processes that work, and die, concurrently. */
const together = 4
const tenants = 12
const child = fileURLToPath(new URL('./children/store-torture.ts', import.meta.url))

/** Points within a write of a credential and within a rotation; each is met from both sides. */
const points = [
  'begin',
  'update "tenants" set "updated_at"',
  'insert into "credentials"',
  'update "credentials" set "retired_at"',
  'update "tenants" set "name"',
  'update "tenants" set "tenant_id"',
  'update "tenants" set "data_key"',
  'insert into "audit_log"',
  'insert into "vault"',
  'select "tenant_id", "data_key" from "tenants"',
  'delete from "vault"',
  'commit'
]

interface Acknowledged {
  database: number
  tenantId: string
  version: number
  fingerprint: string
}

interface Victim {
  process: ChildProcess
  lines: (Acknowledged & { opened?: number; rewrapped?: number })[]
  opened(): Promise<void>
  ended: Promise<unknown>
}

function victim(t: Test, databases: number): Victim {
  const started = spawn(process.execPath, [child], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => started.kill('SIGKILL'))
  const lines: Victim['lines'] = []
  let open = 0
  let tell = () => {}
  const opened = new Promise<void>(resolve => {
    tell = resolve
  })
  // A line that was cut by the kill was not acknowledged.
  createInterface(started.stdout!).on('line', line => {
    try {
      const said = JSON.parse(line)
      lines.push(said)
      if (said.opened !== undefined && ++open === databases) tell()
    } catch {}
  })
  const ended = once(started, 'close')
  return { process: started, lines, opened: () => Promise.race([opened, ended.then(() => {})]), ended }
}

t.test(`kill -9 during writes and rotation, ${kills} times`, { timeout: 600_000 }, async t => {
  const databases: TestDatabase[] = [sqliteDatabase(t), ...(postgres.missing ? [] : [await postgresDatabase(t)])]
  t.comment(`on ${databases.map(({ kind }) => kind).join(' and ')}${postgres.missing ? `; ${postgres.missing}` : ''}`)
  const masterKeys = Array.from({ length: 3 }, () => randomBytes(32))
  const privateKeys = Array.from(
    { length: 3 },
    () =>
      generateKeyPairSync('rsa', {
        modulusLength: 2048,
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' }
      }).privateKey
  )
  const publicKeys = privateKeys.map(pem => createPublicKey(pem))
  const stores = await Promise.all(databases.map(({ dialect }) => openStore(dialect(), createVault(masterKeys[0]!, masterKeys.slice(1)))))
  t.teardown(() => Promise.all(stores.map(store => store.close())))
  for (const store of stores)
    for (let i = 0; i < tenants; i++) {
      await store.by(tester).createTenant({ tenantId: `tenant-${i}`, name: 'x', accountId: 1 })
      await store.by(tester).putCredential(`tenant-${i}`, { kind: 'key', accountId: 1, keyId: 'first', privateKey: privateKeys[0]! })
    }

  /** Every row opens and signs; what was acknowledged is there, with its entry, and nothing older is in use. */
  let opened = 0
  const wrong: string[] = []
  const verifyAll = async (acknowledged: Acknowledged[]) => {
    for (const [index, store] of stores.entries()) {
      const newest = new Map<string, Acknowledged>()
      for (const one of acknowledged)
        if (one.database === index && one.version > (newest.get(one.tenantId)?.version ?? 0)) newest.set(one.tenantId, one)
      for (let i = 0; i < tenants; i++) {
        const tenantId = `tenant-${i}`
        try {
          const account = await store.account(tenantId)
          const { credential, version } = account!
          if (credential.kind !== 'key') throw new Error('another kind')
          const probe = randomBytes(16)
          const signature = sign('sha256', probe, credential.privateKey)
          if (!publicKeys.some(key => verify('sha256', probe, key, signature))) throw new Error('does not sign')
          const last = newest.get(tenantId)
          if (last && last.version > version) throw new Error(`version ${last.version} was acknowledged, ${version} is in use`)
          opened++
        } catch (error) {
          wrong.push(`${databases[index]!.kind} ${tenantId}: ${error}`)
        }
      }
      for (const { tenantId, version, fingerprint } of newest.values()) {
        const status = (await store.credentials(tenantId)).find(one => one.version === version)
        if (status?.fingerprint !== fingerprint) wrong.push(`${databases[index]!.kind} ${tenantId}: version ${version} is lost`)
      }
    }
  }

  const isNamed = (round: number): boolean => round % 2 === 0
  const orders = (round: number): Orders => ({
    databases: databases.map(({ address }) => address),
    masterKeys: masterKeys.map((_, i) => masterKeys[(round + i) % masterKeys.length]!.toString('base64')),
    privateKeys,
    tenants,
    round,
    ...(isNamed(round)
      ? {
          at: {
            database: (round >> 1) % databases.length,
            when: (round >> 2) % 2 ? 'after' : 'before',
            statement: points[(round >> 1) % points.length]!,
            nth: 1 + ((round >> 3) % 3)
          }
        }
      : {})
  })
  const total = new Map<string, Acknowledged>()
  let acknowledged = 0
  let killed = 0
  let atPoints = 0
  let rotations = 0
  const wave = () => Array.from({ length: together }, () => victim(t, databases.length))
  let next = wave()
  for (let round = 0; round < kills; round += together) {
    const mine = next
    for (const [i, one] of mine.entries()) one.process.stdin!.write(`${JSON.stringify(orders(round + i))}\n`)
    // The next ones start while these work.
    next = round + together < kills ? wave() : []
    await Promise.all(
      mine.map(async ({ process, opened, ended }, i) => {
        const named = isNamed(round + i)
        await opened()
        let late = false
        // Points that do not come up in a round are made up for by a kill at some moment.
        const timer = setTimeout(
          () => {
            late = true
            process.kill('SIGKILL')
          },
          named ? 500 : Math.random() * 200
        )
        await ended
        clearTimeout(timer)
        if (process.signalCode === 'SIGKILL') killed++
        if (named && !late) atPoints++
      })
    )
    const lines = mine.flatMap(one => one.lines)
    const acks = lines.filter(line => line.version !== undefined)
    acknowledged += acks.length
    rotations += lines.filter(line => line.rewrapped !== undefined).length
    for (const one of acks) total.set(`${one.database} ${one.tenantId} ${one.version}`, one)
    await verifyAll(acks)
  }

  // All that was ever acknowledged, at the end once more.
  let lost = 0
  for (const [index, store] of stores.entries()) {
    const known = new Map<string, string>()
    const entries = new Set<string>()
    for (let i = 0; i < tenants; i++) {
      const tenantId = `tenant-${i}`
      for (const { version, fingerprint } of await store.credentials(tenantId)) known.set(`${tenantId} ${version}`, fingerprint)
      for (let before: string | undefined; ; ) {
        const page = await store.auditLog({ tenantId, action: 'credential.put', before, limit: 1000 })
        for (const { target } of page.items) entries.add(`${tenantId} ${target}`)
        if (!page.next) break
        before = page.next
      }
    }
    for (const { database, tenantId, version, fingerprint } of total.values())
      if (database === index && (known.get(`${tenantId} ${version}`) !== fingerprint || !entries.has(`${tenantId} ${version}`))) lost++
    t.equal(entries.size, known.size, 'as many entries in the audit log as versions: none without its effect, no effect without')
    t.match(await store.by(tester).rotateMasterKey({ batch: 5 }), { left: 0 }, 'the rotation comes to its end')
    const alone = await openStore(databases[index]!.dialect(), createVault(masterKeys[0]!))
    for (let i = 0; i < tenants; i++) t.ok(await alone.credential(`tenant-${i}`), 'the current master key alone opens it')
    await alone.close()
  }
  t.equal(killed, kills, 'each was killed, none ended by itself')
  t.same(wrong, [], 'after every kill, every row opens and signs')
  t.equal(lost, 0, 'nothing acknowledged is lost')
  t.ok(acknowledged > 0 && rotations > 0)
  t.comment(
    `${killed} kills, ${atPoints} at named points, ${opened} rows opened and signed, ${acknowledged} writes acknowledged, ${lost} lost, ${rotations} rotations came to their end`
  )
})
