import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { json, maybe, passedOn, ref } from '../../schemas/common.ts'
import { Problem, type ProblemType } from '../problems/problem.ts'
import { compileDecoder } from '../voximplant/wire/codecs.ts'
import { marks, targetOf } from '../voximplant/wire/marks.ts'

/**
 * How an answer of the upstream becomes a REST answer: a closed set. Each names the status, the body's schema, the shape of the
 * upstream's answer it reads (in REST words; the wire decodes it, the sandbox encodes it), and the reading itself.
 */
export interface Reply {
  kind: 'page' | 'list' | 'first' | 'value' | 'created' | 'accepted' | 'done' | 'file'
  status: 200 | 201 | 202 | 204
  /** What the status means, for the document. */
  description: string
  /** The body's schema; none for 204. */
  body?: TSchema
  /** The shape of the upstream's answer. */
  answer: TObject
  /** Whether a 404 can come of the answer itself. */
  mayBeMissing?: boolean
  /** Response headers, for the document: name -> description. */
  headers?: Record<string, string>
  /** For a file: the media types it usually has, and its name where the upstream gives none (with `:field`s from the request). */
  file?: { types: readonly string[]; name: string }
  /** Problems that this reply can end in, beyond those of every call. */
  problems?: readonly ProblemType[]
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
  /** Whether a page is followed by another, where the upstream does not count. */
  hasNext?: boolean
}

export interface RestAnswer {
  body?: unknown
  headers?: Record<string, string>
}

const answerOf = (properties: TProperties): TObject => Type.Object(properties)
const titleOf = (schema: TSchema): string =>
  (targetOf(schema).$id ?? 'item').replace(/(?<=[a-z0-9])[A-Z]/g, letter => ` ${letter.toLowerCase()}`)

/** What the upstream remarks, in text or as objects. */
const warnings = maybe(
  Type.Array(passedOn('A remark: text, or an object.'), {
    description: 'What the upstream remarks on the request, such as a filter that it set by itself.',
    examples: [["Required 'from_date' parameter isn't set."]]
  })
)

/** Adds what stood beside the upstream's `result`: under its own names, or, where these are taken, in `beside`. */
function addBeside(body: Record<string, unknown>, others: Record<string, unknown>): Record<string, unknown> {
  let taken: Record<string, unknown> | undefined
  for (const name of Object.keys(others)) {
    if (body[name] === undefined) body[name] = others[name]
    else if (body[name] !== others[name]) {
      taken ??= {}
      taken[name] = others[name]
    }
  }
  if (taken) body.beside = body.beside === undefined ? taken : { beside: body.beside, ...taken }
  return body
}

/** A `result` that is a mere acknowledgement, such as 1 or true, is told by the status; data comes through. */
const dataIn = (result: unknown): { result?: unknown } => (typeof result === 'object' ? { result } : {})

/** 200: one page of a list: `{items, total}`, what stands beside them, and `Link` headers to its neighbours. */
export function page(item: TSchema, beside: TProperties = {}): Reply {
  return {
    kind: 'page',
    status: 200,
    description: `One page of the list (${titleOf(item)}).`,
    headers: { Link: 'The pages beside this one: rel `first`, `prev` and `next`, as far as they exist (RFC 8288).' },
    body: Type.Object({
      items: Type.Array(item, { description: 'The items of this page.' }),
      total: Type.Optional(
        Type.Integer({ description: 'How many items match in all. Left out where the upstream does not count.', examples: [1] })
      ),
      count: Type.Optional(
        Type.Integer({ description: 'How many items the upstream says this page has, where that is not how many it has.', examples: [2] })
      ),
      warnings,
      ...beside
    }),
    answer: answerOf({
      result: Type.Array(item),
      totalCount: Type.Optional(Type.Integer()),
      count: Type.Optional(Type.Integer()),
      warnings,
      ...beside
    }),
    read({ result, totalCount: total, count, ...others }, { input, url, hasNext = false }) {
      const items = (result ?? []) as unknown[]
      const link = linkHeader(
        url,
        (input.offset as number | undefined) ?? 0,
        (input.limit as number | undefined) ?? items.length,
        items.length,
        total,
        hasNext
      )
      const body: Record<string, unknown> = count === undefined || count === items.length ? { items, total } : { items, total, count }
      return { body: addBeside(body, others), ...(link ? { headers: { link } } : {}) }
    }
  }
}

/**
 * 200: a whole list: `{items}` and what stands beside them. With `orOne`, the fields of a single item may stand in the response itself, where there is
 * no `result`.
 */
export function list(item: TSchema, { beside = {}, orOne = false }: { beside?: TProperties; orOne?: boolean } = {}): Reply {
  const itemFields = orOne
    ? Object.fromEntries(Object.entries(targetOf(item).properties as TProperties).map(([k, v]) => [k, maybe(v)]))
    : {}
  return {
    kind: 'list',
    status: 200,
    description: `The list (${titleOf(item)}).`,
    body: Type.Object({ items: Type.Array(item, { description: 'All items.' }), ...beside }),
    answer: answerOf({ result: Type.Array(item), ...beside, ...itemFields }),
    read({ result, ...others }) {
      if (orOne && result === undefined && Object.keys(others).some(name => itemFields[name])) return { body: { items: [others] } }
      return { body: addBeside({ items: result ?? [] }, others) }
    }
  }
}

/** 200: a list that stands beside `result` under a name of its own: `{items}`. */
export function listBeside(name: string, item: TSchema, description: string): Reply {
  return {
    kind: 'list',
    status: 200,
    description,
    body: Type.Object({ items: Type.Array(item, { description: 'One entry for each.' }) }),
    answer: answerOf({ result: Type.Optional(Type.Unknown()), [name]: json(Type.Array(item)) }),
    read: ({ result, [name]: items = [], ...others }) => ({ body: addBeside({ items }, { ...dataIn(result), ...others }) })
  }
}

/** How the row that a name addresses is told from those whose names merely hold it. */
export type Named = (row: Record<string, unknown>, name: string) => boolean

/** 200 or 404: one item, found by the list method's filter: the row whose `field` is the path's, or bears its `~name`; without a field the only row. */
export function first(item: TSchema, field?: string, named?: Named): Reply {
  const nameField = field?.replace(/Id$/, 'Name') ?? ''
  const bears: Named = named ?? ((row, name) => row[nameField] === name)
  return {
    kind: 'first',
    status: 200,
    mayBeMissing: true,
    description: `The ${titleOf(item).toLowerCase()}.`,
    body: item,
    answer: answerOf({ result: Type.Array(item), totalCount: Type.Optional(Type.Integer()), count: Type.Optional(Type.Integer()) }),
    read({ result, totalCount: _total, count: _count, ...others }, { input }) {
      const rows = (result ?? []) as Record<string, unknown>[]
      const wanted = field === undefined ? undefined : input[field]
      const isWanted = (row: Record<string, unknown>): boolean => {
        if (field === undefined) return true
        if (typeof wanted === 'string' && wanted.startsWith('~')) return bears(row, wanted.slice(1))
        // Numbers come as text from some methods; a row without the field is what the filter found.
        return row[field] === undefined || String(row[field]) === String(wanted)
      }
      const row = rows.find(isWanted)
      if (!row) throw new Problem('not-found', nothing)
      return { body: addBeside(row, others) }
    }
  }
}

/**
 * 200: what the upstream answers as `result`, together with what stands beside it, of which `beside` names the known fields. `absent` is what it
 * means when there is no result: a broken answer, unless the method says so of things that do not exist.
 */
export function value(
  body: TSchema,
  { beside = {}, absent = 'upstream-answer-invalid' }: { beside?: TProperties; absent?: 'not-found' | 'upstream-answer-invalid' } = {}
): Reply {
  return {
    kind: 'value',
    status: 200,
    description: `${titleOf(body)}.`,
    body,
    mayBeMissing: absent === 'not-found',
    answer: answerOf({ result: body, ...beside }),
    read({ result, ...others }) {
      const missing = result === undefined || (absent === 'not-found' && Object.keys(result as object).length === 0)
      if (missing && absent === 'not-found') throw new Problem('not-found', nothing)
      if (missing) throw new Problem('upstream-answer-invalid', 'The upstream answered without the result that this method has.')
      return { body: addBeside(result as Record<string, unknown>, others) }
    }
  }
}

/** 200: fields that stand beside `result`; with `result`, also `result` itself under that name. */
export function fields(
  properties: TProperties,
  { result: name, description = 'What the upstream answered.' }: { result?: string; description?: string } = {}
): Reply {
  const beside = Object.fromEntries(Object.entries(properties).filter(([key]) => key !== name))
  return {
    kind: 'value',
    status: 200,
    description,
    body: Type.Object(properties),
    answer: answerOf({ result: name === undefined ? maybe(passedOn('An acknowledgement, or data.')) : properties[name]!, ...beside }),
    read: ({ result, ...others }) => ({ body: addBeside(name === undefined ? dataIn(result) : { [name]: result }, others) })
  }
}

/**
 * What became of each of several things: 200 with `{items}`, or for one thing 204. The upstream sends a list in `result`, or one item spread over
 * the answer with a boolean of its own as `result`. One thing that failed is a problem with the upstream's reason.
 */
export function outcomes(item: TObject, { one = false } = {}): Reply {
  const decode = compileDecoder(Type.Array(item))
  const ignore = { unknown() {}, unreadable() {} }
  const { result: _, ...beside } = item.properties
  return {
    kind: one ? 'done' : 'list',
    status: one ? 204 : 200,
    description: one ? 'Done.' : 'What became of each.',
    ...(one ? {} : { body: Type.Object({ items: Type.Array(ref(item), { description: 'One entry for each.' }) }) }),
    answer: answerOf({
      result: Type.Unknown(),
      ...Object.fromEntries(Object.entries(beside).map(([name, schema]) => [name, Type.Optional(schema)]))
    }),
    read({ result, ...others }) {
      const listed = typeof result === 'object'
      const items = (listed ? decode(result, ignore) : [{ ...others, result }]) as { result?: boolean; errorMsg?: string }[]
      if (one) refuseFailure(items[0]?.result, items[0]?.errorMsg)
      return one ? {} : { body: listed ? addBeside({ items }, others) : { items } }
    }
  }
}

const nothing = 'There is no such thing in this account.'

/** A `result: false` is the upstream's way, in some methods, to say that nothing was done. */
function refuseFailure(result: unknown, reason: unknown): void {
  if (result === false) throw new Problem('state-conflict', `The upstream did nothing${reason ? `: ${reason}` : ', and gave no reason'}.`)
}

/**
 * 201: what was made: its ids (fields beside `result`, or in it) and `Location`, a path with `:field`s from the ids and the request. Reading
 * throws Problem `upstream-answer-invalid` when an id that is not optional is missing.
 */
export function created(ids: TProperties, location: string, { within = false } = {}): Reply {
  const bodySchema = Type.Object(ids)
  return {
    kind: 'created',
    status: 201,
    description: 'It was made.',
    headers: { Location: 'The address of what was made.' },
    body: bodySchema,
    answer: within ? answerOf({ result: Type.Object(ids) }) : answerOf({ result: passedOn('An acknowledgement, or data.'), ...ids }),
    read({ result, ...others }, { input, base }) {
      refuseFailure(result, undefined)
      const body = addBeside({ ...((within ? result : dataIn(result)) as object | undefined) }, others)
      for (const name of bodySchema.required ?? [])
        if (body[name] === undefined) throw new Problem('upstream-answer-invalid', 'The upstream did not return the id of what it created.')
      const values = { ...input, ...body }
      // Where an id is missing that need not come, there is nothing to point to.
      const complete = [...location.matchAll(/:(\w+)/g)].every(([, name]) => values[name!] !== undefined)
      return { body, ...(complete ? { headers: { location: base + locationOf(location, values) } } : {}) }
    }
  }
}

/** 202: a report was ordered: its id, beside `result` or, with `inResult`, as `result` itself, and `Location`, where it will be. */
export function accepted(ids: TProperties, location: string, { inResult = false } = {}): Reply {
  const name = Object.keys(ids)[0]!
  return {
    kind: 'accepted',
    status: 202,
    description: 'It was ordered.',
    headers: { Location: 'The address of what was ordered; it tells when it is complete.' },
    body: Type.Object(ids),
    answer: answerOf(inResult ? { result: ids[name]! } : { result: passedOn('An acknowledgement, or data.'), ...ids }),
    read({ result, ...beside }, { input, base }) {
      const body = addBeside(inResult ? { [name]: result } : dataIn(result), beside)
      if (body[name] === undefined) throw new Problem('upstream-answer-invalid', 'The upstream did not return the id of the report.')
      return { body, headers: { location: base + locationOf(location, { ...input, ...body }) } }
    }
  }
}

/** A report, as `first` finds it, with `Retry-After` while it is not complete. */
export function report(item: TSchema, field: string): Reply {
  const reply = first(item, field)
  return {
    ...reply,
    headers: { 'Retry-After': 'While the report is not complete: after how many seconds to look again.' },
    read(answer, call) {
      const found = reply.read(answer, call)
      const { completed, created } = found.body as { completed?: string; created?: string }
      return completed === undefined ? { ...found, headers: { 'retry-after': String(patience(created)) } } : found
    }
  }
}

/** Seconds until a report should be looked at again: the longer it has taken, the longer. */
const patience = (created: string | undefined): number => {
  const age = created === undefined ? Number.NaN : (Date.now() - Date.parse(created)) / 1000
  return Number.isNaN(age) ? 5 : Math.round(Math.min(60, Math.max(1, age / 4)))
}

/** 200: a file, passed on as it comes: its bytes, type, length, name and encoding. */
export function file(
  description: string,
  { types, name, problems = [] }: { types: readonly string[]; name: string; problems?: readonly ProblemType[] }
): Reply {
  return {
    kind: 'file',
    status: 200,
    description,
    mayBeMissing: true,
    problems,
    file: { types, name },
    headers: {
      'Content-Disposition': 'The name of the file.',
      'Content-Encoding': '`gzip` where the file comes compressed.'
    },
    answer: answerOf({}),
    read: () => ({})
  }
}

/** 204: it is done, and there is nothing to say. What the upstream echoes is not looked at. */
export const done: Reply = {
  kind: 'done',
  status: 204,
  description: 'Done.',
  answer: {
    ...answerOf({ result: Type.Unknown(), msg: Type.Optional(Type.String()), errorMsg: Type.Optional(Type.String()) }),
    ...marks({ open: true })
  },
  read({ result, msg, errorMsg }) {
    refuseFailure(result, errorMsg ?? msg)
    return {}
  }
}

/** `/a/:b` with values. */
export const locationOf = (template: string, values: Record<string, unknown>): string =>
  template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(values[name])))

/** RFC 8288 links to the pages around this one, or undefined when it is the only page. */
function linkHeader(
  url: string,
  offset: number,
  limit: number,
  shown: number,
  total: number | undefined,
  follows: boolean
): string | undefined {
  const hasNext = total === undefined ? follows : offset + shown < total && shown > 0
  if (offset === 0 && !hasNext) return undefined
  // The URL is the caller's: what could end the bracket of a link is encoded.
  const [path = '', ...rest] = url.replace(/[<>"]/g, encodeURIComponent).split('?')
  const query = rest.join('?')
  const kept = query.split('&').filter(pair => pair !== '' && !/^(limit|offset)=/.test(pair))
  const to = (start: number) => `<${path}?${[...kept, `limit=${limit || 1}`, `offset=${start}`].join('&')}>`
  const links = []
  if (hasNext) links.push(`${to(offset + shown)}; rel="next"`)
  if (offset > 0) links.push(`${to(Math.max(0, offset - (limit || 1)))}; rel="prev"`, `${to(0)}; rel="first"`)
  return links.join(', ')
}
