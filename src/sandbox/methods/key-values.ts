import type { KeyValue } from '../../../schemas/key-value.ts'
import { type Params, refuse } from '../codec.ts'
import { type AccountState, table } from '../state.ts'
import { applications, theApplication, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

interface ItemRow extends KeyValue {
  itemId: number
  applicationId: number
  expiresAt: string
}

const items = table<ItemRow>('keyValues', 'itemId')
whenDeleted('applications', (account, ids) => items.remove(account, row => ids.includes(row.applicationId)))

/** 90 days, in seconds. */
const maxTtl = 7_776_000
const maxValue = 2000
const maxKey = 200
const maxPage = 50
const defaultPage = 10

/** The items of the application that a call names; those whose time is up are gone. */
function living(account: AccountState, params: Params): ItemRow[] {
  const { applicationId } = theApplication(account, params)
  const time = Date.now()
  items.remove(account, row => Date.parse(row.expiresAt) <= time)
  return items.rows(account).filter(row => row.applicationId === applicationId)
}

function checkKey(key: string): string {
  if (key.length > maxKey) refuse('TOO_LONG', 'key')
  return /^[A-Za-zА-Яа-яЁё0-9_:;.#+-]+$/.test(key) ? key : refuse('INVALID', 'key')
}

const theKey = (params: Params): string => checkKey(params.need('key', params.text('key')))

/** When an item goes away: `ttl` seconds from now or at `expires_at`, of which a call has one. */
function endOf(params: Params): string {
  const ttl = params.number('ttl')
  const expiresAt = params.number('expiresAt')
  if ((ttl === undefined) === (expiresAt === undefined)) refuse('ONLY_ONE_OF_PARAMETERS', 'ttl')
  const time = Math.floor(Date.now() / 1000)
  const end = expiresAt ?? time + ttl!
  if (end < time || end > time + maxTtl) refuse('INVALID_RANGE', ttl === undefined ? 'expiresAt' : 'ttl')
  return new Date(end * 1000).toISOString().replace('.000Z', 'Z')
}

/** One page, by key. The upstream does not tell how many there are in all. */
function pageByKey(rows: ItemRow[], params: Params): { result: ItemRow[] } {
  const begin = params.text('key')
  const offset = params.number('offset') ?? 0
  const result = rows
    .filter(row => begin === undefined || row.key.startsWith(checkKey(begin)))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(offset, offset + Math.min(params.number('count') ?? defaultPage, maxPage))
  return { result }
}

export const methods: Record<string, Method> = {
  SetKeyValueItem(params, account) {
    const { applicationId } = theApplication(account, params)
    const key = theKey(params)
    // Empty text is a value.
    const value = params.text('value') ?? refuse('REQUIRED_IS_EMPTY', 'value')
    if (value.length > maxValue) refuse('TOO_LONG', 'value')
    const expiresAt = endOf(params)
    const row = living(account, params).find(row => row.key === key)
    return { result: row ? Object.assign(row, { value, expiresAt }) : items.add(account, { applicationId, key, value, expiresAt }) }
  },

  GetKeyValueItem(params, account) {
    const key = theKey(params)
    // A key that is not there is no error: the result holds nothing.
    return { result: living(account, params).find(row => row.key === key) ?? {} }
  },

  GetKeyValueItems(params, account) {
    theKey(params)
    return pageByKey(living(account, params), params)
  },

  GetKeyValueKeys(params, account) {
    return pageByKey(living(account, params), params)
  },

  DelKeyValueItem(params, account) {
    const key = theKey(params)
    const { itemId } = living(account, params).find(row => row.key === key) ?? refuse('INVALID_RESOURCE_ID', 'key')
    items.remove(account, row => row.itemId === itemId)
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  const [support] = applications.rows(account)
  // Far away, so that a demonstration does not run dry.
  const expiresAt = '2099-01-01T00:00:00Z'
  for (const [key, value] of [
    ['caller:14155550101', 'gold'],
    ['caller:14155550102', 'silver'],
    ['greeting', 'Hello from the help desk']
  ] as const)
    items.add(account, { applicationId: support!.applicationId, key, value, expiresAt })
}
