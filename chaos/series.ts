import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { abuse } from './abuse.ts'
import type { Score } from './control.ts'
import type { Fault, Rule } from './faults.ts'
import {
  aim,
  freePort,
  type Gun,
  type Hit,
  makeTenants,
  onStage,
  pin,
  quantile,
  rain,
  type Shot,
  type Stage,
  type StageTenant,
  startLoader,
  startPostgres,
  startRedis,
  startReplica,
  startUpstream,
  until,
  volley
} from './stage.ts'

/** The report's series: each makes its own world of processes, measures, and says whether a figure keeps its bound. */

/** A figure. */
export interface Line {
  what: string
  figure: string
  /** What it has to be; empty where it is for information. */
  bound: string
  kept: boolean
}

export interface SeriesOptions {
  /** Smaller counts: for continuous integration. */
  quick: boolean
  /** Receives progress messages. */
  say(line: string): void
}

export type Series = (options: SeriesOptions) => Promise<Line[]>

const line = (what: string, figure: string | number, bound = '', kept = true): Line => ({ what, figure: String(figure), bound, kept })
const atMost = (what: string, value: number, most: number, unit = '', digits = 0): Line =>
  line(what, `${value.toFixed(digits)}${unit}`, `at most ${most}${unit}`, value <= most)
const none = (what: string, count: number): Line => atMost(what, count, 0)

// -------------------------------------------------------------------------------------------------------------- what is sent

/** A read whose answer holds its own marker, and no other. */
const readOf = (marker: string, { key }: StageTenant): Shot => ({ path: `/applications/1/users?userName=${marker}&limit=1`, key })

/** A call that costs money, or adds something. */
const writeOf = (marker: string, { key }: StageTenant, money: boolean, idempotencyKey: string = randomUUID()): Shot => ({
  method: 'POST',
  path: money ? '/sms-messages' : '/applications/1/users',
  key,
  headers: { 'idempotency-key': idempotencyKey },
  body: money
    ? { source: '14155550100', destination: '14155550101', smsBody: marker }
    : { userName: marker, userDisplayName: 'Chaos', userPassword: 'Passw0rd!' }
})

const markers = /chaos-[a-z0-9-]+/g

/** Whether a good answer is another request's, or one that nobody asked for. */
const isAstray = (marker: string, { status, text }: Hit): boolean =>
  status === 200 && (text.includes('stray') || (text.match(markers) ?? []).some(found => found !== marker) || !text.includes(marker))

/** Whether the service knows idempotency keys: then callers repeat. */
const knowsKeys = async (origin: string): Promise<boolean> =>
  (await (await fetch(`${origin}/openapi.json`)).text()).includes('Idempotency-Key')

const timesOf = (counts: Map<string, number>): string =>
  [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, n]) => `${name}: ${n}`)
    .join(', ')
const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
const nameOf = ({ status, code, error }: Hit): string =>
  status === 0 ? `no answer (${error})` : code ? `${status} ${code}` : String(status)

/** Every fault of a request, so that together they strike with the probability given. */
function anyFault(probability: number): Rule[] {
  const faults: Fault[] = [
    { kind: 'reset' },
    { kind: 'reset', at: 0 },
    { kind: 'half-close' },
    { kind: 'black-hole' },
    { kind: 'drip', bytes: 1, everyMs: 300 },
    { kind: 'garbage' },
    { kind: 'garbage-body' },
    { kind: 'truncated' },
    { kind: 'huge', bytes: 8_388_608 },
    { kind: 'content-type' },
    { kind: 'gzip' },
    { kind: 'second-answer' },
    { kind: 'second-answer', afterMs: 3 },
    { kind: 'status', status: 429 },
    { kind: 'status', status: 429, retryAfter: 1 },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 502 },
    { kind: 'status', status: 503, retryAfter: 1 },
    { kind: 'status', status: 504 },
    { kind: 'refusal', code: 447 },
    { kind: 'refusal', code: 454 },
    { kind: 'refusal', code: 455 },
    { kind: 'refusal', code: 456 }
  ]
  const each = 1 - (1 - probability) ** (1 / faults.length)
  return [
    { fault: { kind: 'latency', ms: 1, jitter: 30 }, probability: 0.05 },
    { fault: { kind: 'clock-skew', seconds: 120 }, probability: 0.02 },
    ...faults.map(fault => ({ fault, probability: each }))
  ]
}

/** Deadlines short enough for a series to end today. */
const hasty = { UPSTREAM_HEADERS_TIMEOUT: '500', UPSTREAM_TIMEOUT: '2000', UPSTREAM_MAX_RESPONSE_SIZE: '1048576' }

// -------------------------------------------------------------------------------------------------------------- 1

/** Compares the outcomes that callers got of each write with what the upstream did. */
function judgeWrites(outcomes: ReadonlyMap<string, Hit[]>, content: NonNullable<Score['content']>): Line[] {
  let lost = 0
  let doubled = 0
  let misreported = 0
  let cut = 0
  let needless = 0
  const answers = new Map<string, number>()
  for (const [marker, hits] of outcomes) {
    for (const hit of hits) count(answers, nameOf(hit))
    const known = content[marker]
    const effects = known?.effects ?? 0
    const done = hits.some(({ status }) => status >= 200 && status < 300)
    const unknown = hits.some(({ code }) => code === 'outcome-unknown')
    const wasCut = known?.attempts.some(({ fate }) => fate === 'cut') ?? false
    if (done && effects === 0) lost++
    if (effects > 1) doubled++
    if (wasCut) cut++
    // A caller that was cut off itself got no response.
    if (wasCut && !unknown && hits.some(({ status }) => status > 0)) misreported++
    if (unknown && !wasCut) needless++
  }
  return [
    line('writes', `${outcomes.size}; ${timesOf(answers)}`),
    none('acknowledged writes without their effect', lost),
    none('writes with more than one effect', doubled),
    line('writes that were cut', cut),
    none('of them not reported as outcome-unknown', misreported),
    line('reported as outcome-unknown without a cut seen at the upstream', needless)
  ]
}

/** Many requests under random faults of every kind. */
const faults: Series = ({ quick, say }) =>
  onStage(async stage => {
    const total = quick ? 1_000 : 100_000
    const upstream = await startUpstream(stage)
    const tenants = await makeTenants(stage, 10)
    const service = await startReplica(stage, upstream.origin, hasty)
    const keys = await knowsKeys(service.origin)
    await upstream.set({ seed: 5, rules: anyFault(0.2) })
    const gun = aim(service.origin, 128)
    stage.atEnd(() => gun.close())
    const outcomes = new Map<string, Hit[]>()
    const answers = new Map<string, number>()
    let astray = 0
    let reads = 0
    let good = 0
    await volley(total, 64, async i => {
      const tenant = tenants[i % tenants.length]!
      if (i % 10 !== 3) {
        const marker = `chaos-r${i}`
        const hit = await gun.fire(readOf(marker, tenant))
        reads++
        if (hit.status === 200) good++
        else count(answers, nameOf(hit))
        if (isAstray(marker, hit)) astray++
      } else {
        const marker = `chaos-w${i}`
        const shot = writeOf(marker, tenant, i % 20 === 3)
        const hits: Hit[] = []
        outcomes.set(marker, hits)
        // A third of the callers send it twice concurrently, a third again after the response.
        const how = keys ? Math.floor(i / 10) % 3 : 0
        hits.push(...(await Promise.all(how === 1 ? [gun.fire(shot), gun.fire(shot)] : [gun.fire(shot)])))
        if (how === 2) hits.push(await gun.fire(shot))
      }
      if ((i + 1) % 10_000 === 0) say(`${i + 1} of ${total}, ${service.memory().toFixed(0)} MB`)
    })
    const score = await upstream.score()
    const struck = Object.entries(score.faults).filter(([kind]) => kind !== 'latency' && kind !== 'clock-skew')
    const share = struck.reduce((sum, [, n]) => sum + n, 0) / score.requests
    return [
      line('requests', `${total}, ${score.requests} at the upstream, ${(share * 100).toFixed(1)} % of them struck by a fault`),
      line(
        'idempotency keys',
        keys ? 'known; a third of the writes sent twice concurrently, a third repeated' : 'not known to this version: nothing repeated'
      ),
      ...judgeWrites(outcomes, score.content),
      line('reads', `${reads}, ${((good / reads) * 100).toFixed(2)} % well; ${timesOf(answers)}`),
      none('answers of another request', astray),
      line('the service', service.child.exitCode === null ? 'runs' : 'crashed', 'runs', service.child.exitCode === null)
    ]
  })

// -------------------------------------------------------------------------------------------------------------- 2

const failing: Rule[] = (
  [{ kind: 'status', status: 500 }, { kind: 'status', status: 502 }, { kind: 'status', status: 503 }, { kind: 'reset' }] as const
).map(fault => ({ fault, probability: 1 - 0.9 ** 0.25 }))

/** Reads while every tenth call fails at the upstream. */
const reads: Series = ({ quick, say }) =>
  onStage(async stage => {
    const total = quick ? 2_000 : 50_000
    const upstream = await startUpstream(stage)
    const tenants = await makeTenants(stage, 10)
    const lines: Line[] = []
    for (const retries of [2, 3]) {
      const service = await startReplica(stage, upstream.origin, { UPSTREAM_MAX_RETRIES: String(retries) })
      await upstream.reset()
      await upstream.set({ seed: 11, rules: failing })
      const gun = aim(service.origin, 32)
      let failed = 0
      const answers = new Map<string, number>()
      await volley(total, 32, async i => {
        const hit = await gun.fire(readOf(`chaos-r${i}`, tenants[i % tenants.length]!))
        count(answers, nameOf(hit))
        if (hit.status !== 200) failed++
        if ((i + 1) % 10_000 === 0) say(`${i + 1} of ${total}`)
      })
      await gun.close()
      await service.stop('SIGTERM')
      const score = await upstream.score()
      const errors = Object.values(score.faults).reduce((sum, n) => sum + n, 0)
      const expected = total * 0.1 ** (retries + 1)
      // Two repetitions of which a tenth fails leave a thousandth: the bound is what is expected, so chance gets its three deviations.
      const allowed = Math.max(total * 0.001, retries === 2 ? expected + 3 * Math.sqrt(expected) : 0)
      lines.push(
        line(
          `UPSTREAM_MAX_RETRIES=${retries}: upstream errors`,
          `${((errors / score.requests) * 100).toFixed(2)} % of ${score.requests} calls`
        ),
        line(
          `UPSTREAM_MAX_RETRIES=${retries}: reads that succeed`,
          `${((1 - failed / total) * 100).toFixed(3)} % of ${total} (${failed} failed, ${expected.toFixed(0)} expected)`,
          retries === 2 ? 'at least 99.9 %, within three standard deviations' : 'at least 99.9 %',
          failed <= allowed
        ),
        atMost(`UPSTREAM_MAX_RETRIES=${retries}: upstream calls per request`, score.requests / total, 1.2, '', 3)
      )
    }
    return lines
  })

// -------------------------------------------------------------------------------------------------------------- 3

/** Per second, from the first to the last. */
const rateOf = (times: readonly number[]): number => ((times.length - 1) / (times.at(-1)! - times[0]!)) * 1000 || 0

/** The upstream is dead for a minute, and comes back. */
const dead: Series = ({ quick, say }) =>
  onStage(async stage => {
    const seconds = quick ? 6 : 60
    const interval = 1_000
    const upstream = await startUpstream(stage)
    const tenants = await makeTenants(stage, 5)
    const service = await startReplica(stage, upstream.origin, { BREAKER_PROBE_INTERVAL: String(interval) })
    const gun = aim(service.origin, 64)
    stage.atEnd(() => gun.close())
    const lines: Line[] = []
    for (const how of ['resets everything', 'does not listen'] as const) {
      await upstream.set({ rules: [], listening: true })
      for (const tenant of tenants) await until('a good answer', async () => (await gun.fire(readOf('chaos-warm', tenant))).status === 200)
      await upstream.reset()
      await upstream.set(how === 'resets everything' ? { rules: [{ fault: { kind: 'reset', at: 0 } }] } : { listening: false })
      const refused: number[] = []
      const plain: number[] = []
      const answers = new Map<string, number>()
      await rain(120, seconds, async i => {
        if (i % 6 === 0) {
          plain.push((await gun.fire({ path: '/health/live', key: '' })).ms)
          return
        }
        const hit = await gun.fire(readOf(`chaos-r${i}`, tenants[i % tenants.length]!))
        count(answers, nameOf(hit))
        if (hit.code === 'upstream-unavailable') refused.push(hit.ms)
      })
      const { arrivals } = await upstream.score()
      say(`${how}: ${timesOf(answers)}`)
      const back = performance.now()
      await upstream.set({ rules: [], listening: true })
      const recovered: number[] = []
      await Promise.all(
        tenants.map(async tenant => {
          await until('recovery', async () => (await gun.fire(readOf('chaos-back', tenant))).status === 200, 30_000, 10)
          recovered.push(performance.now() - back)
        })
      )
      if (how === 'resets everything') {
        const probes = Object.values(arrivals).map(times => times.filter(ms => ms > 1_500))
        const gaps = probes.flatMap(times => times.slice(1).map((ms, i) => ms - times[i]!))
        lines.push(
          line(`${how} for ${seconds} s: answers`, timesOf(answers)),
          atMost('most probes of a tenant per second', Math.max(...probes.map(rateOf)), 1, '', 2),
          line('least time between probes of a tenant', `${Math.min(...gaps).toFixed(0)} ms`, 'at least 950 ms', Math.min(...gaps) >= 950)
        )
      } else lines.push(line(`${how} for ${seconds} s: answers`, timesOf(answers)))
      lines.push(
        // On a machine that is busy with other things, nothing is quick: then it is as quick as a request that does nothing.
        line(
          '503 within (p99)',
          `${quantile(refused, 0.99).toFixed(1)} ms; GET /health/live meanwhile ${quantile(plain, 0.99).toFixed(1)} ms`,
          'at most 50 ms, or 1.2 times the latter',
          quantile(refused, 0.99) <= Math.max(50, 1.2 * quantile(plain, 0.99))
        ),
        line('503 within (the slowest)', `${Math.max(...refused).toFixed(1)} ms of ${refused.length}`),
        atMost('recovery of the last tenant after the upstream is back', Math.max(...recovered), interval + 1_000, ' ms')
      )
    }
    return lines
  })

// -------------------------------------------------------------------------------------------------------------- 4

/** One tenant's upstream hangs, 49 others' do not. */
const slow: Series = ({ quick, say }) =>
  onStage(async stage => {
    const rounds = quick ? 2 : 6
    const seconds = quick ? 2 : 5
    const upstream = await startUpstream(stage)
    const [ill, ...healthy] = await makeTenants(stage, 50)
    const service = await startReplica(stage, upstream.origin)
    const gun = aim(service.origin, 128)
    const illGun = aim(service.origin, 128)
    stage.atEnd(() => Promise.all([gun.close(), illGun.close()]))
    await upstream.set({ rules: [{ fault: { kind: 'latency', ms: 10_000 }, accounts: [ill!.accountId] }] })
    let failed = 0
    const measure = async (): Promise<number> => {
      const times: number[] = []
      await rain(200, seconds, async i => {
        const hit = await gun.fire(readOf(`chaos-h${i}`, healthy[i % healthy.length]!))
        if (hit.status === 200) times.push(hit.ms)
        else failed++
      })
      return quantile(times, 0.99)
    }
    await measure()
    const without: number[] = []
    const beside: number[] = []
    let illCalls = 0
    for (let round = 0; round < rounds; round++) {
      without.push(await measure())
      // Twenty calls a second that each hang for ten.
      const suffering = rain(20, seconds + 1, async i => {
        illCalls++
        await illGun.fire(readOf(`chaos-i${i}`, ill!))
      })
      await sleep(1_000)
      beside.push(await measure())
      await suffering
      say(`round ${round + 1}: p99 ${without.at(-1)!.toFixed(1)} and ${beside.at(-1)!.toFixed(1)} ms`)
    }
    const [before, after] = [quantile(without, 0.5), quantile(beside, 0.5)]
    return [
      line(
        'healthy tenants alone',
        `p99 ${before.toFixed(1)} ms (median of ${rounds} rounds: ${without.map(ms => ms.toFixed(0)).join(', ')})`
      ),
      line(
        'beside the one whose upstream hangs',
        `p99 ${after.toFixed(1)} ms (${beside.map(ms => ms.toFixed(0)).join(', ')}); ${illCalls} calls of that tenant`
      ),
      atMost('p99 over what it was', after / before, 1.2, '', 2),
      none('calls of healthy tenants that failed', failed)
    ]
  })

// -------------------------------------------------------------------------------------------------------------- 5

/** The limits of the service as it comes: what is in its way under overload is what this is about. */
const asItComes = { TENANT_CONCURRENCY: '50', PROCESS_CONCURRENCY: '2000' }

/** A service on a processor of its own, and load from the other; what it can do at most. */
async function saturate(stage: Stage, seconds: number, say: SeriesOptions['say']) {
  const upstream = await startUpstream(stage)
  const tenants = await makeTenants(stage, 20)
  const service = await startReplica(stage, upstream.origin, asItComes)
  const loader = await startLoader(stage)
  const pinned = [pin(service.child.pid!, 1), pin(upstream.pid, 0), pin(loader.pid, 0)].every(Boolean)
  const order = { origin: service.origin, path: '/skills?limit=1', settle: 2, keys: tenants.map(({ key }) => key), seconds }
  await loader.run({ ...order, connections: 16, seconds: 3 })
  let peak = { connections: 0, good: 0 }
  for (const connections of [16, 32, 64, 128]) {
    const { good } = await loader.run({ ...order, connections })
    say(`${connections} connections: ${good.toFixed(0)} a second`)
    if (good > peak.good) peak = { connections, good }
  }
  return { service, loader, order, peak, pinned }
}

/**
 * Three times the saturating load, in turns with just enough of it: each round beside the two around it, as a machine's speed drifts. What the
 * generator does until all its connections are open is counted in neither.
 */
const overload: Series = ({ quick, say }) =>
  onStage(async stage => {
    const rounds = quick ? 3 : 11
    const seconds = quick ? 2 : 4
    const { service, loader, order, peak, pinned } = await saturate(stage, seconds, say)
    const saturated = async () => (await loader.run({ ...order, connections: peak.connections })).good
    const peaks = [await saturated()]
    const goods: number[] = []
    const shares: number[] = []
    const slowest: number[] = []
    const statuses = new Map<string, number>()
    let errors = 0
    for (let round = 0; round < rounds; round++) {
      const over = await loader.run({ ...order, connections: 1_500, rate: Math.ceil(3 * peak.good) })
      peaks.push(await saturated())
      goods.push(over.good)
      slowest.push(over.p99)
      shares.push((2 * over.good) / (peaks.at(-2)! + peaks.at(-1)!))
      errors += over.errors
      for (const [status, n] of Object.entries(over.statuses)) statuses.set(status, (statuses.get(status) ?? 0) + n)
      say(`${over.good.toFixed(0)} of ${over.all.toFixed(0)} a second, p99 ${over.p99} ms; then ${peaks.at(-1)!.toFixed(0)}`)
    }
    const percents = shares.map(share => (share * 100).toFixed(0)).join(', ')
    const share = quantile(shares, 0.5)
    return [
      line(
        'at most',
        `${quantile(peaks, 0.5).toFixed(0)} a second with ${peak.connections} connections${pinned ? ', on a processor of its own' : ''} (median of ${peaks.length})`
      ),
      line('offered', `${(3 * peak.good).toFixed(0)} a second over 1,500 connections: ${timesOf(statuses)}`),
      line(
        'goodput as a share of the peak',
        `${(share * 100).toFixed(0)} % (${quantile(goods, 0.5).toFixed(0)} a second; by round: ${percents})`,
        'at least 90 %',
        share >= 0.9
      ),
      line('the slowest in a hundred', `${quantile(slowest, 0.5).toFixed(0)} ms, the queue of the connections included`),
      none('requests without any answer', errors),
      line('the service', service.child.exitCode === null ? 'runs' : 'crashed', 'runs', service.child.exitCode === null)
    ]
  })

/** Ten minutes of it: memory. */
const soak: Series = ({ quick, say }) =>
  onStage(async stage => {
    const seconds = quick ? 30 : 600
    const { service, loader, order, peak } = await saturate(stage, 3, say)
    const memory: number[] = []
    const watch = setInterval(() => {
      memory.push(service.memory())
      if (memory.length % 60 === 0) say(`${memory.length} s: ${memory.at(-1)!.toFixed(0)} MB`)
    }, 1_000)
    const { good, all, errors } = await loader.run({ ...order, connections: 1_500, rate: Math.ceil(3 * peak.good), seconds })
    clearInterval(watch)
    const third = Math.floor(memory.length / 3)
    const [first, second, last] = [0, 1, 2].map(i => quantile(memory.slice(i * third, (i + 1) * third), 0.5)) as [number, number, number]
    return [
      line('load', `${good.toFixed(0)} of ${all.toFixed(0)} a second for ${seconds} s`),
      line(
        'memory by thirds of the time (median)',
        `${first.toFixed(0)}, ${second.toFixed(0)}, ${last.toFixed(0)} MB; the most ${Math.max(...memory).toFixed(0)} MB`
      ),
      line('the last third over the second', (last / second).toFixed(2), 'at most 1.1', last / second <= 1.1),
      none('requests without any answer', errors),
      line('the service', service.child.exitCode === null ? 'runs' : 'crashed', 'runs', service.child.exitCode === null)
    ]
  })

// -------------------------------------------------------------------------------------------------------------- 6

/** Requests a second that the limited tenant may make, and makes. */
const limit = 50
const burst = 50
const pressed = 150

interface Window {
  what: string
  /** Of tenants with room: every answer, with the time it was asked for. */
  hits: { at: number; hit: Hit; write: boolean }[]
  /** When the limited tenant was admitted. */
  admitted: number[]
}

/** The most in any window of a second. */
function mostPerSecond(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  let most = 0
  for (let first = 0, last = 0; last < sorted.length; last++) {
    while (sorted[last]! - sorted[first]! >= 1_000) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** Redis and PostgreSQL go and come back while two replicas serve. */
const outages: Series = ({ quick, say }) =>
  onStage(async stage => {
    const seconds = quick ? 3 : 8
    const upstream = await startUpstream(stage)
    const [redis, postgres] = [await startRedis(stage), await startPostgres(stage)]
    if (!redis || !postgres) return [line('skipped', `there is no ${redis ? 'PostgreSQL' : 'redis-server'} on this machine`)]
    const room = { rateLimit: { perSecond: 100_000, burst: 100_000 } }
    const [limited, ...tenants] = await makeTenants(stage, 6, postgres.url, i =>
      i === 0 ? { rateLimit: { perSecond: limit, burst } } : room
    )
    const env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, REPLICAS: '2' }
    const replicas = [await startReplica(stage, upstream.origin, env), await startReplica(stage, upstream.origin, env)]
    const guns = replicas.map(({ origin }) => aim(origin, 64))
    const limitedGuns = replicas.map(({ origin }) => aim(origin, 64))
    stage.atEnd(() => Promise.all([...guns, ...limitedGuns].map(gun => gun.close())))
    let next = 0
    const outcomes = new Map<string, Hit[]>()

    /** Load for a while; `act` is done at its start. */
    const during = async (what: string, length: number, act: () => unknown = () => {}): Promise<Window> => {
      const window: Window = { what, hits: [], admitted: [] }
      await act()
      await Promise.all([
        rain(60, length, async () => {
          const i = next++
          const write = i % 5 === 0
          const marker = `chaos-o${i}`
          const tenant = tenants[i % tenants.length]!
          const at = performance.now()
          const hit = await guns[i % 2]!.fire(write ? writeOf(marker, tenant, true) : readOf(marker, tenant))
          if (write) outcomes.set(marker, [hit])
          window.hits.push({ at, hit, write })
        }),
        rain(pressed, length, async i => {
          const hit = await limitedGuns[i % 2]!.fire(readOf('chaos-limited', limited!))
          if (hit.status === 200) window.admitted.push(performance.now())
        })
      ])
      say(what)
      return window
    }
    const linesOf = ({ what, hits, admitted }: Window, mustHold: { reads: boolean; writes: boolean }): Line[] => {
      const answers = new Map<string, number>()
      for (const { hit, write } of hits) count(answers, `${write ? 'write' : 'read'} ${nameOf(hit)}`)
      const failed = hits.filter(({ hit, write }) =>
        hit.status >= 300 || hit.status === 0 ? (write ? mustHold.writes : mustHold.reads) : false
      )
      const most = mostPerSecond(admitted)
      return [
        line(what, timesOf(answers)),
        none(
          `${what}: ${[mustHold.reads && 'reads', mustHold.writes && 'writes'].filter(Boolean).join(' and ')} that failed`,
          failed.length
        ),
        atMost(`${what}: the slowest answer`, Math.max(...hits.map(({ hit }) => hit.ms)), 2_000, ' ms'),
        line(
          `${what}: the limited tenant's most in a second`,
          `${most}: ${(most / (limit + burst)).toFixed(2)}x what a full bucket allows, ${(most / limit).toFixed(2)}x the rate; ${(admitted.length / seconds).toFixed(0)} a second on average`,
          `at most 2x of ${limit} a second with a burst of ${burst}`,
          most <= 2 * (limit + burst)
        ),
        // Longer than a second it must not last: what is more than the rate is a bucket or two.
        atMost(`${what}: admitted beyond the rate`, admitted.length - limit * seconds, 2 * burst)
      ]
    }
    const all = { reads: true, writes: true }
    const readsOnly = { reads: true, writes: false }
    const lines: Line[] = []

    await during('warming up', 2)
    lines.push(...linesOf(await during('all is well', seconds), all))

    lines.push(...linesOf(await during('Redis killed', seconds, () => redis.kill('SIGKILL')), all))
    lines.push(...linesOf(await during('Redis started again', seconds, () => redis.start()), all))
    lines.push(...linesOf(await during('Redis frozen', seconds, () => redis.kill('SIGSTOP')), all))
    lines.push(...linesOf(await during('Redis thawed', seconds, () => redis.kill('SIGCONT')), all))

    const recovery = async (what: string): Promise<Line> => {
      const begun = performance.now()
      for (const [i, gun] of guns.entries())
        await until('a write', async () => (await gun.fire(writeOf(`chaos-p${next++}`, tenants[i]!, true))).status === 201, 60_000, 20)
      return atMost(`${what}: until both replicas write again`, performance.now() - begun, 5_000, ' ms')
    }
    for (const [what, signal] of [
      ['stopped', 'SIGINT'],
      ['killed', 'SIGKILL']
    ] as const) {
      lines.push(...linesOf(await during(`PostgreSQL ${what}`, seconds, () => postgres.kill(signal)), readsOnly))
      await postgres.ended()
      await postgres.start()
      lines.push(await recovery(`PostgreSQL ${what} and started again`))
      lines.push(...linesOf(await during(`PostgreSQL back after it was ${what}`, seconds), all))
    }
    const running = replicas.filter(({ child }) => child.exitCode === null && child.signalCode === null).length
    const { content } = await upstream.score()
    return [...lines, ...judgeWrites(outcomes, content), line('replicas that run', running, '2', running === 2)]
  })

// -------------------------------------------------------------------------------------------------------------- 7

/** Sends a write until there is an answer that says what became of it. Repeats only under an idempotency key. */
async function insist(gun: () => Gun, shot: Shot, hits: Hit[], keys: boolean, isOver: () => boolean): Promise<void> {
  for (;;) {
    const hit = await gun().fire(shot)
    hits.push(hit)
    const settled = (hit.status >= 200 && hit.status < 300) || hit.code === 'outcome-unknown'
    if (settled || !keys || isOver()) return
    await sleep(100)
  }
}

/** The service is killed again and again while money is spent. */
const kills: Series = ({ quick, say }) =>
  onStage(async stage => {
    const total = quick ? 5 : 100
    const upstream = await startUpstream(stage)
    const tenants = await makeTenants(stage, 4)
    const port = await freePort()
    const env = { ...hasty, IDEMPOTENCY_LEASE: '1000' }
    let service = await startReplica(stage, upstream.origin, env, port)
    const keys = await knowsKeys(service.origin)
    await upstream.set({ rules: [{ fault: { kind: 'latency', ms: 5, jitter: 60 } }] })
    const gun = aim(service.origin, 32)
    stage.atEnd(() => gun.close())
    const outcomes = new Map<string, Hit[]>()
    let over = false
    let next = 0
    let deadline = Number.POSITIVE_INFINITY
    const callers = Array.from({ length: 16 }, async () => {
      while (!over) {
        const i = next++
        const marker = `chaos-k${i}`
        const hits: Hit[] = []
        outcomes.set(marker, hits)
        await insist(
          () => gun,
          writeOf(marker, tenants[i % tenants.length]!, true),
          hits,
          keys,
          () => performance.now() > deadline
        )
        // Nobody listens for a second: no use to hammer.
        if (hits.at(-1)!.status === 0) await sleep(50)
      }
    })
    for (let i = 0; i < total; i++) {
      await sleep(randomInt(50, 400))
      await service.stop('SIGKILL')
      service = await startReplica(stage, upstream.origin, env, port)
      if ((i + 1) % 10 === 0) say(`${i + 1} kills, ${outcomes.size} writes`)
    }
    over = true
    deadline = performance.now() + 30_000
    await Promise.all(callers)
    const { content } = await upstream.score()
    const open = [...outcomes.values()].filter(
      hits => !hits.some(({ status, code }) => (status >= 200 && status < 300) || code === 'outcome-unknown')
    )
    return [
      line('kill -9 during money calls', `${total} times`),
      line('idempotency keys', keys ? 'known; callers repeat until they know the outcome' : 'not known to this version: nothing repeated'),
      ...judgeWrites(outcomes, content),
      keys ? none('without a known outcome', open.length) : line('without a known outcome', open.length)
    ]
  })

/** SIGTERM under load: what was taken in is answered. */
const terms: Series = ({ quick, say }) =>
  onStage(async stage => {
    const total = quick ? 3 : 20
    const upstream = await startUpstream(stage)
    const tenants = await makeTenants(stage, 4)
    await upstream.set({ rules: [{ fault: { kind: 'latency', ms: 5, jitter: 300 } }] })
    const outcomes = new Map<string, Hit>()
    const ends = new Map<string, number>()
    const took: number[] = []
    let next = 0
    for (let i = 0; i < total; i++) {
      const service = await startReplica(stage, upstream.origin)
      const gun = aim(service.origin, 24)
      let over = false
      const callers = Array.from({ length: 24 }, async () => {
        while (!over) {
          const n = next++
          const marker = `chaos-t${n}`
          const tenant = tenants[n % tenants.length]!
          outcomes.set(marker, await gun.fire(n % 5 === 0 ? writeOf(marker, tenant, true) : readOf(marker, tenant)))
          if (outcomes.get(marker)!.status === 0) await sleep(20)
        }
      })
      await sleep(randomInt(300, 800))
      const begun = performance.now()
      const end = await service.stop('SIGTERM')
      took.push(performance.now() - begun)
      count(ends, `status ${end}`)
      over = true
      await Promise.all(callers)
      await gun.close()
      if ((i + 1) % 5 === 0) say(`${i + 1} of ${total}`)
    }
    const { content } = await upstream.score()
    const unanswered = [...outcomes].filter(([, { status }]) => status === 0)
    const lost = unanswered.filter(([marker]) => content[marker])
    const rejected = [...outcomes.values()].filter(({ status }) => status === 503)
    return [
      line(
        'SIGTERM under load',
        `${total} times, ${outcomes.size} requests, ${timesOf(ends)}; the slowest end took ${(Math.max(...took) / 1000).toFixed(1)} s`
      ),
      none('requests taken in and never answered', lost.length),
      line('rejected with 503 while it ended', rejected.length),
      line('connections that the closed port refused', unanswered.length - lost.length),
      line(
        'ends',
        timesOf(ends),
        'status 0',
        [...ends.keys()].every(name => name === 'status 0')
      )
    ]
  })

// -------------------------------------------------------------------------------------------------------------- 8

/** Answers that nobody asked for, and answers that are none. */
const strays: Series = ({ quick, say }) =>
  onStage(async stage => {
    const wanted = quick ? 300 : 10_000
    const upstream = await startUpstream(stage)
    const tenants = await makeTenants(stage, 3)
    // With a breaker, most of it would never be asked for.
    const service = await startReplica(stage, upstream.origin, { ...hasty, BREAKER_FAILURE_THRESHOLD: '1000000' })
    await upstream.set({
      seed: 3,
      rules: [
        { fault: { kind: 'second-answer' }, probability: 0.4 },
        { fault: { kind: 'second-answer', count: 5 }, probability: 0.2 },
        { fault: { kind: 'second-answer', afterMs: 3 }, probability: 0.2 },
        { fault: { kind: 'garbage' }, probability: 0.2 },
        { fault: { kind: 'garbage-body' }, probability: 0.2 },
        { fault: { kind: 'truncated' }, probability: 0.3 },
        { fault: { kind: 'half-close' }, probability: 0.2 },
        { fault: { kind: 'content-type' }, probability: 0.2 },
        { fault: { kind: 'gzip' }, probability: 0.2 }
      ]
    })
    const gun = aim(service.origin, 32)
    stage.atEnd(() => gun.close())
    let astray = 0
    let fired = 0
    const answers = new Map<string, number>()
    let score = await upstream.score()
    const sumOf = ({ faults }: Score) => Object.values(faults).reduce((sum, n) => sum + n, 0)
    while (sumOf(score) < wanted) {
      await volley(Math.min(2_000, wanted), 32, async () => {
        const marker = `chaos-s${fired++}`
        const hit = await gun.fire(readOf(marker, tenants[fired % tenants.length]!))
        count(answers, nameOf(hit))
        if (isAstray(marker, hit)) astray++
      })
      score = await upstream.score()
      say(`${sumOf(score)} of ${wanted}`)
    }
    await upstream.set({ rules: [] })
    const well = (await gun.fire(readOf('chaos-after', tenants[0]!))).status === 200
    return [
      line(
        'answers unsolicited or malformed',
        `${sumOf(score)}: ${timesOf(new Map(Object.entries(score.faults)))}`,
        `at least ${wanted}`,
        sumOf(score) >= wanted
      ),
      line('requests', `${fired}; ${timesOf(answers)}`),
      none('answers of another request', astray),
      line('afterwards', well ? 'all is well' : 'it does not answer', 'all is well', well)
    ]
  })

/** Every series by name, in the order of the report. */
export const series: Readonly<Record<string, { title: string; run: Series }>> = {
  faults: { title: 'Random faults: nothing lost, nothing doubled', run: faults },
  reads: { title: 'Reads under 10 % upstream errors', run: reads },
  dead: { title: 'The upstream dead', run: dead },
  slow: { title: "One tenant's upstream hangs", run: slow },
  overload: { title: 'Three times the saturating load', run: overload },
  soak: { title: 'Memory over ten minutes of it', run: soak },
  outages: { title: 'Redis and PostgreSQL killed, frozen, stopped and started', run: outages },
  kills: { title: 'kill -9 during money calls', run: kills },
  terms: { title: 'SIGTERM under load', run: terms },
  strays: { title: 'Answers that nobody asked for', run: strays },
  abuse: { title: 'One tenant, or anybody, against the others', run: abuse }
}
