import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Clock } from '../database/clock.ts'
import { countUpTo, createQuota, type Quota } from '../database/quota.ts'
import { batchSize, inBatches, type Swept, skipLocked } from '../database/sweep.ts'
import type { Tables } from '../database/tables.ts'
import { parseInstant } from '../voximplant/wire/times.ts'
import type { AuditEntry, AuditQuery, NewAuditEntry } from './model.ts'
import { entryOf } from './rows.ts'

/** The audit log: who did what to which tenant, when, from where, and how it ended. Entries of a change are written in its transaction. */

const defaultPage = 100
const largestPage = 1000

let last = 0
let within = 0

const timeDigits = 12
/** What the ids of a moment's entries begin with: they sort by it, so that times need no index of their own. */
const idAt = (ms: number): string =>
  Math.min(Math.max(0, Math.trunc(ms)), 16 ** timeDigits - 1)
    .toString(16)
    .padStart(timeDigits, '0')

/** An id that sorts by time, also among those that one process makes within a millisecond. */
function entryId(now: number): string {
  within = now === last ? within + 1 : 0
  last = now
  return `${idAt(now)}${(within & 0xffff).toString(16).padStart(4, '0')}${randomBytes(6).toString('hex')}`
}

/** Writes an entry; its id. `database`: a transaction, where the entry belongs to one. */
export async function writeEntry(
  database: Kysely<Tables>,
  clock: Clock,
  { actor, action, tenantId, target, outcome = 'done', detail }: NewAuditEntry
): Promise<string> {
  const now = clock.now()
  const id = entryId(now)
  await database
    .insertInto('audit_log')
    .values({
      id,
      at: new Date(now).toISOString(),
      actor_kind: actor.kind,
      actor_id: actor.id,
      address: actor.address ?? null,
      request_id: actor.requestId ?? null,
      action,
      tenant_id: tenantId ?? null,
      target: target ?? null,
      outcome,
      detail: detail === undefined ? null : JSON.stringify(detail)
    })
    .execute()
  return id
}

/** Writes down how something ended whose entry was made before it began. */
export async function settleEntry(database: Kysely<Tables>, id: string, outcome: string, detail?: Record<string, unknown>): Promise<void> {
  await database
    .updateTable('audit_log')
    .set({ outcome, ...(detail === undefined ? {} : { detail: JSON.stringify(detail) }) })
    .where('id', '=', id)
    .execute()
}

/** Entries, newest first; `next` is the `before` of the following page. */
export async function readEntries(
  database: Kysely<Tables>,
  { tenantId, actor, action, outcome, since, until, before, limit = defaultPage }: AuditQuery
): Promise<{ items: AuditEntry[]; next?: string }> {
  const size = Math.min(Math.max(1, limit), largestPage)
  let query = database
    .selectFrom('audit_log')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(size + 1)
  if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
  if (actor !== undefined) query = query.where('actor_id', '=', actor)
  if (action !== undefined) query = query.where('action', '=', action)
  if (outcome !== undefined) query = query.where('outcome', '=', outcome)
  if (since !== undefined) query = query.where('id', '>=', idAt(parseInstant(since)!))
  if (until !== undefined) query = query.where('id', '<', idAt(parseInstant(until)!))
  if (before !== undefined) query = query.where('id', '<', before)
  const rows = await query.execute()
  const items = rows.slice(0, size).map(entryOf)
  return rows.length > size ? { items, next: items.at(-1)!.id } : { items }
}

/** A quota of entries per tenant and day (UTC); 0: none. */
export const entryQuota = (database: Kysely<Tables>, clock: Clock, max: number): Quota => {
  const day = () => new Date(clock.now()).toISOString().slice(0, 10)
  return createQuota({
    max,
    period: day,
    count: tenantId =>
      countUpTo(
        max,
        database,
        database
          .selectFrom('audit_log')
          .where('tenant_id', '=', tenantId)
          .where('id', '>=', idAt(Date.parse(day())))
      )
  })
}

/** Deletes entries that are older than `before`, in batches and for a limited time. */
export const deleteEntries = (database: Kysely<Tables>, before: Date): Promise<Swept> =>
  inBatches(async () => {
    const { numDeletedRows } = await database
      .with('overdue', rows =>
        skipLocked(
          database,
          rows.selectFrom('audit_log').select('id').where('id', '<', idAt(before.getTime())).orderBy('id').limit(batchSize)
        )
      )
      .deleteFrom('audit_log')
      .where('id', 'in', ({ selectFrom }) => selectFrom('overdue').select('overdue.id'))
      .executeTakeFirstOrThrow()
    return Number(numDeletedRows)
  })
