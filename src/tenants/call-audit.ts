import { Problem } from '../problems/problem.ts'
import { entryQuota } from './audit-log.ts'
import type { NewAuditEntry } from './model.ts'
import type { Store } from './store.ts'

/** Entries of the audit log for calls: written before a call is made, and settled with its outcome. */
export interface CallAudit {
  /** Writes an entry with the outcome `started`; returns its id. Throws Problem when it could not be written: the call must not be made then. */
  begin(tenantId: string, entry: Omit<NewAuditEntry, 'tenantId' | 'outcome'>): Promise<string>
  /** Writes the outcome of a call; does not wait for it. */
  end(entryId: string, outcome: string): void
  /** Resolves when every outcome is written. */
  drained(): Promise<void>
}

const dayMs = 86_400_000

/**
 * @param maxEntriesPerDay how many entries the calls of a tenant may add in a day (UTC); 0: any number
 * @param onError called when an outcome could not be written
 */
export function createCallAudit(
  store: Store,
  maxEntriesPerDay: number,
  onError: (error: unknown, entryId: string, outcome: string) => void
): CallAudit {
  const quota = entryQuota(store.database, store.clock, maxEntriesPerDay)
  const settling = new Set<Promise<void>>()
  return {
    async begin(tenantId, entry) {
      try {
        if (!(await quota.allows(tenantId))) throw overQuota(maxEntriesPerDay, store.clock.now())
        const id = await store.record({ ...entry, tenantId, outcome: 'started' })
        quota.add(tenantId)
        return id
      } catch (error) {
        if (error instanceof Problem) throw error
        throw new Problem('audit-unavailable', 'The call could not be written to the audit log, so that it was not made.', { cause: error })
      }
    },
    end(entryId, outcome) {
      const settled: Promise<void> = store
        .settleAudit(entryId, outcome)
        .catch(error => onError(error, entryId, outcome))
        .finally(() => settling.delete(settled))
      settling.add(settled)
    },
    async drained() {
      await Promise.all(settling)
    }
  }
}

/** The quota ends with the day. */
function overQuota(max: number, now: number): Problem {
  const retryAfter = Math.ceil((dayMs - (now % dayMs)) / 1000)
  return new Problem(
    'tenant-quota-exceeded',
    `The tenant has used up its quota of ${max} audit entries for today (UTC), so that the call was not made. Calls that are not audited go on.`,
    { headers: { 'retry-after': String(retryAfter) } }
  )
}
