import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifySchemaCompiler } from 'fastify'
import { invalid } from '../problems/invalid-request.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import { compileViolations, createAjv, faultOfAny, isObject } from './violations.ts'

/**
 * Validation without surprises: nothing is coerced, dropped or filled in, except that the parts of a URL, which are all text, are read as
 * what they are declared to be first. Violations are reported together, up to `maxViolations`, by part and JSON Pointer, with what to send instead.
 */

const ajv = createAjv({ allErrors: false })

type Part = Violation['in']
const partNames: Record<string, Part> = { params: 'path', querystring: 'query', body: 'body', headers: 'header' }

/** Reads and checks one part of a request: its value as declared, or the Problem with all that is wrong. */
export type Check = (data: unknown) => { value: unknown } | { error: Problem }

/** Compiles the check of one part. `texts`: the values are all text, as in a URL, and are read as what they are declared to be first. */
export function compileCheck(schema: TSchema, part: Part, texts = part === 'path' || part === 'query'): Check {
  const validate = ajv.compile(schema)
  const isOpen = hasOpenPart(schema)
  const violationsOf = compileViolations(schema, part)
  const read = texts ? compileTextReader(schema) : undefined
  // A body that may be left out is checked as an empty object.
  const optional = part === 'body' && schema.type === 'object' && !schema.required?.length && !schema.minProperties
  return data => {
    const fields = isObject(data) ? data : {}
    // The router takes an empty segment, as in `/applications/`, for a value.
    if (part === 'path' && Object.values(fields).includes(''))
      return { error: new Problem('not-found', 'Nothing is served at this address.') }
    const value = read ? read(fields) : optional && (data === undefined || data === null) ? {} : data
    if (part === 'body' && (value === undefined || value === null))
      return { error: invalid([{ in: part, pointer: '', detail: 'is required: a JSON object' }]) }
    if (!validate(value)) return { error: invalid(violationsOf(value)) }
    const fault = isOpen ? faultOfAny(value) : undefined
    return fault ? { error: invalid([{ in: part, ...fault }]) } : { value }
  }
}

/** Whether a schema has a part that takes any value. */
const hasOpenPart = ({ type, anyOf, properties, items, additionalProperties }: TSchema): boolean =>
  (type === undefined && !anyOf) ||
  [...Object.values(properties ?? {}), items, additionalProperties, ...(anyOf ?? [])].some(
    inner => typeof inner === 'object' && hasOpenPart(inner)
  )

/** Fastify's validator compiler. The body of an upload is checked where it is read. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart, contentType }) =>
  httpPart === 'headers'
    ? compileHeaderCheck(schema)
    : contentType === undefined
      ? compileCheck(schema, partNames[httpPart ?? 'body'] ?? 'body')
      : contentType === 'application/json'
        ? body => (isObject(body) && body.problem instanceof Problem ? { error: body.problem } : true)
        : () => true

/** The check of headers. The one that is ever required has a problem of its own. */
function compileHeaderCheck(schema: TSchema): Check {
  // Declared as people spell them, checked as Node does.
  const { required: names = [], properties, ...rest } = schema
  const required: string[] = names.map((name: string) => name.toLowerCase())
  const lower = Object.fromEntries(Object.entries<TSchema>(properties).map(([name, field]) => [name.toLowerCase(), field]))
  const check = compileCheck(Type.Unsafe({ ...rest, properties: lower }), 'header')
  return headers => {
    const missing = required.filter(name => !isObject(headers) || headers[name] === undefined)
    if (missing.length === 0) return check(headers)
    const detail = 'is required: a fresh UUID, say'
    const errors = missing.map(name => ({ in: 'header' as const, pointer: `/${name}`, detail }))
    return { error: new Problem('idempotency-key-required', `header /${missing[0]} ${detail}.`, { errors }) }
  }
}

// ---------------------------------------------------------------------------------------------------------- values that are text

type ReadText = (text: unknown) => unknown

/** Text that is not what the schema asks for stays text, so that the validator names it. */
function textReader(schema: TSchema): ReadText | undefined {
  if (schema.contentMediaType === 'application/json') return jsonReader(schema)
  if (schema.anyOf) {
    const choices: readonly TSchema[] = schema.anyOf
    const readers = choices.map(textReader)
    if (choices[0]?.type === 'array') return readers[0]
    return readers.find(reader => reader !== undefined)
  }
  switch (schema.type) {
    // Digits only: 0x10, 1e3 and " 5" are numbers to JavaScript, not to a reader of URLs.
    case 'integer':
      return text => (typeof text === 'string' && /^-?\d{1,20}$/.test(text) ? Number(text) : text)
    case 'number':
      return text => (typeof text === 'string' && /^-?\d{1,20}(\.\d{1,20})?$/.test(text) ? Number(text) : text)
    case 'boolean':
      return text => (text === 'true' ? true : text === 'false' ? false : text)
    case 'array': {
      const item = textReader(schema.items)
      return value => {
        const values = Array.isArray(value) ? value : [value]
        return item ? values.map(item) : values
      }
    }
  }
  return undefined
}

/** JSON text; of a list also its items, each as a parameter of its own: plain text where the items are text, JSON where they are not. */
function jsonReader({ type, items }: TSchema): ReadText {
  const parse = (text: unknown): unknown => {
    try {
      return JSON.parse(String(text))
    } catch {
      return text
    }
  }
  if (type !== 'array') return text => (typeof text === 'string' ? parse(text) : String(text))
  const readItem = items.type === 'string' ? (text: unknown) => text : parse
  return value => {
    if (Array.isArray(value)) return value.map(readItem)
    return typeof value === 'string' && value.trimStart().startsWith('[') ? parse(value) : [readItem(value)]
  }
}

function compileTextReader(schema: TSchema): (source: Record<string, unknown>) => Record<string, unknown> {
  const readers = Object.entries<TSchema>(schema.properties).flatMap(([name, field]) => {
    const read = textReader(field)
    return read ? [{ name, read }] : []
  })
  return source => {
    const value: Record<string, unknown> = { ...source }
    for (const { name, read } of readers) if (value[name] !== undefined) value[name] = read(value[name])
    return value
  }
}
