import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { postgres, postgresDatabase } from './databases.ts'
import { startReplica } from './replica.ts'
import { startStub } from './stub.ts'
import { allScopes, tester } from './support.ts'

/** Two service processes on one PostgreSQL. `PAIRS=1000` makes the full run. */

t.setTimeout(900_000)

const pairs = Number(process.env.PAIRS ?? 200)
const concurrency = 16

t.test('the same request at both replicas has one effect, also while its API key is rotated', { skip: postgres.missing }, async t => {
  const effects = new Map<string, number>()
  const { origin } = await startStub(t, ({ form, response }) => {
    const text = form.get('sms_body')!
    effects.set(text, (effects.get(text) ?? 0) + 1)
    setTimeout(() => response.end(`{"result":1,"message_id":${effects.size}}`), 5)
  })
  const database = await postgresDatabase(t)
  const masterKey = randomBytes(32)
  const store = await openStore(database.dialect(), createVault(masterKey))
  t.teardown(() => store.close())
  const administration = store.by(tester)
  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  await administration.putCredential('acme', { kind: 'api-key', accountId: 7, apiKey: 'legacy' })
  const old = await administration.createKey('acme', { name: 'test', scopes: allScopes })
  const replicas = [await startReplica(t, { database, origin, masterKey }), await startReplica(t, { database, origin, masterKey })]
  let other = old

  const statuses: Record<number, number> = {}
  /** Sends until it has a response of the first request. */
  const send = async (replica: number, key: string, text: string, idempotencyKey: string): Promise<string> => {
    for (;;) {
      const response = await fetch(`${replicas[replica]!.address}/sms-messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        body: JSON.stringify({ source: '14155550100', destination: '14155550101', smsBody: text })
      })
      const body = await response.text()
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      if (response.status !== 409) return `${response.status} ${body}`
      await sleep(50)
    }
  }
  const sent: { text: string; idempotencyKey: string; response: string }[] = []
  let differing = 0
  let next = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < pairs) {
        const i = next++
        if (i === pairs / 2) other = await administration.rotateKey(old.keyId, { graceSeconds: 3600 })
        const [text, idempotencyKey] = [`message ${i}`, randomUUID()]
        const [a, b] = await Promise.all([send(i % 2, old.key, text, idempotencyKey), send(1 - (i % 2), other.key, text, idempotencyKey)])
        if (a !== b) differing++
        sent.push({ text, idempotencyKey, response: a })
      }
    })
  )
  t.equal(effects.size, pairs)
  t.equal([...effects.values()].filter(count => count !== 1).length, 0, 'one effect each')
  t.equal(differing, 0, 'both are answered the same')
  t.ok(sent.every(({ response }) => response.startsWith('201 ')))

  // What was sent with the old key before the rotation is repeated with the new one.
  for (const { text, idempotencyKey, response } of sent.slice(0, 50)) t.equal(await send(0, other.key, text, idempotencyKey), response)
  t.equal(
    [...effects.values()].reduce((sum, count) => sum + count, 0),
    pairs,
    `${pairs} pairs, ${pairs} effects`
  )
  t.comment(`${pairs} pairs, ${effects.size} effects, responses ${JSON.stringify(statuses)}`)
})
