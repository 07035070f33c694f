import { BlockList, isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { parseKey, sameHash } from '../src/tenants/keys.ts'
import type { ApiKey, Store, Tenant, TenantSettings } from '../src/tenants/store.ts'
import type { Account } from '../src/voximplant/client.ts'

/** Who calls, and for which tenant: `request.tenant`. */
export interface Caller {
  tenantId: string
  keyId: string
  scopes: readonly string[]
  enabled: boolean
  /** The tenant's own settings. */
  settings: TenantSettings
  /** Child accounts that the key may name; undefined for none. */
  childAccounts: ReadonlySet<number> | 'any' | undefined
  /** Networks that the key may be used from: every list must hold the caller's address. None by default. */
  networks: readonly BlockList[]
}

export interface Tenants {
  store: Store
  /** The caller that an API key stands for; undefined when the key is none of ours, expired or revoked. Cached keys are answered at once. */
  authenticate(key: string): Caller | undefined | Promise<Caller | undefined>
  /** What to call the upstream with for a tenant; undefined when it has no credentials. */
  account(tenantId: string): Account | undefined | Promise<Account | undefined>
  /** Drops what is cached of a tenant; `onForget` hooks run too. */
  forget(tenantId: string): void
  onForget(hook: (tenantId: string) => void): void
}

/** A cache with a short life: one load at a time per key, told of the value before; failures are not kept. Bounded, oldest out first. */
export function createCache<V>(ttl: number, load: (key: string, before: V | undefined) => Promise<V>, max = 10_000) {
  const entries = new Map<string, { value: V; until: number }>()
  const loading = new Map<string, Promise<V>>()
  return {
    get(key: string): V | Promise<V> {
      const entry = entries.get(key)
      if (entry && Date.now() < entry.until) return entry.value
      let pending = loading.get(key)
      if (!pending) {
        const started: Promise<V> = load(key, entry?.value)
          .then(value => {
            // Forgotten while it was loaded: what was read may be old already.
            if (loading.get(key) !== started) return value
            if (entries.size >= max) entries.delete(entries.keys().next().value!)
            entries.delete(key)
            entries.set(key, { value, until: Date.now() + ttl })
            return value
          })
          .finally(() => {
            if (loading.get(key) === started) loading.delete(key)
          })
        pending = started
        loading.set(key, started)
      }
      return pending
    },
    delete(key: string): void {
      entries.delete(key)
      loading.delete(key)
    },
    deleteWhere(matches: (value: V) => boolean): void {
      for (const [key, { value }] of entries) if (matches(value)) entries.delete(key)
      loading.clear()
    }
  }
}

/** Networks by CIDR, made ready to be asked. */
function networksOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', prefix] = cidr.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    list.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family)
  }
  return list
}

interface KnownKey extends Caller {
  hash: Buffer
  until: number
}

export interface TenantsOptions {
  store: Store
  /** Milliseconds. */
  cacheTtl: number
  /** The upstream for tenants without a host of their own. */
  origin: string
}

/** `app.tenants`: the store behind a small cache. */
export default fp(
  async (app: FastifyInstance, { store, cacheTtl, origin }: TenantsOptions) => {
    const hooks: ((tenantId: string) => void)[] = []

    const keys = createCache<KnownKey | undefined>(cacheTtl, async keyId => {
      const key: ApiKey | undefined = await store.key(keyId)
      if (!key || key.revokedAt) return undefined
      const tenant: Tenant | undefined = await store.tenant(key.tenantId)
      return (
        tenant && {
          tenantId: key.tenantId,
          keyId,
          scopes: key.scopes,
          enabled: tenant.enabled,
          settings: tenant.settings,
          childAccounts: Array.isArray(key.childAccounts) ? new Set(key.childAccounts) : key.childAccounts,
          networks: [tenant.settings.allowedCidrs, key.allowedCidrs].filter(list => list?.length).map(list => networksOf(list!)),
          hash: key.hash,
          until: key.expiresAt ? Date.parse(key.expiresAt) : Number.POSITIVE_INFINITY
        }
      )
    })
    // An account lives as long as its credential's version: tokens and connections hang on it, and opening a sealed key takes its time.
    const accounts = createCache<{ account: Account; version: number } | undefined>(cacheTtl, async (tenantId, before) => {
      const tenant = await store.tenant(tenantId)
      if (tenant?.credentialVersion === undefined) return undefined
      const originOf = (apiHost: string | undefined) => (apiHost ? `https://${apiHost}` : origin)
      if (before?.version === tenant.credentialVersion && before.account.origin === originOf(tenant.apiHost)) return before
      const stored = await store.account(tenantId)
      return (
        stored && {
          account: { tenantId, origin: originOf(stored.apiHost), credential: stored.credential },
          version: stored.version
        }
      )
    })

    const admit = (known: KnownKey | undefined, hash: Buffer): Caller | undefined =>
      known && sameHash(known.hash, hash) && Date.now() < known.until ? known : undefined

    const forget = (tenantId: string) => {
      keys.deleteWhere(key => key === undefined || key.tenantId === tenantId)
      accounts.delete(tenantId)
      for (const hook of hooks) hook(tenantId)
    }
    store.onChange(({ tenantId, keyId }) => {
      if (keyId !== undefined) keys.delete(keyId)
      else if (tenantId !== undefined) forget(tenantId)
      else {
        keys.deleteWhere(() => true)
        accounts.deleteWhere(() => true)
      }
    })

    app.decorate('tenants', {
      store,
      authenticate(key) {
        const parsed = parseKey(key)
        if (!parsed) return undefined
        const known = keys.get(parsed.keyId)
        return known instanceof Promise ? known.then(value => admit(value, parsed.hash)) : admit(known, parsed.hash)
      },
      account(tenantId) {
        const found = accounts.get(tenantId)
        return found instanceof Promise ? found.then(value => value?.account) : found?.account
      },
      forget,
      onForget(hook) {
        hooks.push(hook)
      }
    } satisfies Tenants)
    app.addHook('onClose', () => store.close())
  },
  { name: 'tenants' }
)

declare module 'fastify' {
  interface FastifyInstance {
    tenants: Tenants
  }
}
