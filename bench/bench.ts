import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

/**
 * `npm run bench`: the service's list of 20 users beside a bare pass-through proxy in front of the same stub, in turns within one run, so
 * that a machine whose speed drifts is fair to both. CPU per request is the processes' own, whatever the load generator costs.
 * BENCH_ROUNDS and BENCH_SECONDS change how long it takes.
 */

const rounds = Number(process.env.BENCH_ROUNDS ?? 7)
const seconds = Number(process.env.BENCH_SECONDS ?? 4)
const connections = 16

interface Started {
  port: number
  key?: string
  bytes?: number
}

/** With two processors or more, what is measured has one for itself, where `taskset` can see to that. */
const pin = (pid: number, processors: string): boolean =>
  availableParallelism() > 1 && spawnSync('taskset', ['-acp', processors, String(pid)]).status === 0

const children: ChildProcess[] = []
async function spawn(role: string, upstream = ''): Promise<{ child: ChildProcess; started: Started }> {
  const child = fork(fileURLToPath(new URL('./target.ts', import.meta.url)), [role, upstream])
  children.push(child)
  const [started] = (await once(child, 'message')) as [Started]
  return { child, started }
}

async function usageOf(child: ChildProcess): Promise<{ cpu: number; rss: number }> {
  child.send('usage')
  const [usage] = (await once(child, 'message')) as [{ cpu: number; rss: number }]
  return usage
}

interface Round {
  rps: number
  p50: number
  p99: number
  cpu: number
  rss: number
}

const stub = await spawn('stub')
const origin = `http://127.0.0.1:${stub.started.port}`
const proxy = await spawn('proxy', origin)
const service = await spawn('service', origin)
const pinned =
  [proxy, service].map(({ child }) => pin(child.pid!, '1')).every(Boolean) &&
  [stub.child.pid!, process.pid].map(pid => pin(pid, '0')).every(Boolean)

async function round({ child, started }: typeof proxy, duration: number): Promise<Round> {
  const before = await usageOf(child)
  const result = await autocannon({
    // The proxy passes the very call that the service makes, form and all; the stub answers both alike.
    ...(started.key
      ? { url: `http://127.0.0.1:${started.port}/applications/1/users?limit=20`, headers: { authorization: `Bearer ${started.key}` } }
      : {
          url: `http://127.0.0.1:${started.port}/platform_api`,
          method: 'POST' as const,
          headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${'x'.repeat(460)}` },
          body: 'cmd=GetUsers&application_id=1&count=20'
        }),
    connections,
    duration
  })
  const after = await usageOf(child)
  const failed = result.errors + result.non2xx + result.timeouts
  if (failed > 0) throw new Error(`${failed} requests failed`)
  const total = result['2xx']
  return {
    rps: total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    cpu: (after.cpu - before.cpu) / total,
    rss: after.rss / 1_048_576
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const least = (rows: Round[]): number => Math.min(...rows.map(row => row.cpu))
const of = (rows: Round[], field: keyof Round): number => median(rows.map(row => row[field]))

try {
  for (const target of [proxy, service]) await round(target, 3)
  const rows: Record<'proxy' | 'service', Round[]> = { proxy: [], service: [] }
  for (let i = 0; i < rounds; i++) {
    rows.proxy.push(await round(proxy, seconds))
    rows.service.push(await round(service, seconds))
  }
  const line = (name: string, all: Round[]) =>
    `${name.padEnd(22)}${of(all, 'rps').toFixed(0).padStart(10)}${of(all, 'p50').toFixed(1).padStart(10)}${of(all, 'p99').toFixed(1).padStart(10)}${of(all, 'cpu').toFixed(1).padStart(14)}${of(all, 'rss').toFixed(0).padStart(10)}`
  const ratios = rows.service.map((row, i) => row.cpu / rows.proxy[i]!.cpu)
  console.log(
    `List of 20 users (${stub.started.bytes} bytes upstream), ${connections} connections, ${rounds} rounds of ${seconds} s each${pinned ? ', a processor for each target' : ''}, medians:\n`
  )
  console.log(
    `${''.padEnd(22)}${'req/s'.padStart(10)}${'p50 ms'.padStart(10)}${'p99 ms'.padStart(10)}${'CPU us/req'.padStart(14)}${'RSS MB'.padStart(10)}`
  )
  console.log(line('@fastify/http-proxy', rows.proxy))
  console.log(line('voxgate', rows.service))
  console.log(
    `\nCPU per request, voxgate over proxy: ${(least(rows.service) / least(rows.proxy)).toFixed(2)} between the best round of each (${least(rows.service).toFixed(1)} and ${least(rows.proxy).toFixed(1)} us), on which a busy machine tells least; pair by pair min ${Math.min(...ratios).toFixed(2)}, median ${median(ratios).toFixed(2)}, max ${Math.max(...ratios).toFixed(2)}`
  )
} finally {
  for (const child of children) child.disconnect()
}
