import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { emptyList, startStub } from '../stub.ts'
import { allScopes, startService, tester } from '../support.ts'

/** Callers that may not call any more when their call is about to leave. */

t.setTimeout(300_000)

interface Call {
  form: URLSearchParams
  body: string
  response: ServerResponse
}

async function start(t: Test, env: Record<string, string> = {}) {
  const calls: Call[] = []
  let behave: (call: Call) => unknown = ({ response }) => response.end('{"result":1,"skill_id":7,"message_id":7,"list_id":7}')
  const { origin } = await startStub(t, ({ form, body, response }) => {
    const call = { form, body, response }
    calls.push(call)
    behave(call)
  })
  const service = await startService({ origin, env })
  await service.app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => service.close())
  const administration = service.store.by(tester)
  const { tenantId } = service.tenants[0]!
  await administration.putCredential(tenantId, { kind: 'api-key', accountId: 500_001, apiKey: 'first' })
  let made = 0
  return {
    service,
    administration,
    tenantId,
    port: (service.app.server.address() as AddressInfo).port,
    calls,
    behave(next: typeof behave) {
      behave = next
    },
    /** A key of the tenant, which is created again under its id where it is gone. */
    async fresh(options: { expiresAt?: string; childAccounts?: number[] } = {}) {
      if (!(await service.store.tenant(tenantId))) await createAgain(500_001)
      return administration.createKey(tenantId, { name: `key ${++made}`, scopes: allScopes, ...options })
    },
    createAgain
  }
  async function createAgain(accountId: number) {
    await administration.createTenant({ tenantId, name: 'again', accountId })
    await administration.putCredential(tenantId, { kind: 'api-key', accountId, apiKey: `of ${accountId}` })
  }
}
type House = Awaited<ReturnType<typeof start>>

interface Answer {
  status: number
  code: string
}

/** A request whose head and first bytes are sent, and then, after `between`, the rest of its body. */
async function inTwo(
  port: number,
  key: string,
  path: string,
  headers: Record<string, string>,
  body: string,
  between: () => Promise<unknown>
) {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const lines = Object.entries({
    host: 'x',
    connection: 'close',
    authorization: `Bearer ${key}`,
    ...headers,
    'content-length': body.length
  })
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n${body.slice(0, 5)}`)
  // Admitted: it is looked up before its body is read.
  await new Promise(resolve => setTimeout(resolve, 150))
  await between()
  socket.write(body.slice(5))
  let text = ''
  for await (const chunk of socket) text += chunk
  const [head = '', json = ''] = text.split('\r\n\r\n')
  return { status: Number(head.slice(9, 12)), code: /"code":"([\w-]+)"/.exec(json)?.[1] ?? '' } satisfies Answer
}

type Withdraw = (house: House, keyId: string) => Promise<unknown>
const refusals: [what: string, withdraw: Withdraw, expected: Answer][] = [
  ['the key is revoked', ({ administration }, keyId) => administration.revokeKey(keyId), { status: 401, code: 'key-revoked' }],
  [
    'the key is rotated without grace',
    ({ administration }, keyId) => administration.rotateKey(keyId, { graceSeconds: 0 }),
    { status: 401, code: 'key-expired' }
  ],
  [
    'the tenant is disabled',
    ({ administration, tenantId }) => administration.updateTenant(tenantId, { enabled: false }),
    { status: 403, code: 'tenant-disabled' }
  ],
  [
    'the tenant may be called from other networks only',
    ({ administration, tenantId }) => administration.updateTenant(tenantId, { settings: { allowedCidrs: ['192.0.2.0/24'] } }),
    { status: 403, code: 'address-not-allowed' }
  ],
  [
    'the credentials are deleted',
    ({ administration, tenantId }) => administration.deleteCredential(tenantId),
    { status: 424, code: 'credentials-missing' }
  ],
  [
    'the tenant is deleted',
    ({ administration, tenantId }) => administration.deleteTenant(tenantId),
    { status: 401, code: 'authentication-required' }
  ],
  [
    'the tenant is deleted and created again with another account',
    async ({ administration, tenantId, createAgain }) => {
      await administration.deleteTenant(tenantId)
      await createAgain(500_002)
    },
    { status: 401, code: 'authentication-required' }
  ]
]
const restore = async ({ administration, service, tenantId, createAgain }: House) => {
  if (await service.store.tenant(tenantId)) await administration.deleteTenant(tenantId)
  await createAgain(500_001)
}

const sms = '{"source":"14155550100","destination":"14155550101","smsBody":"hello"}'
const json = { 'content-type': 'application/json' }
const bodies: [what: string, path: string, headers: () => Record<string, string>, body: string][] = [
  ['a change', '/skills', () => json, '{"skillName":"sales"}'],
  ['an SMS with an Idempotency-Key', '/sms-messages', () => ({ ...json, 'idempotency-key': randomUUID() }), sms],
  [
    'an upload',
    '/call-lists?ruleId=1&priority=1&maxSimultaneous=1&numAttempts=1&name=x',
    () => ({ 'content-type': 'text/csv', 'idempotency-key': randomUUID() }),
    'phone\n14155550100\n'
  ]
]

t.test('a request whose body comes late is refused as a new one would be, and nothing is done', async t => {
  const house = await start(t)
  for (const [what, path, headers, body] of bodies)
    for (const [event, withdraw, expected] of refusals) {
      await restore(house)
      const { key, keyId } = await house.fresh()
      const before = house.calls.length
      const answer = await inTwo(house.port, key, path, headers(), body, () => withdraw(house, keyId))
      t.same(answer, expected, `${what}, and meanwhile ${event}`)
      t.equal(house.calls.length, before, 'nothing was sent whole')
      await restore(house)
    }
  t.match(await house.service.app.idempotency.list({}), { items: [] }, 'and the Idempotency-Keys are free')
})

t.test('a request whose key is rotated with a grace goes on, with the newest credentials', async t => {
  const house = await start(t)
  for (const [what, path, headers, body] of bodies) {
    const { key, keyId } = await house.fresh()
    const answer = await inTwo(house.port, key, path, headers(), body, async () => {
      await house.administration.rotateKey(keyId, { graceSeconds: 60 })
      await house.administration.putCredential(house.tenantId, { kind: 'api-key', accountId: 500_001, apiKey: `newest-for-${path.length}` })
    })
    t.equal(answer.status, 201, what)
    // The head of an upload has left before its file is there.
    if (what !== 'an upload') t.match(house.calls.at(-1)!.body, `newest-for-${path.length}`)
  }
})

t.test('a key that expires while its request is on its way is refused', async t => {
  const house = await start(t)
  const { key } = await house.fresh({ expiresAt: new Date(Date.now() + 1500).toISOString() })
  const answer = await inTwo(
    house.port,
    key,
    '/skills',
    json,
    '{"skillName":"sales"}',
    () => new Promise(resolve => setTimeout(resolve, 1700))
  )
  t.same(answer, { status: 401, code: 'key-expired' })
  t.equal(house.calls.length, 0)
})

const waits: [what: string, env: Record<string, string>, method: string, path: string][] = [
  ['for a place', { TENANT_CONCURRENCY: '1', QUEUE_TIMEOUT: '30000' }, 'GET', '/skills'],
  ['for a place, for a file', { TENANT_CONCURRENCY: '1', QUEUE_TIMEOUT: '30000' }, 'GET', '/history-reports/7/content'],
  ['for a connection', { UPSTREAM_MAX_CONNECTIONS: '1' }, 'GET', '/skills'],
  ['for a connection, for a file', { UPSTREAM_MAX_CONNECTIONS: '1' }, 'GET', '/history-reports/7/content'],
  ['for a connection, with a change', { UPSTREAM_MAX_CONNECTIONS: '1' }, 'DELETE', '/skills/7']
]

for (const [what, env, method, path] of waits)
  t.test(`a call that waits ${what} is looked at again when its turn comes`, async t => {
    const house = await start(t, env)
    const { service, calls, behave } = house
    for (const [event, withdraw, expected] of refusals.filter(([event]) => /revoked|disabled|again/.test(event))) {
      await restore(house)
      const [holder, waiting] = [await house.fresh(), await house.fresh()]
      const call = (key: string, method: string, path: string) =>
        service.call(method, path, undefined, { headers: { authorization: `Bearer ${key}` } })
      const arrived = Promise.withResolvers<Call>()
      behave(arrived.resolve)
      const first = call(holder.key, 'GET', '/skills')
      const held = await arrived.promise
      behave(({ response }) => response.end('{"result":1}'))
      const second = call(waiting.key, method, path)
      await new Promise(resolve => setTimeout(resolve, 150))
      const before = calls.length
      await withdraw(house, waiting.keyId)
      held.response.end(emptyList)
      await first
      const { status, body } = await second
      t.same({ status, code: body?.code }, expected, event)
      t.equal(calls.length, before, 'nothing was sent')
    }
  })

t.test('a call that waits for a connection goes out with the credentials that were stored meanwhile', async t => {
  const house = await start(t, { UPSTREAM_MAX_CONNECTIONS: '1' })
  const { service, calls, behave, administration, tenantId } = house
  const arrived = Promise.withResolvers<Call>()
  behave(arrived.resolve)
  const first = service.call('GET', '/skills')
  const held = await arrived.promise
  behave(({ response }) => response.end(emptyList))
  const second = service.call('GET', '/skills')
  await new Promise(resolve => setTimeout(resolve, 150))
  await administration.putCredential(tenantId, { kind: 'api-key', accountId: 500_001, apiKey: 'second' })
  held.response.end(emptyList)
  t.equal((await first).status, 200)
  t.equal((await second).status, 200)
  t.same(
    calls.map(({ form }) => form.get('api_key')),
    ['first', 'second']
  )
})

t.test('a read that is about to be tried again, or goes on to its next page, is looked at again', async t => {
  const house = await start(t, { UPSTREAM_MAX_RETRIES: '2', UPSTREAM_RETRY_MAX_DELAY: '2000' })
  for (const [path, behave] of [
    ['/skills', ({ response }: Call) => response.writeHead(503, { 'retry-after': '1' }).end()],
    [
      '/skills/~sales',
      ({ response }: Call) => {
        const rows = Array.from({ length: 1000 }, (_, i) => ({ skill_id: i + 1, skill_name: `sales ${i}` }))
        setTimeout(() => response.end(JSON.stringify({ result: rows, total_count: 5000, count: 1000 })), 300)
      }
    ]
  ] as const) {
    const { key, keyId } = await house.fresh()
    house.behave(behave as (call: Call) => void)
    const before = house.calls.length
    const answer = house.service.call('GET', path, undefined, { headers: { authorization: `Bearer ${key}` } })
    while (house.calls.length === before) await new Promise(resolve => setTimeout(resolve, 10))
    await house.administration.revokeKey(keyId)
    t.match(await answer, { status: 401, body: { code: 'key-revoked' } }, path)
    t.equal(house.calls.length - before, 1, 'it ends after the first call')
  }
})

t.test('calls go on while keys are looked up again all the time, and nothing has changed', async t => {
  const { service, calls, behave } = await start(t, { CACHE_TTL: '1', UPSTREAM_MAX_CONNECTIONS: '2' })
  behave(({ response }) => setTimeout(() => response.end(emptyList), 5))
  const answers = await Promise.all(Array.from({ length: 50 }, () => service.call('GET', '/skills')))
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(calls.length, 50)
})

t.test('a tenant that is created again under its id has an identity of its own', async t => {
  const house = await start(t)
  const before = (await house.service.store.tenant(house.tenantId))!
  await restore(house)
  const after = (await house.service.store.tenant(house.tenantId))!
  t.not(before.uid, after.uid)
  t.match(after.uid, /^[0-9a-f-]{36}$/)
})
