import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { Problem } from './problem.ts'
import { mark, marked } from './voximplant/wire.ts'

/**
 * How an answer of the upstream becomes a REST answer: a closed set. Each names the status, the body's schema, the shape of the
 * upstream's answer it reads (in REST words; the wire decodes it, the sandbox encodes it), and the reading itself.
 */
export interface Reply {
  kind: 'page' | 'list' | 'first' | 'value' | 'created' | 'accepted' | 'done'
  status: 200 | 201 | 202 | 204
  /** What the status means, for the document. */
  description: string
  /** The body's schema; none for 204. */
  body?: TSchema
  /** The shape of the upstream's answer. */
  answer: TObject
  /** Response headers, for the document: name -> description. */
  headers?: Record<string, string>
  /** Decoded answer -> REST answer. */
  read(answer: Answer, call: ReplyContext): RestAnswer
}

/** A decoded answer of the upstream: `result` and what stands beside it. */
export type Answer = { result?: unknown; totalCount?: number } & Record<string, unknown>

export interface ReplyContext {
  /** The request's fields: path, query and body merged. */
  input: Record<string, unknown>
  /** The request's URL, path and query. */
  url: string
  /** The path the service is mounted under: empty, or such as `/voximplant`. */
  base: string
}

export interface RestAnswer {
  body?: unknown
  headers?: Record<string, string>
}

const answerOf = (properties: TProperties): TObject => Type.Object(properties)
const target = (schema: TSchema): TSchema => (marked(schema, mark.target) as TSchema | undefined) ?? schema
const titleOf = (schema: TSchema): string =>
  (target(schema).$id ?? 'item').replace(/(?<=[a-z0-9])[A-Z]/g, letter => ` ${letter.toLowerCase()}`)

/** 200: one page of a list: `{items, total}` and `Link` headers to its neighbours. */
export function page(item: TSchema): Reply {
  return {
    kind: 'page',
    status: 200,
    description: `One page of the list (${titleOf(item)}).`,
    headers: { Link: 'The pages beside this one: rel `first`, `prev` and `next`, as far as they exist (RFC 8288).' },
    body: Type.Object({
      items: Type.Array(item, { description: 'The items of this page.' }),
      total: Type.Optional(
        Type.Integer({ description: 'How many items match in all. Left out where the upstream does not count.', examples: [1] })
      )
    }),
    answer: answerOf({ result: Type.Array(item), totalCount: Type.Optional(Type.Integer()), count: Type.Optional(Type.Integer()) }),
    read(answer, { input, url }) {
      const items = (answer.result ?? []) as unknown[]
      const total = answer.totalCount
      const link = linkHeader(
        url,
        (input.offset as number | undefined) ?? 0,
        (input.limit as number | undefined) ?? items.length,
        items.length,
        total
      )
      return { body: { items, total }, ...(link ? { headers: { link } } : {}) }
    }
  }
}

/** 200: a whole list: `{items}`. */
export function list(item: TSchema): Reply {
  return {
    kind: 'list',
    status: 200,
    description: `The list (${titleOf(item)}).`,
    body: Type.Object({ items: Type.Array(item, { description: 'All items.' }) }),
    answer: answerOf({ result: Type.Array(item) }),
    read: answer => ({ body: { items: answer.result ?? [] } })
  }
}

/** How the row that a name addresses is told from those whose names merely hold it. */
export type Named = (row: Record<string, unknown>, name: string) => boolean

/** 200 or 404: one item, found by the list method's filter. `field` is the path field; `named` decides which row bears a `~name`. */
export function first(item: TSchema, field: string, named?: Named): Reply {
  const nameField = field.replace(/Id$/, 'Name')
  const bears: Named = named ?? ((row, name) => row[nameField] === name)
  return {
    kind: 'first',
    status: 200,
    description: `The ${titleOf(item).toLowerCase()}.`,
    body: item,
    answer: answerOf({ result: Type.Array(item), totalCount: Type.Optional(Type.Integer()), count: Type.Optional(Type.Integer()) }),
    read(answer, { input }) {
      const wanted = input[field]
      const rows = (answer.result ?? []) as Record<string, unknown>[]
      const row = rows.find(row =>
        typeof wanted === 'string' && wanted.startsWith('~')
          ? bears(row, wanted.slice(1))
          : row[field] === undefined || row[field] === wanted
      )
      if (!row) throw new Problem('not-found', 'There is no such thing in this account.')
      return { body: row }
    }
  }
}

/** 200: what the upstream answers as `result`, or, with `beside`, `result` together with fields that stand beside it. */
export function value(body: TSchema, { beside = {} as TProperties } = {}): Reply {
  const noun = target(body)
  return {
    kind: 'value',
    status: 200,
    description: `${titleOf(body)}.`,
    body,
    answer: answerOf({ result: body, ...beside }),
    read({ result, ...rest }) {
      if (result === undefined)
        throw new Problem('upstream-answer-invalid', 'The upstream answered without the result that this method has.')
      return { body: noun.type === 'object' && Object.keys(beside).length > 0 ? { ...(result as object), ...rest } : result }
    }
  }
}

/** 201: what was made: its ids (fields beside `result`, or in it) and `Location`, a path with `:field`s from the ids and the request. */
export function created(ids: TProperties, location: string, { within = false } = {}): Reply {
  return {
    kind: 'created',
    status: 201,
    description: 'It was made.',
    headers: { Location: 'The address of what was made.' },
    body: Type.Object(ids),
    answer: within ? answerOf({ result: Type.Object(ids) }) : answerOf({ result: Type.Unknown(), ...ids }),
    read(answer, { input, base }) {
      const { result, ...beside } = answer
      const body = (within ? (result ?? {}) : beside) as Record<string, unknown>
      return { body, headers: { location: base + locationOf(location, { ...input, ...body }) } }
    }
  }
}

/** 204: it is done, and there is nothing to say. */
export const done: Reply = {
  kind: 'done',
  status: 204,
  description: 'Done.',
  answer: answerOf({ result: Type.Unknown() }),
  read: () => ({})
}

/** `/a/:b` with values. */
const locationOf = (template: string, values: Record<string, unknown>): string =>
  template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(values[name])))

/** RFC 8288 links to the pages around this one, or undefined when it is the only page. */
function linkHeader(url: string, offset: number, limit: number, shown: number, total: number | undefined): string | undefined {
  const hasNext = total === undefined ? shown > 0 && shown === limit : offset + shown < total && shown > 0
  if (offset === 0 && !hasNext) return undefined
  // The URL is the caller's: what could end the bracket of a link is encoded.
  const [path = '', query = ''] = url.replace(/[<>"]/g, encodeURIComponent).split('?')
  const kept = query.split('&').filter(pair => pair !== '' && !/^(limit|offset)=/.test(pair))
  const to = (start: number) => `<${path}?${[...kept, `limit=${limit || 1}`, `offset=${start}`].join('&')}>`
  const links = []
  if (hasNext) links.push(`${to(offset + shown)}; rel="next"`)
  if (offset > 0) links.push(`${to(Math.max(0, offset - (limit || 1)))}; rel="prev"`, `${to(0)}; rel="first"`)
  return links.join(', ')
}
