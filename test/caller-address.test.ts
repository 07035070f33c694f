import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { build } from '../src/app.ts'
import { callerAddress, parseAddress, parseTrustProxy, subnetOf } from '../src/config/networks.ts'
import { readConfig } from '../src/config.ts'
import { allScopes, startService, testConfig, tester } from './support.ts'

/** Whose a request is: the address that limits, networks, the admin throttle, logs and the audit log go by. */

const adminToken = `ops:${randomBytes(32).toString('base64url')}`

t.test('an address has one form, with or without a port, brackets, a zone, or IPv6 around IPv4', async t => {
  for (const [text, expected] of [
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7:4711', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['[::ffff:192.0.2.7]:80', '192.0.2.7'],
    ['2001:DB8:0:0::7', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%eth0]:80', 'fe80::1']
  ] as const)
    t.equal(parseAddress(text), expected, text)
  for (const junk of [
    '',
    'unknown',
    '_hidden',
    '192.0.2',
    '192.0.2.256:1',
    '192.0.2.7:',
    '192.0.2.7:x',
    '[192.0.2.7',
    '[]',
    'a'.repeat(9000)
  ])
    t.equal(parseAddress(junk), 'unknown', junk.slice(0, 40))
})

t.test('IPv6 callers count by their network of 64 bits', async t => {
  t.equal(subnetOf('192.0.2.7'), '192.0.2.7')
  t.equal(subnetOf('unknown'), 'unknown')
  t.equal(subnetOf(parseAddress('2001:db8:0:1::5')), subnetOf(parseAddress('2001:0db8:0000:0001:ffff::1')))
  t.not(subnetOf('2001:db8:0:1::5'), subnetOf('2001:db8:0:2::5'))
  t.equal(subnetOf('::1'), '0:0:0:0')
})

t.test('X-Forwarded-For is read from the nearest proxy on, as far as TRUST_PROXY reaches', async t => {
  const from = (TRUST_PROXY: string, forwarded: string | undefined, remoteAddress: string | undefined = '10.0.0.1') =>
    callerAddress(
      { socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } } as never,
      parseTrustProxy(readConfig({ TRUST_PROXY }).server.trustProxy)
    )
  t.equal(from('false', '192.0.2.7'), '10.0.0.1')
  t.equal(from('1', undefined), '10.0.0.1')
  t.equal(from('1', '203.0.113.1, 192.0.2.7:4711'), '192.0.2.7')
  t.equal(from('2', '203.0.113.1, 192.0.2.7:4711'), '203.0.113.1')
  t.equal(from('3', '203.0.113.1, , 192.0.2.7'), '203.0.113.1', 'no further than there are hops')
  t.equal(from('true', '[2001:db8::7]:1, 192.0.2.7'), '2001:db8::7')
  t.equal(from('10.0.0.0/8, 192.168.0.1', '203.0.113.1:5, 192.168.0.1:80, 10.9.9.9:443'), '203.0.113.1', 'proxies with ports are proxies')
  t.equal(from('10.0.0.0/8', '203.0.113.1', '::ffff:10.0.0.1'), '203.0.113.1')
  t.equal(from('10.0.0.0/8', '10.0.0.2', '192.0.2.99'), '192.0.2.99', 'a peer that is no proxy is the caller')
  t.equal(from('1', '203.0.113.1, unknown'), 'unknown', 'what cannot be read is nobody’s address, and not that of the proxy')
  t.equal(from('1', '1'.repeat(8000)), 'unknown')
  t.equal(
    callerAddress({ socket: {}, headers: { 'x-forwarded-for': '192.0.2.7' } } as never, () => true),
    undefined,
    'disconnected'
  )
  t.throws(() => readConfig({ TRUST_PROXY: '10.0.0.0/99', VOXIMPLANT_API: 'sandbox' }), /TRUST_PROXY: 10\.0\.0\.0\/99 is neither/)
})

t.test('a proxy that writes ports changes nothing for networks, rate limits and the admin throttle', async t => {
  const service = await startService({
    env: { TRUST_PROXY: '1', ADDRESS_RATE: '0.001', ADDRESS_BURST: '10', ADMIN_TOKEN: adminToken }
  })
  t.teardown(() => service.close())
  const { key } = await service.store
    .by(tester)
    .createKey('tenant-1', { name: 'bound', scopes: allScopes, allowedCidrs: ['198.51.100.0/24', '2001:db8::/32'] })
  const status = async (url: string, token: string, forwarded: string) =>
    (await service.app.inject({ url, headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': forwarded } })).statusCode
  for (const inside of ['198.51.100.7:50123', '::ffff:198.51.100.7', '[2001:db8::7]:50123', '[2001:db8::7]'])
    t.equal(await status('/skills', key, inside), 200, inside)
  for (const outside of ['203.0.113.9:50123', '[2001:db9::7]:1', 'unknown', '198.51.100.7:x', '"198.51.100.7"'])
    t.equal(await status('/skills', key, outside), 403, outside)
  const junk: number[] = []
  for (let port = 1; port <= 30; port++) junk.push(await status('/skills', 'junk', `192.0.2.1:${port}`))
  t.equal(junk.filter(code => code === 401).length, 10, 'one address, whatever its ports')
  const guesses: number[] = []
  for (let port = 1; port <= 30; port++) guesses.push(await status('/admin/tenants', 'a-wrong-admin-token', `192.0.2.2:${port}`))
  t.equal(guesses.filter(code => code === 401).length, 10)
  const [entry] = (await service.store.auditLog({ action: 'admin.authenticate' })).items
  t.equal(entry!.actor.address, '192.0.2.2')
})

/** Lines of the log of a service. */
async function logging(t: Test, env: Record<string, string>) {
  const service = await startService()
  t.teardown(() => service.close())
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).split('\n').filter(Boolean)) lines.push(JSON.parse(line))
      done()
    }
  })
  const app = await build({
    config: testConfig(env),
    // Closed with the service.
    store: Object.assign(Object.create(service.store), { close: async () => {} }),
    origin: `http://127.0.0.1:${(service.sandbox.server.address() as AddressInfo).port}`,
    logger: { level: 'info', stream }
  })
  t.teardown(() => app.close())
  return { app, lines, key: service.tenants[0]!.key }
}

t.test('a header that is not believed is logged once, with the setting that is missing', async t => {
  const blunt = await logging(t, { TRUST_PROXY: 'false' })
  for (let i = 0; i < 50; i++) await blunt.app.inject({ url: '/health/live', headers: { 'x-forwarded-for': `192.0.2.${i}` } })
  const warnings = blunt.lines.filter(({ level }) => level === 40)
  t.equal(warnings.length, 1)
  t.match(warnings[0]!.msg, /X-Forwarded-For arrives, but TRUST_PROXY is false/)
  const behind = await logging(t, { TRUST_PROXY: '1' })
  await behind.app.inject({ url: '/health/live', headers: { 'x-forwarded-for': '192.0.2.1' } })
  t.same(
    behind.lines.filter(({ level }) => level === 40),
    []
  )
})

t.test('a caller that disconnects at any point is `caller-gone`, and never an internal error', async t => {
  const { app, lines, key } = await logging(t, { REQUEST_TIMEOUT: '5000' })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const body = JSON.stringify({ skillName: 'x'.repeat(500) })
  const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nphone\n+1\n\r\n--b--\r\n'
  const auth = `Host: x\r\nAuthorization: Bearer ${key}\r\n`
  const requests = [
    `GET /skills HTTP/1.1\r\n${auth}\r\n`,
    'GET /skills HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer junk\r\n\r\n',
    'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n',
    'DELETE /skills HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n',
    `POST /skills HTTP/1.1\r\n${auth}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    `POST /call-lists HTTP/1.1\r\n${auth}Idempotency-Key: gone\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${form.length + 2000}\r\n\r\n${form}`
  ]
  for (let round = 0; round < 60; round++) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const text = requests[(round + i) % requests.length]!
        const socket = connect(port, '127.0.0.1').on('error', () => {})
        await once(socket, 'connect')
        socket.write(text.slice(0, Math.random() < 0.5 ? text.length : Math.ceil(Math.random() * text.length)))
        if (Math.random() < 0.5) await sleep(Math.random() * 5)
        if (Math.random() < 0.7) socket.resetAndDestroy()
        else socket.destroy()
      })
    )
  }
  const alive = await fetch(`http://127.0.0.1:${port}/health/live`)
  t.equal(alive.status, 200)
  for (let i = 0; i < 200 && (await app.metrics.text()).match(/^voxgate_http_requests_in_flight (\d+)/m)?.[1] !== '0'; i++) await sleep(25)
  const text = await app.metrics.text()
  t.match(text, /^voxgate_http_requests_in_flight 0$/m, 'all have ended, and each is counted once')
  t.notMatch(text, /code="(internal-error|malformed-body)"/)
  t.match(text, /code="caller-gone"/)
  t.same(
    lines.filter(({ level, msg }) => (level as number) >= 50 || msg === 'internal-error'),
    []
  )
  const ends = new Map<string, number>()
  for (const { problem } of lines) if (problem !== undefined) ends.set(String(problem), (ends.get(String(problem)) ?? 0) + 1)
  t.comment([...ends].map(([code, count]) => `${code} ${count}`).join(', '))
})

t.test('an upload whose caller disconnects before its file is read ends, and its Idempotency-Key is free', async t => {
  const { app, key } = await logging(t, {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nphone\n+1\n\r\n--b--\r\n'
  for (let i = 0; i < 10; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write(
      `POST /call-lists HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nIdempotency-Key: left-${i}\r\n` +
        `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${form.length}\r\n\r\n${form.slice(0, -20)}`
    )
    if (i % 2) await sleep(i)
    socket.destroy()
  }
  for (let i = 0; i < 400 && (i < 10 || app.requests.inFlight > 0); i++) await sleep(25)
  t.equal(app.requests.inFlight, 0)
  for (let i = 0; i < 10; i++) {
    const { statusCode } = await app.inject({
      method: 'POST',
      url: '/call-lists',
      headers: { authorization: `Bearer ${key}`, 'idempotency-key': `left-${i}`, 'content-type': 'multipart/form-data; boundary=b' },
      payload: form
    })
    t.not(statusCode, 409, `left-${i}`)
  }
})
