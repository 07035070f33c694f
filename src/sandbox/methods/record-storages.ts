import type { RecordStorage } from '../../../schemas/record-storage.ts'
import type { Methods } from '../method.ts'
import { where } from '../query.ts'
import { type AccountState, table } from '../state.ts'

/** Available to every account. */
const shared: readonly RecordStorage[] = ['ru1', 'us1', 'eu1'].map((recordStorageName, i) => ({
  recordStorageId: i + 1,
  recordStorageName
}))
const ownStorages = table<RecordStorage, 'recordStorageId'>('recordStorages', 'recordStorageId', 101)

export const methods: Methods = {
  GetRecordStorages(params, account) {
    const rows = [...shared, ...(params.flag('withPrivate') ? ownStorages.rows(account) : [])]
    return { result: where(rows, { recordStorageId: params.ids('recordStorageId'), recordStorageName: params.texts('recordStorageName') }) }
  }
}

export function seed(account: AccountState): void {
  ownStorages.add(account, { recordStorageName: 'own-bucket' })
}
