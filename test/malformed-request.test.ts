import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

/** Requests that are hardly HTTP, over a real socket: each gets one problem document, and no word of the caller's gets into a response unchecked. */

const stub = await startStub(t, ({ response }) =>
  response.setHeader('content-type', 'application/json').end('{"result":[{"user_id":1}],"total_count":9,"count":1}')
)
const service = await startService({ origin: stub.origin })
t.teardown(() => service.close())
await service.app.listen({ host: '127.0.0.1', port: 0 })
const { port } = service.app.server.address() as AddressInfo

/** What comes back on a connection of its own until it is closed. */
async function send(text: string): Promise<{ status: number; head: string; body: string }> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', chunk => {
    received += chunk
  })
  socket.on('error', () => {})
  socket.write(text, 'latin1')
  await once(socket, 'close')
  const [head = '', body = ''] = received.split(/\r\n\r\n(.*)/s)
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body }
}

const key = `Authorization: Bearer ${service.tenants[0]!.key}`
const close = 'Connection: close'

t.test('a request with two Host headers, or none, is refused with a problem document', async t => {
  const heads = {
    two: ['Host: a.example', 'Host: b.example'],
    'the same twice': ['Host: a.example', 'host: a.example'],
    'a third among others': ['HOST: a.example', key, 'hOsT: b.example'],
    none: [key]
  }
  for (const [name, lines] of Object.entries(heads)) {
    const { status, head, body } = await send(['GET /applications HTTP/1.1', ...lines, close, '', ''].join('\r\n'))
    t.equal(status, 400, name)
    t.match(head, /content-type: application\/problem\+json/i, name)
    t.match(JSON.parse(body), { code: 'malformed-request', detail: /exactly one Host/ }, name)
  }
})

t.test('a request of HTTP/1.0 needs no host', async t => {
  t.equal((await send('GET /health/live HTTP/1.0\r\n\r\n')).status, 200)
})

t.test('what the parser refuses is answered with a problem document', async t => {
  const cases: [text: string, status: number, code: string][] = [
    ['NONSENSE\r\n\r\n', 400, 'malformed-request'],
    ['GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n', 400, 'malformed-request'],
    ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400, 'malformed-request'],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, 431, 'headers-too-large']
  ]
  for (const [text, expected, code] of cases) {
    const { status, head, body } = await send(text)
    t.equal(status, expected, text.slice(0, 60))
    t.match(head, /content-type: application\/problem\+json/i)
    t.match(JSON.parse(body), { code, status: expected, instance: /^urn:request:/ })
  }
})

t.test('the host of an absolute request target gets into no response', async t => {
  for (const scheme of ['http', 'HTTPS']) {
    const target = `${scheme}://evil.example/applications?limit=1&offset=1&applicationName=a?b`
    const { status, head, body } = await send([`GET ${target} HTTP/1.1`, 'Host: a.example', key, close, '', ''].join('\r\n'))
    t.equal(status, 200)
    t.notMatch(head + body, /evil/)
    t.match(head, /link: <\/applications\?applicationName=a\?b&limit=1&offset=2>; rel="next"/i, 'links have the path, and all of the query')
  }
  t.equal((await send(['GET http://evil.example?limit=1 HTTP/1.1', 'Host: a.example', close, '', ''].join('\r\n'))).status, 404)
})
