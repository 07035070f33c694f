import { LRUCache } from 'lru-cache'
import { type LoadGuard, slowLoadMs } from '../database/load-guard.ts'
import { DatabaseUnavailableError } from '../database/unavailable.ts'

export interface CacheOptions {
  guard: LoadGuard
  /** How long a value is served before it is loaded again, in milliseconds. */
  ttlMs: number
  /** How long a value is served after it was last loaded while the database is unavailable, in milliseconds. */
  graceMs: number
  /** Maximum number of values, and again of keys without a value, so that neither evicts the other. */
  max?: number
}

/** Look-ups served from memory, from the database, and from memory because the database was unavailable. */
export interface CacheCounts {
  hit: number
  miss: number
  stale: number
}

interface Entry<V> {
  value: V | undefined
  loadedAt: number
  expiresAt: number
}

/** A cache before the database that serves on while that is unavailable. One load at a time per key; failures are not stored. */
export class Cache<V extends NonNullable<unknown>> {
  readonly counts: CacheCounts = { hit: 0, miss: 0, stale: 0 }
  readonly #options: CacheOptions
  readonly #load: (key: string, before: V | undefined) => Promise<V | undefined>
  readonly #entries: LRUCache<string, Entry<V>>
  /** Keys without a value. */
  readonly #absent: LRUCache<string, Entry<V>>
  readonly #loading = new Map<string, Promise<V | undefined>>()

  /** @param load gets the value that was loaded before */
  constructor(options: CacheOptions, load: (key: string, before: V | undefined) => Promise<V | undefined>) {
    const { max = 10_000 } = options
    this.#options = options
    this.#load = load
    this.#entries = new LRUCache({ max })
    this.#absent = new LRUCache({ max })
  }

  /** The value of a key; a promise only when the database is asked. Rejects with DatabaseUnavailableError. */
  get(key: string): V | undefined | Promise<V | undefined> {
    const { guard, graceMs } = this.#options
    const entry = this.#entries.get(key) ?? this.#absent.get(key)
    const now = performance.now()
    if (entry && now < entry.expiresAt) {
      this.counts.hit++
      return entry.value
    }
    // A key without a value may have one by now, so that is never served stale.
    const stale = entry && now < entry.loadedAt + graceMs ? entry.value : undefined
    const { rejects } = guard
    this.counts[stale !== undefined && (rejects || guard.isSlow) ? 'stale' : 'miss']++
    if (rejects) return stale ?? Promise.reject(new DatabaseUnavailableError())
    const loading = this.#loading.get(key) ?? this.#start(key, entry?.value)
    if (stale === undefined) return loading
    const isCurrent = () => this.#entries.peek(key) === entry
    const loaded = loading.catch(error => {
      if (error instanceof DatabaseUnavailableError && isCurrent()) return stale
      throw error
    })
    if (guard.isSlow) {
      loaded.catch(() => {})
      return stale
    }
    return orAfter(loaded, slowLoadMs, () => (isCurrent() ? stale : undefined))
  }

  /** What `get` would return from memory; undefined where it would ask the database, or without a value. Not counted. */
  fresh(key: string): V | undefined {
    const entry = this.#entries.peek(key)
    return entry && performance.now() < entry.expiresAt ? entry.value : undefined
  }

  /** What was loaded last, however old. */
  peek(key: string): V | undefined {
    return this.#entries.peek(key)?.value
  }

  /** Whether `get` would start a load. */
  needsLoad(key: string): boolean {
    const entry = this.#entries.peek(key) ?? this.#absent.peek(key)
    return !(entry && performance.now() < entry.expiresAt) && !this.#loading.has(key) && !this.#options.guard.rejects
  }

  /** Forgets a key: the next `get` loads it anew, also when a load is in flight. */
  delete(key: string): void {
    this.#entries.delete(key)
    this.#absent.delete(key)
    this.#loading.delete(key)
  }

  /** Forgets the keys with a value that matches, and all without a value. */
  deleteWhere(matches: (value: V) => boolean): void {
    for (const [key, { value }] of this.#entries) if (value !== undefined && matches(value)) this.#entries.delete(key)
    this.#absent.clear()
    this.#loading.clear()
  }

  /** Has every value loaded again before it is served, unless the database is unavailable. */
  expire(): void {
    for (const entries of [this.#entries, this.#absent]) for (const entry of entries.values()) entry.expiresAt = 0
    this.#loading.clear()
  }

  #start(key: string, before: V | undefined): Promise<V | undefined> {
    const loadedAt = performance.now()
    const loading: Promise<V | undefined> = this.#options.guard
      .run(() => this.#load(key, before))
      .then(value => {
        // The key was forgotten meanwhile: what was loaded may be out of date.
        if (this.#loading.get(key) !== loading) return value
        this.#entries.delete(key)
        this.#absent.delete(key)
        const entries = value === undefined ? this.#absent : this.#entries
        entries.set(key, { value, loadedAt, expiresAt: performance.now() + this.#options.ttlMs })
        return value
      })
      .finally(() => {
        if (this.#loading.get(key) === loading) this.#loading.delete(key)
      })
    this.#loading.set(key, loading)
    return loading
  }
}

/** What a promise resolves to, or, once it has taken longer, what `instead` returns, unless that is undefined. */
function orAfter<V>(promise: Promise<V | undefined>, ms: number, instead: () => V | undefined): Promise<V | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const value = instead()
      if (value !== undefined) resolve(value)
    }, ms)
    promise.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}
