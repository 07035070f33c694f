import { createServer, type IncomingMessage } from 'node:http'
import { createSecureServer } from 'node:http2'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import t, { type Test } from 'tap'
import type { Dispatcher } from 'undici'
import { makeCertificate } from '../chaos/certificate.ts'
import { ConnectionPool, type ConnectionPoolOptions } from '../src/voximplant/connection-pool.ts'

/** Connections to an upstream on real sockets: how they rest, and what that is good for. */

const defaults: Omit<ConnectionPoolOptions, 'host'> = {
  maxConnections: 10,
  connectionCooldownMs: 0,
  quarantineCooldownMs: 0,
  maxRequestsPerConnection: 0,
  connectTimeoutMs: 1_000,
  headersTimeoutMs: 2_000,
  keepAliveTimeoutMs: 5_000
}
const fresh = () => ({ quarantinedUntil: 0 })
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

const ask = (connections: ConnectionPool, body = 'cmd=GetSkills', headers: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    connections.dispatch(
      { path: '/platform_api', method: 'POST', headers, body },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData(_: Dispatcher.DispatchController, chunk: Buffer) {
          text += chunk
        },
        onResponseEnd: () => resolve(text),
        onResponseError: (_: Dispatcher.DispatchController, error: Error) => reject(error)
      }
    )
  })

const answerOf = (text: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`

/** An upstream that answers each request with its own body after a while, and `stray` some time after that. */
async function straying(t: Test, { answerAfter, strayAfter }: { answerAfter: number; strayAfter: number }) {
  let opened = 0
  const server = createTcpServer(socket => {
    opened++
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', async data => {
      const body = data.toString().split('\r\n\r\n')[1]!
      await pause(answerAfter)
      socket.write(answerOf(body))
      await pause(strayAfter)
      if (!socket.destroyed) socket.write(answerOf('stray'))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, opened: () => opened }
}

t.test('a second answer that comes late', async t => {
  const times = { answerAfter: 60, strayAfter: 20 }
  const askSeveral = async (options: Partial<ConnectionPoolOptions>) => {
    const upstream = await straying(t, times)
    let unsolicited = 0
    const connections = new ConnectionPool(upstream.origin, { ...defaults, host: fresh(), ...options, onUnsolicited: () => unsolicited++ })
    const answers: string[] = []
    for (let i = 0; i < 6; i++) answers.push(await ask(connections, `request ${i}`).catch(error => error.code))
    await pause(times.strayAfter + 200)
    await connections.close()
    return { unsolicited, strays: answers.filter(answer => answer === 'stray').length, answers, opened: upstream.opened() }
  }

  const restless = await askSeveral({ connectionCooldownMs: 0, maxConnections: 1 })
  t.ok(restless.strays > 0, `without a rest it is taken for the next request’s: ${restless.answers}`)

  const resting = await askSeveral({ connectionCooldownMs: 1_000 })
  t.same(
    resting.answers,
    Array.from({ length: 6 }, (_, i) => `request ${i}`),
    'with one it reaches nobody'
  )
  t.equal(resting.unsolicited, 6, 'and is counted')

  const once = await askSeveral({ connectionCooldownMs: 0, maxRequestsPerConnection: 1 })
  t.same(
    once.answers,
    Array.from({ length: 6 }, (_, i) => `request ${i}`),
    'nor where connections are used once'
  )
  t.equal(once.opened, 6)
  t.equal(once.unsolicited, 0, 'which hear nothing more')
})

t.test('a host that has answered twice', async t => {
  const upstream = await straying(t, { answerAfter: 5, strayAfter: 30 })
  const host = fresh()
  const options = { ...defaults, host, connectionCooldownMs: 2, quarantineCooldownMs: 5_000 }
  const connections = new ConnectionPool(upstream.origin, options)
  t.equal(await ask(connections, 'first'), 'first')
  // The first one comes to a connection that has long rested.
  while (host.quarantinedUntil === 0) await pause(5)
  t.ok(host.quarantinedUntil > performance.now() + 3_000_000, 'is suspect for an hour')
  const answers: string[] = []
  for (let i = 0; i < 8; i++) answers.push(await ask(connections, `request ${i}`))
  const other = new ConnectionPool(upstream.origin, options)
  for (let i = 8; i < 10; i++) answers.push(await ask(other, `request ${i}`))
  t.same(
    answers,
    Array.from({ length: 10 }, (_, i) => `request ${i}`),
    'and gets the long rest, for every tenant'
  )
  t.equal(upstream.opened(), 11, 'no connection was used twice meanwhile')
  await Promise.all([connections.close(), other.close()])
})

/** A plain upstream that counts its connections. */
async function counting(t: Test, act: (request: IncomingMessage) => Promise<unknown> = async () => {}) {
  let opened = 0
  let atOnce = 0
  let most = 0
  const server = createServer(async (request, response) => {
    most = Math.max(most, ++atOnce)
    request.resume()
    await act(request)
    atOnce--
    response.end('well')
  }).on('connection', () => opened++)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, opened: () => opened, most: () => most }
}

t.test('how many there are', async t => {
  const upstream = await counting(t, () => pause(20))
  const connections = new ConnectionPool(upstream.origin, { ...defaults, host: fresh(), maxConnections: 3 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(connections)))
  t.ok(
    answers.every(answer => answer === 'well'),
    'a request without a free one queues'
  )
  t.equal(upstream.opened(), 3)
  t.equal(upstream.most(), 3, 'one call at a time on each')
  for (let i = 0; i < 10; i++) await ask(connections)
  t.equal(upstream.opened(), 3, 'they are kept')
  await connections.close()
})

t.test('the last one rests before it is used again', async t => {
  const upstream = await counting(t)
  const connections = new ConnectionPool(upstream.origin, { ...defaults, host: fresh(), maxConnections: 1, connectionCooldownMs: 100 })
  await ask(connections)
  const since = performance.now()
  t.equal(await ask(connections), 'well')
  const waited = performance.now() - since
  t.ok(waited >= 80, `${waited.toFixed(0)} ms`)
  t.equal(upstream.opened(), 1)
  await connections.close()
})

t.test('an end', async t => {
  const upstream = await counting(t, () => pause(30))
  const connections = new ConnectionPool(upstream.origin, { ...defaults, host: fresh(), maxConnections: 2, connectionCooldownMs: 20 })
  const answers = Promise.all(Array.from({ length: 6 }, () => ask(connections)))
  const closed = connections.close()
  await t.rejects(ask(connections), { code: 'UND_ERR_CLOSED' }, 'takes no more')
  t.same(await answers, Array(6).fill('well'), 'and lets those in line have their turns')
  await closed
})

t.test('a connection that is lost', async t => {
  let bad = true
  const upstream = await counting(t, async request => void (bad && request.socket.destroy()))
  const connections = new ConnectionPool(upstream.origin, { ...defaults, host: fresh(), maxConnections: 1, connectionCooldownMs: 10 })
  await t.rejects(ask(connections), { code: 'UND_ERR_SOCKET' })
  bad = false
  t.equal(await ask(connections), 'well', 'is followed by another')
  await connections.close()

  const nobody = new ConnectionPool('http://127.0.0.1:1', { ...defaults, host: fresh(), maxConnections: 1 })
  for (let i = 0; i < 3; i++) await t.rejects(ask(nobody), { code: 'ECONNREFUSED' }, 'and one that cannot be had is tried for again')
  await nobody.close()
})

t.test('a request that undici refuses keeps no connection', async t => {
  const upstream = await counting(t)
  const connections = new ConnectionPool(upstream.origin, { ...defaults, host: fresh(), maxConnections: 1 })
  await t.rejects(ask(connections, '', { 'x-bad': 'a\nb' }), { code: 'UND_ERR_INVALID_ARG' })
  t.equal(await ask(connections), 'well')
  const answers = await Promise.allSettled([ask(connections), ask(connections, '', { 'x-bad': 'a\nb' }), ask(connections)])
  t.same(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
    'nor anybody in line behind it'
  )
  await connections.close()
})

t.test('HTTP/2 is not spoken, though the upstream would', async t => {
  const authority = makeCertificate({ name: 'Test', addresses: [], authority: true })
  const versions: string[] = []
  const server = createSecureServer({ ...makeCertificate({ issuer: authority.issuer }), allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion)
    request.resume()
    response.end('well')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const connections = new ConnectionPool(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    ...defaults,
    host: fresh(),
    ca: authority.cert
  })
  t.equal(await ask(connections), 'well')
  t.same(versions, ['1.1'])
  await connections.close()
})
