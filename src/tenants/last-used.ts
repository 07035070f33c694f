import type { Store } from './store.ts'

/** When keys and credentials were last used: recorded in memory for each request, written together now and then. */
export class LastUsedTracker {
  readonly #store: Pick<Store, 'touch' | 'clock'>
  #keys = new Map<string, number>()
  #credentials = new Map<string, number>()

  constructor(store: Pick<Store, 'touch' | 'clock'>) {
    this.#store = store
  }

  key(keyId: string): void {
    this.#keys.set(keyId, this.#store.clock.now())
  }

  credential(tenantId: string): void {
    this.#credentials.set(tenantId, this.#store.clock.now())
  }

  /** Writes what was recorded. What cannot be written is kept for the next time. */
  async flush(): Promise<void> {
    const [keys, credentials] = [this.#keys, this.#credentials]
    this.#keys = new Map()
    this.#credentials = new Map()
    try {
      await this.#store.touch({ keys: datesOf(keys), credentials: datesOf(credentials) })
    } catch (error) {
      this.#keys = new Map([...keys, ...this.#keys])
      this.#credentials = new Map([...credentials, ...this.#credentials])
      throw error
    }
  }
}

const datesOf = (times: ReadonlyMap<string, number>) => new Map(Array.from(times, ([id, time]) => [id, new Date(time)] as const))
