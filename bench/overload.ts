import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

/**
 * `node bin/run.js bench/overload.ts`: what is still answered under three times the load that saturates the service. First the peak: as many
 * requests as so many connections bring about. Then three times that rate is offered over ten times as many connections. Goodput are
 * answers 200 within two seconds. OVERLOAD_SECONDS says how long the second part takes; memory is looked at every tenth of it.
 */

const seconds = Number(process.env.OVERLOAD_SECONDS ?? 20)
const saturating = 50
const times = 3
const deadline = 2

const children: ChildProcess[] = []
async function spawn(role: string, upstream = '') {
  const child = fork(fileURLToPath(new URL('./target.ts', import.meta.url)), [role, upstream])
  children.push(child)
  const [started] = (await once(child, 'message')) as [{ port: number; key?: string }]
  return { child, started }
}
async function memoryOf(child: ChildProcess): Promise<number> {
  child.send('usage')
  const [{ rss }] = (await once(child, 'message')) as [{ rss: number }]
  return rss / 1_048_576
}
const pin = (pid: number, processors: string) =>
  availableParallelism() > 1 && spawnSync('taskset', ['-acp', processors, String(pid)]).status === 0

try {
  const stub = await spawn('stub')
  const { child, started } = await spawn('service', `http://127.0.0.1:${stub.started.port}`)
  pin(child.pid!, '1')
  for (const pid of [stub.child.pid!, process.pid]) pin(pid, '0')
  const load = (options: Omit<autocannon.Options, 'url'>) =>
    autocannon({
      url: `http://127.0.0.1:${started.port}/applications/1/users?limit=20`,
      headers: { authorization: `Bearer ${started.key}` },
      timeout: deadline,
      ...options
    })

  await load({ connections: saturating, duration: 3 })
  const peak = await load({ connections: saturating, duration: Math.min(seconds, 10) })
  const peakRate = peak['2xx'] / peak.duration
  const before = await memoryOf(child)
  const memory: number[] = []
  const watch = setInterval(async () => memory.push(await memoryOf(child)), (seconds * 1000) / 10)
  const over = await load({ connections: saturating * 10, overallRate: Math.round(peakRate * times), duration: seconds })
  clearInterval(watch)
  const rate = over['2xx'] / over.duration
  console.log(`peak      ${peakRate.toFixed(0)} answers/s with ${saturating} connections, p99 ${peak.latency.p99} ms`)
  console.log(
    `overload  ${rate.toFixed(0)} answers/s of ${Math.round(peakRate * times)} offered over ${saturating * 10} connections for ${seconds} s, p99 ${over.latency.p99} ms; turned away ${over.non2xx}, no answer in ${deadline} s ${over.errors}`
  )
  console.log(`goodput   ${((100 * rate) / peakRate).toFixed(0)} % of the peak`)
  console.log(`memory    ${before.toFixed(0)} MB before; during: ${memory.map(value => value.toFixed(0)).join(' ')} MB`)
} finally {
  for (const child of children) child.disconnect()
}
