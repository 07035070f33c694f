import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'

/** How many rows a tenant may have of a kind. The count is kept in memory and read again now and then, so that it costs a request nothing. */

/** Maximum age of a count, in milliseconds. Within it replicas may together exceed the quota. */
const maxAgeMs = 60_000
/** The same when the quota is used up: some of it may have been given back. */
const maxAgeWhenFullMs = 5_000
/** Maximum tenants with a count in memory; beyond that, counting starts anew. */
const maxTenants = 10_000

/** A tenant has as many as it may. */
export class QuotaExceeded extends Error {
  constructor() {
    super('the tenant has as many as it may')
    this.name = 'QuotaExceeded'
  }
}

export interface Quota {
  /** Whether there is room for one more. Throws when the database does not answer and nothing is known. */
  allows(tenantId: string): boolean | Promise<boolean>
  /** Counts one that was made. */
  add(tenantId: string): void
}

export interface QuotaOptions {
  /** 0: any number. */
  max: number
  /** Counts what there is. */
  count(tenantId: string): Promise<number>
  /** A name for the time that is counted in, such as a day; nothing of one counts in the next. */
  period?: () => string
}

interface Entry {
  period: string
  count: number
  countedAt: number
  counting?: Promise<void>
}

export function createQuota({ max, count, period = () => '' }: QuotaOptions): Quota {
  const entries = new Map<string, Entry>()

  const recount = (tenantId: string, entry: Entry): Promise<void> => {
    entry.counting ??= (async () => {
      const before = entry.count
      try {
        const counted = await count(tenantId)
        // What was added while it was counted may not be in the count.
        entry.count = counted + (entry.count - before)
        entry.countedAt = performance.now()
      } finally {
        entry.counting = undefined
      }
    })()
    return entry.counting
  }

  return {
    allows(tenantId) {
      if (max === 0) return true
      const now = period()
      let entry = entries.get(tenantId)
      if (entry?.period !== now) {
        if (entries.size >= maxTenants) entries.clear()
        entry = { period: now, count: 0, countedAt: 0 }
        entries.set(tenantId, entry)
      }
      const counted = entry
      const age = performance.now() - counted.countedAt
      const full = counted.count >= max
      if (counted.countedAt === 0 || (full && age > maxAgeWhenFullMs)) return recount(tenantId, counted).then(() => counted.count < max)
      if (age > maxAgeMs) recount(tenantId, counted).catch(() => {})
      return !full
    },
    add(tenantId) {
      const entry = entries.get(tenantId)
      if (entry) entry.count++
    }
  }
}

/** Counts the rows of a query, and stops at `max`: what is beyond makes no difference. */
// biome-ignore lint/suspicious/noExplicitAny: it counts the rows of any table
export async function countUpTo(max: number, database: Kysely<any>, rows: SelectQueryBuilder<any, any, any>): Promise<number> {
  const { count } = await database
    .selectFrom(rows.select(sql`1`.as('one')).limit(max).as('rows'))
    .select(({ fn }) => fn.countAll().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
