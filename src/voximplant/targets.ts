import type { Account } from './account.ts'
import { type BreakerScope, CircuitBreaker, type CircuitBreakerOptions, HostCircuitBreaker } from './circuit-breaker.ts'
import { ConnectionPool, type ConnectionPoolOptions, type HostQuarantine } from './connection-pool.ts'
import type { CallCounters } from './counters.ts'
import { RetryBudget, type RetryOptions } from './retry.ts'

/** Pool, breaker and retry budget of one tenant at one host. */
export interface UpstreamTarget {
  readonly pool: ConnectionPool
  readonly breaker: CircuitBreaker
  readonly budget: RetryBudget
}

export interface TargetOptions {
  pool: Omit<ConnectionPoolOptions, 'host' | 'onUnsolicited'>
  breaker: CircuitBreakerOptions
  retry: Pick<RetryOptions, 'budgetRatio' | 'budgetBurst'>
  counters: CallCounters
  /** Called when a breaker opens or closes: a tenant's at a host, or a host's. */
  onStateChange?:
    | ((change: { scope: BreakerScope; state: 'open' | 'closed'; origin: string; tenantId: string | undefined }) => void)
    | undefined
}

/** What all tenants of a host share. */
interface Host {
  breaker: HostCircuitBreaker
  quarantine: HostQuarantine
}

/** The targets of a client, made when they are first called. */
export class Targets {
  readonly #options: TargetOptions
  readonly #byTenant = new Map<string, Map<string, UpstreamTarget>>()
  readonly #hosts = new Map<string, Host>()
  /** Outlives a host's last tenant. */
  readonly #quarantines = new Map<string, HostQuarantine>()

  constructor(options: TargetOptions) {
    this.#options = options
  }

  get({ tenantId, origin }: Account): UpstreamTarget {
    const target = this.#byTenant.get(tenantId)?.get(origin)
    return target ?? this.#create(tenantId, origin)
  }

  /** Tenants and hosts whose breakers are open now. */
  open(): { tenants: string[]; hosts: string[] } {
    return {
      tenants: [...this.#byTenant].flatMap(([tenantId, targets]) =>
        [...targets.values()].some(({ breaker }) => breaker.state !== 'closed') ? [tenantId] : []
      ),
      hosts: [...this.#hosts].flatMap(([origin, { breaker }]) => (breaker.state === 'closed' ? [] : [origin]))
    }
  }

  /** Closes a tenant's connections. Calls in flight end normally. */
  forget(tenantId: string): void {
    const targets = this.#byTenant.get(tenantId)
    this.#byTenant.delete(tenantId)
    for (const [origin, { pool }] of targets ?? []) {
      void pool.close()
      if (![...this.#byTenant.values()].some(others => others.has(origin))) this.#hosts.delete(origin)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byTenant.values()].flatMap(targets => [...targets.values()].map(({ pool }) => pool.close())))
  }

  #create(tenantId: string, origin: string): UpstreamTarget {
    const { pool, breaker, retry, counters, onStateChange } = this.#options
    const changed = (scope: BreakerScope, state: 'open' | 'closed') =>
      onStateChange?.({ scope, state, origin, tenantId: scope === 'tenant' ? tenantId : undefined })
    let host = this.#hosts.get(origin)
    if (!host) {
      const quarantine = this.#quarantines.get(origin) ?? { quarantinedUntil: 0 }
      this.#quarantines.set(origin, quarantine)
      host = { breaker: new HostCircuitBreaker(breaker, counters.breakers, changed), quarantine }
      this.#hosts.set(origin, host)
    }
    const target: UpstreamTarget = {
      pool: new ConnectionPool(origin, { ...pool, host: host.quarantine, onUnsolicited: () => counters.unsolicited++ }),
      breaker: new CircuitBreaker(tenantId, host.breaker, breaker, counters.breakers, changed),
      budget: new RetryBudget(retry)
    }
    const targets = this.#byTenant.get(tenantId) ?? new Map<string, UpstreamTarget>()
    this.#byTenant.set(tenantId, targets.set(origin, target))
    return target
  }
}
