import { DatabaseAway } from '../database/unavailable.ts'

/** A small cache in front of the database, and what keeps many of its loads from falling over it. */

/** So many loads at once: less than the pool has connections, so that changes and probes find one. */
const mostLoads = 8
/** While the database is away it is asked so often whether it is back; a load that takes longer than `patience` counts as away. Milliseconds. */
const probeInterval = 500
const probeTimeout = 5_000
const patience = 300

/** The one way to the database for caches: few loads at once, and while it is away one in a while; others fail at once. */
export interface Source {
  run<T>(load: () => Promise<T>): Promise<T>
  /** Whether a load would fail at once. */
  refuses(): boolean
  /** Whether it is away, or slow to answer just now. */
  away(): boolean
}

export function createSource(): Source {
  let down = false
  let nextProbe = 0
  const waiting: (() => void)[] = []
  /** When the loads under way began, the oldest first. */
  const underWay = new Set<{ since: number }>()
  const refuses = () => down && performance.now() < nextProbe
  return {
    refuses,
    away() {
      if (down) return true
      const [oldest] = underWay
      return oldest !== undefined && performance.now() - oldest.since >= patience
    },
    async run(load) {
      if (refuses()) throw new DatabaseAway()
      if (down) nextProbe = performance.now() + probeTimeout
      else if (underWay.size >= mostLoads) {
        await new Promise<void>(resolve => waiting.push(resolve))
        if (down) throw new DatabaseAway()
      }
      const mine = { since: performance.now() }
      underWay.add(mine)
      try {
        const value = await load()
        down = false
        return value
      } catch (error) {
        down = error instanceof DatabaseAway
        if (down) {
          nextProbe = performance.now() + probeInterval * (0.5 + Math.random() / 2)
          for (const wake of waiting.splice(0)) wake()
        }
        throw error
      } finally {
        underWay.delete(mine)
        waiting.shift()?.()
      }
    }
  }
}

export interface CacheOptions {
  source: Source
  /** How long a value is served before it is looked up again, in milliseconds. */
  ttl: number
  /** How long it is served after it was last looked up, while the database is away, in milliseconds. */
  grace: number
  /** Of what there is, and again of what there is not, so that neither displaces the other. Oldest out first. */
  max?: number
}

export interface Cache<V> {
  get(key: string): V | undefined | Promise<V | undefined>
  /** How look-ups went: from memory, from the database, or from memory because the database was away. */
  readonly counts: CacheCounts
  /** What a look-up would serve from memory; undefined when it would ask the database, or there is nothing. Not counted. */
  fresh(key: string): V | undefined
  /** What was read last, however old. */
  peek(key: string): V | undefined
  /** Whether `get` would ask the database, and nobody else has asked it already. */
  needsLoad(key: string): boolean
  /** Forgets: the next one loads anew, whatever happens. */
  delete(key: string): void
  deleteWhere(matches: (value: V | undefined) => boolean): void
  /** Has everything looked up again before it is served, unless the database is away. */
  expire(): void
}

export interface CacheCounts {
  hit: number
  miss: number
  stale: number
}

interface Entry<V> {
  value: V | undefined
  confirmed: number
  until: number
}

/** One load at a time per key, told of the value before; failures are not kept. */
export function createCache<V>(
  { source, ttl, grace, max = 10_000 }: CacheOptions,
  load: (key: string, before: V | undefined) => Promise<V | undefined>
): Cache<V> {
  const entries = new Map<string, Entry<V>>()
  /** Names that stand for nothing. */
  const absent = new Map<string, Entry<V>>()
  const loading = new Map<string, Promise<V | undefined>>()
  const counts: CacheCounts = { hit: 0, miss: 0, stale: 0 }

  const start = (key: string, before: V | undefined): Promise<V | undefined> => {
    const confirmed = performance.now()
    const started: Promise<V | undefined> = source
      .run(() => load(key, before))
      .then(value => {
        // Forgotten while it was loaded: what was read may be old already.
        if (loading.get(key) !== started) return value
        entries.delete(key)
        absent.delete(key)
        const known = value === undefined ? absent : entries
        if (known.size >= max) known.delete(known.keys().next().value!)
        known.set(key, { value, confirmed, until: performance.now() + ttl })
        return value
      })
      .finally(() => {
        if (loading.get(key) === started) loading.delete(key)
      })
    loading.set(key, started)
    return started
  }

  return {
    get(key) {
      const entry = entries.get(key) ?? absent.get(key)
      const now = performance.now()
      if (entry && now < entry.until) {
        counts.hit++
        return entry.value
      }
      // Something unknown may be known by now: it is not worth serving.
      const usable = entry?.value !== undefined && now < entry.confirmed + grace
      const refuses = source.refuses()
      counts[usable && (refuses || source.away()) ? 'stale' : 'miss']++
      if (refuses) return usable ? entry.value : Promise.reject(new DatabaseAway())
      const pending = loading.get(key) ?? start(key, entry?.value)
      if (!usable) return pending
      const orBefore = pending.catch(error => {
        if (error instanceof DatabaseAway && entries.get(key) === entry) return entry.value
        throw error
      })
      if (source.away()) {
        orBefore.catch(() => {})
        return entry.value
      }
      return soon(orBefore, () => (entries.get(key) === entry ? entry.value : undefined))
    },
    counts,
    fresh(key) {
      const entry = entries.get(key)
      return entry && performance.now() < entry.until ? entry.value : undefined
    },
    peek: key => entries.get(key)?.value,
    needsLoad(key) {
      const entry = entries.get(key) ?? absent.get(key)
      return !(entry && performance.now() < entry.until) && !loading.has(key) && !source.refuses()
    },
    delete(key) {
      entries.delete(key)
      absent.delete(key)
      loading.delete(key)
    },
    deleteWhere(matches) {
      for (const known of [entries, absent]) for (const [key, { value }] of known) if (matches(value)) known.delete(key)
      loading.clear()
    },
    expire() {
      for (const known of [entries, absent]) for (const entry of known.values()) entry.until = 0
      loading.clear()
    }
  }
}

/** What a load comes to, or, where it takes long, what was known before. */
function soon<V>(pending: Promise<V | undefined>, before: () => V | undefined): Promise<V | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const value = before()
      if (value !== undefined) resolve(value)
    }, patience)
    pending.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}
