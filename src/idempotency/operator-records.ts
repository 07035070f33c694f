import type { Tables } from '../database/tables.ts'
import { writeEntry } from '../tenants/audit-log.ts'
import type { Actor, Store } from '../tenants/store.ts'
import { type Answer, sealAnswer } from './stored-response.ts'

/** Records of requests with an Idempotency-Key, as operators list and settle them. */

type Row = Tables['idempotency']

/** A record as operators see it. */
export interface IdempotencyRecord {
  id: string
  tenantId: string
  keyId: string
  operation: string
  state: Row['state']
  createdAt: string
  expiresAt: string | undefined
}

/** How an operator settles a record: it had its effect (and what to answer from now on), or it was never sent. */
export type Settlement = { outcome: 'done'; answer: Answer } | { outcome: 'not-sent' }

export interface OperatorRecords {
  record(id: string): Promise<IdempotencyRecord | undefined>
  /** Records by state, oldest first. `after`: the id of one, for the page after it. */
  list(query: {
    state?: Row['state']
    tenantId?: string
    after?: string
    limit?: number
  }): Promise<{ items: IdempotencyRecord[]; next?: string }>
  /** Settles an `unknown` record by hand, with an audit entry. */
  settle(id: string, settlement: Settlement, actor: Actor): Promise<'settled' | 'not-unknown' | 'missing'>
}

const defaultPageSize = 100
const maxPageSize = 1000
/** Who owns what an operator has settled: no process. */
const settledByHand = 'settled'

const recordOf = (row: Omit<Row, 'slot' | 'sealed' | 'owner'>): IdempotencyRecord => ({
  id: row.id,
  tenantId: row.tenant_id,
  keyId: row.key_id,
  operation: row.operation,
  state: row.state,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined
})

const columns = ['id', 'tenant_id', 'key_id', 'operation', 'state', 'fingerprint', 'created_at', 'lease_until', 'expires_at'] as const

/** The records of a store. @param ttl how long the response of a settled record is stored, in milliseconds */
export function createOperatorRecords(store: Pick<Store, 'database' | 'seal' | 'clock'>, ttl: number): OperatorRecords {
  const { database } = store
  return {
    async record(id) {
      const row = await database.selectFrom('idempotency').select(columns).where('id', '=', id).executeTakeFirst()
      return row && recordOf(row)
    },

    async list({ state, tenantId, after, limit = defaultPageSize }) {
      const size = Math.min(Math.max(1, limit), maxPageSize)
      let query = database
        .selectFrom('idempotency')
        .select(columns)
        .orderBy('created_at')
        .orderBy('id')
        .limit(size + 1)
      if (state !== undefined) query = query.where('state', '=', state)
      if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
      if (after !== undefined) {
        const from = database.selectFrom('idempotency').select('created_at').where('id', '=', after)
        query = query.where(({ eb, or, and }) =>
          or([eb('created_at', '>', from), and([eb('created_at', '=', from), eb('id', '>', after)])])
        )
      }
      const rows = await query.execute()
      const items = rows.slice(0, size).map(recordOf)
      return rows.length > size ? { items, next: items.at(-1)!.id } : { items }
    },

    async settle(id, settlement, actor) {
      const row = await database.selectFrom('idempotency').selectAll().where('id', '=', id).executeTakeFirst()
      if (row?.state !== 'unknown') return row ? 'not-unknown' : 'missing'
      // Sealed before the transaction begins: it may have to read the tenant's data key.
      const sealed = settlement.outcome === 'done' ? await sealAnswer(store, row, settlement.answer) : null
      return database.transaction().execute(async transaction => {
        const { numUpdatedRows } = await transaction
          .updateTable('idempotency')
          .set({ state: 'done', owner: settledByHand, sealed, expires_at: new Date(store.clock.now() + ttl).toISOString() })
          .where('id', '=', id)
          .where('state', '=', 'unknown')
          .executeTakeFirst()
        if (numUpdatedRows !== 1n) return 'not-unknown'
        if (settlement.outcome === 'not-sent') await transaction.deleteFrom('idempotency').where('id', '=', id).execute()
        await writeEntry(transaction, store.clock, {
          actor,
          action: 'idempotency.settle',
          tenantId: row.tenant_id,
          target: id,
          detail: {
            outcome: settlement.outcome,
            operation: row.operation,
            ...(settlement.outcome === 'done' ? { status: settlement.answer.status } : {})
          }
        })
        return 'settled'
      })
    }
  }
}
