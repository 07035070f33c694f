import type { Kysely, Transaction } from 'kysely'
import type { Change } from '../database/changes.ts'
import type { Tables } from '../database/tables.ts'
import { keyCheckName } from '../vault/integrity-tag.ts'
import { partsOf, SealError, type Vault } from '../vault/vault.ts'
import type { NewAuditEntry } from './model.ts'

/** The outcome of a transaction. `entry` goes to the audit log; without one, nothing was changed. */
export interface Effect<T> {
  result: T
  entry?: Omit<NewAuditEntry, 'actor'>
  change?: Change
}

export interface RotationOptions {
  /** Data keys per transaction. */
  batch?: number
  onProgress?: (progress: { rewrapped: number; total: number }) => void
}

interface RotationContext {
  database: Kysely<Tables>
  vault: Vault
  /** Runs a transaction with its audit entry. */
  change<T>(act: (transaction: Transaction<Tables>) => Promise<Effect<T>>): Promise<T>
}

/** A master key that wraps something has a key check value; its row is held, so that the key is not retired meanwhile. */
export const holdKeyCheck = async (transaction: Transaction<Tables>, masterKeyId: string, sealed: string): Promise<void> => {
  await transaction
    .insertInto('vault')
    .values({ name: keyCheckName(masterKeyId), sealed })
    .onConflict(conflict => conflict.column('name').doUpdateSet(({ ref }) => ({ sealed: ref('vault.sealed') })))
    .execute()
}

/** Wraps every data key with the current master key; see `rotateMasterKey` of the mutations. */
export async function rotateMasterKey(
  { database, vault, change }: RotationContext,
  { batch = 100, onProgress }: RotationOptions = {}
): Promise<{ rewrapped: number; left: number }> {
  const keyCheck = await vault.createKeyCheck()
  const to = partsOf(keyCheck).keyId
  const wrappedByOther = (query = database.selectFrom('tenants')) => query.where('data_key', 'not like', `v1.${to}.%`)
  const countLeft = async (): Promise<number> =>
    Number(
      (
        await wrappedByOther()
          .select(({ fn }) => fn.countAll().as('count'))
          .executeTakeFirstOrThrow()
      ).count
    )
  const total = await countLeft()
  let rewrapped = 0
  onProgress?.({ rewrapped, total })
  for (let after = ''; ; ) {
    const rows = await wrappedByOther()
      .select(['tenant_id', 'data_key'])
      .where('tenant_id', '>', after)
      .orderBy('tenant_id')
      .limit(batch)
      .execute()
    if (rows.length === 0) break
    after = rows.at(-1)!.tenant_id
    const fresh: { tenant_id: string; data_key: string; wrapped: string }[] = []
    for (const row of rows) {
      try {
        fresh.push({ ...row, wrapped: await vault.rewrap(row.tenant_id, row.data_key) })
      } catch (error) {
        // One that does not open must not keep the others waiting: it is counted as left.
        if (!(error instanceof SealError)) throw error
      }
    }
    rewrapped += await change(async transaction => {
      await holdKeyCheck(transaction, to, keyCheck)
      let done = 0
      for (const { tenant_id, data_key, wrapped } of fresh) {
        const { numUpdatedRows } = await transaction
          .updateTable('tenants')
          .set({ data_key: wrapped })
          .where('tenant_id', '=', tenant_id)
          // Somebody else was faster, or the tenant is another one by now.
          .where('data_key', '=', data_key)
          .executeTakeFirst()
        done += Number(numUpdatedRows)
      }
      return done === 0 ? { result: 0 } : { result: done, entry: { action: 'master-key.rotate', target: to, detail: { rewrapped: done } } }
    })
    onProgress?.({ rewrapped, total })
  }
  await database.transaction().execute(async transaction => {
    await holdKeyCheck(transaction, to, keyCheck)
    const canaries = await transaction
      .updateTable('vault')
      // Holds the rows: a tenant that is made meanwhile with an old master key is waited for, and counted.
      .set(({ ref }) => ({ sealed: ref('sealed') }))
      .where('name', 'like', 'canary:%')
      .where('name', '!=', keyCheckName(to))
      .returning('name')
      .execute()
    for (const { name } of canaries) {
      const inUse = await transaction
        .selectFrom('tenants')
        .select('tenant_id')
        .where('data_key', 'like', `v1.${name.slice('canary:'.length)}.%`)
        .limit(1)
        .executeTakeFirst()
      if (!inUse) await transaction.deleteFrom('vault').where('name', '=', name).execute()
    }
  })
  return { rewrapped, left: await countLeft() }
}
