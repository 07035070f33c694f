import type { TSchema } from '@sinclair/typebox'

/**
 * What schemas say beyond JSON Schema. The marks are symbols, so that they appear neither in validation nor in the OpenAPI document.
 */
export interface Marks {
  /** What a value is to the upstream, where the JSON Schema type does not say it. */
  kind: Kind
  /** The upstream's name of a field whose REST name differs everywhere (`limit` is `count`), in camelCase. */
  name: string
  /** Fields of a response that are known but never leave the service, in camelCase. */
  hidden: readonly string[]
  /** A field of a response that only keys with the scope `secrets` get. */
  secret: true
  /** A response whose further fields are of no interest; they are neither passed on nor counted. */
  open: true
  /** The words that the upstream has for false and true. */
  words: readonly [no: string, yes: string]
  /** A value of any form whose keys become camelCase, as those of undeclared members do. */
  passedOn: true
  /** The field of an object in a response that holds the text where the upstream sends a bare text for the object. */
  bareText: string
  /** What a `$ref` points to. */
  target: TSchema
  /** What JSON text holds. */
  content: TSchema
  /** The field travels in the query although the verb has a body. */
  query: true
  /** What a value must be, in words, for the caller who sent another. */
  expects: string
}

/** What a value is to the upstream: a row of the table of codecs. */
export type Kind =
  | 'number'
  | 'text'
  | 'boolean'
  /** A boolean, for which the upstream has two words. */
  | 'words'
  | 'timestamp'
  /** An instant that the upstream writes as Unix seconds. */
  | 'unix'
  | 'date'
  | 'id-list'
  | 'text-list'
  | 'json-text'
  | 'file'
  /** An id, or a name after a tilde. */
  | 'reference'
  /** A list of ids, or of names after a tilde. */
  | 'references'
  | 'list'
  | 'object'
  | 'record'
  | 'any'

const symbols: { readonly [Name in keyof Marks]: symbol } = {
  kind: Symbol('wire.kind'),
  name: Symbol('wire.name'),
  hidden: Symbol('wire.hidden'),
  secret: Symbol('wire.secret'),
  open: Symbol('wire.open'),
  words: Symbol('wire.words'),
  passedOn: Symbol('wire.passedOn'),
  bareText: Symbol('wire.bareText'),
  target: Symbol('wire.target'),
  content: Symbol('wire.content'),
  query: Symbol('wire.query'),
  expects: Symbol('wire.expects')
}

/** Marks to spread into a schema or its options. */
export function marks(values: Partial<Marks>): Record<symbol, unknown> {
  const named: Readonly<Record<string, unknown>> = values
  const marked: Record<symbol, unknown> = {}
  for (const [name, symbol] of Object.entries(symbols)) if (name in named) marked[symbol] = named[name]
  return marked
}

/** The value of a mark on a schema. */
export const marked = <Name extends keyof Marks>(schema: object, name: Name): Marks[Name] | undefined => Reflect.get(schema, symbols[name])

/** Whether a field takes an id or, after a tilde, a name. */
export const isReference = (schema: TSchema | undefined): boolean => schema !== undefined && marked(schema, 'kind') === 'reference'

/** What a `$ref` stands for, or the schema itself. */
export const targetOf = (schema: TSchema): TSchema => marked(schema, 'target') ?? schema

/** What a schema is to the upstream. Throws, naming `where`, on anything the upstream has no form for. */
export function kindOf(schema: TSchema, where: string): Kind {
  const kind = marked(schema, 'kind')
  if (kind) return kind
  const target = marked(schema, 'target')
  if (target) return kindOf(target, where)
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'string':
      if (schema.format === 'date-time' || schema.format === 'date') break
      return 'text'
    case 'array':
      return 'list'
    case 'object':
      if (schema.properties) return 'object'
      return schema.patternProperties || typeof schema.additionalProperties === 'object' ? 'record' : 'any'
    case undefined:
      if (!schema.anyOf && !schema.allOf && !schema.oneOf && !schema.$ref && schema.const === undefined) return 'any'
  }
  throw new Error(`${where}: the upstream has no form for ${JSON.stringify(schema)}`)
}

/** The schema that says how a value is written: of a reference without a kind of its own, what it refers to. */
export const resolved = (schema: TSchema): TSchema => (marked(schema, 'kind') ? schema : targetOf(schema))

/** What the JSON text of a field holds. */
export function contentOf(schema: TSchema): TSchema {
  const content = marked(schema, 'content')
  if (!content) throw new Error('JSON text is declared with json()')
  return content
}

/** The schema of a record's values, and the pattern of its keys. */
export function recordOf({ additionalProperties, patternProperties }: TSchema): { values: TSchema; keys: RegExp } {
  // Type.Record() writes a pattern for every key.
  const [[pattern, values] = ['', additionalProperties]] = Object.entries<TSchema>(patternProperties ?? {})
  return { values, keys: new RegExp(pattern) }
}
