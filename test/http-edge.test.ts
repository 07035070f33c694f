import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { acceptsJson } from '../src/api/accept.ts'
import { readConfig } from '../src/config.ts'
import { startService } from './support.ts'

/** HTTP as clients of all kinds speak it: preflights, odd methods, bodies that are none, headers that exclude everything. */

const origin = 'https://app.example.com'

async function start(t: Test, env: Record<string, string> = {}) {
  const service = await startService({ demo: true, env })
  t.teardown(() => service.close())
  const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const key = service.tenants[0]!.key
  const send = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${address}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } })
    const text = await response.text()
    const isJson = String(response.headers.get('content-type')).includes('json')
    return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text }
  }
  const raw = async (bytes: string | Buffer): Promise<string> => {
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    socket.write(bytes)
    return String(Buffer.concat(await socket.toArray()))
  }
  return { ...service, address, key, send, raw }
}

t.test('allows pages every method and every header that they need', async t => {
  const { send } = await start(t, { CORS_ORIGINS: origin })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const { status, headers } = await send('/applications/1', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization,idempotency-key' }
    })
    t.equal(status, 204, method)
    t.match(headers.get('access-control-allow-methods'), method)
    t.match(headers.get('access-control-allow-headers'), /idempotency-key/)
  }
  const { headers } = await send('/applications', { headers: { origin } })
  t.equal(headers.get('access-control-allow-origin'), origin)
  for (const name of ['x-request-id', 'server-timing', 'content-disposition', 'www-authenticate', 'etag', 'link', 'retry-after'])
    t.match(headers.get('access-control-expose-headers'), name)
})

t.test('lets pages read early errors too', async t => {
  const { send } = await start(t, { CORS_ORIGINS: origin })
  for (const [path, status, init] of [
    ['/applications/%zz', 400, {}],
    ['/nowhere', 404, {}],
    ['/applications', 405, { method: 'PATCH' }],
    ['/applications', 401, { headers: { authorization: '' } }]
  ] as const) {
    const response = await send(path, { ...init, headers: { origin, ...('headers' in init ? init.headers : {}) } })
    t.equal(response.status, status, path)
    t.equal(response.headers.get('access-control-allow-origin'), origin, path)
    t.equal(
      (await send(path, { ...init, headers: { origin: 'https://evil.example', ...('headers' in init ? init.headers : {}) } })).headers.get(
        'access-control-allow-origin'
      ) === 'https://evil.example',
      false
    )
  }
})

t.test('refuses to start with an origin that no browser sends', async t => {
  for (const bad of ['app.example.com', 'https://app.example.com/', 'https://app.example.com/path', 'https://App.example.com', 'null'])
    t.throws(() => readConfig({ CORS_ORIGINS: `${origin}, ${bad}` }), { message: /CORS_ORIGINS: .* is not an origin/ }, bad)
  t.equal(readConfig({ CORS_ORIGINS: `${origin},http://localhost:3000` }).server.corsOrigins, `${origin},http://localhost:3000`)
  t.ok(readConfig({ CORS_ORIGINS: '*' }))
})

t.test('answers OPTIONS of a known address with its methods', async t => {
  const { send, raw } = await start(t)
  const { status, headers } = await send('/applications', { method: 'OPTIONS', headers: { authorization: '' } })
  t.equal(status, 204)
  t.equal(headers.get('allow'), 'DELETE, GET, HEAD, OPTIONS, POST')
  t.equal((await send('/nowhere', { method: 'OPTIONS' })).status, 404)
  for (const method of ['TRACE', 'PROPFIND', 'LINK']) {
    const response = await raw(`${method} /applications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    t.match(response, /^HTTP\/1\.1 405 /, method)
    t.match(response, /\r\nallow: DELETE, GET, HEAD, OPTIONS, POST\r\n/i)
    t.match(await raw(`${method} /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 404 /)
  }
})

t.test('takes a content type without content for no body', async t => {
  const { send } = await start(t)
  const json = { 'content-type': 'application/json' }
  t.equal((await send('/applications', { headers: json })).status, 200)
  t.equal((await send('/skills/301', { method: 'DELETE', headers: json })).status, 204)
  t.match(await send('/skills', { method: 'POST', headers: json }), {
    status: 400,
    body: { code: 'invalid-request', errors: [{ in: 'body', pointer: '', detail: /is required/ }] }
  })
})

t.test('refuses bodies that are not plain UTF-8, and stores nothing of them', async t => {
  const { send, call } = await start(t)
  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    send('/skills', { method: 'POST', body: body as never, headers: { 'content-type': 'application/json', ...headers } })
  const before = (await call('GET', '/skills')).body.total
  t.match(await post('{"skillName": "a"}', { 'content-encoding': 'gzip' }), { status: 415, body: { code: 'unsupported-media-type' } })
  t.match(await post('{"skillName": "a"}', { 'content-type': 'application/json; charset=iso-8859-1' }), { status: 415 })
  t.match(await post(Buffer.from('{"skillName": "caf\xe9"}', 'latin1')), { status: 400, body: { code: 'malformed-body', detail: /UTF-8/ } })
  t.equal((await call('GET', '/skills')).body.total, before)
  t.equal((await post('{"skillName": "café"}', { 'content-type': 'application/json; charset=UTF-8' })).status, 201)
})

t.test('answers JSON only to callers that take it', async t => {
  const { send } = await start(t)
  for (const accept of ['text/csv', 'text/html', 'application/json;q=0', 'application/xml, text/*'])
    t.match(await send('/sms-messages', { headers: { accept } }), { status: 406, body: { code: 'not-acceptable' } }, accept)
  for (const accept of ['*/*', 'application/json', 'application/*', 'text/html, */*;q=0.1', 'Application/JSON;charset=utf-8'])
    t.equal((await send('/sms-messages', { headers: { accept } })).status, 200, accept)
  const made = await send('/skills', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"skillName":"accepting"}' })
  const removed = await send(made.headers.get('location')!, { method: 'DELETE', headers: { accept: 'text/html' } })
  t.equal(removed.status, 204, 'no content has no type that could be unacceptable')
  t.equal(acceptsJson('application/json;q=0, */*'), false)
  t.equal(acceptsJson('application/json, */*;q=0'), true)
})

t.test('takes a JSON parameter of the query as repeated plain values as well', async t => {
  const { send } = await start(t)
  for (const query of [
    'remoteNumberList=14155550101',
    'remoteNumberList=14155550101&remoteNumberList=14155550102',
    'remoteNumberList=["14155550101"]'
  ])
    t.equal((await send(`/call-sessions?${query}`)).status, 200, query)
  t.equal((await send('/applications/1/agents?sqSkills={"sqSkillName":"billing","minSqSkillLevel":1}')).status, 200)
})

t.test('takes as many ids in the query as one call may name', async t => {
  const { send } = await start(t)
  const ids = Array.from({ length: 1000 }, (_, i) => `callSessionHistoryId=${9_007_199_254_700_000 + i}`).join('&')
  t.equal((await send(`/call-sessions?${ids}`)).status, 200)
})

/** Sends a head and then bytes until the response is there; the response, or what ended it. */
async function sendOn(socket: Socket, head: string): Promise<string> {
  let response = ''
  socket.on('data', chunk => {
    response += chunk
  })
  socket.write(head)
  const chunk = Buffer.alloc(65_536, 120)
  for (let i = 0; i < 60 && !response.includes('}') && !socket.destroyed; i++) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), new Promise(resolve => setTimeout(resolve, 50))])
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return response
}

t.test('tells callers that are still sending that their body is too large', async t => {
  const { address, key } = await start(t)
  for (const path of ['/skills', '/call-lists']) {
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    const broken = new Promise(resolve => socket.on('error', resolve))
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nIdempotency-Key: large\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n`
    const response = await Promise.race([sendOn(socket, head), broken])
    t.match(response, /^HTTP\/1\.1 413 .*payload-too-large/s, path)
    socket.destroy()
  }
})
