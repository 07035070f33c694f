import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { listenForMetrics } from '../src/telemetry/metrics-server.ts'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

/** What is counted, by what a scraper reads; and that the dashboard and the alerts ask for nothing else. */

/** A service whose upstream answers, refuses, fails and goes, and that has met all of that. */
async function startBusy(t: Test, env: Record<string, string> = {}) {
  let behave: 'answer' | 'fail' | 'cut' = 'answer'
  const { origin } = await startStub(t, ({ response }) => {
    if (behave === 'cut') response.destroy()
    else if (behave === 'fail') response.writeHead(502).end()
    else response.end('{"result":[{"skill_id":1,"skill_name":"a","brand_new":1}],"total_count":1,"count":1}')
  })
  const service = await startService({
    tenants: 3,
    origin,
    env: {
      UPSTREAM_MAX_RETRIES: '1',
      UPSTREAM_RETRY_BASE_DELAY: '1',
      BREAKER_FAILURE_THRESHOLD: '3',
      BREAKER_PROBE_INTERVAL: '60000',
      METRICS_MAX_TENANTS: '2',
      ...env
    }
  })
  t.teardown(() => service.close())
  return {
    service,
    behave(next: typeof behave) {
      behave = next
    }
  }
}

const sampleOf = (text: string, series: string): number => {
  const line = text.split('\n').find(line => line.startsWith(`${series} `))
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
}

t.test('counts', async t => {
  const { service, behave } = await startBusy(t)
  for (const tenant of [0, 1, 2, 2]) t.equal((await service.call('GET', '/skills', undefined, { tenant })).status, 200)
  await service.call('GET', '/skills?limit=x')
  await service.call('GET', '/nowhere')
  behave('fail')
  await service.call('GET', '/skills')
  behave('cut')
  for (let i = 0; i < 3; i++) await service.call('GET', '/skills')

  const { text, headers } = await service.call('GET', '/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.equal(sampleOf(text, 'voxgate_http_requests_total{route="/skills",method="GET",status="200"}'), 4)
  t.equal(sampleOf(text, 'voxgate_http_requests_total{route="/skills",method="GET",status="400"}'), 1)
  t.equal(
    sampleOf(text, 'voxgate_http_requests_total{route="none",method="GET",status="404"}'),
    1,
    'an address of the caller’s is no label'
  )
  t.equal(sampleOf(text, 'voxgate_tenant_requests_total{tenant="tenant-1",class="2xx"}'), 1)
  t.equal(sampleOf(text, 'voxgate_tenant_requests_total{tenant="other",class="2xx"}'), 2, 'beyond METRICS_MAX_TENANTS')
  t.equal(sampleOf(text, 'voxgate_upstream_calls_total{method="GetSkills",outcome="ok"}'), 4)
  t.equal(sampleOf(text, 'voxgate_upstream_calls_total{method="GetSkills",outcome="fault"}'), 2, 'each attempt')
  t.equal(sampleOf(text, 'voxgate_upstream_retries_total{reason="response"}'), 1)
  t.ok(sampleOf(text, 'voxgate_upstream_calls_total{method="GetSkills",outcome="lost"}') >= 1)
  t.equal(sampleOf(text, 'voxgate_breaker_openings_total{scope="tenant"}'), 1)
  t.equal(sampleOf(text, 'voxgate_breakers_open{scope="tenant"}'), 1)
  t.equal(sampleOf(text, 'voxgate_breakers_open{scope="host"}'), 0, 'one tenant’s trouble')
  t.equal(sampleOf(text, 'voxgate_tenant_breaker_open{tenant="tenant-1"}'), 1)
  t.ok(sampleOf(text, 'voxgate_breaker_rejections_total{scope="tenant"}') >= 1)
  t.match(text, /voxgate_upstream_unknown_fields_total\{field="\w+\.brand_new"\} 4/)
  t.ok(sampleOf(text, 'voxgate_cache_lookups_total{cache="keys",outcome="hit"}') > 0)
  t.ok(sampleOf(text, 'voxgate_cache_lookups_total{cache="keys",outcome="miss"}') >= 3)
  const buckets = [...text.matchAll(/voxgate_http_request_duration_seconds_bucket\{route="\/skills",method="GET",le="([^"]+)"\} (\d+)/g)]
  const counts = buckets.map(([, , value]) => Number(value))
  t.same(
    counts,
    counts.toSorted((a, b) => a - b),
    'buckets add up'
  )
  t.equal(buckets.at(-1)?.[1], '+Inf')
  t.equal(counts.at(-1), sampleOf(text, 'voxgate_http_request_duration_seconds_count{route="/skills",method="GET"}'))
  for (const line of text.split('\n')) t.match(line, /^($|#|[a-zA-Z_:][\w:]*(\{[^}]*\})? \S+$)/)
  for (const { key, credential } of service.tenants) {
    t.notMatch(text, key)
    t.notMatch(text, credential.privateKey.slice(100, 140))
  }
})

t.test('the dashboard and the alerts name what there is', async t => {
  const { service, behave } = await startBusy(t)
  await service.call('GET', '/skills')
  behave('cut')
  for (let i = 0; i < 4; i++) await service.call('GET', '/skills')
  const { text } = await service.call('GET', '/metrics')
  const declared = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]))
  const exists = (name: string) => declared.has(name) || declared.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram'
  const namesIn = (expr: string) =>
    [...expr.replace(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/g, '').matchAll(/\b((?:voxgate|nodejs|process)_\w+)\b/g)].map(([, name]) => name!)

  const dashboard = JSON.parse(readFileSync('docs/grafana-dashboard.json', 'utf8'))
  const queries: string[] = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr))
  const rules = [...readFileSync('docs/alerts.yaml', 'utf8').matchAll(/^ +expr: (.+)$/gm)].map(([, expr]) => expr!)
  t.ok(queries.length > 20 && rules.length > 10)
  const asked = new Set<string>()
  for (const expr of [...queries, ...rules]) {
    const names = namesIn(expr)
    t.ok(names.length > 0, expr)
    for (const name of names) {
      t.ok(exists(name), name)
      asked.add(name.replace(/_(bucket|sum|count)$/, ''))
    }
  }
  const unseen = [...declared.keys()].filter(name => name.startsWith('voxgate_') && !asked.has(name))
  t.same(unseen, [], 'and everything of ours is looked at')
  // A label that a query sums by or asks for has to be one.
  const labels = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, label]) => label))
  for (const label of [
    'instance',
    'reason',
    'tenant',
    'scope',
    'field',
    'outcome',
    'cache',
    'le',
    'status',
    'code',
    'method',
    'version',
    'node'
  ])
    labels.add(label)
  for (const expr of queries)
    for (const [, list] of expr.matchAll(/by \(([^)]+)\)/g)) for (const label of list!.split(', ')) t.ok(labels.has(label), label)
  t.comment(`${queries.length} queries, ${rules.length} rules, ${declared.size} metrics`)
})

t.test('who may read them', async t => {
  const token = 'a-token-for-the-scraper'
  const withToken = await startService({ env: { METRICS_TOKEN: token } })
  t.teardown(() => withToken.close())
  const read = (authorization?: string) =>
    withToken.app.inject({ url: '/metrics', headers: authorization === undefined ? {} : { authorization } })
  t.equal((await read()).statusCode, 401)
  t.equal((await read('Bearer wrong')).statusCode, 401)
  t.equal((await read(`Bearer ${withToken.tenants[0]!.key}`)).statusCode, 401, 'a caller’s key is none')
  t.equal((await read(`Bearer ${token}`)).statusCode, 200)

  const production = { NODE_ENV: 'production', MASTER_KEY: Buffer.alloc(32, 1).toString('base64') }
  const bare = await startService({ env: production })
  t.teardown(() => bare.close())
  t.equal((await bare.app.inject({ url: '/metrics' })).statusCode, 404, 'in production not by accident')

  const apart = await startService({ env: { ...production, METRICS_PORT: '9' } })
  const server = await listenForMetrics(apart.app.metrics, '127.0.0.1', 0)
  t.teardown(async () => {
    server.close()
    await apart.close()
  })
  t.equal((await apart.app.inject({ url: '/metrics' })).statusCode, 404)
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const scraped = await fetch(`${address}/metrics`)
  t.equal(scraped.status, 200)
  t.match(await scraped.text(), /^voxgate_build_info\{/m)
  t.equal((await fetch(`${address}/skills`)).status, 404)
  t.equal((await fetch(`${address}/metrics`, { method: 'POST' })).status, 405)

  const broken = await listenForMetrics(
    { contentType: 'text/plain', admits: () => true, text: () => Promise.reject(new Error('no')) },
    '127.0.0.1',
    0
  )
  t.teardown(() => broken.close())
  const failed = await fetch(`http://127.0.0.1:${(broken.address() as AddressInfo).port}/metrics`)
  t.equal(failed.status, 500, 'a failure ends a scrape, not the process')
})

t.test('members that the upstream invents are counted under at most 1,000 names of at most 100 characters', async t => {
  let call = 0
  const { origin } = await startStub(t, ({ response }) => {
    call++
    const invented = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`${'x'.repeat(200)}${call}_${i}`, 1]))
    const short = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`n${call}_${i}`, 1]))
    response.end(JSON.stringify({ result: [{ skill_id: 1, skill_name: 'a', ...short, ...invented }], total_count: 1, count: 1 }))
  })
  const service = await startService({ origin })
  t.teardown(() => service.close())
  for (let i = 0; i < 3; i++) t.equal((await service.call('GET', '/skills')).status, 200)
  const { text } = await service.call('GET', '/metrics')
  const names = [...text.matchAll(/^voxgate_upstream_unknown_fields_total\{field="([^"]*)"\}/gm)].map(([, name]) => name!)
  t.equal(names.length, 1000)
  t.ok(
    names.every(name => name.length <= 100),
    'no name is longer'
  )
})
