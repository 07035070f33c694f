import { type Static, Type } from '@sinclair/typebox'
import { marks } from '../src/voximplant/wire/marks.ts'
import { integer, maybe, text, unixTime } from './common.ts'

const inKey = 'Latin and Cyrillic letters, digits and `_ - : ; . # +`'
const key = (description: string, example: string) => ({
  ...text(`${description} 1 to 200 ${inKey}.`, { pattern: '^[A-Za-zА-Яа-яЁё0-9_:;.#+-]{1,200}$', examples: [example] }),
  ...marks({ expects: `1 to 200 ${inKey}` })
})

export const Key = key(
  'The key; unique in the application. The part before a `:` is a namespace that keys can be listed by. In a URL, `#` is written %23 and `+` %2B.',
  'caller:14155550101'
)
export const KeyNamespace = key('Only keys that begin with this namespace. In a URL, `#` is written %23 and `+` %2B.', 'caller')
export const StoredValue = text('The text kept under the key; up to 2,000 characters.', { maxLength: 2000, examples: ['gold'] })
export const Ttl = integer('For how many seconds the item is kept: up to 7,776,000 (90 days).', {
  minimum: 0,
  maximum: 7776000,
  examples: [2592000]
})
export const ExpiresAt = unixTime('When the item expires, at most 90 days from now. Fractions of a second are truncated.')

export const KeyValue = Type.Object(
  {
    key: text('The key.', { examples: ['caller:14155550101'] }),
    value: maybe(text('The text kept under the key.', { examples: ['gold'] })),
    expiresAt: maybe(unixTime('When the item expires.'))
  },
  { $id: 'KeyValue', description: 'A text that an application keeps under a key for a while.' }
)
export type KeyValue = Static<typeof KeyValue>

export const KeyValueKey = Type.Object(
  {
    key: text('The key.', { examples: ['caller:14155550101'] }),
    expiresAt: maybe(unixTime('When the item expires.'))
  },
  { $id: 'KeyValueKey', description: 'A key of the key-value storage, without its value.' }
)
export type KeyValueKey = Static<typeof KeyValueKey>
