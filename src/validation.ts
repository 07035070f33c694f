import type { TSchema } from '@sinclair/typebox'
import { Ajv, type ErrorObject } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'
import { Problem, type Violation } from './problem.ts'
import { parseInstant } from './voximplant/rfc3339.ts'
import { mark, marked } from './voximplant/wire.ts'

/**
 * Validation without surprises: nothing is coerced, dropped or filled in, except that the parts of a URL, which are all text, are read as
 * what they are declared to be first. Every violation is reported at once, by part and JSON Pointer, with what to send instead.
 */

const ajv = addFormats.default(
  // `verbose` puts the failing schema beside each error, where `expects` is found.
  new Ajv({
    allErrors: true,
    verbose: true,
    removeAdditional: false,
    useDefaults: false,
    coerceTypes: false,
    strict: true,
    strictTypes: false,
    // Takes longer at the start than it ever saves: V8 optimizes what is used.
    code: { optimize: false },
    // Says how the document shows a field: not for the validator.
    keywords: ['x-consume']
  })
)
// The one of ajv-formats takes a space for `T` and offsets without a colon.
ajv.addFormat('date-time', text => parseInstant(text) !== undefined)

type Part = Violation['in']
const partNames: Record<string, Part> = { params: 'path', querystring: 'query', body: 'body', headers: 'header' }

/** Reads and checks one part of a request: its value as declared, or the Problem with all that is wrong. */
export type Check = (data: unknown) => { value: unknown } | { error: Problem }

/** Compiles the check of one part. `texts`: the values are all text, as in a URL, and are read as what they are declared to be first. */
export function compileCheck(schema: TSchema, part: Part, texts = part === 'path' || part === 'query'): Check {
  const validate = ajv.compile(schema)
  const read = texts ? compileTextReader(schema) : undefined
  // A body that may be left out is checked as an empty object.
  const optional = part === 'body' && schema.type === 'object' && !schema.required?.length && !schema.minProperties
  return data => {
    // The router takes an empty segment, as in `/applications/`, for a value.
    if (part === 'path' && Object.values(data as object).includes(''))
      return { error: new Problem('not-found', 'Nothing is served at this address.') }
    const value = read ? read(data as Record<string, unknown>) : optional && (data === undefined || data === null) ? {} : data
    return validate(value) ? { value } : { error: invalid(violationsOf(validate.errors ?? [], part)) }
  }
}

/** Fastify's validator compiler. A body that streams is checked where it is read: `plugins/uploads.ts`. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart, contentType }) =>
  httpPart === 'headers'
    ? compileHeaderCheck(schema)
    : contentType === undefined || contentType === 'application/json'
      ? compileCheck(schema, partNames[httpPart ?? 'body'] ?? 'body')
      : () => true

/** The check of headers. The one that is ever required has a problem of its own. */
function compileHeaderCheck(schema: TSchema): Check {
  // Declared as people spell them, checked as Node does.
  const { required: names = [], properties, ...rest } = schema
  const required = (names as string[]).map(name => name.toLowerCase())
  const lower = Object.fromEntries(Object.entries(properties as object).map(([name, field]) => [name.toLowerCase(), field]))
  const check = compileCheck({ ...rest, properties: lower } as unknown as TSchema, 'header')
  return headers => {
    const missing = required.filter(name => (headers as Record<string, unknown>)[name] === undefined)
    if (missing.length === 0) return check(headers)
    const errors = missing.map(name => ({ in: 'header' as const, pointer: `/${name}`, detail: 'is required: a fresh UUID, say' }))
    return { error: new Problem('idempotency-key-required', `header ${errors[0]!.pointer} ${errors[0]!.detail}.`, { errors }) }
  }
}

/** The problem for violations found before the upstream was called. */
export function invalid(errors: Violation[]): Problem {
  const shown = errors.slice(0, 3).map(error => `${error.in} ${error.pointer || '/'} ${error.detail}`)
  return new Problem(
    'invalid-request',
    `${shown.join('; ')}${errors.length > shown.length ? `; and ${errors.length - shown.length} more` : ''}.`,
    { errors }
  )
}

// ---------------------------------------------------------------------------------------------------------- values that are text

type ReadText = (text: unknown) => unknown

/** Text that is not what the schema asks for stays text, so that the validator names it. */
function textReader(schema: TSchema): ReadText | undefined {
  if (schema.contentMediaType === 'application/json') return readJson
  if (schema.anyOf) {
    const readers = (schema.anyOf as TSchema[]).map(textReader)
    if (schema.anyOf[0].type === 'array') return readers[0]
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

const readJson: ReadText = text => {
  // A field given twice comes as a list of texts, which would pass for a list of JSON: as one text it does not.
  if (typeof text !== 'string') return String(text)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function compileTextReader(schema: TSchema): (source: Record<string, unknown>) => Record<string, unknown> {
  const readers = Object.entries(schema.properties as Record<string, TSchema>).flatMap(([name, field]) => {
    const read = textReader(field)
    return read ? [{ name, read }] : []
  })
  return source => {
    const value: Record<string, unknown> = { ...source }
    for (const { name, read } of readers) if (value[name] !== undefined) value[name] = read(value[name])
    return value
  }
}

// ------------------------------------------------------------------------------------------------------------------- violations

const escapePointer = (segment: string): string => segment.replace(/~/g, '~0').replace(/\//g, '~1')

function violationsOf(errors: ErrorObject[], part: Part): Violation[] {
  // Where a choice fails, its branches fail too: only the choice is worth a word.
  const choices = errors.filter(error => error.keyword === 'anyOf').map(error => error.instancePath)
  const found = new Map<string, Violation>()
  for (const error of errors) {
    if (error.keyword !== 'anyOf' && choices.some(path => error.instancePath === path || error.instancePath.startsWith(`${path}/`)))
      continue
    const violation = { in: part, ...wordsFor(error) }
    found.set(`${violation.pointer} ${violation.detail}`, violation)
  }
  return [...found.values()]
}

function wordsFor({ keyword, instancePath, params, parentSchema, message, data }: ErrorObject): { pointer: string; detail: string } {
  const expects = marked((parentSchema ?? {}) as TSchema, mark.expects)
  switch (keyword) {
    case 'required':
      return { pointer: `${instancePath}/${escapePointer(params.missingProperty)}`, detail: 'is required' }
    case 'additionalProperties': {
      const known = Object.keys((parentSchema as TSchema).properties ?? {})
      return {
        pointer: `${instancePath}/${escapePointer(params.additionalProperty)}`,
        detail: `is not a field here; ${known.length > 0 ? `the fields are ${known.join(', ')}` : 'there are none'}`
      }
    }
    case 'minProperties':
      return {
        pointer: instancePath,
        detail: `needs at least one of ${Object.keys((parentSchema as TSchema).properties ?? {}).join(', ')}`
      }
    case 'enum':
      return { pointer: instancePath, detail: `must be one of ${params.allowedValues.join(', ')}` }
    case 'type':
      if (data === null)
        return {
          pointer: instancePath,
          detail: `must not be null; leave the field out, or send ${expects ?? `a value of type ${params.type}`}`
        }
  }
  return { pointer: instancePath, detail: typeof expects === 'string' ? `must be ${expects}` : (message ?? 'is not valid') }
}
