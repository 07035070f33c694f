import { Problem } from '../problems/problem.ts'

export interface BreakerOptions {
  /** So many failures of a tenant in a row mean that its upstream is away. */
  failures: number
  /** So many calls in a row that a host left without an answer, of so many tenants at least, mean that the host is away. */
  hostFailures: number
  hostTenants: number
  /** Milliseconds from one probe to the next. */
  interval: number
}

/**
 * What an attempt came to. `answered`: any answer but `fault`, which is an HTTP 5xx; `silent`: none, though the upstream should have given one;
 * `neither`: it ended for reasons of ours or the caller's, and says nothing of the upstream.
 */
export type Sign = 'answered' | 'fault' | 'silent' | 'neither'

/** How an attempt was let in: as one of many, as a probe that has to be quick, or as one of the few that may take their time, whether their callers still wait or not. */
export type Pass = 'free' | 'probe' | 'patient'

export type BreakerScope = 'tenant' | 'host'

/** What happened to all breakers of a client. */
export interface BreakerCounts {
  opened: Record<BreakerScope, number>
  closed: Record<BreakerScope, number>
  refused: Record<BreakerScope, number>
  probes: number
}

export const createBreakerCounts = (): BreakerCounts => ({
  opened: { tenant: 0, host: 0 },
  closed: { tenant: 0, host: 0 },
  refused: { tenant: 0, host: 0 },
  probes: 0
})

/** Keeps calls from an upstream that fails again and again, and lets one through in a while to see whether it is back. */
export interface Breaker {
  readonly open: boolean
  /** Lets an attempt in. Throws Problem `upstream-unavailable` while the upstream is taken for away. */
  enter(now: number, safe: boolean): Pass
  /** Told how each attempt that was let in has ended. */
  leave(sign: Sign, now: number): void
}

/** The breaker that all tenants of a host share. */
export interface HostBreaker {
  readonly open: boolean
  enter(now: number, safe: boolean): Pass
  leave(tenantId: string, sign: Sign, now: number): void
}

/** Told when a breaker opens or closes. */
export type OnTurn = (scope: BreakerScope, open: boolean) => void

/** One probe in so many may take as long as any call: an upstream that is merely slow is found to be back, too. */
const patientEvery = 8

const away = (scope: BreakerScope, probeAt: number, now: number): Problem =>
  new Problem(
    'upstream-unavailable',
    scope === 'tenant'
      ? 'The upstream has failed again and again; it is asked once in a while whether it is back.'
      : 'The upstream has stopped answering; it is asked once in a while whether it is back.',
    { headers: { 'retry-after': String(Math.max(1, Math.ceil((probeAt - now) / 1000))) } }
  )

/** When the next probe may start, and how patient it is. Probes do not wait for one another: one that hangs delays nobody. */
function createProbes(interval: number) {
  let at: number | undefined
  let made = 0
  return {
    get at() {
      return at
    },
    start(now: number) {
      at = now + interval
      made = 0
    },
    stop() {
      at = undefined
    },
    /** A change that is lost leaves its caller in the dark: it is a probe only when no read has come along. */
    dueFor: (safe: boolean) => (safe ? at! : at! + interval),
    take(now: number): Pass {
      at = now + interval
      made++
      return made % patientEvery === 0 ? 'patient' : 'probe'
    }
  }
}

/**
 * A host's breaker opens when nobody gets an answer any more: what one tenant alone meets is that tenant's own affair, and a refusal or an HTTP
 * error is an answer.
 */
export function createHostBreaker(
  { hostFailures, hostTenants, interval }: BreakerOptions,
  counts: BreakerCounts,
  onTurn: OnTurn
): HostBreaker {
  const probes = createProbes(interval)
  const silentTo = new Set<string>()
  let failures = 0
  return {
    get open() {
      return probes.at !== undefined
    },
    enter(now, safe) {
      if (probes.at === undefined) return 'free'
      if (now >= probes.dueFor(safe)) return probes.take(now)
      counts.refused.host++
      throw away('host', probes.at, now)
    },
    leave(tenantId, sign, now) {
      if (sign === 'neither') return
      if (sign === 'silent') {
        failures++
        if (silentTo.size < hostTenants) silentTo.add(tenantId)
        if (probes.at !== undefined || failures < hostFailures || silentTo.size < hostTenants) return
        probes.start(now)
        counts.opened.host++
        onTurn('host', true)
        return
      }
      if (failures === 0) return
      failures = 0
      silentTo.clear()
      if (probes.at === undefined) return
      probes.stop()
      counts.closed.host++
      onTurn('host', false)
    }
  }
}

/** A tenant's breaker at a host, in front of the host's own. */
export function createBreaker(
  tenantId: string,
  host: HostBreaker,
  { failures: limit, interval }: BreakerOptions,
  counts: BreakerCounts,
  onTurn: OnTurn
): Breaker {
  const probes = createProbes(interval)
  let failures = 0
  return {
    get open() {
      return probes.at !== undefined
    },
    enter(now, safe) {
      if (probes.at !== undefined && now < probes.dueFor(safe)) {
        counts.refused.tenant++
        throw away('tenant', probes.at, now)
      }
      // The host refuses before the tenant's turn is used up.
      const pass = host.enter(now, safe)
      const own = probes.at === undefined ? pass : probes.take(now)
      if (own !== 'free') counts.probes++
      return own
    },
    leave(sign, now) {
      host.leave(tenantId, sign, now)
      if (sign === 'neither') return
      if (sign === 'answered') {
        if (failures === 0) return
        failures = 0
        if (probes.at === undefined) return
        probes.stop()
        counts.closed.tenant++
        onTurn('tenant', false)
        return
      }
      failures++
      if (probes.at !== undefined || failures < limit) return
      probes.start(now)
      counts.opened.tenant++
      onTurn('tenant', true)
    }
  }
}
