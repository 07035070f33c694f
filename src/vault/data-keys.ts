import { LRUCache } from 'lru-cache'
import type { Vault } from './vault.ts'

/** Data keys in memory. */
const maxDataKeys = 10_000

/** Data keys, unwrapped once: asking a key server for every credential would take its time. */
export function createDataKeys(vault: Vault) {
  const keys = new LRUCache<string, { wrapped: string; key: Buffer }>({ max: maxDataKeys })
  return {
    /** The data key that a tenant's row wraps. Throws UnknownMasterKey, SealError. */
    async open(tenantId: string, wrapped: string): Promise<Buffer> {
      const cached = keys.get(tenantId)
      if (cached?.wrapped === wrapped) return cached.key
      const key = await vault.openDataKey(tenantId, wrapped)
      keys.set(tenantId, { wrapped, key })
      return key
    },
    forget(tenantId: string): void {
      keys.delete(tenantId)
    }
  }
}

export type DataKeys = ReturnType<typeof createDataKeys>
