import { batchSize, inBatches, skipLocked, sweepBudgetMs } from '../database/sweep.ts'
import type { Tables } from '../database/tables.ts'
import { writeEntry } from '../tenants/audit-log.ts'
import type { Store } from '../tenants/store.ts'

type State = Tables['idempotency']['state']
type Column = 'lease_until' | 'expires_at'

/** Numbers of records. `forgotten`: outcomes that stayed unknown for too long; `more`: the time ran out before the end. */
export interface SweptRecords {
  expired: number
  freed: number
  unknown: number
  forgotten: number
  more: boolean
}

/**
 * Removes what has expired and decides on the records of dead processes, in batches and for a limited time.
 * @param unknownTtl how long an unknown outcome is kept, in milliseconds; 0: for ever
 */
export async function sweepRecords(store: Pick<Store, 'database' | 'clock'>, unknownTtl: number): Promise<SweptRecords> {
  const { database } = store
  const inFuture = (ms: number): string => new Date(store.clock.now() + ms).toISOString()
  const now = (): string => inFuture(0)
  /** A batch of what is over; other replicas may be at another one. */
  const overdue = (state: State, column: Column, before: string) =>
    database.with('overdue', rows =>
      skipLocked(
        database,
        rows.selectFrom('idempotency').select('id').where('state', '=', state).where(column, '<=', before).limit(batchSize)
      )
    )
  const removeOverdue = (state: State, column: Column, deadline: number, before = now()) =>
    inBatches(async () => {
      const { numDeletedRows } = await overdue(state, column, before)
        .deleteFrom('idempotency')
        .where('id', 'in', ({ selectFrom }) => selectFrom('overdue').select('overdue.id'))
        .where('state', '=', state)
        .where(column, '<=', before)
        .executeTakeFirstOrThrow()
      return Number(numDeletedRows)
    }, deadline)

  const deadline = performance.now() + sweepBudgetMs
  const expired = await removeOverdue('done', 'expires_at', deadline)
  const freed = await removeOverdue('started', 'lease_until', deadline)
  const unknown = await inBatches(async () => {
    const before = now()
    const { numUpdatedRows } = await overdue('sent', 'lease_until', before)
      .updateTable('idempotency')
      .set({ state: 'unknown' })
      .where('id', 'in', ({ selectFrom }) => selectFrom('overdue').select('overdue.id'))
      .where('state', '=', 'sent')
      .where('lease_until', '<=', before)
      .executeTakeFirstOrThrow()
    return Number(numUpdatedRows)
  }, deadline)
  const forgotten =
    unknownTtl === 0 ? { rows: 0, more: false } : await removeOverdue('unknown', 'lease_until', deadline, inFuture(-unknownTtl))
  if (forgotten.rows > 0)
    await writeEntry(store.database, store.clock, {
      actor: { kind: 'service', id: 'sweep' },
      action: 'idempotency.forget',
      detail: { records: forgotten.rows }
    })
  return {
    expired: expired.rows,
    freed: freed.rows,
    unknown: unknown.rows,
    forgotten: forgotten.rows,
    more: [expired, freed, unknown, forgotten].some(({ more }) => more)
  }
}
