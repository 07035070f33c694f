import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { compileNetworks, subnetOf, unknownAddress } from '../src/config/networks.ts'
import { LoadGuard } from '../src/database/load-guard.ts'
import { type LookupCounts, LookupQueue } from '../src/limits/lookup-queue.ts'
import { parseKey, sameHash } from '../src/tenants/api-keys.ts'
import { Cache, type CacheCounts } from '../src/tenants/cache.ts'
import type { Caller } from '../src/tenants/caller.ts'
import { createUsed } from '../src/tenants/last-used.ts'
import type { Store } from '../src/tenants/store.ts'
import { SealError } from '../src/vault/vault.ts'
import { type Account, accountOf, reaches } from '../src/voximplant/account.ts'

export interface Tenants {
  store: Store
  /** How its look-ups went. */
  readonly caches: Readonly<Record<'keys' | 'accounts', CacheCounts>>
  /**
   * The caller that an API key stands for; undefined when the key is none of ours, which is never said without having looked. Keys in memory are
   * answered immediately; others are looked up in turns of the addresses that ask (`from`). Throws Problem when there are too many of them.
   */
  authenticate(key: string, from?: Pick<FastifyRequest, 'callerAddress' | 'trace'>): Caller | undefined | Promise<Caller | undefined>
  /** The caller of a key that is in memory and works from this address; asks no database. */
  cachedCaller(key: string | undefined, address: string): Caller | undefined
  readonly lookups: LookupCounts
  /** The caller as it is now; the same object when nothing has changed. A promise only where memory cannot tell. */
  again(caller: Caller): Caller | undefined | Promise<Caller | undefined>
  /** The account that a caller's tenant calls with, from memory alone; undefined unless its key is valid, its tenant enabled and still the same one. */
  standing(caller: Caller): Account | undefined
  /** What to call the upstream with for a tenant; undefined when it has no credentials. */
  account(tenantId: string): Account | undefined | Promise<Account | undefined>
  /** Drops what is cached of a tenant; `onForget` hooks run too. Changes through the store do so by themselves. */
  forget(tenantId: string): void
  onForget(hook: (tenantId: string) => void): void
}

interface KnownKey extends Caller {
  hash: Buffer
  until: number
  revoked: boolean
}

interface KnownAccount {
  account: Account
  version: number
}

export interface TenantsOptions {
  store: Store
  /** Milliseconds. */
  cacheTtlMs: number
  /** The upstream for tenants without a host of their own. */
  origin: string
  /** How long the look-up of a key may wait for its turn, in milliseconds. */
  lookupTimeoutMs: number
}

/**
 * The budget of look-ups of keys that are not in memory: enough for a replica that has just started to serve all of its callers, and
 * few enough that a flood of invented keys costs the database little. Two slots fewer than the caches have loads, for keys that exist.
 */
const lookupBudget = { perSecond: 1_000, burst: 1_000, maxConcurrent: 6, maxQueued: 10_000, maxQueuedPerSource: 100 }

/** How long a key is valid after its last look-up while the database is unavailable, in milliseconds: it may have been revoked. */
const keyGrace = 60_000
/** How often last uses are written, and how often secrets are looked for that have to go, in milliseconds. */
const flushInterval = 5_000
const sweepInterval = 60_000
/** How often the database's clock is compared with, in milliseconds. */
const syncInterval = 30_000

/** `app.tenants`: the store behind a small cache that changes reach, and that serves on while the database is away. */
export default fp(
  async (app: FastifyInstance, { store, cacheTtlMs, origin, lookupTimeoutMs }: TenantsOptions) => {
    const hooks: ((tenantId: string) => void)[] = []
    const guard = new LoadGuard()
    const used = createUsed(store)
    const lookups = new LookupQueue({ ...lookupBudget, timeoutMs: lookupTimeoutMs })

    const keys = new Cache<KnownKey>({ guard, ttlMs: cacheTtlMs, graceMs: keyGrace }, async keyId => {
      const key = await store.key(keyId)
      if (!key) return undefined
      const tenant = await store.tenant(key.tenantId)
      return (
        tenant && {
          tenantId: key.tenantId,
          tenantUid: tenant.uid,
          keyId,
          lineage: key.lineage,
          scopes: key.scopes,
          enabled: tenant.enabled,
          settings: tenant.settings,
          childAccounts: Array.isArray(key.childAccounts) ? new Set(key.childAccounts) : key.childAccounts,
          networks: [tenant.settings.allowedCidrs, key.allowedCidrs].map(compileNetworks).filter(networks => networks !== undefined),
          hash: key.hash,
          until: key.expiresAt ? Date.parse(key.expiresAt) : Number.POSITIVE_INFINITY,
          revoked: key.revokedAt !== undefined
        }
      )
    })
    // An account lives as long as its credential's version: tokens and connections hang on it, and opening a sealed key takes its time.
    const accounts = new Cache<KnownAccount>({ guard, ttlMs: cacheTtlMs, graceMs: Number.POSITIVE_INFINITY }, async (tenantId, before) => {
      const tenant = await store.tenant(tenantId)
      if (tenant?.credentialVersion === undefined) return undefined
      const { credentialVersion, uid } = tenant
      // A tenant that was created again under the same id counts its versions from the beginning.
      if (before?.version === credentialVersion && before.account.tenantUid === uid && reaches(before.account, tenant, origin))
        return before
      try {
        const stored = await store.account(tenantId)
        if (!stored) return undefined
        const { apiHost, defaultHeaders, credential, version } = stored
        // What leaves with a secret is what was proven with it, not what was read beside it.
        const settings = { ...tenant.settings, defaultHeaders }
        return { account: accountOf({ ...tenant, apiHost, settings }, credential, origin), version }
      } catch (error) {
        if (error instanceof SealError) app.log.error({ tenant: tenantId, err: error }, 'the credential of a tenant does not open')
        throw error
      }
    })

    const judge = (known: KnownKey | undefined, hash: Buffer): Caller | undefined => {
      if (!known || !sameHash(known.hash, hash)) return undefined
      if (known.revoked) return { ...known, ended: 'key-revoked' }
      return store.clock.now() >= known.until ? { ...known, ended: 'key-expired' } : known
    }
    const admit = (known: KnownKey | undefined, hash: Buffer): Caller | undefined => {
      const caller = judge(known, hash)
      if (caller && !caller.ended) used.key(caller.keyId)
      return caller
    }
    const take = (known: KnownAccount | undefined): Account | undefined => {
      if (known) used.credential(known.account.tenantId)
      return known?.account
    }
    const forget = (tenantId: string) => {
      keys.deleteWhere(key => key.tenantId === tenantId)
      accounts.delete(tenantId)
      for (const hook of hooks) hook(tenantId)
    }
    store.onChange(({ tenantId, keyId }) => {
      if (keyId !== undefined) keys.delete(keyId)
      else if (tenantId !== undefined) forget(tenantId)
      else {
        keys.expire()
        accounts.expire()
      }
    })

    app.decorate('tenants', {
      store,
      caches: { keys: keys.counts, accounts: accounts.counts },
      get lookups() {
        return lookups.counts
      },
      authenticate(key, from) {
        const parsed = parseKey(key)
        if (!parsed) return undefined
        const { keyId, hash } = parsed
        const cached = keys.peek(keyId)
        // A key's hash never changes: a wrong secret needs no second look.
        if (cached && !sameHash(cached.hash, hash)) return undefined
        const known =
          cached || !keys.needsLoad(keyId)
            ? keys.get(keyId)
            : lookups.run(subnetOf(from?.callerAddress ?? unknownAddress), from?.trace.disconnect, async () => keys.get(keyId))
        return known instanceof Promise ? known.then(value => admit(value, hash)) : admit(known, hash)
      },
      cachedCaller(key, address) {
        const parsed = key === undefined ? undefined : parseKey(key)
        const cached = parsed && keys.peek(parsed.keyId)
        if (!cached || cached.revoked || !cached.enabled || store.clock.now() >= cached.until) return undefined
        return sameHash(cached.hash, parsed.hash) && cached.networks.every(networks => networks(address)) ? cached : undefined
      },
      again(caller) {
        const { keyId, hash } = caller as KnownKey
        const known = keys.fresh(keyId) ?? keys.get(keyId)
        return known instanceof Promise ? known.then(value => judge(value, hash)) : judge(known, hash)
      },
      standing({ keyId, tenantId, tenantUid }) {
        const key = keys.peek(keyId)
        if (!key || key.revoked || !key.enabled || key.tenantUid !== tenantUid || store.clock.now() >= key.until) return undefined
        const account = accounts.peek(tenantId)?.account
        return account?.tenantUid === tenantUid ? account : undefined
      },
      account(tenantId) {
        const found = accounts.get(tenantId)
        return found instanceof Promise ? found.then(take) : take(found)
      },
      forget,
      onForget(hook) {
        hooks.push(hook)
      }
    } satisfies Tenants)

    const flush = () => used.flush().catch(error => app.log.debug({ err: error }, 'last uses could not be written'))
    const sweep = () => store.sweep().catch(error => app.log.warn({ err: error }, 'replaced credentials could not be destroyed'))
    const sync = () => store.clock.sync().catch(error => app.log.debug({ err: error }, "the database's clock could not be read"))
    const timers = [
      setInterval(sync, syncInterval).unref(),
      setInterval(flush, flushInterval).unref(),
      setInterval(sweep, sweepInterval).unref()
    ]
    await sweep()
    app.addHook('onClose', async () => {
      for (const timer of timers) clearInterval(timer)
      await flush()
      await store.close()
    })
  },
  { name: 'tenants' }
)

declare module 'fastify' {
  interface FastifyInstance {
    tenants: Tenants
  }
}
