import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { startStub } from '../stub.ts'
import { freshKey, startService } from '../support.ts'

/** Answers of proxies between Voxgate and the upstream's API, after a change was sent. */

type Answer = (response: ServerResponse) => void

/** An upstream that has done each change before `answer` says something else. */
async function start(t: Test, env: Record<string, string> = {}) {
  let effects = 0
  let answer: Answer = response => response.end()
  const { origin } = await startStub(t, ({ response }) => {
    effects++
    answer(response)
  })
  const service = await startService({ origin, env })
  t.teardown(() => service.close())
  return {
    service,
    effects: () => effects,
    behave(next: Answer) {
      answer = next
    }
  }
}

const envoy = 'upstream connect error or disconnect/reset before headers. reset reason: connection termination'
const ofGateways: [what: string, answer: Answer][] = [
  ['503 of Envoy', response => response.writeHead(503, { 'content-type': 'text/plain' }).end(envoy)],
  ['503 with Retry-After', response => response.writeHead(503, { 'retry-after': '0' }).end()],
  ['503 in JSON', response => response.writeHead(503, { 'retry-after': '0' }).end('{"error":"Service Unavailable"}')],
  ['503 in JSON of another API', response => response.writeHead(503).end('{"error":{"code":503,"message":"no healthy upstream"}}')],
  ['429 without a body', response => response.writeHead(429, { 'retry-after': '0' }).end()],
  ['429 in HTML', response => response.writeHead(429).end('<html>Too Many Requests</html>')],
  ['429 in JSON', response => response.writeHead(429).end('{"errors":["rate limit"]}')],
  ['200 with an error of another form', response => response.end('{"result":1,"message_id":7,"error":"timeout"}')],
  ['504 in JSON', response => response.writeHead(504).end('{"error":{"code":"gateway_timeout","msg":"late"}}')],
  ['403 of a firewall', response => response.writeHead(403).end('{"error":{"msg":"blocked"}}')]
]
const ofApi: [what: string, answer: Answer, status: number][] = [
  ['HTTP 429', response => response.writeHead(429).end('{"error":{"code":165,"msg":"wait"}}'), 429],
  ['HTTP 503', response => response.writeHead(503).end('{"errors":[{"code":127,"msg":"no money"}]}'), 402],
  ['HTTP 200', response => response.end('{"error":{"code":"118","msg":"taken"}}'), 409]
]
const sms = { source: '14155550100', destination: '14155550101', smsBody: 'hello' }

t.test('a change that something in between answered is never sent a second time', async t => {
  const { service, effects, behave } = await start(t, { UPSTREAM_MAX_RETRIES: '2' })
  for (const [what, answer] of ofGateways) {
    behave(answer)
    const before = effects()
    const headers = { 'idempotency-key': randomUUID() }
    const first = await service.call('POST', '/sms-messages', sms, { headers })
    t.match(first, { status: 504, body: { code: 'outcome-unknown', settle: { id: String } } }, what)
    t.equal(first.headers['retry-after'], undefined, 'it is not the same request that may be sent again')
    behave(response => response.end('{"result":1,"message_id":1}'))
    const again = await service.call('POST', '/sms-messages', sms, { headers })
    t.match(again, { status: 504, body: { code: 'outcome-unknown' }, headers: { 'idempotency-replayed': 'true' } }, what)
    t.equal(effects() - before, 1, `${what}: one effect`)
  }
  for (const [method, url, body] of [
    ['PATCH', '/skills/1', { skillName: 'sales' }],
    ['DELETE', '/skills/1', undefined],
    ['POST', '/skills', { skillName: 'sales' }]
  ] as const)
    for (const [what, answer] of ofGateways) {
      behave(answer)
      const before = effects()
      t.match(await service.call(method, url, body), { status: 504, body: { code: 'outcome-unknown' } }, `${method}: ${what}`)
      t.equal(effects() - before, 1)
    }
})

t.test("the API's own error document frees the key, whatever the HTTP status", async t => {
  const { service, behave } = await start(t)
  for (const [what, answer, status] of ofApi) {
    behave(answer)
    t.match(await service.call('POST', '/sms-messages', sms), { status, body: { upstream: { code: Number } } }, what)
  }
})

t.test('reads are answered and tried again as before', async t => {
  const { service, effects, behave } = await start(t, { UPSTREAM_MAX_RETRIES: '2' })
  behave(response => response.writeHead(503, { 'retry-after': '0' }).end(envoy))
  t.match(await service.call('GET', '/skills'), { status: 503, body: { code: 'upstream-unavailable' } })
  t.equal(effects(), 3)
  behave(response => response.writeHead(429, { 'retry-after': '7' }).end())
  t.match(await service.call('GET', '/skills'), { status: 429, body: { code: 'rate-limited' }, headers: { 'retry-after': '7' } })
})

t.test('an upload that something in between answered after its end is outcome-unknown', async t => {
  const { service, effects, behave } = await start(t)
  const url = '/call-lists?ruleId=1&priority=1&maxSimultaneous=1&numAttempts=1&name=x'
  for (const [what, answer] of [...ofGateways, ['413 of a proxy', (response: ServerResponse) => response.writeHead(413).end()] as const]) {
    behave(answer)
    const before = effects()
    const headers = { 'content-type': 'text/csv', ...freshKey('POST', url) }
    for (let i = 0; i < 2; i++)
      t.match(await service.call('POST', url, 'phone\n1\n', { headers }), { status: 504, body: { code: 'outcome-unknown' } }, what)
    t.equal(effects() - before, 1, `${what}: one effect`)
  }
})
