import type { TObject } from '@sinclair/typebox'
import { type Decode, type Drift, NotedDrift } from './drift.ts'
import { ExactNumber, inexact, parseExactly } from './exact-numbers.ts'
import { marked } from './marks.ts'
import { toSnake } from './names.ts'
import { type AddOthers, compileBuilder, type ResponseField } from './object-builder.ts'
import { addUndeclared, type Declared, isObject, squash } from './undeclared.ts'

/**
 * Decoders of lists and objects in responses: camelCase names; what is not declared is counted and passed on as it is. `where` names a value in what is
 * counted.
 */

/** Decodes a response, with integers beyond 2^53 exact. @param text the JSON that `raw` was parsed from */
export function decodeExactly(raw: unknown, text: string, decode: Decode, drift: Drift): unknown {
  const noted = new NotedDrift()
  let decoded: unknown
  try {
    decoded = decode(raw, noted)
  } catch (error) {
    if (error !== inexact) throw error
    return decode(parseExactly(text), drift)
  }
  noted.report(drift)
  return decoded
}

export const decodeJsonText =
  (content: Decode, where: string): Decode =>
  (raw, drift) => {
    if (typeof raw !== 'string') return content(raw, drift)
    try {
      return content(parseExactly(raw), drift)
    } catch {
      return drift.unreadable(where)
    }
  }

const isEmpty = (raw: unknown): boolean => isObject(raw) && Object.keys(raw).length === 0

/** Where one object stands for a list of one, an empty object stands for an empty list. */
export const decodeList =
  (item: Decode): Decode =>
  (raw, drift) => {
    if (raw === null) return undefined
    const items: unknown[] = Array.isArray(raw) ? raw : isEmpty(raw) ? [] : [raw]
    const out: unknown[] = []
    for (let i = 0; i < items.length; i++) {
      const value = item(items[i], drift)
      if (value !== undefined) out.push(value)
    }
    return out
  }

/** An object whose keys are data, as far as they match `keys`. */
export const decodeRecord =
  (item: Decode, keys: RegExp, where: string): Decode =>
  (raw, drift) => {
    if (!isObject(raw)) return raw === null ? undefined : drift.unreadable(where)
    const out: Record<string, unknown> = {}
    const others: string[] = []
    for (const [key, value] of Object.entries(raw)) {
      if (!keys.test(key)) others.push(key)
      else if (key !== '__proto__') {
        const decoded = item(value, drift)
        if (decoded !== undefined) out[key] = decoded
      }
    }
    for (const key of others) drift.unknown(`${where}.${key}`)
    addUndeclared(out, raw, others, where, drift)
    return out
  }

const leaveOut: Decode = () => undefined

/** An object of declared fields; of a list the first. */
export function decodeObject(schema: TObject, declaredFields: readonly ResponseField[], where: string): Decode {
  const hidden = marked(schema, 'hidden') ?? []
  const bareText = marked(schema, 'bareText')
  const fields = [...declaredFields, ...hidden.map(name => ({ name, wire: toSnake(name), decode: leaveOut }))]
  const wireNames = new Set(fields.map(field => field.wire))
  const declared: Declared = {
    decoders: new Map(declaredFields.map(({ name, decode }) => [name, decode])),
    hidden: new Set(hidden.map(squash))
  }
  /** Counts and passes on the members of an object that are not declared. */
  const addOthers: AddOthers = (out, source, drift) => {
    const others = Object.keys(source).filter(key => !wireNames.has(key))
    for (const key of others) drift.unknown(`${where}.${key}`)
    addUndeclared(out, source, others, where, drift, { declared })
  }
  const build = compileBuilder(fields, marked(schema, 'open') === true)
  return (raw, drift) => {
    const source: unknown = Array.isArray(raw) ? raw[0] : raw
    if (Array.isArray(raw) && raw.length > 1) drift.unreadable(where)
    if (source === undefined || source === null) return undefined
    if (isObject(source) && !(source instanceof ExactNumber)) return build(source, drift, addOthers)
    return bareText !== undefined && source !== '' ? { [bareText]: String(source) } : drift.unreadable(where)
  }
}

/** The reverse of `decodeObject`. */
export function encodeObject(fields: readonly { name: string; wire: string; encode: (value: unknown) => unknown }[]) {
  const write = (value: unknown): unknown => {
    // The reverse of reading one object out of a list of one.
    if (Array.isArray(value)) return value.map(write)
    const out: Record<string, unknown> = {}
    if (!isObject(value)) return out
    for (const { name, wire, encode } of fields) if (value[name] !== undefined) out[wire] = encode(value[name])
    return out
  }
  return write
}
