import type { TObject, TSchema } from '@sinclair/typebox'
import { ExactNumber, exact, inexact, parseExactly } from './exact-numbers.ts'
import { toSnake } from './names.ts'
import { daysInMonth, parseInstant } from './times.ts'
import { addUndeclared, type Declared, passOn, squash } from './undeclared.ts'

/**
 * The upstream's dialect, read from schemas and compiled once: snake_case names, `;`-joined lists, `YYYY-MM-DD HH:mm:ss` UTC times,
 * JSON text, ids with name twins. Pure functions; the service encodes forms and decodes answers with them, the sandbox does the reverse.
 */

/** Marks on schemas that only the wire reads. Symbols, so that they appear neither in validation nor in the OpenAPI document. */
export const mark = {
  /** string: the upstream's name of a field whose REST name differs everywhere (`limit` is `count`), in camelCase. */
  name: Symbol('wire.name'),
  /** true: an instant that the upstream writes as Unix seconds. */
  unix: Symbol('wire.unix'),
  /** string[]: fields of an answer that are known but never leave the service, in camelCase. */
  hidden: Symbol('wire.hidden'),
  /** true: a field of an answer that only keys with the scope `secrets` get. */
  secret: Symbol('wire.secret'),
  /** true: a response whose further fields are of no interest; they are neither passed on nor counted. */
  open: Symbol('wire.open'),
  /** [string, string]: the words that the upstream has for false and true. */
  words: Symbol('wire.words'),
  /** true: a value of any form in a response whose keys become camelCase, as those of undeclared members do. */
  passedOn: Symbol('wire.passedOn'),
  /** string: the field of an object in a response that holds the text where the upstream sends a bare text for the object. */
  bareText: Symbol('wire.bareText'),
  /** TSchema: what a `$ref` points to. */
  target: Symbol('wire.target'),
  /** true: the field travels in the query although the verb has a body. */
  query: Symbol('wire.query'),
  /** string: what a value must be, in words, for the caller who sent another. */
  expects: Symbol('wire.expects')
} as const

/** The value of a mark on a schema. */
export const marked = (schema: TSchema, name: symbol): unknown => (schema as unknown as Record<symbol, unknown>)[name]

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

export { toCamel, toSnake } from './names.ts'

// ---------------------------------------------------------------------------------------------------------------------- kinds

type ScalarKind = 'number' | 'text' | 'boolean' | 'timestamp' | 'unix' | 'date'
type Kind =
  | { is: ScalarKind }
  | { is: 'reference' }
  | { is: 'references' }
  | { is: 'list'; of: Kind; item: TSchema }
  | { is: 'json'; schema: TSchema }
  | { is: 'object'; schema: TObject }
  | { is: 'record'; of: TSchema; keys?: string }
  | { is: 'any' }
  | { is: 'file' }

/** Whether a field takes an id or, after a tilde, a name. */
export const isReference = (schema: TSchema | undefined): boolean =>
  schema?.anyOf?.length === 2 &&
  schema.anyOf[0].type === 'integer' &&
  schema.anyOf[1].type === 'string' &&
  schema.anyOf[1].pattern?.startsWith('^~')

const isReferences = (schema: TSchema): boolean =>
  schema.anyOf?.length === 2 &&
  schema.anyOf[0].type === 'array' &&
  schema.anyOf[1].type === 'array' &&
  isReference({ anyOf: schema.anyOf.map((list: TSchema) => list.items) } as unknown as TSchema)

/** What a schema is on the wire. Throws on anything the dialect has no form for. */
function kindOf(schema: TSchema, where: string): Kind {
  if (schema.contentMediaType === 'application/json') return { is: 'json', schema }
  const target = marked(schema, mark.target) as TSchema | undefined
  if (target) return kindOf(target, where)
  if (schema.contentMediaType === 'application/octet-stream') return { is: 'file' }
  if (isReference(schema)) return { is: 'reference' }
  if (isReferences(schema)) return { is: 'references' }
  switch (schema.type) {
    case 'integer':
    case 'number':
      return { is: 'number' }
    case 'boolean':
      return { is: 'boolean' }
    case 'string':
      if (schema.format === 'date-time') return { is: marked(schema, mark.unix) ? 'unix' : 'timestamp' }
      if (schema.format === 'date') return { is: 'date' }
      return { is: 'text' }
    case 'array':
      return { is: 'list', of: kindOf(schema.items, `${where}[]`), item: schema.items }
    case 'object':
      if (schema.properties) return { is: 'object', schema: schema as TObject }
      if (typeof schema.additionalProperties === 'object') return { is: 'record', of: schema.additionalProperties }
      // Type.Record() writes a pattern for every key.
      if (schema.patternProperties) {
        const [keys, of] = Object.entries(schema.patternProperties)[0] as [string, TSchema]
        return { is: 'record', of, keys }
      }
      return { is: 'any' }
    case undefined:
      if (!schema.anyOf && !schema.allOf && !schema.oneOf && !schema.$ref && schema.const === undefined) return { is: 'any' }
  }
  throw new Error(`${where}: the upstream's dialect has no form for ${JSON.stringify(schema)}`)
}

const wireNameOf = (name: string, schema: TSchema): string => toSnake((marked(schema, mark.name) as string | undefined) ?? name)

// --------------------------------------------------------------------------------------------------------------- times and texts

const pad = (n: number, digits: number): string => String(n).padStart(digits, '0')

/** An RFC 3339 instant of any offset -> `YYYY-MM-DD HH:mm:ss` UTC (fractions are cut), or undefined when there is no such instant. */
export function toUpstreamTime(instant: string): string | undefined {
  const ms = parseInstant(instant)
  if (ms === undefined) return undefined
  const t = new Date(ms)
  const year = t.getUTCFullYear()
  if (year < 0 || year > 9999) return undefined
  return `${pad(year, 4)}-${pad(t.getUTCMonth() + 1, 2)}-${pad(t.getUTCDate(), 2)} ${pad(t.getUTCHours(), 2)}:${pad(t.getUTCMinutes(), 2)}:${pad(t.getUTCSeconds(), 2)}`
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** Two decimal digits of a text, or NaN. */
const two = (text: string, at: number): number => {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** Whether a text begins with a `YYYY-MM-DD` that the calendar has. By characters: every answer is full of them, and a Date costs ten times this. */
function beginsWithDay(text: string): boolean {
  if (text[4] !== '-' || text[7] !== '-') return false
  const year = two(text, 0) * 100 + two(text, 2)
  const month = two(text, 5)
  const day = two(text, 8)
  // Comparisons with NaN are false.
  return year >= 0 && month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysInMonth(year, month))
}

const isDay = (text: string): boolean => text.length === 10 && beginsWithDay(text)

const isUpstreamTime = (text: string): boolean =>
  text.length === 19 &&
  text[10] === ' ' &&
  text[13] === ':' &&
  text[16] === ':' &&
  two(text, 11) <= 23 &&
  two(text, 14) <= 59 &&
  two(text, 17) <= 59 &&
  beginsWithDay(text)

/** An instant as Unix seconds, or undefined when there is no such instant in the years 0000 to 9999. */
export const toUnixSeconds = (instant: string): number | undefined =>
  toUpstreamTime(instant) === undefined ? undefined : Math.floor(parseInstant(instant)! / 1000)

/** `YYYY-MM-DD HH:mm:ss` UTC -> RFC 3339 with `Z`; takes RFC 3339 too. Undefined for anything else, such as the upstream's `0000-00-00 00:00:00`. */
export function fromUpstreamTime(text: string): string | undefined {
  if (isUpstreamTime(text)) return `${text.slice(0, 10)}T${text.slice(11)}Z`
  if (isoTime.test(text)) {
    const ms = Date.parse(text)
    return Number.isNaN(ms) ? undefined : instantOf(ms)
  }
  return undefined
}

const instantOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

const halfCharacter = 'holds half of a surrogate pair, which is not a character'
/** JSON text writes half of a surrogate pair as an escape, and nothing else in that range. */
const brokenCharacter = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

const escaped = (field: string, text: string): string => {
  if (!text.isWellFormed()) throw new Unencodable(field, halfCharacter)
  return encodeURIComponent(text)
}

const decimal = (n: number): string => {
  const text = String(n)
  return text.includes('e') ? n.toFixed(20).replace(/\.?0+$/, '') : text
}

// -------------------------------------------------------------------------------------------------------------------- forms

/** One field of a declaration, compiled: the parameters it can become, and how it is written. */
export interface FormField {
  /** The REST name. */
  name: string
  params: Param[]
  /** `&name=value`, percent-encoded; throws Unencodable. */
  write(value: unknown): string
}

/** A declaration's input, compiled. */
export interface Form {
  fields: FormField[]
  /** Every parameter this declaration can send, the fixed ones included. */
  params: Param[]
  /** The upstream's parameter name -> the REST field that sends it. */
  fieldOf: Map<string, string>
  /** The input -> an `application/x-www-form-urlencoded` body that begins with `cmd=`. Throws Unencodable. */
  encode(input: Record<string, unknown>): string
}

/** How a declaration departs from the rule "the REST name in snake_case". */
export interface FormOptions {
  /** Parameters the caller never sees, by the upstream's name in camelCase. */
  fixed?: Record<string, string | number | boolean>
  /** REST field -> the upstream's name in camelCase; `~field` names what the field's `~name` form becomes. */
  rename?: Record<string, string>
  /** Fields in whose place the upstream's word `all` is sent when the caller leaves them out. */
  everyWhenAbsent?: readonly string[]
}

/** Compiles the encoder of one declaration. Throws, naming the field, on a kind the dialect has no form for and on a rename of nothing. */
export function compileForm(cmd: string, input: TObject, { fixed = {}, rename = {}, everyWhenAbsent = [] }: FormOptions = {}): Form {
  for (const name of everyWhenAbsent)
    if (!input.properties[name] || input.required?.includes(name))
      throw new Error(`everyWhenAbsent names ${name}, which is no optional field`)
  for (const key of Object.keys(rename)) {
    const schema = input.properties[key.replace('~', '')]
    if (!schema) throw new Error(`rename names ${key}, which is not a field of the input`)
    if (key.startsWith('~') && !isReference(schema) && !isReferences(schema))
      throw new Error(`rename names ${key}, but that field takes no name`)
  }
  const fields = Object.entries(input.properties).map(([name, schema]) => compileField(name, schema, rename))
  const constants = Object.entries(fixed).map(([name, value]) => ({
    wire: toSnake(name),
    kind: (typeof value === 'string' ? 'text' : typeof value) as ParamKind,
    text: `&${toSnake(name)}=${encodeURIComponent(String(value))}`
  }))
  const prefix = `cmd=${encodeURIComponent(cmd)}${constants.map(constant => constant.text).join('')}`
  const params = [...fields.flatMap(field => field.params), ...constants.map(({ wire, kind }) => ({ wire, kind }))]
  const wires = params.map(param => param.wire)
  const twice = wires.find((wire, i) => wires.indexOf(wire) !== i)
  if (twice) throw new Error(`two fields are sent as ${twice}`)
  return {
    fields,
    params,
    fieldOf: new Map(fields.flatMap(field => field.params.map(param => [param.wire, field.name] as const))),
    encode(input) {
      let form = prefix
      for (const field of fields) {
        const value = input[field.name]
        if (value !== undefined) form += field.write(value)
        else if (everyWhenAbsent.includes(field.name)) form += `&${field.params[0]!.wire}=all`
      }
      return form
    }
  }
}

function compileField(name: string, schema: TSchema, rename: Record<string, string>): FormField {
  const kind = kindOf(schema, name)
  const wire = rename[name] ? toSnake(rename[name]) : wireNameOf(name, schema)
  if (kind.is === 'reference' || kind.is === 'references') {
    const twin = rename[`~${name}`] ? toSnake(rename[`~${name}`]!) : wire.replace(/_id$/, '_name')
    if (twin === wire) throw new Error(`${name}: its ~name form needs a rename, as ${wire} does not end in _id`)
    const many = kind.is === 'references'
    const named = (value: unknown): value is string => typeof value === 'string'
    const write = many
      ? (value: unknown) => {
          const items = value as (number | string)[]
          return named(items[0])
            ? `&${twin}=${escaped(name, items.map(item => String(item).slice(1)).join(';'))}`
            : `&${wire}=${items.join('%3B')}`
        }
      : (value: unknown) => (named(value) ? `&${twin}=${escaped(name, value.slice(1))}` : `&${wire}=${value}`)
    return {
      name,
      write,
      params: [
        { wire, kind: many ? 'id-list' : 'number' },
        { wire: twin, kind: many ? 'text-list' : 'text' }
      ]
    }
  }
  // A file travels as a part of its own, not in the form.
  if (kind.is === 'file') return { name, params: [{ wire, kind: 'file' }], write: () => '' }
  const words = marked(schema, mark.words) as [string, string] | undefined
  if (words) return { name, params: [{ wire, kind: 'text' }], write: value => `&${wire}=${value ? words[1] : words[0]}` }
  const [paramKind, text] = textOf(name, kind)
  return { name, params: [{ wire, kind: paramKind }], write: value => `&${wire}=${escaped(name, text(value))}` }
}

/** How a field's value becomes a parameter's text. */
function textOf(name: string, kind: Kind): [ParamKind, (value: unknown) => string] {
  switch (kind.is) {
    case 'number':
      return ['number', value => decimal(value as number)]
    case 'text':
      return ['text', value => value as string]
    case 'boolean':
      return ['boolean', value => (value ? 'true' : 'false')]
    case 'date':
      return ['date', value => value as string]
    case 'timestamp':
      return ['timestamp', value => toUpstreamTime(value as string) ?? noInstant(name)]
    case 'unix':
      return ['number', value => String(toUnixSeconds(value as string) ?? noInstant(name))]
    case 'json': {
      const toWire = compileToWire(kind.schema, name)
      return [
        'json-text',
        value => {
          const text = JSON.stringify(toWire(value))
          if (brokenCharacter.test(text)) throw new Unencodable(name, halfCharacter)
          return text
        }
      ]
    }
    case 'list': {
      const [itemKind, text] = textOf(name, kind.of)
      if (itemKind !== 'number' && itemKind !== 'text')
        throw new Error(`${name}: the upstream's lists hold numbers or text, not ${itemKind}`)
      return [itemKind === 'number' ? 'id-list' : 'text-list', value => (value as unknown[]).map(text).join(';')]
    }
    default:
      throw new Error(`${name}: the upstream's forms have no parameter of kind ${kind.is}`)
  }
}

const noInstant = (name: string): never => {
  throw new Unencodable(name, 'is not an instant between the years 0000 and 9999 in UTC')
}

/** A parameter's text as a peer that speaks the dialect reads it (the sandbox). Undefined when the text is not of the kind. */
export function readParam(kind: ParamKind, text: string): unknown {
  switch (kind) {
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
    case 'boolean':
      // Python writes them with a capital.
      return /^(?:true|1)$/i.test(text) ? true : /^(?:false|0)$/i.test(text) ? false : undefined
    case 'timestamp':
      return fromUpstreamTime(text)
    case 'date':
      // The official client sends a day with a time.
      return isDay(text) || isUpstreamTime(text) ? text.slice(0, 10) : undefined
    case 'id-list': {
      if (text === 'all' || text === 'any') return 'all'
      const ids = text.split(';')
      return ids.every(id => /^\d+$/.test(id)) ? ids.map(Number) : undefined
    }
    case 'text-list':
      return text.split(';')
    case 'json-text':
      try {
        return JSON.parse(text)
      } catch {
        return undefined
      }
    default:
      return text
  }
}

// -------------------------------------------------------------------------------------------------------------------- answers

/** Where a response departs from what is declared, for a metric. */
export interface Drift {
  /** The upstream sent a member that is not declared; it is passed on all the same. */
  unknown(field: string): void
  /** The upstream sent a value that was left out: it cannot be read as declared, or may be a secret that is not declared. */
  unreadable(field: string): void
}

/** An answer's value as declared; undefined when there is none to be had. */
export type Decode = (raw: unknown, drift: Drift) => unknown

/** Field names noted while it is not certain yet that the decoding holds. */
class Noted implements Drift {
  #noted: (readonly ['unknown' | 'unreadable', string])[] | undefined
  #note(kind: 'unknown' | 'unreadable', field: string): void {
    this.#noted ??= []
    this.#noted.push([kind, field])
  }
  unknown(field: string): void {
    this.#note('unknown', field)
  }
  unreadable(field: string): void {
    this.#note('unreadable', field)
  }
  report(drift: Drift): void {
    for (const [kind, field] of this.#noted ?? []) drift[kind](field)
  }
}

/** Decodes a response, with integers beyond 2^53 exact. @param text the JSON that `raw` was parsed from */
export function decodeExactly(raw: unknown, text: string, decode: Decode, drift: Drift): unknown {
  const noted = new Noted()
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

/** A number as text, with or without a fraction and an exponent. */
const numberText = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/

/**
 * Compiles the decoder of a response: camelCase names, instants, numbers and booleans whatever their spelling; what is not declared is counted and passed
 * on as it is. The decoder throws `inexact` on numbers beyond 2^53: call it through `decodeExactly`.
 */
export function compileAnswer(schema: TSchema, where = 'answer'): Decode {
  const kind = kindOf(schema, where)
  const name = (schema.$id ?? where) as string
  switch (kind.is) {
    case 'any': {
      // Keys are data unless the declaration says otherwise: they keep their spelling.
      const renames = marked(schema, mark.passedOn) === true
      return (raw, drift) => (raw === null ? undefined : passOn(raw, where, drift, 0, renames))
    }
    case 'number': {
      const whole = schema.type === 'integer'
      return (raw, drift) => {
        if (typeof raw === 'number') return exact(raw)
        if (raw === null || raw === '') return undefined
        const value = typeof raw === 'string' && numberText.test(raw) ? Number(raw) : typeof raw === 'boolean' ? Number(raw) : Number.NaN
        // Comparisons with NaN are false.
        return Math.abs(value) <= Number.MAX_SAFE_INTEGER && (!whole || Number.isInteger(value)) ? value : drift.unreadable(where)
      }
    }
    case 'text':
      return (raw, drift) => {
        if (typeof raw === 'string') return raw
        if (raw === null) return undefined
        if (typeof raw === 'number') return String(exact(raw))
        if (raw instanceof ExactNumber) return raw.source
        return typeof raw === 'object' ? drift.unreadable(where) : String(raw)
      }
    case 'boolean':
      return (raw, drift) => {
        if (typeof raw === 'boolean') return raw
        if (raw === 1 || raw === '1' || raw === 'true') return true
        if (raw === 0 || raw === '0' || raw === 'false') return false
        return raw === null || raw === '' ? undefined : drift.unreadable(where)
      }
    case 'timestamp':
      return (raw, drift) => {
        if (typeof raw === 'string') return raw === '' ? undefined : (fromUpstreamTime(raw) ?? drift.unreadable(where))
        if (typeof raw === 'number' && Number.isFinite(raw) && Math.abs(raw) < 8.64e12) return instantOf(raw * 1000)
        return raw === null ? undefined : drift.unreadable(where)
      }
    case 'unix':
      return (raw, drift) => {
        if (raw === null || raw === '' || raw === 0) return undefined
        const seconds = Number(raw)
        if (Number.isFinite(seconds) && Math.abs(seconds) < 8.64e12) return instantOf(seconds * 1000)
        return (typeof raw === 'string' ? fromUpstreamTime(raw) : undefined) ?? drift.unreadable(where)
      }
    case 'date':
      return (raw, drift) => {
        if (typeof raw !== 'string') return raw === null ? undefined : drift.unreadable(where)
        const day = raw.slice(0, 10)
        return isDay(day) ? day : raw === '' ? undefined : drift.unreadable(where)
      }
    case 'list': {
      const item = compileAnswer(kind.item, where)
      // Where one object stands for a list of one, an empty object stands for an empty list.
      return (raw, drift) => {
        if (raw === null) return undefined
        const items: unknown[] = Array.isArray(raw) ? raw : isEmpty(raw) ? [] : [raw]
        const out: unknown[] = []
        for (let i = 0; i < items.length; i++) {
          const value = item(items[i], drift)
          if (value !== undefined) out.push(value)
        }
        return out
      }
    }
    case 'record': {
      const item = compileAnswer(kind.of, where)
      const keys = new RegExp(kind.keys ?? '')
      return (raw, drift) => {
        if (typeof raw !== 'object' || raw === null) return raw === null ? undefined : drift.unreadable(where)
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
        addUndeclared(out, raw as Record<string, unknown>, others, where, drift)
        return out
      }
    }
    case 'json': {
      const inner = compileAnswer({ ...kind.schema, contentMediaType: undefined }, where)
      return (raw, drift) => {
        if (typeof raw !== 'string') return inner(raw, drift)
        try {
          return inner(parseExactly(raw), drift)
        } catch {
          return drift.unreadable(where)
        }
      }
    }
    case 'object':
      return compileObject(kind.schema, (marked(schema, mark.target) as TSchema | undefined)?.$id ?? name)
    default:
      throw new Error(`${where}: an answer holds no ${kind.is}`)
  }
}

const isEmpty = (raw: unknown): boolean => typeof raw === 'object' && raw !== null && Object.keys(raw).length === 0

function compileObject(schema: TObject, where: string): Decode {
  const leaveOut: Decode = () => undefined
  const hidden = (marked(schema, mark.hidden) as string[] | undefined) ?? []
  const bareText = marked(schema, mark.bareText) as string | undefined
  const declaredFields = Object.entries(schema.properties).map(([name, field]) => ({
    name,
    wire: wireNameOf(name, field),
    decode: compileAnswer(field, `${where}.${name}`)
  }))
  const fields = [...declaredFields, ...hidden.map(name => ({ name, wire: toSnake(name), decode: leaveOut }))]
  const known = new Set(fields.map(field => field.wire))
  const declared: Declared = {
    decoders: new Map(declaredFields.map(({ name, decode }) => [name, decode])),
    hidden: new Set(hidden.map(squash))
  }
  /** Counts and passes on the members of an object that are not declared. */
  const addOthers: AddOthers = (out, source, drift) => {
    const others = Object.keys(source).filter(key => !known.has(key))
    for (const key of others) drift.unknown(`${where}.${key}`)
    addUndeclared(out, source, others, where, drift, { declared })
  }
  const build = compileBuilder(fields, marked(schema, mark.open) === true)
  return (raw, drift) => {
    const source = Array.isArray(raw) ? raw[0] : raw
    if (Array.isArray(raw) && raw.length > 1) drift.unreadable(where)
    if (source === undefined || source === null) return undefined
    if (typeof source === 'object' && !(source instanceof ExactNumber)) return build(source, drift, addOthers)
    return bareText !== undefined && source !== '' ? { [bareText]: String(source) } : drift.unreadable(where)
  }
}

type AddOthers = (out: Record<string, unknown>, source: Record<string, unknown>, drift: Drift) => void
type Build = (source: Record<string, unknown>, drift: Drift, addOthers: AddOthers) => Record<string, unknown>

/**
 * The body of an object's decoder, as a function with every name written out (as Ajv does it): properties that are named in the code cost a
 * third of those that are looked up, and responses are made of nothing else. The names are those of our own declarations.
 */
function compileBuilder(fields: readonly { name: string; wire: string; decode: Decode }[], open: boolean): Build {
  const lines = fields.map(({ name, wire }, i) => {
    const [from, to] = [JSON.stringify(wire), JSON.stringify(name)]
    return `if ((value = source[${from}]) !== undefined) { seen++; if ((value = decode${i}(value, drift)) !== undefined) out[${to}] = value }`
  })
  const body = `return (source, drift, addOthers) => {
    const out = {}
    let seen = 0, present = 0, value
    ${lines.join('\n    ')}
    ${open ? '' : 'for (const _ in source) present++\n    if (present !== seen) addOthers(out, source, drift)'}
    return out
  }`
  return new Function(...fields.map((_, i) => `decode${i}`), body)(...fields.map(field => field.decode))
}

/** Compiles the reverse of `compileAnswer`: a value in REST form -> the upstream's JSON. JSON parameters and the sandbox's answers are written with it. */
export function compileToWire(schema: TSchema, where = 'answer'): (value: unknown) => unknown {
  const kind = kindOf(schema.contentMediaType === 'application/json' ? { ...schema, contentMediaType: undefined } : schema, where)
  switch (kind.is) {
    case 'timestamp':
      return value => toUpstreamTime(value as string) ?? noInstant(where)
    case 'unix':
      return value => toUnixSeconds(value as string) ?? noInstant(where)
    case 'list': {
      const item = compileToWire(kind.item, where)
      return value => (value as unknown[]).map(item)
    }
    case 'record': {
      const item = compileToWire(kind.of, where)
      return value => Object.fromEntries(Object.entries(value as object).map(([key, field]) => [key, item(field)]))
    }
    case 'object': {
      const fields = Object.entries(kind.schema.properties).map(([name, field]) => ({
        name,
        wire: wireNameOf(name, field),
        toWire: compileFieldToWire(field, `${where}.${name}`)
      }))
      const hidden = (marked(kind.schema, mark.hidden) as string[] | undefined) ?? []
      const write = (value: unknown): unknown => {
        // The reverse of reading one object out of a list of one.
        if (Array.isArray(value)) return value.map(write)
        const source = value as Record<string, unknown>
        const out: Record<string, unknown> = {}
        for (const { name, wire, toWire } of fields) if (source[name] !== undefined) out[wire] = toWire(source[name])
        for (const name of hidden) if (source[name] !== undefined) out[toSnake(name)] = source[name]
        return out
      }
      return write
    }
    default:
      return value => value
  }
}

/** A field's value in the upstream's JSON, where JSON text is text. */
function compileFieldToWire(field: TSchema, where: string): (value: unknown) => unknown {
  const toWire = compileToWire(field, where)
  return field.contentMediaType === 'application/json' ? value => JSON.stringify(toWire(value)) : toWire
}
