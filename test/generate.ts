import type { TSchema } from '@sinclair/typebox'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { nouns } from '../schemas/index.ts'
import type { Operation } from '../src/api/operation.ts'
import type { Violation } from '../src/problems/problem.ts'
import { isReference, marked, targetOf } from '../src/voximplant/wire/marks.ts'

/** Values from schemas: what an operation takes, and what it has to refuse. Examples come first, so that the document's own words are tried. */

export type Part = Violation['in']

/** A field of an operation as the caller meets it. */
export interface Field {
  name: string
  schema: TSchema
  part: Part
  required: boolean
}

/** The schema of a part of an operation's requests; of a body that can come in several forms, the JSON one. */
export function partOf({ schema }: Operation, part: Part): TSchema | undefined {
  if (part === 'path') return schema.params as TSchema
  if (part === 'query') return schema.querystring as TSchema
  const body = schema.body as (TSchema & { content?: Record<string, { schema: TSchema }> }) | undefined
  return body?.content ? body.content['application/json']?.schema : body
}

/** What a `$ref` stands for, or the schema itself. */
export const target = targetOf

/** The fields of an operation, part by part: those of the input, and `all` with its companion where there are. */
export function fieldsOf(operation: Operation): Field[] {
  const fields = (['path', 'body', 'query'] as const).flatMap(part => {
    const schema = partOf(operation, part)
    return Object.entries((schema?.properties ?? {}) as Record<string, TSchema>).map(([name, field]) => ({
      name,
      schema: field,
      part: part as Part,
      required: schema?.required?.includes(name) === true || schemaSelects(operation, name)
    }))
  })
  // Beside a file as the whole body, the fields of the body can also stand in the query.
  return fields.filter(({ name, part }) => part !== 'query' || !fields.some(other => other.part === 'body' && other.name === name))
}

/** Whether a field is a selector that only `all` can stand in for. */
const schemaSelects = ({ endpoint }: Operation, name: string): boolean =>
  endpoint.all?.[name] !== undefined && endpoint.input.required?.includes(name) === true

export { isReference }
export const isReferences = (schema: TSchema): boolean => marked(schema, 'kind') === 'references'

// A validator apart from the service's own: of another draft, and with nothing done to the values.
const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }))
for (const noun of nouns) ajv.addSchema({ ...noun })

/** Whether a value is valid by a schema that may refer to nouns. */
export const isValid = (schema: TSchema, value: unknown): boolean => ajv.validate(schema.$id ?? schema, value)

// ------------------------------------------------------------------------------------------------------------------------ good

/** A valid value: the schema's first example, or one made from its rules. Throws when neither is to be had: such a field needs an example. */
export function sample(schema: TSchema, name: string): unknown {
  const { examples, enum: words, anyOf, type, format, pattern, minimum, maximum, minLength = 1, minItems = 1, items } = target(schema)
  if (examples?.length > 0) return examples[0]
  if (words) return words[0]
  if (anyOf) return sample(anyOf[0], name)
  switch (type) {
    case 'integer':
    case 'number':
      return minimum ?? Math.min(1, maximum ?? 1)
    case 'boolean':
      return true
    case 'array':
      return Array.from({ length: minItems }, () => sample(items, `${name}[]`))
    case 'object':
      return sampleObject(target(schema), name, true)
    case 'string': {
      if (format === 'date-time') return '2026-01-15T09:30:00Z'
      if (format === 'date') return '2026-01-15'
      const made = 'x'.repeat(minLength)
      if (!format && (!pattern || new RegExp(pattern).test(made))) return made
    }
  }
  throw new Error(`${name}: no example, and nothing that could be made from ${JSON.stringify(schema)}`)
}

const sampleObject = (schema: TSchema, name: string, full: boolean): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries((schema.properties ?? {}) as Record<string, TSchema>)
      .filter(([field]) => full || schema.required?.includes(field))
      .map(([field, inner]) => [field, sample(inner, `${name}.${field}`)])
  )

/** How a field gets its value; undefined: by `sample`. */
export type Choose = (field: Field) => unknown

export type Input = Record<string, unknown>

/** A valid input of an operation: every field, or only those it cannot do without. */
export function inputOf(operation: Operation, extent: 'full' | 'minimal', choose: Choose = () => undefined): Input {
  const { all, exactlyOne = [] } = operation.endpoint
  const input: Input = {}
  const give = (field: Field) => {
    input[field.name] = choose(field) ?? sample(field.schema, `${operation.id}.${field.name}`)
  }
  const fields = fieldsOf(operation).filter(({ name }) => !all || (name !== 'all' && name !== 'expectedCount'))
  for (const field of fields) {
    const chosen = exactlyOne.includes(field.name) ? field.name === exactlyOne[0] : field.required || extent === 'full'
    if (chosen) give(field)
  }
  // A change of nothing is refused.
  const body = partOf(operation, 'body')
  const inBody = fields.filter(field => field.part === 'body')
  if (body?.minProperties && inBody[0] && !inBody.some(field => field.name in input)) give(inBody[0])
  return input
}

/** A request as `inject` takes it. */
export interface Request {
  method: string
  url: string
  body: unknown
}

const asText = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value))

/** `a=1&b=2&b=3`: lists repeat their key, but for those that travel as JSON text. */
export const queryOf = (fields: Iterable<[string, unknown]>, isJson: (name: string) => boolean = () => false): string =>
  [...fields]
    .flatMap(([name, value]) => (isJson(name) || !Array.isArray(value) ? [value] : value).map(item => [name, asText(item)] as const))
    .map(([name, text]) => `${name}=${encodeURIComponent(text)}`)
    .join('&')

/** An input cut into path, query and body. Fields that the operation does not have can be added to the query and the body. */
export function requestOf(operation: Operation, input: Input, more: { query?: Input; body?: Input } = {}): Request {
  const fields = fieldsOf(operation)
  const given = (part: Part) =>
    fields.filter(field => field.part === part && field.name in input).map(field => [field.name, input[field.name]] as [string, unknown])
  const path = operation.url.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(asText(input[name])))
  const isJson = (name: string) => fields.find(field => field.name === name)?.schema.contentMediaType === 'application/json'
  const query = [queryOf(given('query'), isJson), queryOf(Object.entries(more.query ?? {}))].filter(text => text !== '').join('&')
  const body = { ...Object.fromEntries(given('body')), ...more.body }
  return {
    method: operation.method,
    url: query ? `${path}?${query}` : path,
    body: partOf(operation, 'body') && (Object.keys(body).length > 0 || more.body) ? body : undefined
  }
}

// ------------------------------------------------------------------------------------------------------------------------- bad

/** A value that has to be refused. */
export interface Bad {
  /** What is wrong with it, for the report. */
  what: string
  value: unknown
}

const loneSurrogate = 'x\ud800'
const tooBigId = 2 ** 53

/** What must never stand in a name or a list item, because the upstream would read it as something else. */
export const badNames = ['a;b', 'a\rb', 'a\nb', 'a\0b', 'all', 'ALL', 'any', 'ANY', 'a;', ';']

const bad = (values: readonly unknown[], what?: string): Bad[] =>
  values.map(value => ({ what: `${what ? `${what}: ` : ''}${JSON.stringify(value).slice(0, 60)}`, value }))

const wrongTypes: Record<string, unknown[]> = {
  integer: ['1', 1.5, true, [], {}, null],
  number: ['1', true, [], {}, null],
  boolean: ['true', 1, 0, [], {}, null],
  string: [5, true, [], {}, null],
  array: ['x', 5, true, {}, null],
  object: ['x', 5, true, [], null]
}

/** Numbers that a lenient reader of URLs would take. */
const notDigits = ['x', '', '0x10', '1e3', ' 5', '5 ', '+5', '1_000', '٥', '1,5', 'NaN', 'null', '--5', '5;6']

const badDays = ['2026-02-30', '2026-13-01', '2026-1-5', '15.01.2026', 'today', '']
const badInstants = [
  '2026-02-30T00:00:00Z',
  '2026-01-15T25:00:00Z',
  '2026-01-15T09:30:00',
  '2026-01-15',
  '2026-01-15T09:30:00+25:00',
  '2026-01-15 09:30:00Z',
  '2026-01-15T09:30:00+0300',
  '2026-01-15T09:30:00+03',
  '2026-01-15T09:30Z',
  // A leap second ends a month in UTC.
  '2016-12-30T23:59:60Z',
  // A real instant, which the upstream's form of times cannot hold.
  '0000-01-01T00:00:00+01:00',
  '1768469400',
  'yesterday',
  ''
]

/**
 * The values that a field has to refuse, by its schema and by the rules that hold for every field. In a URL all values are text: there,
 * lists are lists of text. `named`: whether the upstream would take the text for a name or an item of a list.
 */
export function badValues({ name, schema: given, part }: Pick<Field, 'name' | 'schema' | 'part'>, named: boolean): Bad[] {
  const schema = target(given)
  const inUrl = part !== 'body'
  const types = (type: string) => (inUrl ? [] : bad(wrongTypes[type]!, 'wrong type'))
  if (schema.contentMediaType === 'application/json') {
    const bare = { ...schema, contentMediaType: undefined }
    const bads = badValues({ name, schema: bare, part: 'body' }, named)
    // As text in a URL, half a surrogate is a malformed URL rather than a value.
    if (!inUrl) return bads
    const texts = [
      ...bad(['not json', '', '{', '[1'], 'not JSON'),
      ...bads.map(({ what, value }) => ({ what, value: typeof value === 'string' ? value : JSON.stringify(value) }))
    ]
    // A list can also come item by item: what is no list is then one item of it.
    const isItem = (text: string) =>
      schema.type === 'array' && !text.startsWith('[') && (schema.items.type === 'string' ? text !== '' : text === '{}')
    return texts.filter(({ value }) => !isItem(value as string))
  }
  if (isReferences(schema)) {
    const max = schema.anyOf[0].maxItems as number
    const items = badReferences(schema.anyOf[1].items, inUrl).map(({ what, value }) => ({ what: `item ${what}`, value: [value] }))
    return [
      ...items,
      ...bad(inUrl ? ['', 'x'] : [[], 1, '1', '~a', {}, null, [[]]], 'wrong type'),
      ...bad([inUrl ? ['1', '~a'] : [1, '~a']], 'ids and names'),
      ...bad([inUrl ? ['1', '1'] : [1, 1], ['~a', '~a']], 'twice'),
      { what: `${max + 1} ids`, value: Array.from({ length: max + 1 }, (_, i) => (inUrl ? String(i + 1) : i + 1)) },
      { what: `${max + 1} names`, value: Array.from({ length: max + 1 }, (_, i) => `~n${i}`) }
    ]
  }
  if (isReference(schema)) return [...badReferences(schema.anyOf[1], inUrl), ...(inUrl ? [] : bad([[], {}, null, true], 'wrong type'))]
  switch (schema.type) {
    case 'integer':
    case 'number': {
      const { minimum, maximum } = schema
      const texts = schema.type === 'integer' ? [...notDigits, '1.5', '1.0'] : notDigits
      const bounds = [minimum === undefined ? [] : [minimum - 1], maximum === undefined ? [] : [beyond(maximum)]].flat()
      // An id is no word, and a list of ids could be `all`.
      const words = inUrl || minimum !== 1 ? [] : ['all', 'ANY']
      return [
        ...types(schema.type),
        ...bad(inUrl ? [...texts, 'all', 'ANY'] : words),
        ...bad(inUrl ? bounds.map(String) : bounds, 'beyond the bounds')
      ]
    }
    case 'boolean':
      return [
        ...types('boolean'),
        ...(inUrl ? bad(['yes', '1', '0', 'TRUE', '', ' true']) : []),
        ...(schema.enum ? bad([!schema.enum[0]]) : [])
      ]
    case 'array':
      return badLists({ name, schema, part }, named)
    case 'object':
      return [...types('object'), ...badObjects(schema, name)]
    case 'string':
      return badTexts(schema, inUrl, named)
  }
  return []
}

/** The next number above; doubles are sparse up there. */
const beyond = (maximum: number): number => (maximum + 1 > maximum ? maximum + 1 : maximum * 2)

function badReferences(names: TSchema, inUrl: boolean): Bad[] {
  const long = `~${'a'.repeat(names.maxLength)}`
  return [
    ...bad(inUrl ? ['0', '-1', '1.5', String(tooBigId), ...notDigits.filter(text => text !== '')] : [0, -1, 1.5, tooBigId, '5', ''], 'id'),
    ...bad(['all', 'ANY', 'no-tilde', '~', '~~;'], 'reference'),
    ...bad(
      badNames.map(text => `~${text}`),
      'name'
    ),
    ...bad([long], 'too long'),
    ...(inUrl ? [] : bad([`~${loneSurrogate}`], 'half a surrogate'))
  ]
}

function badTexts({ enum: words, format, pattern, minLength = 0, maxLength, examples }: TSchema, inUrl: boolean, named: boolean): Bad[] {
  const types = inUrl ? [] : bad(wrongTypes.string!, 'wrong type')
  if (words) return [...types, ...bad(['no-such-word', '', `${words[0]} `, `${words[0]};${words[0]}`], 'not a word of the list')]
  if (format === 'date-time') return [...types, ...bad(badInstants, 'no instant')]
  if (format === 'date') return [...types, ...bad(badDays, 'no day')]
  const example = typeof examples?.[0] === 'string' && examples[0].length > 0 ? (examples[0] as string) : 'x'
  const unlike = pattern && ['!', ' ', ';', '\0', 'Ж', ''].find(text => !new RegExp(pattern).test(text))
  return [
    ...types,
    ...(maxLength === undefined ? [] : bad([example.padEnd(maxLength + 1, example.at(-1))], 'too long')),
    ...(minLength > 0 ? bad([''], 'too short') : []),
    ...(unlike === undefined ? [] : bad([unlike], 'unlike the pattern')),
    ...(format ? bad(['no such format', `${example} `, ''], `no ${format}`) : []),
    ...(named ? bad(badNames, 'name') : []),
    ...(inUrl ? [] : bad([loneSurrogate, `${example}\udc00`], 'half a surrogate'))
  ]
}

function badLists({ name, schema, part }: Pick<Field, 'name' | 'schema' | 'part'>, named: boolean): Bad[] {
  const inUrl = part !== 'body'
  const items = target(schema.items)
  const scalar = items.type !== 'object'
  const one = sample(schema, name) as unknown[]
  const text = (value: unknown) => (inUrl ? asText(value) : value)
  const distinct = (i: number): unknown =>
    items.type === 'integer' ? text(i + 1) : items.type === 'string' && !items.enum ? `${one[0]}${i}` : text(one[0])
  return [
    ...(inUrl ? [] : bad(wrongTypes.array!, 'wrong type')),
    ...(!inUrl && schema.minItems > 0 ? bad([[]], 'empty') : []),
    ...(schema.maxItems === undefined
      ? []
      : [{ what: `${schema.maxItems + 1} items`, value: Array.from({ length: schema.maxItems + 1 }, (_, i) => distinct(i)) }]),
    ...(schema.uniqueItems ? bad([[text(one[0]), text(one[0])]], 'twice') : []),
    ...badValues({ name: `${name}[]`, schema: items, part }, named && scalar).map(({ what, value }) => ({
      what: `item ${what}`,
      value: [value]
    }))
  ]
}

function badObjects(schema: TSchema, name: string): Bad[] {
  if (!schema.properties) return []
  const good = sampleObject(schema, name, false)
  return [
    // Unless any field is welcome, and said to be.
    ...(schema.additionalProperties === undefined || schema.additionalProperties === false
      ? bad([{ ...good, noSuchField: 1 }], 'unknown field')
      : []),
    ...((schema.required ?? []) as string[]).map(field => {
      const { [field]: _, ...rest } = good
      return { what: `without ${field}`, value: rest }
    }),
    ...Object.entries(schema.properties as Record<string, TSchema>).flatMap(([field, inner]) =>
      badValues({ name: `${name}.${field}`, schema: inner, part: 'body' }, false).map(({ what, value }) => ({
        what: `${field} ${what}`,
        value: { ...good, [field]: value }
      }))
    )
  ]
}
