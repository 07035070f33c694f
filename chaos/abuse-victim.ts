import { once } from 'node:events'
import { aim, quantile } from './stage.ts'

/** A tenant that calls steadily beside an attack, and probes of liveness, in a process of its own. */

export interface VictimOrder {
  origin: string
  key: string
  seconds: number
}

export interface VictimResult {
  /** Milliseconds. */
  p50: number
  p99: number
  requests: number
  failed: number
  /** The longest time that a probe of liveness took: the event loop stood still for about as long. */
  pause: number
}

const perSecond = 50
const probeEveryMs = 20

process.on('disconnect', () => process.exit())
for (;;) {
  const [{ origin, key, seconds }] = (await once(process, 'message')) as [VictimOrder]
  const caller = aim(origin, 64)
  const prober = aim(origin, 16)
  const times: number[] = []
  let failed = 0
  let pause = 0
  const pending: Promise<unknown>[] = []
  const call = async () => {
    const { status, ms } = await caller.fire({ path: '/applications/1/users?limit=20', key })
    times.push(ms)
    if (status !== 200) failed++
  }
  const probe = async () => {
    const { ms } = await prober.fire({ path: '/health/live', key })
    pause = Math.max(pause, ms)
  }
  const timers = [setInterval(() => pending.push(call()), 1000 / perSecond), setInterval(() => pending.push(probe()), probeEveryMs)]
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  timers.forEach(clearInterval)
  await Promise.all(pending)
  await Promise.all([caller.close(), prober.close()])
  process.send?.({ p50: quantile(times, 0.5), p99: quantile(times, 0.99), requests: times.length, failed, pause } satisfies VictimResult)
}
