import { Problem } from '../problems/problem.ts'
import type { CallResult } from './classify.ts'

export interface CircuitBreakerOptions {
  /** Consecutive failures that open a tenant's breaker. */
  failureThreshold: number
  /** Consecutive calls without a response that open a host's breaker, and the minimum number of tenants affected by them. */
  hostFailureThreshold: number
  minHostTenants: number
  /** Milliseconds from one probe to the next. */
  probeIntervalMs: number
  /** The timeout of the first probe, in milliseconds. It doubles with each failed probe. */
  probeTimeoutMs: number
}

export type BreakerScope = 'tenant' | 'host'
export type BreakerState = 'closed' | 'open' | 'half-open'

/** Called when a breaker opens or closes. */
export type OnStateChange = (scope: BreakerScope, state: 'open' | 'closed') => void

/** Events of all breakers of a client. */
export interface BreakerCounts {
  opened: Record<BreakerScope, number>
  closed: Record<BreakerScope, number>
  rejected: Record<BreakerScope, number>
  probes: number
}

export const createBreakerCounts = (): BreakerCounts => ({
  opened: { tenant: 0, host: 0 },
  closed: { tenant: 0, host: 0 },
  rejected: { tenant: 0, host: 0 },
  probes: 0
})

/** How the breakers admitted an attempt; to be given back to `record`. */
export interface Admission {
  /** The timeout of a probe, in milliseconds; undefined for a normal attempt. */
  readonly probeTimeoutMs: number | undefined
  readonly tenant: OpenPeriod | undefined
  readonly host: OpenPeriod | undefined
}

const normal: Admission = { probeTimeoutMs: undefined, tenant: undefined, host: undefined }

/** The time from a breaker's opening to its closing. Probes do not wait for one another: one that hangs delays nobody. */
class OpenPeriod {
  readonly #intervalMs: number
  #timeoutMs: number
  #nextProbeAt: number
  #inFlight = 0

  constructor({ probeIntervalMs, probeTimeoutMs }: CircuitBreakerOptions, now: number) {
    this.#intervalMs = probeIntervalMs
    this.#timeoutMs = probeTimeoutMs
    this.#nextProbeAt = now + probeIntervalMs
  }

  get state(): BreakerState {
    return this.#inFlight > 0 ? 'half-open' : 'open'
  }
  get nextProbeAt(): number {
    return this.#nextProbeAt
  }

  /** A change whose response is lost leaves its caller in the dark: it is a probe only where no read has come along. */
  isProbeDue(now: number, safe: boolean): boolean {
    return now >= (safe ? this.#nextProbeAt : this.#nextProbeAt + this.#intervalMs)
  }

  /** The timeout of the probe that starts now. */
  startProbe(now: number): number {
    this.#nextProbeAt = now + this.#intervalMs
    this.#inFlight++
    return this.#timeoutMs
  }

  endProbe(failed: boolean): void {
    this.#inFlight--
    // An upstream that is merely slow is found to be back, too.
    if (failed) this.#timeoutMs *= 2
  }
}

const circuitOpen = (scope: BreakerScope, nextProbeAt: number, now: number): Problem =>
  new Problem(
    'upstream-unavailable',
    scope === 'tenant'
      ? 'The upstream has failed again and again; it is asked once in a while whether it is back.'
      : 'The upstream has stopped answering; it is asked once in a while whether it is back.',
    { headers: { 'retry-after': String(Math.max(1, Math.ceil((nextProbeAt - now) / 1000))) } }
  )

/**
 * The breaker that all tenants of a host share. It opens when several of them get no response any more: failures of one tenant alone open that
 * tenant's own breaker, and an error is a response.
 */
export class HostCircuitBreaker {
  readonly #options: CircuitBreakerOptions
  readonly #counts: BreakerCounts
  readonly #onStateChange: OnStateChange
  readonly #failedTenants = new Set<string>()
  #failures = 0
  #open: OpenPeriod | undefined

  constructor(options: CircuitBreakerOptions, counts: BreakerCounts, onStateChange: OnStateChange) {
    this.#options = options
    this.#counts = counts
    this.#onStateChange = onStateChange
  }

  get state(): BreakerState {
    return this.#open?.state ?? 'closed'
  }

  /** The open period that an attempt may be a probe of; undefined while closed. Throws Problem `upstream-unavailable` otherwise. */
  check(now: number, safe: boolean): OpenPeriod | undefined {
    const open = this.#open
    if (open && !open.isProbeDue(now, safe)) {
      this.#counts.rejected.host++
      throw circuitOpen('host', open.nextProbeAt, now)
    }
    return open
  }

  record(tenantId: string, result: CallResult, now: number): void {
    if (result === 'ignored') return
    if (result === 'noResponse') {
      const { hostFailureThreshold, minHostTenants } = this.#options
      this.#failures++
      if (this.#failedTenants.size < minHostTenants) this.#failedTenants.add(tenantId)
      if (this.#open || this.#failures < hostFailureThreshold || this.#failedTenants.size < minHostTenants) return
      this.#open = new OpenPeriod(this.#options, now)
      this.#counts.opened.host++
      this.#onStateChange('host', 'open')
      return
    }
    if (this.#failures === 0) return
    this.#failures = 0
    this.#failedTenants.clear()
    if (!this.#open) return
    this.#open = undefined
    this.#counts.closed.host++
    this.#onStateChange('host', 'closed')
  }
}

/**
 * A tenant's breaker at a host, in front of the host's own. Closed, it admits every attempt; consecutive failures open it; open, it rejects all
 * attempts but one probe per interval, and is half-open while one is in flight; the first success closes it.
 */
export class CircuitBreaker {
  readonly #tenantId: string
  readonly #host: HostCircuitBreaker
  readonly #options: CircuitBreakerOptions
  readonly #counts: BreakerCounts
  readonly #onStateChange: OnStateChange
  #failures = 0
  #open: OpenPeriod | undefined

  constructor(
    tenantId: string,
    host: HostCircuitBreaker,
    options: CircuitBreakerOptions,
    counts: BreakerCounts,
    onStateChange: OnStateChange
  ) {
    this.#tenantId = tenantId
    this.#host = host
    this.#options = options
    this.#counts = counts
    this.#onStateChange = onStateChange
  }

  get state(): BreakerState {
    return this.#open?.state ?? 'closed'
  }

  /** Admits an attempt, whose result has to be recorded. Throws Problem `upstream-unavailable` while this breaker or the host's is open. */
  tryAcquire(now: number, safe: boolean): Admission {
    const tenant = this.#open
    if (tenant && !tenant.isProbeDue(now, safe)) {
      this.#counts.rejected.tenant++
      throw circuitOpen('tenant', tenant.nextProbeAt, now)
    }
    // The host's breaker rejects before the tenant's probe is used up.
    const host = this.#host.check(now, safe)
    if (!tenant && !host) return normal
    this.#counts.probes++
    const hostTimeoutMs = host?.startProbe(now)
    return { probeTimeoutMs: tenant?.startProbe(now) ?? hostTimeoutMs, tenant, host }
  }

  /** Records the result of an attempt that was admitted. */
  record({ tenant, host }: Admission, result: CallResult, now: number): void {
    const failed = result === 'noResponse' || result === 'serverError'
    tenant?.endProbe(failed)
    host?.endProbe(failed)
    this.#host.record(this.#tenantId, result, now)
    if (result === 'ignored') return
    if (failed) {
      this.#failures++
      if (this.#open || this.#failures < this.#options.failureThreshold) return
      this.#open = new OpenPeriod(this.#options, now)
      this.#counts.opened.tenant++
      this.#onStateChange('tenant', 'open')
      return
    }
    if (this.#failures === 0) return
    this.#failures = 0
    if (!this.#open) return
    this.#open = undefined
    this.#counts.closed.tenant++
    this.#onStateChange('tenant', 'closed')
  }
}
