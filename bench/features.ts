import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

/**
 * `npm run bench:features`: what each part of the service costs per request of the benchmark's list, by sampling where the processor is. Shares of
 * one run, so that a machine whose speed drifts does not matter; time that native code spends for a part stands under `native`.
 */

const seconds = Number(process.env.BENCH_SECONDS ?? 20)

/** By the file a function stands in, first match. */
const parts: readonly (readonly [name: string, files: RegExp])[] = [
  ['rate limits', /plugins\/limits|src\/limits|rate-limit/],
  ['load shedding', /plugins\/shedding|under-pressure/],
  ['traces, Server-Timing', /plugins\/request-trace|src\/telemetry\/(request-trace|spans|upstream-stats)/],
  ['metrics', /plugins\/metrics|telemetry\/counters|prom-client/],
  ['idempotency, audit', /plugins\/(idempotency|audit)|src\/idempotency|api\/stages/],
  ['breaker, retries, bulkhead', /voximplant\/(circuit-breaker|retry|bulkhead|stages)/],
  ['keys, scopes, tenants', /plugins\/(auth|tenants)|src\/(tenants|scopes|networks)|internal\/crypto\/hash/],
  ['JSON: parse, decode, write', /voximplant\/(response|transport|form|wire)|fastify\/lib\/reply|api\/reply/],
  ['validation', /api\/validation|ajv|validate\d|fastify\/lib\/validation/],
  ['the rest of Voxgate', /\/(plugins|src|routes|schemas)\//],
  ['Fastify', /node_modules\/(fastify|find-my-way|@fastify|fastify-plugin|fast-|secure-json|avvio)/],
  ['undici', /node_modules\/undici|wasm/],
  ['Node', /^node:/],
  ['garbage collection', /^\(garbage collector\)$/]
]

const target = fileURLToPath(new URL('./target.ts', import.meta.url))
const stub = fork(target, ['stub', ''])
const [{ port: upstream }] = (await once(stub, 'message')) as [{ port: number }]
const service = fork(target, ['service', `http://127.0.0.1:${upstream}`])
const [{ port, key }] = (await once(service, 'message')) as [{ port: number; key: string }]

const load = (duration: number) =>
  autocannon({
    url: `http://127.0.0.1:${port}/applications/1/users?limit=20`,
    headers: { authorization: `Bearer ${key}` },
    connections: 16,
    duration
  })
const ask = async <T>(word: string): Promise<T> => {
  service.send(word)
  const [answer] = (await once(service, 'message')) as [T]
  return answer
}

try {
  await load(3)
  await ask('profile')
  const { '2xx': requests } = await load(seconds)
  const times = await ask<Record<string, number>>('profiled')
  const sums = new Map<string, number>()
  for (const [file, time] of Object.entries(times)) {
    const [name] = parts.find(([, files]) => files.test(file)) ?? ['native']
    sums.set(name, (sums.get(name) ?? 0) + time)
  }
  const total = [...sums.values()].reduce((sum, time) => sum + time, 0)
  console.log(`${requests} requests in ${seconds} s, sampled:\n`)
  for (const [name, time] of [...sums].sort(([, a], [, b]) => b - a))
    console.log(`${name.padEnd(28)}${((100 * time) / total).toFixed(1).padStart(6)} %${(time / requests).toFixed(1).padStart(9)} us`)
} finally {
  for (const child of [stub, service]) child.disconnect()
}
