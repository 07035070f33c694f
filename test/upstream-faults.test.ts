import { once } from 'node:events'
import { createServer, request as httpRequest, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type ServiceOptions, startService } from './support.ts'

/** Breakers, callers who leave and answers nobody asked for, on real sockets. */

const empty = '{"result":[],"total_count":0,"count":0}'

async function start(t: Test, env: Record<string, string> = {}, options: ServiceOptions = {}) {
  let behave: (response: ServerResponse, form: URLSearchParams) => void = response => response.end(empty)
  let taken = 0
  const upstream = createServer((request, response) => {
    taken++
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => behave(response, new URLSearchParams(body)))
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  const service = await startService({ origin: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, env, ...options })
  await service.app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    upstream.closeAllConnections()
    await service.close()
    upstream.close()
  })
  return {
    service,
    port: (service.app.server.address() as AddressInfo).port,
    taken: () => taken,
    behave(next: typeof behave) {
      behave = next
    }
  }
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const until = async (is: () => boolean, ms = 20_000): Promise<boolean> => {
  for (const end = performance.now() + ms; performance.now() < end; await pause(5)) if (is()) return true
  return is()
}

t.test('a caller that disconnects ends its read', async t => {
  const { service, port, behave } = await start(t)
  const { counters } = service.app.upstream
  const outcome = (method: string, name: string) => counters.methods.get(method)?.outcomes[name] ?? 0
  const leave = async (method: string, path: string, body?: string) => {
    const caller = httpRequest({
      port,
      host: '127.0.0.1',
      method,
      path,
      headers: { authorization: `Bearer ${service.tenants[0]!.key}`, 'content-type': 'application/json' }
    }).on('error', () => {})
    const reached = new Promise<ServerResponse>(resolve => behave(resolve))
    caller.end(body)
    const response = await reached
    caller.destroy()
    return response
  }

  const read = await leave('GET', '/skills')
  if (!read.destroyed) await once(read, 'close')
  t.notOk(read.writableFinished, 'a read: its socket at the upstream is destroyed')
  t.ok(await until(() => outcome('GetSkills', 'cancelled') === 1), 'and counted')

  const write = await leave('POST', '/skills', '{"skillName":"billing"}')
  await pause(100)
  t.notOk(write.destroyed, 'a change goes on')
  write.end('{"result":1,"skill_id":7}')
  t.ok(await until(() => outcome('AddSkill', 'ok') === 1), 'to its end')
  const text = (await service.call('GET', '/metrics')).text
  t.match(text, /voxgate_client_disconnects_total 2/)

  behave(response => response.end(empty))
  t.equal((await service.call('GET', '/skills')).status, 200)
  t.equal(counters.breakers.opened.tenant, 0, 'none of it is the upstream’s fault')
})

t.test('an upstream that swallows everything', async t => {
  const interval = 300
  const { service, taken, behave } = await start(t, {
    BREAKER_FAILURE_THRESHOLD: '3',
    BREAKER_PROBE_INTERVAL: String(interval),
    BREAKER_PROBE_TIMEOUT: '200',
    UPSTREAM_HEADERS_TIMEOUT: '1000',
    UPSTREAM_TIMEOUT: '1500'
  })
  behave(() => {})
  const first = await Promise.all(Array.from({ length: 3 }, () => service.call('GET', '/skills')))
  t.ok(first.every(({ status }) => status === 504))
  const before = taken()
  const seconds = 3
  const refusals: number[] = []
  const hanging: Promise<unknown>[] = []
  const began = performance.now()
  while (performance.now() - began < seconds * 1000) {
    const sent = performance.now()
    const count = taken()
    const answer = service.call('GET', '/skills')
    const done = await Promise.race([answer, pause(100)])
    if (done) {
      if ((done as { status: number }).status === 503 && taken() === count) refusals.push(performance.now() - sent)
    } else hanging.push(answer)
    await pause(10)
  }
  const probes = taken() - before
  t.ok(probes >= 2 && probes <= (seconds * 1000) / interval + 2, `${probes} probes in ${seconds} s, one per ${interval} ms`)
  refusals.sort((a, b) => a - b)
  const p99 = refusals[Math.floor(refusals.length * 0.99)]!
  t.ok(refusals.length > 20 && refusals[Math.floor(refusals.length / 2)]! < 50, 'others get an immediate response')
  t.comment(`${refusals.length} refusals, median ${refusals[Math.floor(refusals.length / 2)]!.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
  behave(response => response.end(empty))
  const back = performance.now()
  let status = 0
  while (status !== 200 && performance.now() - back < 10_000) {
    status = (await service.call('GET', '/skills')).status
    if (status !== 200) await pause(10)
  }
  const took = performance.now() - back
  t.equal(status, 200)
  t.ok(took < interval + 1_000, `back after ${took.toFixed(0)} ms`)
  await Promise.all(hanging)
})

t.test('an upstream that is slower than the first probes is found to be back', async t => {
  const { service, taken, behave } = await start(t, {
    BREAKER_FAILURE_THRESHOLD: '2',
    BREAKER_PROBE_INTERVAL: '50',
    BREAKER_PROBE_TIMEOUT: '50',
    UPSTREAM_TIMEOUT: '6000',
    UPSTREAM_HEADERS_TIMEOUT: '6000'
  })
  const { open, bulkhead } = service.app.upstream
  behave(response => response.destroy())
  for (let i = 0; i < 2; i++) await service.call('GET', '/skills')
  t.same(open().tenants, ['tenant-1'])
  behave(response => setTimeout(() => response.end(empty), 300))
  const before = taken()
  const took: number[] = []
  while (open().tenants.length > 0 && took.length < 12) {
    const count = taken()
    const sent = performance.now()
    await service.call('GET', '/skills')
    if (taken() > count) took.push(performance.now() - sent)
    else await pause(10)
  }
  t.same(open().tenants, [], 'a probe whose timeout has doubled often enough closes the breaker')
  t.equal(taken() - before, 4, `after timeouts of 50, 100 and 200 ms: ${took.map(ms => ms.toFixed(0))}`)
  t.equal(bulkhead.active, 0)
})

t.test('whose breaker opens', async t => {
  const few = {
    BREAKER_FAILURE_THRESHOLD: '3',
    BREAKER_HOST_FAILURE_THRESHOLD: '6',
    BREAKER_HOST_MIN_TENANTS: '3',
    BREAKER_PROBE_INTERVAL: '60000'
  }
  const { service, taken, behave } = await start(t, few, { tenants: 5 })
  const call = (tenant: number) => service.call('GET', '/skills', undefined, { tenant })
  const { counters, open } = service.app.upstream
  const { breakers } = counters
  behave(response => response.destroy())
  for (let i = 0; i < 20; i++) await call(0)
  t.same(open(), { tenants: ['tenant-1'], hosts: [] }, 'one tenant’s failures are its own')
  behave(response => response.end(empty))
  t.equal((await call(1)).status, 200)
  behave(response => response.writeHead(502).end())
  for (const tenant of [2, 3]) for (let i = 0; i < 3; i++) await call(tenant)
  t.same(open().hosts, [], 'an error is an answer')
  behave(response => response.end('{"error":{"code":100,"msg":"no"}}'))
  for (let i = 0; i < 8; i++) await call(1)
  t.notOk(open().tenants.includes('tenant-2'), 'so are refused credentials')

  const other = await start(t, few, { tenants: 5 })
  other.behave(response => response.destroy())
  for (let i = 0; i < 2; i++) for (const tenant of [0, 1, 2]) await other.service.call('GET', '/skills', undefined, { tenant })
  t.equal(other.service.app.upstream.open().hosts.length, 1, 'when several get no response, the host is unavailable')
  const before = other.taken()
  t.match(await other.service.call('GET', '/skills', undefined, { tenant: 4 }), { status: 503, body: { code: 'upstream-unavailable' } })
  t.equal(other.taken(), before, 'to those as well who have not met it')
  t.ok(taken() > 0 && breakers.opened.host === 0)
})

t.test('files pass the breaker too', async t => {
  const { service, taken, behave } = await start(t, { BREAKER_FAILURE_THRESHOLD: '2', BREAKER_PROBE_INTERVAL: '60000' })
  behave(response => response.destroy())
  const download = () => service.call('GET', '/history-reports/7/content')
  t.equal((await download()).status, 502)
  t.equal((await download()).status, 502)
  const before = taken()
  t.equal((await download()).status, 503)
  const upload = await service.call('POST', '/call-lists?ruleId=1&priority=1&maxSimultaneous=1&numAttempts=1&name=x', 'phone\n1\n', {
    headers: { 'content-type': 'text/csv' }
  })
  t.equal(upload.status, 503)
  t.equal(taken(), before)
})

const poison = 666_666
const httpOf = (id: number | string) => {
  const body = `{"result":[{"skill_id":${id},"skill_name":"s"}],"total_count":1,"count":1}`
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/** What an upstream may do to a connection. `late` comes while it is idle. */
const misdeeds: Record<string, (socket: Socket, id: string) => void> = {
  'a second answer with the first': (socket, id) => socket.write(httpOf(id) + httpOf(poison)),
  'a second answer right after': (socket, id) => {
    socket.write(httpOf(id))
    socket.write(httpOf(poison))
  },
  'ten more': (socket, id) => socket.write(httpOf(id) + httpOf(poison).repeat(10)),
  'bytes after the answer': (socket, id) => socket.write(`${httpOf(id)}\r\n\r\ngarbage ${poison}`),
  'half of another answer': (socket, id) => socket.write(httpOf(id) + httpOf(poison).slice(0, 60)),
  'a length that is too short': (socket, id) => socket.write(httpOf(id).replace(/content-length: \d+/, 'content-length: 5')),
  'two lengths': (socket, id) => socket.write(httpOf(id).replace('content-length', 'content-length: 1\r\ncontent-length')),
  'a length and chunks': (socket, id) => socket.write(httpOf(id).replace('\r\n\r\n', '\r\ntransfer-encoding: chunked\r\n\r\n')),
  'chunks that are none': socket => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n'),
  'no HTTP': socket => socket.write(`\x00\x01\x02 ${poison} SSH-2.0\r\n\r\n`),
  'an odd status line': (socket, id) => socket.write(httpOf(id).replace('HTTP/1.1 200', 'HTTP/1.1 99999')),
  'a header with a NUL': (socket, id) => socket.write(httpOf(id).replace('content-type', 'x: \0\r\ncontent-type')),
  'an answer that is cut': (socket, id) => socket.end(httpOf(id).slice(0, -10)),
  'a switch of protocols': socket => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  'a close without a word': socket => socket.destroy()
}

t.test('answers nobody asked for, and answers that are none', { timeout: 400_000 }, async t => {
  const sockets = new Set<Socket>()
  const names = Object.keys(misdeeds)
  let next = 0
  let bad = 0
  let mode: 'misdeeds' | 'late' = 'misdeeds'
  const idle: Promise<unknown>[] = []
  const upstream = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    let text = ''
    socket.on('data', chunk => {
      text += chunk
      const [head, body] = text.split('\r\n\r\n')
      if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(head!)?.[1])) return
      text = ''
      const id = new URLSearchParams(body).get('skill_id')!
      bad++
      if (mode === 'misdeeds') misdeeds[names[next++ % names.length]!]!(socket, id)
      else {
        socket.write(httpOf(id))
        idle.push(once(socket, 'close'))
        setTimeout(() => socket.write(httpOf(poison)), 5)
      }
    })
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  const service = await startService({
    origin: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    env: { UPSTREAM_HEADERS_TIMEOUT: '5000', UPSTREAM_TIMEOUT: '6000', BREAKER_HOST_FAILURE_THRESHOLD: '1000000' }
  })
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await service.close()
    upstream.close()
  })

  const total = 10_000
  const statuses: Record<number, number> = {}
  let wrong = 0
  let sent = 0
  const one = async (): Promise<void> => {
    const id = ++sent
    const { status, body } = await service.call('GET', `/skills?skillId=${id}`)
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status === 200 && !(body.items.length === 1 && body.items[0].skillId === id)) wrong++
    if (status !== 200 && body?.code === 'internal-error') wrong++
  }
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (sent < total) await one()
    })
  )
  mode = 'late'
  for (let i = 0; i < 200; i++) {
    await one()
    await idle.pop()
  }
  t.equal(wrong, 0, 'none reaches another request')
  const { unsolicited } = service.app.upstream.counters
  t.ok(unsolicited >= 200, `${unsolicited} connections ended for what nobody asked for`)
  t.ok(bad >= total)
  t.ok((statuses[200] ?? 0) > total / 4, 'what was whole was answered')
  t.comment(`${bad} bad answers of ${names.length + 1} kinds; statuses ${JSON.stringify(statuses)}; ${wrong} reached another request`)
})
