import { hash, randomUUID } from 'node:crypto'
import { countUpTo, createQuota, type Quota, QuotaExceeded } from '../database/quota.ts'
import { batchSize } from '../database/sweep.ts'
import type { Tables } from '../database/tables.ts'
import { type Store, StoreRefusal } from '../tenants/store.ts'
import { SealError } from '../vault/vault.ts'
import { createOperatorRecords, type OperatorRecords } from './operator-records.ts'
import { type Answer, openAnswer, sealAnswer } from './stored-response.ts'
import { type SweptRecords, sweepRecords } from './sweep.ts'

export type { Answer }

/**
 * The records of idempotency keys. A request claims its key before anything else (`started`), says so right before its call can leave (`sent`),
 * and ends it: `done` with its answer, sealed, or `unknown`; a key whose request provably did nothing is free again.
 *
 * A claim is held by a lease that its process renews. When that ends, the process is dead: what was `started` has done nothing and may be
 * taken over, what was `sent` becomes `unknown`. Every step names the owner it expects, so that a process that merely slept, and finds its
 * claim gone, sends nothing.
 */

type Row = Tables['idempotency']
export type State = Row['state']

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

export interface Idempotency extends OperatorRecords {
  /** Claims a key, or returns its existing record. Throws QuotaExceeded, and when the store is unavailable. */
  claim(claim: Claim, fingerprint: string | undefined): Promise<{ attempt: Attempt } | { known: Known }>
  /** Renews what this process holds, and writes what could not be written before. To be called thrice a lease. */
  renew(): Promise<void>
  /** See `sweepRecords`. */
  sweep(): Promise<SweptRecords>
  /** Resolves when this process holds no claim, or after a timeout in milliseconds. */
  idle(timeout: number): Promise<void>
}

const slotOf = ({ tenantId, lineage, operation, key }: Claim): string =>
  hash('sha256', JSON.stringify([tenantId, lineage, operation, key]), 'base64url')

/** A quota of records per tenant; 0: none. */
export const recordQuota = (database: Store['database'], max: number): Quota =>
  createQuota({
    max,
    count: tenantId => countUpTo(max, database, database.selectFrom('idempotency').where('tenant_id', '=', tenantId))
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
  const { database } = store
  const held = new Map<string, Held>()
  let waiting: (() => void)[] = []
  let renewing = false
  const process = randomUUID()
  let attempts = 0
  const inFuture = (ms: number): string => new Date(store.clock.now() + ms).toISOString()
  const now = (): string => inFuture(0)

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
      const sealed = await sealAnswer(store, { ...row, fingerprint }, end.answer)
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
    answer: () => openAnswer(store, row)
  })

  return {
    ...createOperatorRecords(store, ttl),
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

    sweep: () => sweepRecords(store, unknownTtl),

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
