import { idOrName, maybe, paging, ref, strict } from '../schemas/common.ts'
import { ExpiresAt, Key, KeyNamespace, KeyValue, KeyValueKey, StoredValue, Ttl } from '../schemas/key-value.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { done, page, value } from '../src/api/replies.ts'

const tag = 'Key-value storage'
const applicationId = idOrName('The application', 'support')
const shortPaging = {
  ...paging,
  limit: { ...paging.limit, maximum: 50, description: 'How many items to answer at most: up to 50; 10 without it.', examples: [10] }
}

export default {
  setKeyValue: endpoint({
    http: 'PUT /applications/:applicationId/key-values/:key',
    rpc: 'SetKeyValueItem',
    summary: 'Store a value under a key',
    description: 'Makes the item or replaces its value. Give exactly one of `ttl` and `expiresAt`.',
    tag,
    input: strict({ applicationId, key: Key, value: StoredValue, ttl: maybe(Ttl), expiresAt: maybe(ExpiresAt) }),
    exactlyOne: ['ttl', 'expiresAt'],
    reply: value(ref(KeyValue))
  }),
  getKeyValue: endpoint({
    http: 'GET /applications/:applicationId/key-values/:key',
    rpc: 'GetKeyValueItem',
    summary: 'Get the value under a key',
    tag,
    input: strict({ applicationId, key: Key }),
    reply: value(ref(KeyValue), { absent: 'not-found' })
  }),
  listKeyValues: endpoint({
    http: 'GET /applications/:applicationId/key-values',
    rpc: 'GetKeyValueItems',
    summary: 'List the keys and values of a namespace',
    tag,
    input: strict({ applicationId, key: KeyNamespace, ...shortPaging }),
    reply: page(ref(KeyValue))
  }),
  listKeyValueKeys: endpoint({
    http: 'GET /applications/:applicationId/key-value-keys',
    rpc: 'GetKeyValueKeys',
    summary: 'List keys without their values',
    tag,
    input: strict({ applicationId, key: maybe(KeyNamespace), ...shortPaging }),
    reply: page(ref(KeyValueKey))
  }),
  deleteKeyValue: endpoint({
    http: 'DELETE /applications/:applicationId/key-values/:key',
    rpc: 'DelKeyValueItem',
    summary: 'Delete a key and its value',
    tag,
    input: strict({ applicationId, key: Key }),
    reply: done
  })
}
