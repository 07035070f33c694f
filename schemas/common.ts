import { type Static, type TObject, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'
import { type Kind, kindOf, marks } from '../src/voximplant/wire/marks.ts'

/**
 * The kinds of field that inputs and answers are made of. Each takes its description first: what the field means, for somebody who never
 * read the upstream's reference.
 */

/** The largest id that survives JSON in every language: 2^53 - 1. */
export const maxId = Number.MAX_SAFE_INTEGER

// A name travels in `;`-joined lists, and the upstream reads the words `all` and `any` as "every one of them": neither may be a name.
const notEvery = '(?!(?:[aA][lL][lL]|[aA][nN][yY])$)'
const listable = `${notEvery}[^;\\r\\n\\u0000]+`
const nameRule = 'without `;`, line breaks or NUL, and not the words `all` or `any`, which the upstream reads as "every one"'

interface Options {
  examples?: unknown[]
}

/** An optional field. */
export const maybe = Type.Optional

/** Puts a field of a POST, PUT or PATCH into the query. */
export const inQuery = <T extends TSchema>(schema: T): T => ({ ...schema, ...marks({ query: true }) })

/** An id given by the upstream: a positive integer up to 2^53 - 1. */
export const id = (description: string, example = 1) =>
  Type.Integer({
    minimum: 1,
    maximum: maxId,
    description,
    examples: [example],
    ...marks({ expects: 'a positive integer id up to 9007199254740991' })
  })

const named = (name: string) => Type.String({ pattern: `^~${listable}$`, maxLength: 513, examples: [`~${name}`] })

/** An id, or a name after a tilde: `5` or `~support`. */
export const idOrName = (description: string, name: string, example = 1) =>
  Type.Union([Type.Integer({ minimum: 1, maximum: maxId, examples: [example] }), named(name)], {
    description: `${description}: its id, or its name after a tilde.`,
    examples: [example, `~${name}`],
    ...marks({ kind: 'reference', expects: `a positive integer id, or a tilde and a name (${example} or ~${name}), ${nameRule}` })
  })

/** 1 to `max` ids, or as many names each after a tilde; not both. */
export const idsOrNames = (description: string, name: string, { example = 1, max = 100 } = {}) =>
  Type.Union(
    [
      Type.Array(Type.Integer({ minimum: 1, maximum: maxId }), { minItems: 1, maxItems: max, uniqueItems: true }),
      Type.Array(named(name), { minItems: 1, maxItems: max, uniqueItems: true })
    ],
    {
      description: `${description}: up to ${max} ids, or as many names each after a tilde; not both in one call.`,
      examples: [[example], [`~${name}`]],
      ...marks({
        kind: 'references',
        expects: `1 to ${max} different ids, or 1 to ${max} different names each after a tilde (~${name}), ${nameRule}; ids and names cannot be mixed`
      })
    }
  )

/** 1 to `max` ids. */
export const idList = (description: string, { examples = [[1, 2]] as unknown[], max = 100 } = {}) =>
  Type.Array(Type.Integer({ minimum: 1, maximum: maxId }), {
    minItems: 1,
    maxItems: max,
    uniqueItems: true,
    description,
    examples,
    ...marks({ kind: 'id-list', expects: `1 to ${max} different positive integer ids` })
  })

/** What a list is to the upstream, by what its items are. */
const listKinds: { readonly [Item in Kind]?: Kind } = { number: 'id-list', text: 'text-list' }

/** A list whose items cannot break the upstream's `;`-joined form. */
export const list = <T extends TSchema>(item: T, description: string, { examples = [] as unknown[], max = 100 } = {}) =>
  Type.Array(item, {
    minItems: 1,
    maxItems: max,
    uniqueItems: true,
    description,
    ...(examples.length ? { examples } : {}),
    ...marks({ kind: listKinds[kindOf(item, description)] ?? 'list' })
  })

/** An item of a text list. */
export const listItem = ({ expects = `text ${nameRule}`, ...options }: { maxLength?: number; pattern?: string; expects?: string } = {}) =>
  Type.String({ minLength: 1, maxLength: 255, pattern: `^${listable}$`, ...options, ...marks({ expects }) })

/** A name of something: text that can stand in the upstream's lists. */
export const name = (
  description: string,
  { maxLength = 255, minLength = 1, examples }: { maxLength?: number; minLength?: number } & Options = {}
) =>
  Type.String({
    minLength,
    maxLength,
    pattern: `^${listable}$`,
    description,
    ...(examples ? { examples } : {}),
    ...marks({ expects: `${minLength} to ${maxLength} characters ${nameRule}` })
  })

/** A name with a format of its own, given as the inside of a regular expression, and in words. */
export const formattedName = (description: string, pattern: string, words: string, options: Options = {}) =>
  Type.String({
    pattern: `^${notEvery}${pattern}$`,
    description: `${description} ${words}`,
    ...options,
    ...marks({ expects: `${words.replace(/\.$/, '').toLowerCase()}; not \`all\` or \`any\`` })
  })

/** Text. `writeOnly`: a secret, which is never answered, logged or repeated in a message. `expects`: the form of the text, in words. */
export const text = (
  description: string,
  {
    expects,
    ...options
  }: { maxLength?: number; minLength?: number; pattern?: string; format?: string; writeOnly?: true; expects?: string } & Options = {}
) => Type.String({ ...options, description, ...(expects ? marks({ expects }) : {}) })

/** The format of a single IPv4 address. */
export const ipv4 = { format: 'ipv4', expects: 'an IPv4 address, such as 192.0.2.7' } as const

/** true or false. */
export const flag = (description: string, options: Options = {}) => Type.Boolean({ examples: [true], ...options, description })

/** true or false, for which the upstream has words of its own. */
export const flagAs = (description: string, words: { false: string; true: string }) => ({
  ...flag(description),
  ...marks({ kind: 'words', words: [words.false, words.true] })
})

/** A whole number. */
export const integer = (description: string, options: { minimum?: number; maximum?: number } & Options = {}) =>
  Type.Integer({ minimum: -maxId, maximum: maxId, ...options, description })

/** A number: money, a ratio, an amount. */
export const decimal = (description: string, options: { minimum?: number; maximum?: number } & Options = {}) =>
  Type.Number({ ...options, description })

/** An instant: RFC 3339 with any offset in, `Z` out. */
export const timestamp = (description: string, options: Options = {}) =>
  Type.String({
    format: 'date-time',
    examples: ['2026-01-15T09:30:00Z'],
    ...options,
    description,
    ...marks({ kind: 'timestamp', expects: 'an RFC 3339 date-time with an offset, such as 2026-01-15T09:30:00Z' })
  })

/** An instant that the upstream keeps as Unix seconds. */
export const unixTime = (description: string, options: Options = {}) => ({ ...timestamp(description, options), ...marks({ kind: 'unix' }) })

/** A calendar day: `YYYY-MM-DD`. */
export const day = (description: string, options: Options = {}) =>
  Type.String({
    format: 'date',
    examples: ['2026-01-15'],
    ...options,
    description,
    ...marks({ kind: 'date', expects: 'a date as YYYY-MM-DD' })
  })

/** One of a few words. A plain JSON Schema enum, which every client generator knows. */
export const oneOf = <const T extends string[]>(values: T, description?: string, options: Options = {}): TUnsafe<T[number]> =>
  Type.Unsafe<T[number]>({ type: 'string', enum: values, ...(description ? { description, examples: [values[0]] } : {}), ...options })

/** An object or array that the upstream takes as JSON text. */
export const json = <T extends TSchema>(schema: T): T => ({
  ...schema,
  contentMediaType: 'application/json',
  ...marks({ kind: 'json-text', content: schema })
})

/** A file: bytes, in no matter which encoding. */
export const file = (description: string) =>
  Type.String({ format: 'binary', contentMediaType: 'application/octet-stream', description, ...marks({ kind: 'file' }) })

/** An object without undeclared fields. */
export const strict = <T extends TObject['properties']>(properties: T, options = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/** A value the upstream leaves open: anything JSON can hold. */
export const anything = (description: string) => Type.Unknown({ description })

/** What the upstream sends in a form that nobody promised, as it is; keys of objects in camelCase. */
export const passedOn = (description: string) => Type.Unknown({ description, ...marks({ passedOn: true }) })

/** A noun of `schemas/`, by reference. */
export const ref = <T extends TSchema>(noun: T, description?: string): TUnsafe<Static<T>> =>
  Type.Unsafe<Static<T>>({ $ref: `${noun.$id}#`, ...(description ? { description } : {}), ...marks({ target: noun }) })

/** Fields of an answer that the upstream sends and the service keeps to itself. */
export const hiding = <T extends TSchema>(noun: T, ...fields: string[]): T => ({ ...noun, ...marks({ hidden: fields }) })

/** The time zone that the upstream answered in. */
export const TimezoneOfResponse = maybe(
  text('The time zone of times that the upstream wrote as plain text. The declared times are instants and do not depend on it.', {
    examples: ['Etc/GMT']
  })
)

/** An address that gives access to anybody who has it: returned only to keys with the scope `secrets`. */
export const secretUrl = (description: string, example: string) =>
  text(`${description} Left out for keys without the scope \`secrets\`.`, { examples: [example], ...marks({ secret: true }) })

/** How many rows a list has at most. @param otherwise how many that is when none is given, where that is known */
export const pageLimit = (otherwise?: number) =>
  maybe(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: `How many items to answer at most. Without it ${otherwise === undefined ? "the upstream's default holds" : `it is ${otherwise}`}.`,
      examples: [20],
      ...marks({ name: 'count' })
    })
  )

/** Paging of a list: how many rows, and how many to skip. */
export const paging = {
  limit: pageLimit(),
  offset: maybe(Type.Integer({ minimum: 0, maximum: maxId, description: 'How many items to skip.', examples: [0] }))
}
