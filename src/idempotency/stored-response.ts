import type { Tables } from '../database/tables.ts'
import type { Store } from '../tenants/store.ts'
import type { EncryptionContext } from '../vault/vault.ts'

type Row = Pick<Tables['idempotency'], 'tenant_id' | 'id' | 'slot' | 'fingerprint'>

/** An answer as it is repeated. */
export interface Answer {
  status: number
  /** Lower-case names. */
  headers: Record<string, string>
  body?: string
}

/** A response belongs to its record and to the request that it responds to. */
const contextOf = (row: Row): EncryptionContext => ['idempotency', row.tenant_id, row.id, row.slot, row.fingerprint ?? '']

/** Encrypts a response for its record. Throws SealError, StoreRefusal. */
export const sealAnswer = (store: Pick<Store, 'seal'>, row: Row, answer: Answer): Promise<string> =>
  store.seal(row.tenant_id, Buffer.from(JSON.stringify(answer)), contextOf(row))

/** Decrypts the response of a record. Throws SealError. */
export const openAnswer = async (store: Pick<Store, 'open'>, row: Row & { sealed: string | null }): Promise<Answer> =>
  JSON.parse((await store.open(row.tenant_id, row.sealed ?? '', contextOf(row))).toString())
