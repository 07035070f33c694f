import { randomBytes } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { context, trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import t, { type Test } from 'tap'
import { build } from '../src/app.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { RequestTrace, readTraceparent } from '../src/telemetry/request-trace.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { createCredential, testConfig, tester } from './support.ts'

/** Traces, logs and times, as the upstream, the operator and the caller see them. */

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${spanId}-01`

async function start(t: Test) {
  const seen: IncomingHttpHeaders[] = []
  let fails = 0
  const upstream = createServer((request, response) => {
    seen.push(request.headers)
    request
      .resume()
      .on('end', () => (fails-- > 0 ? response.writeHead(502).end() : response.end('{"result":[],"total_count":0,"count":0}')))
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const store = await openStore(sqliteDialect(':memory:'), createVault(randomBytes(32)))
  const administration = store.by(tester)
  const credential = createCredential(1)
  await administration.createTenant({ tenantId: 'acme', name: 'Acme', accountId: 1 })
  await administration.putCredential('acme', credential)
  const { key } = await administration.createKey('acme', { name: 'test', scopes: ['*'] })
  let log = ''
  const stream = new Writable({
    write(chunk, _, done) {
      log += chunk
      done()
    }
  })
  const app = await build({
    config: testConfig({ LOG_LEVEL: 'info', UPSTREAM_MAX_RETRIES: '2', UPSTREAM_RETRY_BASE_DELAY: '1' }),
    store,
    origin,
    logger: { stream }
  })
  t.teardown(async () => {
    await app.close()
    upstream.closeAllConnections()
    upstream.close()
  })
  return {
    seen,
    key,
    credential,
    log: () => log,
    fail(times: number) {
      fails = times
    },
    get: (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers: { authorization: `Bearer ${key}`, ...headers } })
  }
}

t.test('what is a traceparent', t => {
  t.same(readTraceparent(traceparent), { traceId, spanId, flags: '01' })
  t.ok(readTraceparent(`cc-${traceId}-${spanId}-01-what-comes-later`), 'a later version')
  for (const wrong of [
    undefined,
    '',
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}`,
    `${traceparent}, ${traceparent}`
  ])
    t.equal(readTraceparent(wrong), undefined, String(wrong))
  t.equal(new RequestTrace('nonsense', 'a=b').state, undefined, 'without a trace there is no state of it')
  t.equal(new Set(Array.from({ length: 1000 }, () => new RequestTrace(undefined, undefined).traceId)).size, 1000)
  t.end()
})

t.test('a trace goes on at the upstream, and shows in the log', async t => {
  const { seen, get, log, fail, key, credential } = await start(t)
  const answer = await get('/skills', { traceparent, tracestate: 'vendor=1' })
  t.equal(answer.statusCode, 200)
  const [, theirs, span, flags] = String(seen[0]!.traceparent).split('-')
  t.equal(theirs, traceId)
  t.not(span, spanId, 'with a span of its own')
  t.equal(flags, '01')
  t.equal(seen[0]!.tracestate, 'vendor=1')
  t.match(answer.headers['server-timing'], /^total;dur=\d+\.\d, upstream;dur=\d+\.\d$/)

  fail(1)
  t.equal((await get('/skills?skillName=Secret%20name', { traceparent: 'nonsense', tracestate: 'vendor=1' })).statusCode, 200)
  t.ok(readTraceparent(seen[1]!.traceparent), 'a trace begins here')
  t.equal(seen[1]!.tracestate, undefined)
  t.equal(readTraceparent(seen[1]!.traceparent)!.traceId, readTraceparent(seen[2]!.traceparent)!.traceId)
  t.not(seen[1]!.traceparent, seen[2]!.traceparent, 'each attempt has its span')
  t.match((await get('/nowhere')).headers['server-timing'], /^total;dur=\d+\.\d$/, 'no call, no time of it')
  fail(3)
  await get('/skills')

  const lines = log()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const requests = lines.filter(({ msg }) => msg === 'request')
  t.match(requests[0], { method: 'GET', route: '/skills', status: 200, tenant: 'acme', trace: traceId, retries: 0 })
  t.type(requests[0].upstreamMs, 'number')
  t.match(requests[1], { status: 200, retries: 1 })
  t.match(requests[3], { status: 502, problem: 'upstream-fault', retries: 2 })
  t.ok(
    lines.some(({ level, code }) => level === 40 && code === 'upstream-fault'),
    'trouble is a warning'
  )
  for (const secret of [key, credential.privateKey.slice(100, 140), 'Secret', 'Bearer', 'vendor=1'])
    t.notOk(log().includes(secret), secret.slice(0, 8))
})

t.test('OpenTelemetry', async t => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  trace.setGlobalTracerProvider(provider)
  t.teardown(async () => {
    trace.disable()
    context.disable()
    await provider.shutdown()
  })
  const { seen, get, fail, key } = await start(t)
  fail(1)
  t.equal((await get('/skills?skillName=Secret', { traceparent, tracestate: 'vendor=1' })).statusCode, 200)
  const spans = exporter.getFinishedSpans()
  t.equal(spans.length, 3, 'the request, and each attempt')
  const server = spans.find(({ name }) => name === 'GET /skills')!
  const attempts = spans.filter(({ name }) => name === 'voximplant/GetSkills')
  t.equal(server.spanContext().traceId, traceId)
  t.equal(server.parentSpanContext?.spanId, spanId)
  t.match(server.attributes, {
    'http.request.method': 'GET',
    'http.route': '/skills',
    'http.response.status_code': 200,
    'voxgate.tenant': 'acme'
  })
  t.ok(attempts.every(span => span.parentSpanContext?.spanId === server.spanContext().spanId))
  t.match(attempts[0]!.attributes, {
    'http.response.status_code': 502,
    'error.type': 'fault',
    'server.address': '127.0.0.1',
    'rpc.method': 'GetSkills'
  })
  t.match(attempts[1]!.attributes, { 'http.response.status_code': 200, 'http.request.resend_count': 1 })
  for (const [i, { traceparent, tracestate }] of seen.entries()) {
    t.equal(readTraceparent(traceparent)!.spanId, attempts[i]!.spanContext().spanId, 'the upstream can go on')
    t.equal(tracestate, 'vendor=1')
  }
  const all = JSON.stringify(spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status })))
  for (const secret of [key, 'Secret', 'Bearer']) t.notOk(all.includes(secret))

  exporter.reset()
  fail(9)
  await get('/skills')
  t.match(
    exporter.getFinishedSpans().find(({ name }) => name === 'GET /skills'),
    { attributes: { 'error.type': 'upstream-fault' }, status: { code: 2 } }
  )
})
