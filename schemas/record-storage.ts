import { type Static, Type } from '@sinclair/typebox'
import { id, maybe, text } from './common.ts'

export const RecordStorage = Type.Object(
  {
    recordStorageId: id('The id of the storage.'),
    recordStorageName: maybe(text('The name of the storage.', { examples: ['ru1'] }))
  },
  { $id: 'RecordStorage', description: 'A place where recordings are kept.' }
)
export type RecordStorage = Static<typeof RecordStorage>
