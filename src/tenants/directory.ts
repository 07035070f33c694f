import { compileNetworks, subnetOf, unknownAddress } from '../config/networks.ts'
import { LoadGuard } from '../database/load-guard.ts'
import { type LookupCounts, LookupQueue } from '../limits/lookup-queue.ts'
import { SealError } from '../vault/vault.ts'
import { type Account, accountOf, reaches } from '../voximplant/account.ts'
import { parseKey, sameHash } from './api-keys.ts'
import { Cache, type CacheCounts } from './cache.ts'
import type { Caller } from './caller.ts'
import { LastUsedTracker } from './last-used.ts'
import type { Store } from './store.ts'

interface CachedKey extends Caller {
  hash: Buffer
  /** When it expires, in milliseconds since 1970. */
  until: number
  revoked: boolean
}

interface CachedAccount {
  account: Account
  version: number
}

/** Where a look-up comes from: its turn among others goes by the address. */
export interface LookupSource {
  callerAddress: string
  trace: { disconnect: Parameters<LookupQueue['run']>[1] }
}

export interface DirectoryOptions {
  /** How long keys and credentials are cached, in milliseconds. */
  cacheTtlMs: number
  /** The upstream for tenants without their own host. */
  origin: string
  /** Maximum time a look-up of a key is queued, in milliseconds. */
  lookupTimeoutMs: number
  onUnreadableCredential(tenantId: string, error: SealError): void
}

/**
 * The budget of look-ups of keys that are not in memory: enough for a replica that has just started to serve all of its callers, and
 * few enough that a flood of invented keys costs the database little. Two slots fewer than the caches have loads, for keys that exist.
 */
const lookupBudget = { perSecond: 1_000, burst: 1_000, maxConcurrent: 6, maxQueued: 10_000, maxQueuedPerSource: 100 }

/** How long a key is valid after its last look-up while the database is unavailable, in milliseconds: it may have been revoked. */
const keyGraceMs = 60_000

/** Callers by API key and accounts by tenant: caches before the store that follow its changes, and serve on while the database is unavailable. */
export class TenantDirectory {
  readonly store: Store
  readonly caches: Readonly<Record<'keys' | 'accounts', CacheCounts>>
  readonly lastUsed: LastUsedTracker
  readonly #options: DirectoryOptions
  readonly #keys: Cache<CachedKey>
  readonly #accounts: Cache<CachedAccount>
  readonly #lookups: LookupQueue
  readonly #forgetHooks: ((tenantId: string) => void)[] = []

  constructor(store: Store, options: DirectoryOptions) {
    const { cacheTtlMs: ttlMs, lookupTimeoutMs } = options
    const guard = new LoadGuard()
    this.store = store
    this.#options = options
    this.lastUsed = new LastUsedTracker(store)
    this.#lookups = new LookupQueue({ ...lookupBudget, timeoutMs: lookupTimeoutMs })
    this.#keys = new Cache({ guard, ttlMs, graceMs: keyGraceMs }, keyId => this.#loadKey(keyId))
    this.#accounts = new Cache({ guard, ttlMs, graceMs: Number.POSITIVE_INFINITY }, (tenantId, before) =>
      this.#loadAccount(tenantId, before)
    )
    this.caches = { keys: this.#keys.counts, accounts: this.#accounts.counts }
    store.onChange(({ tenantId, keyId }) => {
      if (keyId !== undefined) this.#keys.delete(keyId)
      else if (tenantId !== undefined) this.forget(tenantId)
      else {
        this.#keys.expire()
        this.#accounts.expire()
      }
    })
  }

  get lookups(): LookupCounts {
    return this.#lookups.counts
  }

  /**
   * The caller of an API key; undefined for a key that does not exist, for which the database was asked. Keys in memory are served immediately;
   * others are looked up in turns of the addresses that ask. Throws Problem when there are too many of them.
   */
  authenticate(key: string, from?: LookupSource): Caller | undefined | Promise<Caller | undefined> {
    const parsed = parseKey(key)
    if (!parsed) return undefined
    const { keyId, hash } = parsed
    const cached = this.#keys.peek(keyId)
    // A key's hash never changes: a wrong secret needs no second look.
    if (cached && !sameHash(cached.hash, hash)) return undefined
    const entry =
      cached || !this.#keys.needsLoad(keyId)
        ? this.#keys.get(keyId)
        : this.#lookups.run(subnetOf(from?.callerAddress ?? unknownAddress), from?.trace.disconnect, async () => this.#keys.get(keyId))
    return entry instanceof Promise ? entry.then(value => this.#use(value, hash)) : this.#use(entry, hash)
  }

  /** The caller of a key that is in memory and works from this address; does not ask the database. */
  cachedCaller(key: string | undefined, address: string): Caller | undefined {
    const parsed = key === undefined ? undefined : parseKey(key)
    const cached = parsed && this.#keys.peek(parsed.keyId)
    if (!cached || !this.#isActive(cached)) return undefined
    return sameHash(cached.hash, parsed.hash) && cached.networks.every(networks => networks(address)) ? cached : undefined
  }

  /** The caller as it is now; the same object when nothing has changed. A promise only where the database is asked. */
  again(caller: Caller): Caller | undefined | Promise<Caller | undefined> {
    const { keyId, hash } = caller as CachedKey
    const entry = this.#keys.fresh(keyId) ?? this.#keys.get(keyId)
    return entry instanceof Promise ? entry.then(value => this.#stateOf(value, hash)) : this.#stateOf(entry, hash)
  }

  /** The account of a caller's tenant, from memory alone; undefined unless its key is valid, its tenant enabled and still the same one. */
  standing({ keyId, tenantId, tenantUid }: Caller): Account | undefined {
    const key = this.#keys.peek(keyId)
    if (!key || key.tenantUid !== tenantUid || !this.#isActive(key)) return undefined
    const account = this.#accounts.peek(tenantId)?.account
    return account?.tenantUid === tenantUid ? account : undefined
  }

  /** What a tenant calls the upstream with; undefined without credentials. */
  account(tenantId: string): Account | undefined | Promise<Account | undefined> {
    const use = (entry: CachedAccount | undefined): Account | undefined => {
      if (entry) this.lastUsed.credential(entry.account.tenantId)
      return entry?.account
    }
    const entry = this.#accounts.get(tenantId)
    return entry instanceof Promise ? entry.then(use) : use(entry)
  }

  /** Drops what is cached of a tenant and runs the `onForget` hooks. Changes through the store do so by themselves. */
  forget(tenantId: string): void {
    this.#keys.deleteWhere(key => key.tenantId === tenantId)
    this.#accounts.delete(tenantId)
    for (const hook of this.#forgetHooks) hook(tenantId)
  }

  onForget(hook: (tenantId: string) => void): void {
    this.#forgetHooks.push(hook)
  }

  #isActive({ revoked, enabled, until }: CachedKey): boolean {
    return !revoked && enabled && this.store.clock.now() < until
  }

  #stateOf(key: CachedKey | undefined, hash: Buffer): Caller | undefined {
    if (!key || !sameHash(key.hash, hash)) return undefined
    if (key.revoked) return { ...key, ended: 'key-revoked' }
    return this.store.clock.now() >= key.until ? { ...key, ended: 'key-expired' } : key
  }

  #use(key: CachedKey | undefined, hash: Buffer): Caller | undefined {
    const caller = this.#stateOf(key, hash)
    if (caller && !caller.ended) this.lastUsed.key(caller.keyId)
    return caller
  }

  async #loadKey(keyId: string): Promise<CachedKey | undefined> {
    const key = await this.store.key(keyId)
    if (!key) return undefined
    const tenant = await this.store.tenant(key.tenantId)
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
  }

  /** An account lives as long as its credential's version: tokens and connections belong to it, and decrypting a key takes time. */
  async #loadAccount(tenantId: string, before: CachedAccount | undefined): Promise<CachedAccount | undefined> {
    const tenant = await this.store.tenant(tenantId)
    if (tenant?.credentialVersion === undefined) return undefined
    const { credentialVersion, uid } = tenant
    // A tenant that was created again under the same id counts its versions from the beginning.
    if (before?.version === credentialVersion && before.account.tenantUid === uid && reaches(before.account, tenant, this.#options.origin))
      return before
    try {
      const stored = await this.store.account(tenantId)
      if (!stored) return undefined
      const { apiHost, defaultHeaders, credential, version } = stored
      // What leaves with a secret is what was proven with it, not what was read beside it.
      const settings = { ...tenant.settings, defaultHeaders }
      return { account: accountOf({ ...tenant, apiHost, settings }, credential, this.#options.origin), version }
    } catch (error) {
      if (error instanceof SealError) this.#options.onUnreadableCredential(tenantId, error)
      throw error
    }
  }
}
