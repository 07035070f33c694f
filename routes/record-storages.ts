import { flag, idsOrNames, maybe, ref, strict } from '../schemas/common.ts'
import { RecordStorage } from '../schemas/record-storage.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { list } from '../src/api/replies.ts'

export default {
  listRecordStorages: endpoint({
    http: 'GET /record-storages',
    rpc: 'GetRecordStorages',
    summary: 'List the storages of recordings',
    tag: 'Record storages',
    input: strict({
      recordStorageId: maybe(idsOrNames('Only these storages', 'ru1')),
      withPrivate: maybe(flag('Whether private storages are answered too.'))
    }),
    reply: list(ref(RecordStorage))
  })
}
