import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { type Profiler, Session } from 'node:inspector'
import type { AddressInfo } from 'node:net'
import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { build } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { createCredential, noLimits } from '../test/support.ts'

/**
 * One process of the benchmark: the upstream stub, the pass-through proxy or the service. It tells its port and key when it listens, and
 * its CPU time when it is asked.
 */

/** 20 users as the upstream writes them, about 9 KB. */
function answer(): string {
  const time = '2026-01-15 09:30:00'
  const result = Array.from({ length: 20 }, (_, i) => ({
    user_id: 1001 + i,
    user_name: `user-${i}`,
    user_display_name: `User number ${i} of the benchmark`,
    user_active: true,
    user_custom_data: JSON.stringify({ crm: 4711 + i, note: 'some text of a customer' }),
    parent_accounting: true,
    balance: 12.5,
    fixed_balance: 0,
    live_balance: 12.25,
    acd_status: 'READY',
    acd_status_change_time: time,
    created: time,
    modified: time,
    skills: [{ skill_id: 301, skill_name: 'billing' }]
  }))
  return JSON.stringify({ result, total_count: 20, count: 20, timezone: undefined })
}

const [role = '', upstream = ''] = process.argv.slice(2)

async function start(): Promise<{ port: number; key?: string; bytes?: number }> {
  if (role === 'stub') {
    const body = answer()
    const server = createServer((request, response) => {
      request.resume()
      request.on('end', () =>
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
      )
    })
    server.keepAliveTimeout = 60_000
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return { port: (server.address() as AddressInfo).port, bytes: Buffer.byteLength(body) }
  }
  if (role === 'proxy') {
    const app = Fastify()
    await app.register(proxy, { upstream, undici: { connections: 50, pipelining: 1 } })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { port: (app.server.address() as AddressInfo).port }
  }
  const store = await openStore(sqliteDialect(':memory:'), createVault(randomBytes(32)))
  const administration = store.by({ kind: 'service', id: 'bench' })
  await administration.createTenant({ tenantId: 'bench', name: 'Bench', accountId: 1 })
  await administration.putCredential('bench', createCredential(1))
  const { key } = await administration.createKey('bench', { name: 'bench', scopes: ['*'] })
  const app = await build({
    config: readConfig({ LOG_LEVEL: process.env.BENCH_LOG ?? 'silent', VOXIMPLANT_API: 'sandbox', ...noLimits }),
    store,
    origin: upstream
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: (app.server.address() as AddressInfo).port, key }
}

/** Where the processor was, in microseconds by file; functions of no file are under their own name. */
function timesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Record<string, number> {
  const places = new Map(nodes.map(({ id, callFrame: { url, functionName } }) => [id, url || functionName]))
  const times: Record<string, number> = {}
  for (const [i, id] of samples.entries()) {
    const place = places.get(id)!
    if (place !== '(idle)') times[place] = (times[place] ?? 0) + timeDeltas[i]!
  }
  return times
}

const inspector = new Session()
inspector.connect()

process.on('message', word => {
  if (word === 'profile') {
    inspector.post('Profiler.enable')
    inspector.post('Profiler.setSamplingInterval', { interval: 200 })
    inspector.post('Profiler.start', () => process.send?.({}))
    return
  }
  if (word === 'profiled') {
    inspector.post('Profiler.stop', (_, { profile }) => process.send?.(timesOf(profile)))
    return
  }
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system, rss: process.memoryUsage.rss() })
})
process.on('disconnect', () => process.exit())
process.send?.(await start())
