import type { Server, ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { problemTypes } from '../src/problems/problem.ts'
import { codeOf, knownCodes, meaningOf } from '../src/voximplant/error-codes.ts'
import statuses from './fixtures/error-statuses.json' with { type: 'json' }
import { startStub } from './stub.ts'
import { type Service, startService, tester } from './support.ts'

/** The client against an upstream that misbehaves, on real sockets. */

const expected = statuses as Record<string, { name: string; status: number; type: string; asSelector?: number; asBodyReference?: number }>

type Answer = (form: URLSearchParams, response: ServerResponse, attempt: number) => void

interface Faulty {
  server: Server
  origin: string
  /** Requests taken. */
  count(): number
  behave(answer: Answer): void
}

async function startFaulty(t: Test): Promise<Faulty> {
  let taken = 0
  let answer: Answer = (_, response) => response.end('{"result":1}')
  const { server, origin } = await startStub(t, ({ form, response }) => answer(form, response, ++taken))
  return {
    server,
    origin,
    count: () => taken,
    behave(next) {
      answer = next
    }
  }
}

const quick = {
  UPSTREAM_TIMEOUT: '600',
  UPSTREAM_HEADERS_TIMEOUT: '300',
  UPSTREAM_CONNECT_TIMEOUT: '300',
  UPSTREAM_MAX_RESPONSE_SIZE: '100000'
}

async function startOn(t: Test, origin: string, env: Record<string, string> = quick): Promise<Service> {
  const service = await startService({ origin, env })
  t.teardown(() => service.close())
  return service
}

const user = { userName: 'bob', userDisplayName: 'Bob', userPassword: 'Passw0rd!' }

t.test('every error code of the upstream', async t => {
  t.equal(knownCodes.length, Object.keys(expected).length, 'none is missing and none is made up')
  for (const [code, want] of Object.entries(expected)) {
    const { name, type } = meaningOf(Number(code))
    t.equal(name, want.name, code)
    t.equal(type, want.type, code)
    t.equal(problemTypes[type].status, want.status, code)
    t.equal(codeOf[name as keyof typeof codeOf], Number(code))
    if (want.asSelector) t.equal(problemTypes[meaningOf(Number(code), true).type].status, want.asSelector, `${code} in the URL`)
    if (want.asBodyReference) t.equal(problemTypes[meaningOf(Number(code), false).type].status, want.asBodyReference, `${code} in the body`)
  }
  t.equal(meaningOf(99999).type, 'upstream-fault', 'an unknown code')
  t.comment(`${knownCodes.length} codes`)
})

t.test('every error code, through the service', async t => {
  const upstream = await startFaulty(t)
  const service = await startOn(t, upstream.origin)
  for (const [code, want] of Object.entries(expected)) {
    upstream.behave((_, response) => response.end(JSON.stringify({ error: { code: Number(code), msg: `the words of ${code}` } })))
    // A method without parameters, so that no code is about a field of the request.
    const { status, body, headers } = await service.call('GET', '/outbound-test-number')
    t.equal(status, want.status, `${code} ${want.name}`)
    t.equal(body.code, want.type)
    t.match(body.upstream, { method: 'GetOutboundTestPhoneNumbers', code: Number(code), name: want.name, message: `the words of ${code}` })
    if (want.type === 'rate-limited' || want.type === 'upstream-unavailable') t.ok(headers['retry-after'], 'Retry-After')
  }
})

t.test('a refusal points at our field', async t => {
  const upstream = await startFaulty(t)
  const service = await startOn(t, upstream.origin)
  const refuse = (code: number, field_name?: string) =>
    upstream.behave((_, response) => response.end(JSON.stringify({ error: { code, msg: 'no', field_name } })))

  refuse(496, 'new_user_name')
  const renamed = await service.call('PATCH', '/applications/1/users/1', { userName: 'bob' })
  t.equal(renamed.status, 422)
  t.same(renamed.body.errors, [{ in: 'body', pointer: '/userName', detail: 'no' }], 'a renamed field comes back under its REST name')

  refuse(116)
  t.equal((await service.call('GET', '/applications/7/users')).status, 404, 'an unknown id in the path is not found')
  const moved = await service.call('PATCH', '/queues/1', { applicationId: 7 })
  t.equal(moved.status, 422, 'an unknown id in the body is a wrong value')
  t.same(moved.body.errors[0].pointer, '/applicationId')

  refuse(107)
  t.equal((await service.call('GET', '/applications/~nobody/users')).status, 404, 'a name in the path that is none is not found')
  t.equal(
    (await service.call('POST', '/applications', { applicationName: 'support' })).status,
    422,
    'a bad name in the body is a wrong value'
  )

  refuse(100)
  const credentials = await service.call('GET', '/skills')
  t.equal(credentials.status, 424, "the caller's key is not blamed for the tenant's credentials")
  t.equal(credentials.body.origin, 'voxgate')

  upstream.behave((_, response) => response.end(JSON.stringify({ errors: [{ code: 118, msg: 'taken' }] })))
  t.equal((await service.call('POST', '/applications/1/users', user)).body.code, 'already-exists', 'a list of errors')
  upstream.behave((_, response) => response.end(JSON.stringify({ result: 1, error: { code: 118, msg: 'taken' } })))
  t.equal((await service.call('POST', '/applications/1/users', user)).body.code, 'already-exists', 'an error beside a result')
})

t.test('answers that are none', async t => {
  const upstream = await startFaulty(t)
  const service = await startOn(t, upstream.origin)
  const cases: [string, Answer, readCode: string, writeCode: string][] = [
    [
      'HTML in 200',
      (_, response) => response.setHeader('content-type', 'text/html').end('<html>'),
      'upstream-answer-invalid',
      'outcome-unknown'
    ],
    ['broken JSON', (_, response) => response.end('{"result":[{'), 'upstream-answer-invalid', 'outcome-unknown'],
    ['a list', (_, response) => response.end('[1]'), 'upstream-answer-invalid', 'outcome-unknown'],
    ['null', (_, response) => response.end('null'), 'upstream-answer-invalid', 'outcome-unknown'],
    ['nothing', (_, response) => response.end(), 'upstream-answer-invalid', 'outcome-unknown'],
    ['a stranger', (_, response) => response.end('{"hello":1}'), 'upstream-answer-invalid', 'outcome-unknown'],
    [
      'a redirect',
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'upstream-answer-invalid',
      'outcome-unknown'
    ],
    ['HTTP 404', (_, response) => response.writeHead(404).end('no'), 'upstream-answer-invalid', 'outcome-unknown'],
    ['HTTP 500', (_, response) => response.writeHead(500).end('oops'), 'upstream-fault', 'outcome-unknown'],
    ['HTTP 502', (_, response) => response.writeHead(502).end('<html>'), 'upstream-fault', 'outcome-unknown'],
    ['HTTP 503', (_, response) => response.writeHead(503, { 'retry-after': '7' }).end(), 'upstream-unavailable', 'outcome-unknown'],
    ['HTTP 429', (_, response) => response.writeHead(429, { 'retry-after': '7' }).end(), 'rate-limited', 'outcome-unknown'],
    [
      'an oversized answer',
      (_, response) => response.end(JSON.stringify({ result: 'x'.repeat(200_000) })),
      'upstream-answer-invalid',
      'outcome-unknown'
    ],
    ['a reset', (_, response) => response.destroy(), 'upstream-unreachable', 'outcome-unknown'],
    [
      'a reset in the middle',
      (_, response) => response.write('{"result":', () => response.destroy()),
      'upstream-unreachable',
      'outcome-unknown'
    ],
    ['silence', () => {}, 'upstream-timeout', 'outcome-unknown'],
    ['a drip', (_, response) => drip(response), 'upstream-timeout', 'outcome-unknown'],
    [
      'a short body',
      (_, response) => response.writeHead(200, { 'content-length': 100 }).write('{"result":1}') && setTimeout(() => response.destroy(), 20),
      'upstream-unreachable',
      'outcome-unknown'
    ]
  ]
  for (const [name, answer, readCode, writeCode] of cases) {
    upstream.behave(answer)
    const before = upstream.count()
    const read = await service.call('GET', '/skills')
    t.equal(read.body.code, readCode, `${name}, reading`)
    t.equal(read.status, problemTypes[readCode as keyof typeof problemTypes].status)
    const write = await service.call('POST', '/applications/1/users', user)
    t.equal(write.body.code, writeCode, `${name}, writing`)
    t.equal(upstream.count() - before, 2, 'nothing is sent twice')
    if (readCode === 'rate-limited' || readCode === 'upstream-unavailable') t.equal(read.headers['retry-after'], '7')
  }
  upstream.behave((_, response) => response.end('{"result":[],"total_count":0}'))
  t.equal((await service.call('GET', '/skills')).status, 200, 'and afterwards all is well')
})

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), 50)
  response.on('close', () => clearInterval(timer))
}

t.test('an upstream that is not there', async t => {
  const server = createTcpServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  const service = await startOn(t, `http://127.0.0.1:${port}`)
  for (const [method, url, body] of [
    ['GET', '/skills', undefined],
    ['POST', '/applications/1/users', user]
  ] as const) {
    const { status, body: problem } = await service.call(method, url, body)
    t.equal(status, 502)
    t.equal(problem.code, 'upstream-unreachable', 'provably not sent: no unknown outcome')
    t.notMatch(problem.detail, /127\.0\.0\.1/, 'the internal address is not revealed')
  }
})

t.test('an answer nobody asked for reaches nobody', async t => {
  // Raw TCP: two answers to one request.
  const sockets = new Set<Socket>()
  let taken = 0
  const server = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => {
      const own = JSON.stringify({ result: [{ skill_id: ++taken, skill_name: 'own' }], total_count: 1 })
      const stray = JSON.stringify({ result: [{ skill_id: 666, skill_name: 'stray' }], total_count: 1 })
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-length: ${own.length}\r\n\r\n${own}HTTP/1.1 200 OK\r\ncontent-length: ${stray.length}\r\n\r\n${stray}`
      )
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const service = await startOn(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  let strays = 0
  for (let i = 0; i < 100; i++) {
    const { body } = await service.call('GET', '/skills')
    if (JSON.stringify(body).includes('stray')) strays++
  }
  t.equal(strays, 0)
  t.comment('100 requests')
})

t.test('tokens', async t => {
  const upstream = await startFaulty(t)
  const tokens = new Set<string>()
  upstream.server.on('request', request => tokens.add(request.headers.authorization ?? ''))
  upstream.behave((_, response) => response.end('{"result":[],"total_count":0}'))
  const service = await startOn(t, upstream.origin)
  for (let i = 0; i < 5; i++) await service.call('GET', '/skills')
  t.equal(tokens.size, 1, 'a token is signed once and used again')
  const [head, body] = [...tokens][0]!
    .split(' ')[1]!
    .split('.')
    .map(part => (part.length < 400 ? part : ''))
  t.match(JSON.parse(Buffer.from(head!, 'base64url').toString()), { alg: 'RS256', kid: 'key-500001' })
  const claims = JSON.parse(Buffer.from(body!, 'base64url').toString())
  t.equal(claims.iss, 500_001, 'the account id is a number')
  t.ok(claims.exp - claims.iat <= 3600, 'at most an hour')

  await service.store.by(tester).putCredential('tenant-1', { ...service.tenants[0]!.credential, keyId: 'second' })
  service.app.tenants.forget('tenant-1')
  await service.call('GET', '/skills')
  t.equal(tokens.size, 2, 'a new version of the credential gets a token of its own')
})

t.test('the legacy API key goes into the form, not into a header', async t => {
  const upstream = await startFaulty(t)
  const service = await startOn(t, upstream.origin)
  await service.store.by(tester).putCredential('tenant-1', { kind: 'api-key', accountId: 500_001, apiKey: 'legacy key&1' })
  service.app.tenants.forget('tenant-1')
  let seen = new URLSearchParams()
  let header: string | undefined
  upstream.server.on('request', request => {
    header = request.headers.authorization
  })
  upstream.behave((form, response) => {
    seen = form
    response.end('{"result":[],"total_count":0}')
  })
  t.equal((await service.call('GET', '/skills')).status, 200)
  t.equal(seen.get('api_key'), 'legacy key&1')
  t.equal(seen.get('account_id'), '500001')
  t.equal(header, undefined)
})
