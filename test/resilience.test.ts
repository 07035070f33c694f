import type { IncomingMessage, ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { operations } from '../src/app.ts'
import { skewOf } from '../src/voximplant/token.ts'
import { emptyList, startStub } from './stub.ts'
import { startService } from './support.ts'

/** What is tried again and what is not, against an upstream that fails, on real sockets; it counts every attempt. */

type Behave = (form: URLSearchParams, response: ServerResponse, request: IncomingMessage) => void

async function start(t: Test, env: Record<string, string> = {}, tenants = 1) {
  const attempts: string[] = []
  let behave: Behave = (_, response) => response.destroy()
  const { server, origin } = await startStub(t, ({ form, request, response }) => {
    attempts.push(form.get('cmd') ?? '')
    behave(form, response, request)
  })
  const service = await startService({ origin, tenants, env: { UPSTREAM_MAX_RETRIES: '2', ...env } })
  t.teardown(() => service.close())
  return {
    service,
    server,
    attempts,
    behave(next: Behave) {
      attempts.length = 0
      behave = next
    }
  }
}

const user = { userName: 'bob', userDisplayName: 'Bob', userPassword: 'Passw0rd!' }
const issuedAt = ({ headers }: IncomingMessage): number =>
  JSON.parse(Buffer.from(headers.authorization!.split('.')[1]!, 'base64url').toString()).iat

t.test('a read that fails is tried again', async t => {
  const { service, attempts, behave } = await start(t)
  behave((_, response) => (attempts.length < 3 ? response.destroy() : response.end(emptyList)))
  t.equal((await service.call('GET', '/skills')).status, 200)
  t.equal(attempts.length, 3)
  behave((_, response) => (attempts.length < 2 ? response.writeHead(502).end('<html>') : response.end(emptyList)))
  t.equal((await service.call('GET', '/skills')).status, 200, 'an HTTP error too')
  t.equal(attempts.length, 2)
  behave((_, response) => response.destroy())
  t.match(await service.call('GET', '/skills'), { status: 502, body: { code: 'upstream-unreachable' } })
  t.equal(attempts.length, 3, 'and then that is that')
  behave((_, response) => response.end('{"error":{"code":118,"msg":"no"}}'))
  await service.call('GET', '/skills')
  t.equal(attempts.length, 1, 'a refusal stays one')
})

t.test('a change is sent again only where that cannot double it', async t => {
  const { service, attempts, behave } = await start(t)
  behave((_, response) => response.destroy())
  t.match(await service.call('POST', '/applications/1/users', user), { status: 504, body: { code: 'outcome-unknown' } })
  t.same(attempts, ['AddUser'], 'an addition whose answer was lost')
  for (const answer of [503, 429, 500] as const) {
    behave((_, response) => response.writeHead(answer).end())
    await service.call('POST', '/applications/1/users', user)
    t.equal(attempts.length, 1, `an addition answered ${answer}`)
  }
  const repeatable = operations.filter(({ traits }) => traits.retry === 'transport')
  t.ok(repeatable.length > 0)
  t.ok(
    repeatable.every(({ traits }) => !traits.costsMoney && !traits.destructive),
    'what may be repeated after its bytes were sent costs nothing and destroys nothing'
  )
  const set = repeatable.find(({ id }) => id === 'updateSkill')
  if (set) {
    behave((_, response) => response.destroy())
    t.match(await service.call('PATCH', '/skills/1', { skillName: 'sales' }), { status: 504, body: { code: 'outcome-unknown' } })
    t.equal(attempts.length, 2, 'a set once')
  }
  t.comment(`${repeatable.length} repeatable operations`)
})

t.test('Retry-After', async t => {
  const { service, attempts, behave } = await start(t)
  behave((_, response) => (attempts.length < 2 ? response.writeHead(503, { 'retry-after': '1' }).end() : response.end(emptyList)))
  const before = performance.now()
  t.equal((await service.call('GET', '/skills')).status, 200)
  t.ok(performance.now() - before >= 990, 'a short wait is waited')
  behave((_, response) => response.writeHead(429, { 'retry-after': '60' }).end())
  const limited = await service.call('GET', '/skills')
  t.match(limited, { status: 429, headers: { 'retry-after': '60' } }, 'a long one is the caller’s')
  t.equal(attempts.length, 1)
})

t.test('retries have a budget', async t => {
  const { service, attempts, behave } = await start(t)
  behave((_, response) => response.writeHead(500).end())
  const answers = await Promise.all(Array.from({ length: 200 }, () => service.call('GET', '/skills')))
  t.ok(answers.every(({ status }) => status === 502))
  t.ok(attempts.length >= 200 && attempts.length <= 200 + 10 + 200 * 0.2, `${attempts.length} attempts for 200 calls`)
})

t.test('a tenth of all reads is tried again, however many of them wait for that', async t => {
  const { service, behave } = await start(t, { UPSTREAM_RETRY_BASE_DELAY: '2000' })
  const failed = new Set<string>()
  behave((form, response) => {
    const name = form.get('skill_name')!
    if (!name.endsWith('0') || failed.has(name)) return response.end(emptyList)
    failed.add(name)
    response.writeHead(500).end()
  })
  let next = 0
  let bad = 0
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      while (next < 400) if ((await service.call('GET', `/skills?skillName=s${next++}`)).status !== 200) bad++
    })
  )
  t.equal(failed.size, 40)
  t.equal(bad, 0)
})

t.test('a refused token is signed anew, once, by the upstream’s clock', async t => {
  const { service, attempts, behave } = await start(t)
  const theirs = Date.now() - 3_600_000
  const seen: number[] = []
  behave((_, response, request) => {
    seen.push(issuedAt(request))
    response.setHeader('date', new Date(theirs).toUTCString())
    response.end(issuedAt(request) * 1000 > theirs + 60_000 ? '{"error":{"code":455,"msg":"future"}}' : '{"result":1,"user_id":7}')
  })
  t.equal((await service.call('POST', '/applications/1/users', user)).status, 201, 'a write too: the upstream did nothing for that token')
  t.equal(attempts.length, 2)
  t.ok(Math.abs(seen[1]! * 1000 - theirs) < 5_000, 'the upstream’s clock')
  await service.call('POST', '/applications/1/users', user)
  t.equal(attempts.length, 3, 'and kept')
  for (const code of [447, 454, 456]) {
    behave((_, response) => response.end(JSON.stringify({ error: { code, msg: 'token' } })))
    t.match(await service.call('GET', '/skills'), { status: 502, body: { code: 'upstream-token-rejected' } })
    t.equal(attempts.length, 2, `${code}, again and again`)
  }
  behave((_, response) => response.end('{"error":{"code":100,"msg":"no"}}'))
  t.equal((await service.call('GET', '/skills')).status, 424)
  t.equal(attempts.length, 1, 'a refused credential is none, while the clocks agree')
  const now = Date.parse('2026-11-24T15:00:00Z')
  t.equal(skewOf('Tue, 24 Nov 2026 17:00:00 GMT', now), 7_200)
  for (const nonsense of [undefined, '', 'soon', 'Tue, 24 Nov 2099 15:00:00 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    t.equal(skewOf(nonsense, now), 0, `a clock that says ${nonsense} is not followed`)
})

t.test('the breaker', async t => {
  const { service, attempts, behave } = await start(
    t,
    { UPSTREAM_MAX_RETRIES: '0', BREAKER_FAILURE_THRESHOLD: '5', BREAKER_PROBE_INTERVAL: '300' },
    2
  )
  behave((_, response) => response.destroy())
  for (let i = 0; i < 5; i++) t.equal((await service.call('GET', '/skills')).status, 502)
  t.equal(attempts.length, 5)
  const end = performance.now() + 1_000
  let refused = 0
  while (performance.now() < end) {
    const answer = await service.call('GET', '/skills')
    if (answer.status === 503) {
      refused++
      t.match(answer.body, { code: 'upstream-unavailable', retryable: true })
      t.ok(answer.headers['retry-after'])
    }
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  t.ok(refused > 10)
  t.ok(attempts.length - 5 >= 1 && attempts.length - 5 <= 4, `${attempts.length - 5} probes in a second, one per 300 ms at most`)
  t.equal((await service.call('GET', '/skills', undefined, { tenant: 1 })).status, 502, 'another tenant has a breaker of its own')
  behave((_, response) => response.end(emptyList))
  await new Promise(resolve => setTimeout(resolve, 350))
  t.equal((await service.call('GET', '/skills')).status, 200, 'the probe finds it back')
  t.equal((await service.call('GET', '/skills')).status, 200)
  for (let i = 0; i < 20; i++) {
    behave((_, response) => response.end('{"error":{"code":118,"msg":"no"}}'))
    t.equal((await service.call('GET', '/skills')).status, 409, 'refusals do not open it')
  }
})
