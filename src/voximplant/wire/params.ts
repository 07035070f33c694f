import type { TSchema } from '@sinclair/typebox'

/** What a parameter of a form is, in the upstream's words. */
export type ParamKind = 'number' | 'text' | 'boolean' | 'timestamp' | 'date' | 'id-list' | 'text-list' | 'json-text' | 'file'

/** One parameter that a declaration can send. */
export interface Param {
  /** The upstream's name: snake_case. */
  wire: string
  kind: ParamKind
}

/** A value that is valid by its schema but has no form on the wire; `field` is its REST name. */
export class Unencodable extends Error {
  readonly field: string
  constructor(field: string, message: string) {
    super(message)
    this.name = 'Unencodable'
    this.field = field
  }
}

/** A field of an input, with the upstream's names of it. */
export interface InputField {
  /** The REST name. */
  name: string
  schema: TSchema
  wire: string
  /** The parameter that its `~name` form becomes. */
  nameWire: string
}

/** How a field is written into a form. */
export interface ParamEncoder {
  /** The parameters it can become. */
  params: readonly [Param, ...Param[]]
  /** `&name=value`, percent-encoded. Throws Unencodable. */
  write(value: unknown): string
}

/** A value that is a list; a single value counts as a list of one. */
export const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

const halfCharacter = 'holds half of a surrogate pair, which is not a character'
/** JSON text writes half of a surrogate pair as an escape, and nothing else in that range. */
const brokenCharacter = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

const escaped = (field: string, text: string): string => {
  if (!text.isWellFormed()) throw new Unencodable(field, halfCharacter)
  return encodeURIComponent(text)
}

/** JSON text of a value. Throws Unencodable. */
export function toJsonText(field: string, value: unknown): string {
  const text = JSON.stringify(value)
  if (brokenCharacter.test(text)) throw new Unencodable(field, halfCharacter)
  return text
}

/** Always throws: an instant that the upstream's form of times cannot hold. */
export const noInstant = (field: string): never => {
  throw new Unencodable(field, 'is not an instant between the years 0000 and 9999 in UTC')
}

/** A number without an exponent. */
export const decimal = (n: number): string => {
  const text = String(n)
  return text.includes('e') ? n.toFixed(20).replace(/\.?0+$/, '') : text
}

/** A field that becomes one parameter, whose text `toText` makes. */
export const oneParam =
  (kind: ParamKind, toText: (value: unknown, field: string) => string) =>
  ({ name, wire }: InputField): ParamEncoder => ({
    params: [{ wire, kind }],
    write: value => `&${wire}=${escaped(name, toText(value, name))}`
  })

const twoParams = ({ name, wire, nameWire }: InputField, kinds: readonly [ParamKind, ParamKind]): ParamEncoder['params'] => {
  if (nameWire === wire) throw new Error(`${name}: its ~name form needs a rename, as ${wire} does not end in _id`)
  return [
    { wire, kind: kinds[0] },
    { wire: nameWire, kind: kinds[1] }
  ]
}

/** An id, or a name after a tilde: each is a parameter of its own. */
export const idOrNameParams = (field: InputField): ParamEncoder => ({
  params: twoParams(field, ['number', 'text']),
  write: value => (typeof value === 'string' ? `&${field.nameWire}=${escaped(field.name, value.slice(1))}` : `&${field.wire}=${value}`)
})

/** Ids, or names after a tilde: each list is a parameter of its own. */
export const idsOrNamesParams = (field: InputField): ParamEncoder => ({
  params: twoParams(field, ['id-list', 'text-list']),
  write: value => {
    const items = itemsOf(value)
    return typeof items[0] === 'string'
      ? `&${field.nameWire}=${escaped(field.name, items.map(item => String(item).slice(1)).join(';'))}`
      : `&${field.wire}=${items.join('%3B')}`
  }
})
