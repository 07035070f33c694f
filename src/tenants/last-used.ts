import type { Store } from './store.ts'

/** When keys and credentials were last used: noted in memory for each request, written together now and then. */
export interface Used {
  key(keyId: string): void
  credential(tenantId: string): void
  /** Writes what was noted. What cannot be written is kept for the next time. */
  flush(): Promise<void>
}

export function createUsed(store: Pick<Store, 'touch' | 'clock'>): Used {
  let keys = new Map<string, number>()
  let credentials = new Map<string, number>()
  const dates = (times: Map<string, number>) => new Map(Array.from(times, ([id, time]) => [id, new Date(time)] as const))
  return {
    key(keyId) {
      keys.set(keyId, store.clock.now())
    },
    credential(tenantId) {
      credentials.set(tenantId, store.clock.now())
    },
    async flush() {
      const [oldKeys, oldCredentials] = [keys, credentials]
      keys = new Map()
      credentials = new Map()
      try {
        await store.touch({ keys: dates(oldKeys), credentials: dates(oldCredentials) })
      } catch (error) {
        keys = new Map([...oldKeys, ...keys])
        credentials = new Map([...oldCredentials, ...credentials])
        throw error
      }
    }
  }
}
