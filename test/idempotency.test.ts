import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readAdminTokens } from '../src/admin/tokens.ts'
import { build, operations } from '../src/app.ts'
import { createIdempotency } from '../src/idempotency/records.ts'
import { openStore, type Store } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { onEveryDatabase, type TestDatabase } from './databases.ts'
import { startStub } from './stub.ts'
import { allScopes, startService, testConfig, tester } from './support.ts'

/** Requests with an Idempotency-Key, over real sockets; the upstream counts the effects, and so is the judge. */

t.setTimeout(900_000)

// -------------------------------------------------------------------------------------------------------------- the upstream

interface Effect {
  method: string
  /** What tells it from others: the text of a message, the name of a list. */
  what: string
}

interface Upstream {
  origin: string
  /** What was done, in order. */
  effects: Effect[]
  count(what: string): number
  /** What comes of a whole call: `act` does it and answers; an answer of another kind is up to the test. */
  behave(behave: Behave): void
}

type Behave = (call: { effect: Effect; act: () => void; response: ServerResponse }) => void

const secret = 'https://203-0-113-9.example.com:12093/request?id=canary-8f3b2c'
const answers: Record<string, (id: number) => object> = {
  SendSmsMessage: id => ({ result: 1, message_id: id, fragments_count: 1 }),
  StartConference: id => ({ result: 1, call_session_history_id: id, media_session_access_secure_url: secret }),
  CreateCallList: id => ({ result: true, count: 2, list_id: id }),
  AddSkill: id => ({ result: 1, skill_id: id }),
  ActivateOutboundTestPhoneNumber: () => ({ result: 1 })
}

async function startUpstream(t: Test): Promise<Upstream> {
  const effects: Effect[] = []
  const usual: Behave = ({ act }) => act()
  let behave = usual
  const { origin } = await startStub(t, ({ form, body, response }) => {
    const part = (name: string) => form.get(name) ?? new RegExp(`name="${name}"\r\n\r\n([^\r]*)`).exec(body)?.[1]
    const method = part('cmd') ?? ''
    const effect = { method, what: part('sms_body') ?? part('conference_name') ?? part('skill_name') ?? part('name') ?? method }
    const act = () => {
      effects.push(effect)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answers[method]!(effects.length)))
    }
    behave({ effect, act, response })
  })
  return {
    origin,
    effects,
    count: what => effects.filter(effect => effect.what === what).length,
    behave(next) {
      behave = next
    }
  }
}

const refuse =
  (code: number): Behave =>
  ({ response }) =>
    response.end(JSON.stringify({ error: { code, msg: 'no' } }))

// -------------------------------------------------------------------------------------------------------------- the service

interface House {
  database: TestDatabase
  upstream: Upstream
  masterKey: Buffer
  /** API keys of one tenant. */
  key: string
  otherKey: string
}

/** A database with a tenant, and an upstream. */
async function found(t: Test, database: TestDatabase): Promise<House> {
  const upstream = await startUpstream(t)
  const masterKey = randomBytes(32)
  const store = await openStore(database.dialect(), createVault(masterKey))
  const administration = store.by(tester)
  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId: 7 })
  await administration.putCredential('acme', { kind: 'api-key', accountId: 7, apiKey: 'legacy-api-key' })
  const make = async () => (await administration.createKey('acme', { name: 'test', scopes: allScopes })).key
  const house = { database, upstream, masterKey, key: await make(), otherKey: await make() }
  await store.close()
  return house
}

interface Answered {
  status: number
  replayed: boolean
  location: string | null
  retryAfter: string | null
  type: string | null
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  body: any
}

const post = async (address: string, key: string, url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> => {
  const answer = await fetch(address + url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      ...(body instanceof FormData || headers['content-type'] ? {} : { 'content-type': 'application/json' }),
      ...headers
    },
    body: body instanceof FormData || typeof body === 'string' ? body : JSON.stringify(body)
  })
  const text = await answer.text()
  return {
    status: answer.status,
    replayed: answer.headers.get('idempotency-replayed') === 'true',
    location: answer.headers.get('location'),
    retryAfter: answer.headers.get('retry-after'),
    type: answer.headers.get('content-type'),
    text,
    body: text === '' ? undefined : JSON.parse(text)
  }
}

interface Served {
  app: FastifyInstance
  store: Store
  address: string
  send(url: string, body: unknown, key?: string, headers?: Record<string, string>): Promise<Answered>
  sms(text: string, key?: string): Promise<Answered>
}

const message = (text: string) => ({ source: '14155550100', destination: '14155550101', smsBody: text })

/** A replica of the service. */
async function serve(t: Test, { database, upstream, masterKey, key: apiKey }: House, env: Record<string, string> = {}): Promise<Served> {
  const store = await openStore(database.dialect(), createVault(masterKey))
  const app = await build({ config: testConfig({ DOCS: 'false', ...env }), store, origin: upstream.origin })
  t.teardown(() => app.close())
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const send: Served['send'] = (url, body, key, headers = {}) =>
    post(address, apiKey, url, body, { ...(key === undefined ? {} : { 'idempotency-key': key }), ...headers })
  return { app, store, address, send, sms: (text, key = randomUUID()) => send('/sms-messages', message(text), key) }
}

/** Waits for something that must come, looking again and again. */
async function until(what: string, test: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  for (const end = Date.now() + ms; !(await test()); await sleep(20)) if (Date.now() > end) throw new Error(`${what} does not come`)
}

// ---------------------------------------------------------------------------------------------------------------- the header

t.test('the header is required where a call costs money, and checked everywhere', async t => {
  const service = await startService({ env: { CORS_ORIGINS: 'https://app.example' } })
  t.teardown(() => service.close())
  const bad = ['', 'a b', 'x'.repeat(256), '"', '"a', '""', '"a"b', `"${'x'.repeat(256)}"`, 'naïve', '"a";b=1', 'a, b', '"\\a"']
  let required = 0
  for (const { id, method, url, traits } of operations) {
    if (method !== 'POST') continue
    const path = url.replace(/:\w+/g, '1')
    const without = await service.call('POST', path, undefined, { headers: { 'idempotency-key': undefined } })
    const headerErrors = (without.body?.errors ?? []).filter((error: { in: string }) => error.in === 'header')
    t.equal(headerErrors.length, traits.costsMoney ? 1 : 0, `${id} without a key`)
    if (traits.costsMoney) required++
    for (const key of bad) {
      const answer = await service.call('POST', path, undefined, { headers: { 'idempotency-key': key } })
      t.match(
        answer.body?.errors?.filter((error: { in: string }) => error.in === 'header'),
        [{ in: 'header', pointer: '/idempotency-key', detail: /1 to 255 visible ASCII characters/ }],
        `${id} with ${key.slice(0, 9)}`
      )
      t.equal(answer.status, 400)
    }
  }
  t.ok(required >= 6, `${required} operations require it`)
  const before = service.upstreamRequests()
  t.match(await service.call('POST', '/sms-messages', message('x'), { headers: { 'idempotency-key': undefined } }), {
    status: 400,
    body: { code: 'idempotency-key-required', errors: [{ in: 'header', pointer: '/idempotency-key' }] }
  })
  t.equal(service.upstreamRequests(), before, 'nothing is sent without it')
  const asked = await service.app.inject({
    method: 'OPTIONS',
    url: '/sms-messages',
    headers: {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,idempotency-key'
    }
  })
  t.match(asked.headers['access-control-allow-headers'], /idempotency-key/)
  const live = await service.app.inject({ url: '/health/live', headers: { origin: 'https://app.example' } })
  t.match(live.headers['access-control-expose-headers'], /idempotency-replayed/)
})

// --------------------------------------------------------------------------------------------------------------- the answers

onEveryDatabase(t, 'the answer is repeated, the effect is not', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { send, sms, app } = await serve(t, house)
  const first = await sms('hello', 'key-1')
  t.match(first, { status: 201, replayed: false, location: /^\/sms-messages\?messageId=\d+$/, body: { messageId: Number } })
  for (const key of ['key-1', '"key-1"'])
    t.same(await sms('hello', key), { ...first, replayed: true }, 'status, headers and body are the same, in quotes or bare')
  const { smsBody, ...rest } = message('hello')
  t.same(await send('/sms-messages', { smsBody, ...rest }, 'key-1'), { ...first, replayed: true }, 'in another order it is the same')
  t.equal(upstream.count('hello'), 1)

  t.match(await sms('other', 'key-1'), {
    status: 422,
    body: { code: 'idempotency-key-reused', errors: [{ in: 'header', pointer: '/idempotency-key' }] }
  })
  t.equal(upstream.count('other'), 0, 'another body has no effect')
  t.match(await send('/skills', { skillName: 'hello' }, 'key-1'), { status: 201, replayed: false }, 'a key belongs to an operation')
  const elsewhere = await post((await serve(t, house)).address, house.otherKey, '/sms-messages', message('hello'), {
    'idempotency-key': 'key-1'
  })
  t.match(elsewhere, { status: 201, replayed: false }, 'and to an API key')
  t.equal(upstream.count('hello'), 3)
  t.match(await send('/outbound-test-number/activation', { verificationCode: '12345' }, 'none'), { status: 204, replayed: false })
  t.match(await send('/outbound-test-number/activation', { verificationCode: '12345' }, 'none'), { status: 204, replayed: true, text: '' })

  upstream.behave(refuse(127))
  const refused = await sms('refused', 'key-2')
  upstream.behave(({ act }) => act())
  t.match(refused, { status: 402, type: /^application\/problem\+json/ })
  t.same(await sms('refused', 'key-2'), { ...refused, replayed: true }, 'a refusal is an answer')
  t.equal(upstream.count('refused'), 0)

  const before = app.idempotency.counts.claimed
  for (let i = 0; i < 2; i++) t.equal((await send('/skills', { skillName: 'twice' })).status, 201)
  t.equal(upstream.count('twice'), 2, 'without a key each request has its effect')
  t.equal(app.idempotency.counts.claimed, before)
})

onEveryDatabase(t, 'what has done nothing frees its key', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { sms, app } = await serve(t, house)
  const failures: [string, Behave, number][] = [
    ["the upstream's own 429", ({ response }) => response.writeHead(429).end('{"error":{"code":165,"msg":"no"}}'), 429],
    ["the tenant's credentials", refuse(100), 424],
    ['its token', refuse(454), 502],
    ['a role is missing', refuse(104), 403]
  ]
  for (const [what, behave, status] of failures) {
    upstream.behave(behave)
    t.match(await sms(what, what.replaceAll(' ', '-')), { status, replayed: false }, what)
    upstream.behave(({ act }) => act())
    t.match(await sms(what, what.replaceAll(' ', '-')), { status: 201, replayed: false }, `${what}: and then it goes`)
    t.equal(upstream.count(what), 1)
  }
  const unreachable = await serve(t, { ...house, upstream: { ...upstream, origin: 'http://127.0.0.1:1' } })
  t.match(await unreachable.sms('nobody', 'nobody'), { status: 502, body: { code: 'upstream-unreachable' } })
  t.match(await sms('nobody', 'nobody'), { status: 201, replayed: false })
  const broken = await serve(
    t,
    { ...house, upstream: { ...upstream, origin: 'http://127.0.0.1:1' } },
    { BREAKER_FAILURE_THRESHOLD: '1', BREAKER_PROBE_INTERVAL: '60000' }
  )
  await broken.sms('open', 'opens')
  t.match(await broken.sms('open', 'open'), { status: 503, body: { code: 'upstream-unavailable' } }, 'the breaker is open')
  t.match(await sms('open', 'open'), { status: 201, replayed: false })
  t.match(await app.idempotency.list({ state: 'unknown' }), { items: [] })
})

onEveryDatabase(t, 'concurrent requests with one key have one effect', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const replicas = [await serve(t, house), await serve(t, house)]
  const arrived = Promise.withResolvers<() => void>()
  upstream.behave(({ act }) => arrived.resolve(act))
  const first = replicas[0]!.sms('slow', 'slow')
  const act = await arrived.promise
  for (const replica of replicas) {
    t.match(await replica.sms('slow', 'slow'), { status: 409, retryAfter: '1', body: { code: 'idempotency-in-flight', retryable: true } })
    t.match(await replica.sms('slower', 'slow'), { status: 422, body: { code: 'idempotency-key-reused' } })
  }
  act()
  const answer = await first
  t.equal(answer.status, 201)
  upstream.behave(({ act }) => act())
  for (const replica of replicas) t.same(await replica.sms('slow', 'slow'), { ...answer, replayed: true })
  t.equal(upstream.count('slow'), 1)

  const seen = new Map<number, number>()
  for (let round = 0; round < 20; round++) {
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => replicas[i % 2]!.sms(`round ${round}`, `round-${round}`)))
    for (const { status } of all) seen.set(status, (seen.get(status) ?? 0) + 1)
    if (upstream.count(`round ${round}`) !== 1) t.fail(`round ${round} had ${upstream.count(`round ${round}`)} effects`)
  }
  t.strictSame([...seen.keys()].sort(), [201, 409])
  t.comment(`20 keys, each sent 10 times concurrently to two replicas: 20 effects; answers by status ${JSON.stringify([...seen])}`)
})

onEveryDatabase(t, 'an outcome that is not known stays so until it is settled', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { send, sms, app, store } = await serve(t, house)
  upstream.behave(({ effect, response }) => {
    upstream.effects.push(effect)
    response.destroy()
  })
  const settle = {
    id: /^[0-9a-f-]{36}$/,
    method: 'GetSmsHistory',
    by: ['sourceNumber', 'destinationNumber', 'fromDate'],
    operationId: 'listSmsMessages'
  }
  const lost = await sms('lost', 'lost')
  t.match(lost, { status: 504, replayed: false, body: { code: 'outcome-unknown', settle } })
  for (let i = 0; i < 2; i++)
    t.match(await sms('lost', 'lost'), { status: 504, replayed: true, body: { code: 'outcome-unknown', settle: lost.body.settle } })
  t.match(await sms('found', 'lost'), { status: 422 })
  t.notOk((await send('/skills', { skillName: 'lost' })).body.settle, 'without a key it is said as ever')
  upstream.behave(({ response }) => response.end('<html>'))
  t.match(await sms('garbled', 'garbled'), { status: 504, body: { code: 'outcome-unknown', settle } })
  upstream.behave(refuse(385))
  t.match(
    await sms('faulty', 'faulty'),
    { status: 502, body: { code: 'upstream-fault', settle } },
    'a fault of the upstream leaves it open'
  )
  upstream.behave(({ act }) => act())
  t.match(await sms('faulty', 'faulty'), { status: 504, replayed: true, body: { code: 'outcome-unknown' } })
  t.equal(upstream.count('lost'), 2)

  const page = await app.idempotency.list({ state: 'unknown', limit: 2 })
  t.match(page, { items: [{ id: lost.body.settle.id, tenantId: 'acme', operation: 'sendSms', state: 'unknown' }, {}], next: /^/ })
  const rest = await app.idempotency.list({ state: 'unknown', limit: 2, after: page.next! })
  t.match(rest.items.length, 1)
  t.equal(rest.next, undefined)
  const [, garbled] = page.items
  const [faulty] = rest.items

  const settleAs = app.idempotency.settle
  const actor = { kind: 'admin', id: 'admin-1' } as const
  const answer = { status: 201, headers: { 'content-type': 'application/json; charset=utf-8' }, body: '{"messageId":77}' }
  t.equal(await settleAs(lost.body.settle.id, { outcome: 'done', answer }, actor), 'settled')
  t.match(await sms('lost', 'lost'), { status: 201, replayed: true, body: { messageId: 77 } })
  t.equal(await settleAs(garbled!.id, { outcome: 'done', answer: { status: 204, headers: {} } }, actor), 'settled')
  t.match(await sms('garbled', 'garbled'), { status: 204, replayed: true, text: '' })
  t.equal(await settleAs(faulty!.id, { outcome: 'not-sent' }, actor), 'settled')
  t.match(await sms('faulty', 'faulty'), { status: 201, replayed: false }, 'the key is free again')
  t.equal(upstream.count('faulty'), 1)
  t.equal(await settleAs(lost.body.settle.id, { outcome: 'not-sent' }, actor), 'not-unknown', 'once')
  t.equal(await settleAs(randomUUID(), { outcome: 'not-sent' }, actor), 'missing')
  const { items } = await store.auditLog({ action: 'idempotency.settle' })
  t.match(items, [
    { target: faulty!.id, detail: { outcome: 'not-sent' } },
    { target: garbled!.id },
    { target: lost.body.settle.id, tenantId: 'acme', actor }
  ])
  t.equal(items.length, 3)
})

onEveryDatabase(t, 'answers are kept for a time', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { sms, app } = await serve(t, house, { IDEMPOTENCY_TTL: '1' })
  for (let i = 0; i < 2; i++) {
    t.match(await sms('brief', 'brief'), { status: 201, replayed: false })
    await sleep(5)
  }
  t.equal(upstream.count('brief'), 2)
  for (let i = 0; i < 20; i++) await sms('many')
  await sleep(5)
  t.match(await app.idempotency.sweep(), { expired: 21, freed: 0, unknown: 0 })
  t.match(await app.idempotency.list({}), { items: [] })
})

// ----------------------------------------------------------------------------------------------------------- the store fails

/** Has the database refuse a step, until it is let go. */
async function refuseStep({ kind, exec }: TestDatabase, state: string): Promise<() => Promise<void>> {
  if (kind === 'SQLite') {
    await exec(`create trigger no_step before update on idempotency when new.state = '${state}' begin select raise(abort, 'no'); end`)
    return () => exec('drop trigger no_step')
  }
  await exec("create or replace function no_step() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$")
  await exec(`create trigger no_step before update on idempotency for each row when (new.state = '${state}') execute function no_step()`)
  return () => exec('drop trigger no_step on idempotency')
}

onEveryDatabase(t, 'without its store nothing is sent', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { sms, app } = await serve(t, house)
  await sms('warm')
  await database.exec('alter table idempotency rename to moved')
  const unavailable = { status: 503, retryAfter: /^\d+$/, body: { code: 'store-unavailable', retryable: true } }
  t.match(await sms('moved', 'moved'), unavailable)
  await database.exec('alter table moved rename to idempotency')
  t.equal(upstream.count('moved'), 0)
  t.match(await sms('moved', 'moved'), { status: 201, replayed: false })

  let back = await refuseStep(database, 'sent')
  t.match(await sms('unmarked', 'unmarked'), unavailable, 'a call that cannot be recorded before it is sent is not sent')
  await back()
  t.equal(upstream.count('unmarked'), 0)
  t.match(await sms('unmarked', 'unmarked'), { status: 201, replayed: false })

  back = await refuseStep(database, 'done')
  const answer = await sms('unkept', 'unkept')
  t.equal(answer.status, 201, 'an answer that cannot be kept is given all the same')
  t.match(await sms('unkept', 'unkept'), { status: 409 })
  await back()
  await app.idempotency.renew()
  t.same(await sms('unkept', 'unkept'), { ...answer, replayed: true }, 'and kept when the store is back')
  t.equal(upstream.count('unkept'), 1)
})

// ------------------------------------------------------------------------------------------------------------- the caller goes

onEveryDatabase(t, 'a caller that disconnects loses nothing', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { sms, app, address } = await serve(t, house)
  const leaveDuring = async (text: string): Promise<() => void> => {
    const arrived = Promise.withResolvers<() => void>()
    upstream.behave(({ act }) => arrived.resolve(act))
    const body = JSON.stringify(message(text))
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    socket.write(
      `POST /sms-messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${house.key}\r\nIdempotency-Key: ${text}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
    const act = await arrived.promise
    socket.destroy()
    upstream.behave(({ act }) => act())
    return act
  }
  const act = await leaveDuring('gone')
  t.match(await sms('gone', 'gone'), { status: 409 }, 'the call goes on')
  act()
  await until('the answer', async () => (await app.idempotency.list({ state: 'done' })).items.length === 1)
  t.match(await sms('gone', 'gone'), { status: 201, replayed: true })

  const later = await leaveDuring('closing')
  const closed = app.close()
  await sleep(50)
  later()
  await closed
  const next = await serve(t, house)
  t.match(await next.sms('closing', 'closing'), { status: 201, replayed: true }, 'a service that closes waits for it')
  t.equal(upstream.count('gone'), 1)
  t.equal(upstream.count('closing'), 1)
})

// ------------------------------------------------------------------------------------------------------------------- uploads

const rows = 'phone;name\n14155550101;Ada\n'
const listFields = { ruleId: '5', priority: '1', maxSimultaneous: '2', numAttempts: '3' }
const csvUrl = (name: string) => `/call-lists?${new URLSearchParams({ ...listFields, name })}`
const csv = { 'content-type': 'text/csv' }

function formOf(name: string, file: string, fileFirst: boolean): FormData {
  const form = new FormData()
  const appendFile = () => form.append('fileContent', new Blob([file], { type: 'text/csv' }), 'tasks.csv')
  if (fileFirst) appendFile()
  for (const [field, value] of Object.entries({ ...listFields, name })) form.append(field, value)
  if (!fileFirst) appendFile()
  return form
}

onEveryDatabase(t, 'uploads', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const { send, app, address } = await serve(t, house)
  const big = rows + '14155550102;Grace\n'.repeat(20_000)
  for (const [what, first, same, other] of [
    ['raw', [csvUrl('raw'), big, csv], [csvUrl('raw'), big, csv], [csvUrl('raw'), `${big}1;x\n`, csv]],
    [
      'raw, other field',
      [csvUrl('raw, other field'), rows, csv],
      [csvUrl('raw, other field'), rows, csv],
      [`${csvUrl('raw, other field')}&intervalSeconds=5`, rows, csv]
    ],
    [
      'form',
      ['/call-lists', formOf('form', big, true)],
      ['/call-lists', formOf('form', big, false)],
      ['/call-lists', formOf('form', `${big}1;x\n`, true)]
    ],
    [
      'form, other field',
      ['/call-lists', formOf('form, other field', rows, true)],
      ['/call-lists', formOf('form, other field', rows, true)],
      ['/call-lists', formOf('form, other name', rows, true)]
    ],
    [
      'rows',
      ['/call-lists', { name: 'rows', ruleId: 1, priority: 0, maxSimultaneous: 5, numAttempts: 2, tasks: [{ phone: '1' }] }],
      ['/call-lists', { tasks: [{ phone: '1' }], ruleId: 1, name: 'rows', priority: 0, maxSimultaneous: 5, numAttempts: 2 }],
      ['/call-lists', { name: 'rows', ruleId: 1, priority: 0, maxSimultaneous: 5, numAttempts: 2, tasks: [{ phone: '2' }] }]
    ]
  ] as [
    string,
    [string, unknown, Record<string, string>?],
    [string, unknown, Record<string, string>?],
    [string, unknown, Record<string, string>?]
  ][]) {
    const key = what.replace(/\W/g, '')
    const answer = await send(first[0], first[1], key, first[2])
    t.match(answer, { status: 201, replayed: false, body: { listId: Number } }, what)
    t.same(await send(same[0], same[1], key, same[2]), { ...answer, replayed: true }, `${what}: the same again`)
    t.match(
      await send(other[0], other[1], key, other[2]),
      { status: 422, body: { code: 'idempotency-key-reused' } },
      `${what}: another one`
    )
    t.equal(upstream.count(what), 1, `${what}: one effect`)
  }
  t.equal(upstream.effects.length, 5)

  const arrived = Promise.withResolvers<() => void>()
  upstream.behave(({ act }) => arrived.resolve(act))
  const slow = send(csvUrl('slow'), rows, 'slow', csv)
  const act = await arrived.promise
  t.match(await send(csvUrl('slow'), rows, 'slow', csv), { status: 409, body: { code: 'idempotency-in-flight' } })
  act()
  t.match(await slow, { status: 201 })
  upstream.behave(({ act }) => act())

  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  socket.write(
    `POST ${csvUrl('cut')} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${house.key}\r\nIdempotency-Key: cut\r\nContent-Type: text/csv\r\nContent-Length: ${big.length}\r\n\r\n${rows}`
  )
  await until('the claim', async () => (await app.idempotency.list({ state: 'started' })).items.length === 1)
  socket.destroy()
  await until('its end', async () => (await app.idempotency.list({ state: 'started' })).items.length === 0)
  t.equal(upstream.count('cut'), 0)
  t.match(await send(csvUrl('cut'), big, 'cut', csv), { status: 201, replayed: false }, 'an upload that was cut has freed its key')

  upstream.behave(({ effect, response }) => {
    upstream.effects.push(effect)
    response.destroy()
  })
  t.match(await send(csvUrl('lost'), rows, 'lost', csv), { status: 504, body: { settle: { method: 'GetCallLists', by: ['name'] } } })
  t.match(await send(csvUrl('lost'), rows, 'lost', csv), { status: 504, replayed: true, body: { settle: { method: 'GetCallLists' } } })
  t.match(await send(csvUrl('lost'), `${rows}1;x\n`, 'lost', csv), { status: 422 })
  t.equal(upstream.count('lost'), 1)
})

// ------------------------------------------------------------------------------------------------------------------- secrets

onEveryDatabase(t, 'no answer and no key stands in the database', async (t, database) => {
  const house = await found(t, database)
  const { send, app } = await serve(t, house)
  const key = 'canary-key-19ba77'
  const body = { conferenceName: 'weekly', ruleId: 1 }
  const answer = await send('/conferences', body, key)
  t.match(answer, { status: 201, body: { mediaSessionAccessSecureUrl: secret } })
  t.same(await send('/conferences', body, key), { ...answer, replayed: true })
  const planted = 'planted-5d1e90'
  await database.exec(`update idempotency set operation = '${Buffer.from(`..${planted}`).toString('base64')}'`)
  const dump = await database.dump()
  const isIn = (text: string) => {
    const bytes = Buffer.from(text)
    const encodings = [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), bytes.toString('hex')]
    // Base64 looks different at each of three offsets; the ends depend on what stands beside.
    for (let offset = 0; offset < 3; offset++)
      for (const base64 of ['base64', 'base64url'] as const)
        encodings.push(
          Buffer.concat([Buffer.alloc(offset), bytes])
            .toString(base64)
            .slice(4, -4)
        )
    return encodings.some(form => dump.includes(form))
  }
  t.ok(isIn(planted), 'the scanner finds what was planted')
  t.ok(dump.includes('acme'))
  for (const canary of [secret, 'canary-8f3b2c', key, house.key, 'mediaSessionAccessSecureUrl']) t.notOk(isIn(canary), canary)
  t.match(await app.idempotency.list({ state: 'done' }), { items: [{ tenantId: 'acme' }] })
})

// ------------------------------------------------------------------------------------------------------------- administration

onEveryDatabase(t, 'administrators settle over HTTP', async (t, database) => {
  const house = await found(t, database)
  const { upstream } = house
  const token = randomBytes(32).toString('base64url')
  const store = await openStore(database.dialect(), createVault(house.masterKey))
  const app = await build({ config: testConfig(), store, origin: upstream.origin, adminTokens: readAdminTokens(`ops:${token}`) })
  t.teardown(() => app.close())
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const sms = (text: string) => post(address, house.key, '/sms-messages', message(text), { 'idempotency-key': text })
  const listed = async (bearer: string, query: string) => {
    const answer = await fetch(`${address}/admin/idempotency${query}`, { headers: { authorization: `Bearer ${bearer}` } })
    return { status: answer.status, body: (await answer.json()) as { items: { id: string }[]; code?: string } }
  }
  const settle = (id: string, body: object, bearer = token) => post(address, bearer, `/admin/idempotency/${id}/settle`, body)
  upstream.behave(({ response }) => response.destroy())
  const ids = []
  for (const text of ['one', 'two']) ids.push((await sms(text)).body.settle.id)
  upstream.behave(({ act }) => act())

  t.match(await listed(token, '?state=unknown'), {
    status: 200,
    body: { items: ids.map(id => ({ id, operation: 'sendSms', tenantId: 'acme' })) }
  })
  t.equal((await listed(house.key, '')).status, 401, "a tenant's key is no administrator's")
  t.equal((await settle(ids[0], { outcome: 'not-sent' }, house.key)).status, 401)
  for (const bad of [
    {},
    { outcome: 'maybe' },
    { outcome: 'done', status: 404 },
    { outcome: 'not-sent', body: {} },
    { outcome: 'done', more: 1 }
  ])
    t.match(await settle(ids[0], bad), { status: 400, body: { code: 'invalid-request' } }, JSON.stringify(bad))
  t.match(await settle(randomUUID(), { outcome: 'not-sent' }), { status: 404 })

  t.equal((await settle(ids[0], { outcome: 'done', status: 201, body: { messageId: 4711 } })).status, 204)
  t.match(await sms('one'), { status: 201, replayed: true, body: { messageId: 4711 } })
  t.match(await settle(ids[0], { outcome: 'not-sent' }), { status: 409, body: { code: 'nothing-to-settle' } })
  t.equal((await settle(ids[1], { outcome: 'not-sent' })).status, 204)
  t.match(await sms('two'), { status: 201, replayed: false })
  t.match(await listed(token, '?state=unknown'), { body: { items: [] } })
  const { items } = await store.auditLog({ action: 'idempotency.settle' })
  t.match(items, [
    { actor: { kind: 'admin', id: 'ops' }, target: ids[1] },
    { target: ids[0], detail: { outcome: 'done', status: 201 } }
  ])
})

// ------------------------------------------------------------------------------------------------------------------- crashes

interface Child {
  address: string
  process: ChildProcess
  /** Resolves when it is dead. */
  dead: Promise<unknown>
}

const childFile = fileURLToPath(new URL('./children/crashing-service.ts', import.meta.url))
/** Short, so that what a dead process held is soon taken over. */
const lease = 400

async function startChild(t: Test, { database, masterKey, upstream }: House, crashAt = ''): Promise<Child> {
  const child = spawn(process.execPath, [childFile, masterKey.toString('base64'), upstream.origin], {
    env: {
      PATH: process.env.PATH,
      ...database.env,
      DOCS: 'false',
      IDEMPOTENCY_LEASE: String(lease),
      CRASH_AT: crashAt,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE
    },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const dead = once(child, 'exit')
  for await (const line of createInterface(child.stdout!)) return { address: line, process: child, dead }
  throw new Error('a child did not start')
}

/** An answer, or none when the service dies. */
const attempt = (address: string, key: string, text: string): Promise<Answered | undefined> =>
  post(address, key, '/sms-messages', message(text), { 'idempotency-key': text.replaceAll(' ', '-') }).catch(() => undefined)

/** Sends a request again until its outcome is said: done, or not known. */
async function settled(addressOf: () => string, key: string, text: string): Promise<Answered> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
    const answer = await attempt(addressOf(), key, text)
    if (answer?.status === 201 || answer?.body?.code === 'outcome-unknown') return answer
    if (answer && answer.status !== 409) throw new Error(`${text}: ${answer.text}`)
  }
  throw new Error(`${text} is not settled`)
}

onEveryDatabase(t, 'a crash at any point never sends twice', async (t, database) => {
  const house = await found(t, database)
  const { upstream, key } = house
  const survivor = await serve(t, house, { IDEMPOTENCY_LEASE: String(lease) })
  // Where it dies, how many effects there are then, and what the same request is answered by a process that lives.
  const points: [string, number, number][] = [
    ['before insert', 0, 201],
    ['after insert', 0, 201],
    ['before sent', 0, 201],
    ['after sent', 0, 504],
    ['before done', 1, 504],
    ['after done', 1, 201]
  ]
  const replayed: string[] = []
  for (const [point, effects, status] of points) {
    const child = await startChild(t, house, point)
    t.equal(await attempt(child.address, key, point), undefined, `${point}: it dies`)
    await child.dead
    t.equal(upstream.count(point), effects, `${point}: ${effects} effects`)
    const answer = await settled(() => survivor.address, key, point)
    t.equal(answer.status, status, `${point}: then ${status}`)
    if (answer.replayed) replayed.push(point)
    t.equal(upstream.count(point), status === 504 ? effects : 1, `${point}: never twice`)
  }
  t.strictSame(replayed, ['after sent', 'before done', 'after done'])

  const atUpstream: [string, boolean][] = [
    ['when the upstream has the call', false],
    ['when the upstream has done it', true]
  ]
  for (const [point, acts] of atUpstream) {
    const child = await startChild(t, house)
    upstream.behave(({ effect }) => {
      if (acts) upstream.effects.push(effect)
      child.process.kill('SIGKILL')
    })
    t.equal(await attempt(child.address, key, point), undefined, `${point}: it is killed`)
    await child.dead
    upstream.behave(({ act }) => act())
    t.match(await settled(() => survivor.address, key, point), {
      status: 504,
      replayed: true,
      body: { settle: { method: 'GetSmsHistory' } }
    })
    t.equal(upstream.count(point), acts ? 1 : 0, `${point}: never twice`)
  }

  // A process that sleeps past its lease finds its claim gone, or its answer still wanted.
  const sleeper = await startChild(t, house)
  const arrived = Promise.withResolvers<() => void>()
  upstream.behave(({ act }) => arrived.resolve(act))
  const asked = attempt(sleeper.address, key, 'sleeper')
  const act = await arrived.promise
  sleeper.process.kill('SIGSTOP')
  t.match(await settled(() => survivor.address, key, 'sleeper'), { status: 504, replayed: true }, 'taken for dead')
  act()
  sleeper.process.kill('SIGCONT')
  t.match(await asked, { status: 201 })
  t.match(await attempt(survivor.address, key, 'sleeper'), { status: 201, replayed: true }, 'what it learns after all counts')
  t.equal(upstream.count('sleeper'), 1)
})

onEveryDatabase(t, 'kill -9 at random, during money calls', async (t, database) => {
  const house = await found(t, database)
  const { upstream, key } = house
  // Each costs the start of a process; KILLS=50 makes it a hundred on the two databases, which takes some seven minutes.
  const kills = Number(process.env.KILLS ?? 2)
  upstream.behave(({ act }) => void setTimeout(act, Math.random() * 20))
  let current = await startChild(t, house)
  const texts: string[] = []
  const outcomes = new Map<string, number>()
  const open = new Set<string>()
  const send = async (text: string) => {
    const answer = await attempt(current.address, key, text)
    if (answer?.status === 201 || answer?.body?.code === 'outcome-unknown') {
      outcomes.set(text, answer.status)
      open.delete(text)
    } else if (answer && answer.status !== 409) throw new Error(`${text}: ${answer.text}`)
  }
  for (let kill = 1; kill <= kills; kill++) {
    // The next one is started while this one is under load.
    const next = startChild(t, house)
    let alive = true
    const load = Array.from({ length: 6 }, async (_, caller) => {
      for (let i = 0; alive; i++) {
        // New requests, and old ones again.
        const [old] = [...open].filter((_, at) => at % 6 === caller)
        const text = old !== undefined && i % 2 === 0 ? old : `kill ${kill} ${caller} ${i}`
        if (text !== old) {
          texts.push(text)
          open.add(text)
        }
        await send(text)
      }
    })
    const successor = await next
    await sleep(Math.random() * 60)
    current.process.kill('SIGKILL')
    alive = false
    await Promise.all(load)
    await current.dead
    current = successor
  }
  for (const text of [...open]) outcomes.set(text, (await settled(() => current.address, key, text)).status)
  const counts = { effects: 0, doubled: 0, lost: 0, unknown: 0, 'unknown with an effect': 0 }
  for (const text of texts) {
    const effects = upstream.count(text)
    counts.effects += effects
    if (effects > 1) counts.doubled++
    if (outcomes.get(text) === 201 && effects !== 1) counts.lost++
    if (outcomes.get(text) === 504) counts.unknown++
    if (outcomes.get(text) === 504 && effects > 0) counts['unknown with an effect']++
  }
  t.equal(counts.doubled, 0, 'doubled')
  t.equal(counts.lost, 0, 'acknowledged without an effect')
  t.equal(outcomes.size, texts.length, 'each gets its outcome')
  t.ok(counts.effects > kills)
  t.comment(`${kills} kills, ${texts.length} requests with a key: ${JSON.stringify(counts)}`)
})

onEveryDatabase(t, 'a tenant that is deleted while its call is in flight', async (t, { dialect }) => {
  const store = await openStore(dialect(), createVault(randomBytes(32)))
  t.teardown(() => store.close())
  const records = createIdempotency(store, { ttl: 60_000, lease: 60_000 })
  const claim = async (tenantId: string) => {
    await store.by(tester).createTenant({ tenantId, name: 'x', accountId: 1 })
    const begun = await records.claim({ tenantId, keyId: 'k', lineage: 'k', operation: 'sendSms', key: 'k' }, undefined)
    if (!('attempt' in begun)) throw new Error('it is taken')
    await begun.attempt.sending(undefined)
    return begun.attempt
  }
  const leases = async () => (await sql<{ lease_until: string }>`select lease_until from idempotency`.execute(store.database)).rows
  const gone = await claim('gone')
  const stays = await claim('stays')
  await store.by(tester).deleteTenant('gone')
  await gone.end({ kind: 'done', answer: { status: 204, headers: {} }, fingerprint: undefined })
  const [before] = await leases()
  for (const from = Date.now(); Date.now() <= from + 1; );
  await records.renew()
  const [after, ...others] = await leases()
  t.same(others, [], 'its record is gone')
  t.ok(after!.lease_until > before!.lease_until, 'the claims of others are renewed all the same')
  await stays.end({ kind: 'done', answer: { status: 204, headers: {} }, fingerprint: undefined })
  const idle = await Promise.race([records.idle(60_000).then(() => true), sleep(10_000, false, { ref: false })])
  t.ok(idle, 'and nothing is held for it')
})
