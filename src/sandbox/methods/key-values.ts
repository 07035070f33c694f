import type { KeyValue } from '../../../schemas/key-value.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { type AccountState, table } from '../state.ts'
import { demoApplicationId, onDelete, requireApplication } from '../tables.ts'

interface ItemRow extends KeyValue {
  itemId: number
  applicationId: number
  expiresAt: string
}

const items = table<ItemRow, 'itemId'>('keyValues', 'itemId')
onDelete('applications', (account, ids) => items.remove(account, items.where(account, { applicationId: ids })))

/** 90 days, in seconds. */
const maxTtl = 7_776_000
const maxValue = 2000
const maxKey = 200
const maxPage = 50
const defaultPage = 10

/** The items of the application that a call names. Deletes those that have expired. */
function itemsOf(account: AccountState, params: Params): ItemRow[] {
  const { applicationId } = requireApplication(account, params)
  items.remove(account, items.where(account, { expiresAt: time => Date.parse(time) <= Date.now() }))
  return items.where(account, { applicationId })
}

function checkKey(key: string): string {
  if (key.length > maxKey) reject('TOO_LONG', 'key')
  return /^[A-Za-zА-Яа-яЁё0-9_:;.#+-]+$/.test(key) ? key : reject('INVALID', 'key')
}

const requireKey = (params: Params): string => checkKey(params.required('key'))

/** When an item expires: `ttl` seconds from now or at `expires_at`; a call has exactly one of them. */
function expiryOf(params: Params): string {
  const ttl = params.number('ttl')
  const expiresAt = params.number('expiresAt')
  if ((ttl === undefined) === (expiresAt === undefined)) reject('ONLY_ONE_OF_PARAMETERS', 'ttl')
  const time = Math.floor(Date.now() / 1000)
  const end = expiresAt ?? time + (ttl ?? 0)
  if (end < time || end > time + maxTtl) reject('INVALID_RANGE', ttl === undefined ? 'expiresAt' : 'ttl')
  return new Date(end * 1000).toISOString().replace('.000Z', 'Z')
}

/** One page, ordered by key. The upstream returns no total. */
function pageByKey(rows: ItemRow[], params: Params): { result: ItemRow[] } {
  const begin = params.text('key')
  const offset = params.number('offset') ?? 0
  const result = rows
    .filter(row => begin === undefined || row.key.startsWith(checkKey(begin)))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(offset, offset + Math.min(params.number('count') ?? defaultPage, maxPage))
  return { result }
}

export const methods: Methods = {
  SetKeyValueItem(params, account) {
    const { applicationId } = requireApplication(account, params)
    const key = requireKey(params)
    // Empty text is a value.
    const value = params.text('value') ?? reject('REQUIRED_IS_EMPTY', 'value')
    if (value.length > maxValue) reject('TOO_LONG', 'value')
    const expiresAt = expiryOf(params)
    const row = itemsOf(account, params).find(row => row.key === key)
    return { result: row ? Object.assign(row, { value, expiresAt }) : items.add(account, { applicationId, key, value, expiresAt }) }
  },

  GetKeyValueItem(params, account) {
    const key = requireKey(params)
    // An unknown key is no error: the result is an empty object.
    return { result: itemsOf(account, params).find(row => row.key === key) ?? {} }
  },

  GetKeyValueItems(params, account) {
    requireKey(params)
    return pageByKey(itemsOf(account, params), params)
  },

  GetKeyValueKeys(params, account) {
    return pageByKey(itemsOf(account, params), params)
  },

  DelKeyValueItem(params, account) {
    const key = requireKey(params)
    items.remove(account, [itemsOf(account, params).find(row => row.key === key) ?? reject('INVALID_RESOURCE_ID', 'key')])
  }
}

export function seed(account: AccountState): void {
  // Far in the future, so that a demonstration keeps its data.
  const expiresAt = '2099-01-01T00:00:00Z'
  for (const [key, value] of [
    ['caller:14155550101', 'gold'],
    ['caller:14155550102', 'silver'],
    ['greeting', 'Hello from the help desk']
  ] as const)
    items.add(account, { applicationId: demoApplicationId(account, 'support'), key, value, expiresAt })
}
