import { type TSchema, Type } from '@sinclair/typebox'
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { maxViolations, type Violation } from '../problems/problem.ts'
import { marked } from '../voximplant/wire/marks.ts'
import { parseInstant } from '../voximplant/wire/times.ts'
import { triedKeyword } from './example.ts'

/**
 * What is wrong with a value, field by field. Work is bounded by the value's size and stops soon after `maxViolations`: the size of a list or an object
 * is checked before what it holds.
 */

/** An Ajv that changes nothing. `allErrors`: goes on after the first error, so its work is bounded only for schemas of single values. */
export function createAjv(options: Pick<Options, 'allErrors'>): Ajv {
  const ajv = new Ajv({
    ...options,
    // Puts the failing schema beside each error, where `expects` is found.
    verbose: true,
    removeAdditional: false,
    useDefaults: false,
    coerceTypes: false,
    strict: true,
    strictTypes: false,
    // Takes longer at the start than it ever saves: V8 optimizes what is used.
    code: { optimize: false },
    // Says how the document shows a field: not for the validator.
    keywords: ['x-consume', triedKeyword]
  })
  addFormats.default(ajv)
  // The one of ajv-formats takes a space for `T` and offsets without a colon.
  ajv.addFormat('date-time', text => parseInstant(text) !== undefined)
  return ajv
}

/** Violations of one part of a request, each once. */
class Violations {
  readonly list: Violation[] = []
  /** The schemas whose fields have been listed. */
  readonly listed = new Set<TSchema>()
  readonly #part: Violation['in']
  readonly #seen = new Set<string>()

  constructor(part: Violation['in']) {
    this.#part = part
  }

  /** One more than is shown, so that it is known whether there are more. */
  get full(): boolean {
    return this.list.length > maxViolations
  }

  add(pointer: string, detail: string): void {
    const text = `${pointer} ${detail}`
    if (this.full || this.#seen.has(text)) return
    this.#seen.add(text)
    this.list.push({ in: this.#part, pointer, detail })
  }
}

/** Adds what is wrong with a value; answers whether what the value holds is worth a look. */
type Visit = (value: unknown, pointer: string, to: Violations) => boolean

const every = createAjv({ allErrors: true })
const first = createAjv({ allErrors: false })
/** After these, what a value holds is not looked at. */
const final = new Set(['type', 'maxItems', 'maxProperties'])

const segment = (name: string): string => name.replace(/~/g, '~0').replace(/\//g, '~1')
/** Whether a value is an object, and no list. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Compiles a function that finds what is wrong with a value that the schema refuses: `maxViolations` and one more at most. */
export function compileViolations(schema: TSchema, part: Violation['in']): (value: unknown) => Violation[] {
  const visit = compileVisit(schema)
  return value => {
    const found = new Violations(part)
    visit(value, '', found)
    return found.list
  }
}

function compileVisit(schema: TSchema): Visit {
  if (schema.type === 'array') return compileList(schema)
  if (schema.type === 'object' && !schema.patternProperties) return compileObject(schema)
  return compileOwn(schema)
}

/**
 * The schema's own keywords. Of a single value all errors are of use; of a list or a choice the first: its size is checked before whether its items
 * differ, and what the branches of a choice say is not about the value.
 */
function compileOwn(schema: TSchema, fields: readonly string[] = []): Visit {
  const ajv = schema.type === 'array' || schema.patternProperties || schema.anyOf ? first : every
  // Compiled when it is first needed: most fields are never wrong.
  let validate: ValidateFunction | undefined
  return (value, pointer, to) => {
    validate ??= ajv.compile(schema)
    if (validate(value)) return true
    const errors = validate.errors ?? []
    const choice = errors.find(({ keyword, instancePath }) => keyword === 'anyOf' && instancePath === '')
    for (const error of choice ? [choice] : errors) to.add(pointer + error.instancePath, wordsFor(error, fields))
    return !errors.some(error => error.instancePath === '' && final.has(error.keyword))
  }
}

function compileList({ items, ...own }: TSchema): Visit {
  const visitOwn = compileOwn(Type.Unsafe(own))
  const visitItem = compileVisit(items)
  return (value, pointer, to) => {
    if (!visitOwn(value, pointer, to) || !Array.isArray(value)) return false
    for (let i = 0; i < value.length && !to.full; i++) visitItem(value[i], `${pointer}/${i}`, to)
    return true
  }
}

function compileObject(schema: TSchema): Visit {
  const { properties = {}, required = [], additionalProperties, propertyNames, ...own } = schema
  const names = Object.keys(properties)
  const visitOwn = compileOwn(Type.Unsafe(own), additionalProperties === false ? names : [])
  const visits = new Map(Object.entries<TSchema>(properties).map(([name, field]) => [name, compileVisit(field)]))
  const visitName = propertyNames && compileOwn(propertyNames)
  const visitOther = typeof additionalProperties === 'object' ? compileVisit(additionalProperties) : undefined
  return (value, pointer, to) => {
    if (!visitOwn(value, pointer, to) || !isObject(value)) return false
    for (const name of required) if (value[name] === undefined) to.add(`${pointer}/${segment(name)}`, 'is required')
    for (const [name, visit] of visits) if (value[name] !== undefined) visit(value[name], `${pointer}/${segment(name)}`, to)
    if (additionalProperties === undefined && !visitName) return true
    for (const name of Object.keys(value)) {
      if (to.full) break
      const at = `${pointer}/${segment(name)}`
      visitName?.(name, at, to)
      if (visits.has(name)) continue
      if (additionalProperties === false) {
        const known = names.length === 0 ? '; there are none' : to.listed.has(schema) ? '' : `; the fields are ${names.join(', ')}`
        to.listed.add(schema)
        to.add(at, `is not a field here${known}`)
      } else visitOther?.(value[name], at, to)
    }
    return true
  }
}

function wordsFor({ keyword, params, parentSchema, message, data }: ErrorObject, fields: readonly string[]): string {
  const expects = marked(parentSchema ?? {}, 'expects')
  switch (keyword) {
    case 'minProperties':
      return `needs at least one ${fields.length > 0 ? `of ${fields.join(', ')}` : 'field'}`
    case 'enum':
      return `must be one of ${params.allowedValues.join(', ')}`
    case 'type':
      if (data === null) return `must not be null; leave the field out, or send ${expects ?? typeNames[params.type] ?? 'a value'}`
      if (typeof data === 'number' && !Number.isFinite(data)) return tooLarge
  }
  if (typeof expects === 'string') return `must be ${expects}`
  return words[keyword]?.(params) ?? message ?? 'is not valid'
}

/** What a JSON Schema type is called in a message. */
const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'an object',
  null: 'null'
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`

/** A keyword of JSON Schema -> what a value must be, where the schema has no words of its own. */
const words: Readonly<Record<string, (params: ErrorObject['params']) => string>> = {
  type: ({ type }) =>
    `must be ${[type]
      .flat()
      .map(name => typeNames[name] ?? name)
      .join(' or ')}`,
  minimum: ({ limit }) => `must be ${limit} or more`,
  maximum: ({ limit }) => `must be ${limit} or less`,
  exclusiveMinimum: ({ limit }) => `must be more than ${limit}`,
  exclusiveMaximum: ({ limit }) => `must be less than ${limit}`,
  minLength: ({ limit }) => `must have ${count(limit, 'character')} or more`,
  maxLength: ({ limit }) => `must have ${count(limit, 'character')} or fewer`,
  minItems: ({ limit }) => `must have ${count(limit, 'item')} or more`,
  maxItems: ({ limit }) => `must have ${count(limit, 'item')} or fewer`,
  maxProperties: ({ limit }) => `must have ${count(limit, 'field')} or fewer`,
  uniqueItems: () => 'must not have the same item twice',
  format: ({ format }) => `must be of the format ${format}`,
  pattern: () => 'is not of the form that the description of the field gives',
  anyOf: () => 'is none of the kinds of value that the field takes'
}

const tooLarge = 'is a number beyond 1.8e308, which no reader of JSON can hold'

/** How deep a value that no schema describes may be nested. */
const maxDepth = 100

/** What is wrong with a value that no schema describes: a number that JSON cannot say again, or lists within lists without end. */
export function faultOfAny(value: unknown): { pointer: string; detail: string } | undefined {
  const waiting: { value: unknown; pointer: string; depth: number }[] = [{ value, pointer: '', depth: 0 }]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value, pointer, depth } = next
    if (typeof value === 'number' && !Number.isFinite(value)) return { pointer, detail: tooLarge }
    if (typeof value !== 'object' || value === null) continue
    if (depth === maxDepth) return { pointer, detail: `is nested deeper than ${maxDepth} levels` }
    for (const [name, inner] of Object.entries(value))
      waiting.push({ value: inner, pointer: `${pointer}/${segment(name)}`, depth: depth + 1 })
  }
  return undefined
}
