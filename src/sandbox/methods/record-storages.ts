import type { RecordStorage } from '../../../schemas/record-storage.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

/** Open to every account. */
const shared: readonly RecordStorage[] = ['ru1', 'us1', 'eu1'].map((recordStorageName, i) => ({
  recordStorageId: i + 1,
  recordStorageName
}))
const ownStorages = table<RecordStorage>('recordStorages', 'recordStorageId', 101)

export const methods: Record<string, Method> = {
  GetRecordStorages(params, account) {
    const ids = params.ids('recordStorageId')
    const names = params.texts('recordStorageName')
    const rows = [...shared, ...(params.flag('withPrivate') ? ownStorages.rows(account) : [])]
    return {
      result: rows.filter(
        row =>
          (ids === undefined || ids === 'all' || ids.includes(row.recordStorageId)) &&
          (names === undefined || names.includes(row.recordStorageName ?? ''))
      )
    }
  }
}

export function seed(account: AccountState): void {
  ownStorages.add(account, { recordStorageName: 'own-bucket' })
}
