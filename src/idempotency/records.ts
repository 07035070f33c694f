import { hash, randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import { countUpTo, createQuota, type Quota, QuotaExceeded } from '../database/quota.ts'
import { batchSize, inBatches, skipLocked, sweepBudgetMs } from '../database/sweep.ts'
import type { Tables as StoreTables } from '../database/tables.ts'
import { writeEntry } from '../tenants/audit-log.ts'
import { type Actor, type Store, StoreRefusal } from '../tenants/store.ts'
import { type Place, SealError } from '../vault/vault.ts'

/**
 * The records of idempotency keys. A request claims its key before anything else (`started`), says so right before its call can leave (`sent`),
 * and ends it: `done` with its answer, sealed, or `unknown`; a key whose request provably did nothing is free again.
 *
 * A claim is held by a lease that its process renews. When that ends, the process is dead: what was `started` has done nothing and may be
 * taken over, what was `sent` becomes `unknown`. Every step names the owner it expects, so that a process that merely slept, and finds its
 * claim gone, sends nothing.
 */

export type State = 'started' | 'sent' | 'done' | 'unknown'

interface Row {
  id: string
  /** The hash of tenant, lineage of the API key, operation and the caller's key, which is kept nowhere. */
  slot: string
  tenant_id: string
  key_id: string
  operation: string
  state: State
  /** The attempt that holds it. */
  owner: string
  fingerprint: string | null
  sealed: string | null
  created_at: string
  lease_until: string
  expires_at: string | null
}

interface Tables {
  idempotency: Row
}

/** Whose request it is, what it calls, and the caller's name for it. */
export interface Claim {
  tenantId: string
  /** The API key's id, for people. */
  keyId: string
  /** What the API key has in common with those that it is rotated to. */
  lineage: string
  operation: string
  key: string
}

/** An answer as it is repeated. */
export interface Answer {
  status: number
  /** Lower-case names. */
  headers: Record<string, string>
  body?: string
}

/** How an attempt ended. */
export type End = { kind: 'free' } | { kind: 'unknown' } | { kind: 'done'; answer: Answer; fingerprint: string | undefined }

/** A claim that this process holds. */
export interface Attempt {
  readonly id: string
  /** Records that the call is about to be sent. False: the claim was lost, nothing may be sent. Throws when the store is unavailable. */
  sending(fingerprint: string | undefined): Promise<boolean>
  /** Records the outcome; while the store is unavailable, it retries. */
  end(end: End): Promise<void>
}

/** What is known of a key that was claimed before. */
export interface Known {
  readonly id: string
  readonly state: State
  readonly fingerprint: string | undefined
  /** The answer of a record that is `done`. */
  answer(): Promise<Answer>
}

/** A record as operators see it. */
export interface IdempotencyRecord {
  id: string
  tenantId: string
  keyId: string
  operation: string
  state: State
  createdAt: string
  expiresAt: string | undefined
}

/** How an operator settles a record: it had its effect (and what to answer from now on), or it was never sent. */
export type Settlement = { outcome: 'done'; answer: Answer } | { outcome: 'not-sent' }

export interface IdempotencyOptions {
  /** How long answers are kept, in milliseconds. */
  ttl: number
  /** How long a claim outlives its process, in milliseconds. */
  lease: number
  /** How long an outcome that stays unknown is kept, in milliseconds: its key is free afterwards. 0: for ever. */
  unknownTtl?: number
  /** Records of a tenant; without it, any number. */
  quota?: Quota
}

export interface Idempotency {
  /** Claims a key, or returns its existing record. Throws QuotaExceeded, and when the store is unavailable. */
  claim(claim: Claim, fingerprint: string | undefined): Promise<{ attempt: Attempt } | { known: Known }>
  /** Renews what this process holds, and writes what could not be written before. To be called thrice a lease. */
  renew(): Promise<void>
  /**
   * Frees what has expired and settles what dead processes held, in batches and for a limited time: `more` says that it did not get to the end.
   * How many records that were; `forgotten`: outcomes that stayed unknown too long.
   */
  sweep(): Promise<{ expired: number; freed: number; unknown: number; forgotten: number; more: boolean }>
  record(id: string): Promise<IdempotencyRecord | undefined>
  /** Records by state, oldest first. `after`: the id of one, for the page after it. */
  list(query: { state?: State; tenantId?: string; after?: string; limit?: number }): Promise<{ items: IdempotencyRecord[]; next?: string }>
  /** Settles an `unknown` record by hand, with an audit entry. It may not be `unknown` (any more). */
  settle(id: string, settlement: Settlement, actor: Actor): Promise<'settled' | 'not-unknown' | 'missing'>
  /** Resolves when this process holds no claim, or after a timeout in milliseconds. */
  idle(timeout: number): Promise<void>
}

const defaultPage = 100
const largestPage = 1000
/** Who owns what an operator has settled: no process. */
const settled = 'settled'

const slotOf = ({ tenantId, lineage, operation, key }: Claim): string =>
  hash('sha256', JSON.stringify([tenantId, lineage, operation, key]), 'base64url')

/** An answer belongs to its record and to the request that it answers. */
const placeOf = (row: Pick<Row, 'tenant_id' | 'id' | 'slot' | 'fingerprint'>): Place => [
  'idempotency',
  row.tenant_id,
  row.id,
  row.slot,
  row.fingerprint ?? ''
]

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

/** A quota of records per tenant; 0: none. */
export const recordQuota = (database: Store['database'], max: number): Quota =>
  createQuota({
    max,
    count: tenantId =>
      countUpTo(max, database, (database as unknown as Kysely<Tables>).selectFrom('idempotency').where('tenant_id', '=', tenantId))
  })

interface Held {
  row: Pick<Row, 'id' | 'slot' | 'tenant_id' | 'owner'>
  end?: End
}

/** The records in a store's database. */
export function createIdempotency(
  store: Pick<Store, 'database' | 'seal' | 'open' | 'clock'>,
  { ttl, lease, unknownTtl = 0, quota }: IdempotencyOptions
): Idempotency {
  const database = store.database as unknown as Kysely<Tables>
  const held = new Map<string, Held>()
  let waiting: (() => void)[] = []
  let renewing = false
  const process = randomUUID()
  let attempts = 0
  const inFuture = (ms: number): string => new Date(store.clock.now() + ms).toISOString()
  const now = (): string => inFuture(0)

  const sealAnswer = (row: Pick<Row, 'tenant_id' | 'id' | 'slot' | 'fingerprint'>, answer: Answer): Promise<string> =>
    store.seal(row.tenant_id, Buffer.from(JSON.stringify(answer)), placeOf(row))

  const letGo = ({ owner }: Held['row']): void => {
    held.delete(owner)
    if (held.size > 0) return
    for (const resolve of waiting) resolve()
    waiting = []
  }

  /** Writes an end, once or again: a row that has another owner by now stays as it is, and one whose tenant was deleted is gone with it. */
  const write = async (entry: Held): Promise<void> => {
    try {
      await writeEnd(entry)
    } catch (error) {
      if (!(error instanceof StoreRefusal)) throw error
    }
    if (entry.end) letGo(entry.row)
  }

  const writeEnd = async ({ row, end }: Held): Promise<void> => {
    if (!end) return
    if (end.kind === 'free')
      await database
        .deleteFrom('idempotency')
        .where('id', '=', row.id)
        .where('owner', '=', row.owner)
        .where('state', 'in', ['started', 'sent', 'unknown'])
        .execute()
    else if (end.kind === 'unknown')
      await database
        .updateTable('idempotency')
        .set({ state: 'unknown' })
        .where('id', '=', row.id)
        .where('owner', '=', row.owner)
        .where('state', '=', 'sent')
        .execute()
    else {
      const fingerprint = end.fingerprint ?? null
      const sealed = await sealAnswer({ ...row, fingerprint }, end.answer)
      // Also from `unknown`: others took this process for dead, but it has the answer.
      await database
        .updateTable('idempotency')
        .set({ state: 'done', fingerprint, sealed, expires_at: inFuture(ttl) })
        .where('id', '=', row.id)
        .where('owner', '=', row.owner)
        .where('state', 'in', ['started', 'sent', 'unknown'])
        .execute()
    }
  }

  const hold = (row: Held['row']): Attempt => {
    const entry: Held = { row }
    held.set(row.owner, entry)
    return {
      id: row.id,
      async sending(fingerprint) {
        const { numUpdatedRows } = await database
          .updateTable('idempotency')
          .set({ state: 'sent', lease_until: inFuture(lease), ...(fingerprint === undefined ? {} : { fingerprint }) })
          .where('id', '=', row.id)
          .where('owner', '=', row.owner)
          .where('state', '=', 'started')
          .executeTakeFirst()
        return numUpdatedRows === 1n
      },
      async end(end) {
        entry.end = end
        try {
          await write(entry)
        } catch {
          // `renew` tries again.
        }
      }
    }
  }

  const knownOf = (row: Row): Known => ({
    id: row.id,
    state: row.state,
    fingerprint: row.fingerprint ?? undefined,
    answer: async () => JSON.parse((await store.open(row.tenant_id, row.sealed ?? '', placeOf(row))).toString()) as Answer
  })

  type Column = 'lease_until' | 'expires_at'
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

  return {
    async claim(claim, fingerprint) {
      const slot = slotOf(claim)
      const full = quota !== undefined && !(await quota.allows(claim.tenantId))
      let last: Row | undefined
      // Each round either claims the key, reads what is known of it, or meets somebody who was faster.
      for (let round = 0; round < 5; round++) {
        const row = { id: randomUUID(), slot, tenant_id: claim.tenantId, owner: `${process}.${++attempts}` }
        // Existing records are still returned.
        if (full && !(await database.selectFrom('idempotency').select('id').where('slot', '=', slot).executeTakeFirst()))
          throw new QuotaExceeded()
        const { numInsertedOrUpdatedRows } = await database
          .insertInto('idempotency')
          .values({
            ...row,
            key_id: claim.keyId,
            operation: claim.operation,
            state: 'started',
            fingerprint: fingerprint ?? null,
            sealed: null,
            created_at: now(),
            lease_until: inFuture(lease),
            expires_at: null
          })
          .onConflict(conflict => conflict.column('slot').doNothing())
          .executeTakeFirstOrThrow()
        if (numInsertedOrUpdatedRows === 1n) {
          quota?.add(claim.tenantId)
          return { attempt: hold(row) }
        }
        last = await database.selectFrom('idempotency').selectAll().where('slot', '=', slot).executeTakeFirst()
        if (!last) continue
        const { id, owner, state, lease_until } = last
        const at = now()
        if (state === 'done' && last.expires_at! <= at) {
          await database.deleteFrom('idempotency').where('id', '=', id).where('state', '=', 'done').where('expires_at', '<=', at).execute()
          continue
        }
        const dead = lease_until <= at
        const other = fingerprint !== undefined && last.fingerprint !== null && last.fingerprint !== fingerprint
        if (dead && state === 'started' && !other) {
          const { numUpdatedRows } = await database
            .updateTable('idempotency')
            .set({ owner: row.owner, fingerprint: fingerprint ?? null, lease_until: inFuture(lease) })
            .where('id', '=', id)
            .where('owner', '=', owner)
            .where('state', '=', 'started')
            .where('lease_until', '=', lease_until)
            .executeTakeFirst()
          if (numUpdatedRows === 1n) return { attempt: hold({ ...row, id }) }
          continue
        }
        if (dead && state === 'sent') {
          await database
            .updateTable('idempotency')
            .set({ state: 'unknown' })
            .where('id', '=', id)
            .where('owner', '=', owner)
            .where('state', '=', 'sent')
            .where('lease_until', '=', lease_until)
            .execute()
          continue
        }
        return { known: knownOf(last) }
      }
      if (!last) throw new Error('the record of an idempotency key comes and goes')
      return { known: knownOf(last) }
    },

    async renew() {
      if (renewing || held.size === 0) return
      renewing = true
      try {
        const all = [...held.values()]
        const running = all.filter(({ end }) => !end).map(({ row }) => row)
        for (let at = 0; at < running.length; at += batchSize) {
          const some = running.slice(at, at + batchSize)
          await database
            .updateTable('idempotency')
            .set({ lease_until: inFuture(lease) })
            .where(
              'id',
              'in',
              some.map(({ id }) => id)
            )
            .where(
              'owner',
              'in',
              some.map(({ owner }) => owner)
            )
            .where('state', 'in', ['started', 'sent'])
            .execute()
        }
        // After the leases, which nobody's end may keep from being renewed.
        for (const entry of all) {
          if (!entry.end) continue
          try {
            await write(entry)
          } catch (error) {
            if (!(error instanceof SealError)) throw error
          }
        }
      } catch {
        // The store is unavailable: the next round retries.
      } finally {
        renewing = false
      }
    },

    async sweep() {
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
    },

    async record(id) {
      const row = await database.selectFrom('idempotency').select(columns).where('id', '=', id).executeTakeFirst()
      return row && recordOf(row)
    },

    async list({ state, tenantId, after, limit = defaultPage }) {
      const size = Math.min(Math.max(1, limit), largestPage)
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
      const sealed = settlement.outcome === 'done' ? await sealAnswer(row, settlement.answer) : null
      return database.transaction().execute(async transaction => {
        const { numUpdatedRows } = await transaction
          .updateTable('idempotency')
          .set({ state: 'done', owner: settled, sealed, expires_at: inFuture(ttl) })
          .where('id', '=', id)
          .where('state', '=', 'unknown')
          .executeTakeFirst()
        if (numUpdatedRows !== 1n) return 'not-unknown'
        if (settlement.outcome === 'not-sent') await transaction.deleteFrom('idempotency').where('id', '=', id).execute()
        await writeEntry(transaction as unknown as Kysely<StoreTables>, store.clock, {
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
    },

    async idle(timeout) {
      if (held.size === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push(resolve)
      const timer = setTimeout(resolve, timeout)
      await promise
      clearTimeout(timer)
    }
  }
}
