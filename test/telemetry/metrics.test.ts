import t from 'tap'
import { Histogram } from '../../src/telemetry/counters.ts'
import { Metrics, sample, samplesOf } from '../../src/telemetry/metrics.ts'
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts'

/** The lines of one metric. */
const linesOf = async (metrics: Metrics, name: string): Promise<string[]> =>
  (await metrics.text()).split('\n').filter(line => line.startsWith(name) && !line.startsWith('#'))

t.test('counters and gauges are read when they are scraped', async t => {
  const metrics = new Metrics('')
  const tally = { a: 1 }
  let level = 3
  metrics.counter('test_total', { help: 'A test.', labels: ['name'], read: () => samplesOf('name', tally) })
  metrics.gauge('test_level', { help: 'A test.', read: () => sample(level) })
  t.same(await linesOf(metrics, 'test_'), ['test_total{name="a"} 1', 'test_level 3'])
  tally.a = 5
  level = 0
  t.same(await linesOf(metrics, 'test_'), ['test_total{name="a"} 5', 'test_level 0'])
})

t.test('a histogram has cumulative buckets, a sum and a count', async t => {
  const metrics = new Metrics('')
  const time = new Histogram()
  for (const ms of [4, 40, 40_000]) time.observe(ms)
  metrics.histogram('test_seconds', { help: 'A test.', labels: ['route'], read: () => [[{ route: '/x' }, time]] })
  const lines = await linesOf(metrics, 'test_seconds')
  t.ok(lines.includes('test_seconds_bucket{route="/x",le="0.005"} 1'))
  t.ok(lines.includes('test_seconds_bucket{route="/x",le="0.05"} 2'))
  t.ok(lines.includes('test_seconds_bucket{route="/x",le="+Inf"} 3'))
  t.ok(lines.includes('test_seconds_count{route="/x"} 3'))
  t.match(lines.join('\n'), /test_seconds_sum\{route="\/x"\} 40\.044/)
})

t.test('with a token only its bearer may read', async t => {
  const metrics = new Metrics('a-token')
  t.ok(metrics.admits('Bearer a-token'))
  t.notOk(metrics.admits('Bearer another'))
  t.notOk(metrics.admits(undefined))
  t.ok(new Metrics('').admits(undefined))
})

const request = { method: 'GET', route: '/x', status: 200, ms: 4, tenantId: undefined, problem: undefined, disconnected: false }

t.test('requests are counted by route, method and status', async t => {
  const metrics = new Metrics('')
  const requests = new RequestMetrics(10)
  requests.register(metrics, () => 7)
  requests.record(request)
  requests.record({ ...request, status: 404, problem: 'not-found' })
  requests.record({ ...request, method: 'BREW', route: undefined, status: 499, disconnected: true })
  t.same(await linesOf(metrics, 'voxgate_http_requests'), [
    'voxgate_http_requests_total{route="/x",method="GET",status="200"} 1',
    'voxgate_http_requests_total{route="/x",method="GET",status="404"} 1',
    'voxgate_http_requests_total{route="none",method="other",status="499"} 1',
    'voxgate_http_requests_in_flight 7'
  ])
  t.same(await linesOf(metrics, 'voxgate_problems_total'), ['voxgate_problems_total{code="not-found"} 1'])
  t.same(await linesOf(metrics, 'voxgate_client_disconnects_total'), ['voxgate_client_disconnects_total 1'])
})

t.test('tenants beyond the maximum share one label', async t => {
  const metrics = new Metrics('')
  const requests = new RequestMetrics(1)
  requests.register(metrics, () => 0)
  for (const [tenantId, status] of [
    ['a', 200],
    ['b', 404],
    ['c', 500],
    ['a', 201]
  ] as const)
    requests.record({ ...request, tenantId, status })
  t.same(await linesOf(metrics, 'voxgate_tenant_requests_total'), [
    'voxgate_tenant_requests_total{tenant="a",class="2xx"} 2',
    'voxgate_tenant_requests_total{tenant="other",class="4xx"} 1',
    'voxgate_tenant_requests_total{tenant="other",class="5xx"} 1'
  ])
  t.same([requests.labelOf('a'), requests.labelOf('b')], ['a', 'other'])
})
