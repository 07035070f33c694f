import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'
import { json, maybe, passedOn, ref } from '../../schemas/common.ts'
import { Problem, type ProblemType } from '../problems/problem.ts'
import { compileDecoder } from '../voximplant/wire/codecs.ts'
import { marks, targetOf } from '../voximplant/wire/marks.ts'
import { linkHeader } from './link-header.ts'
import { addBeside, dataIn, expandPath, isObject, pagingOf, type Reply, rejectFailure, type UpstreamResponse } from './reply.ts'

const nothing = 'There is no such thing in this account.'

/** The rows of a list, decoded. */
interface Rows<Row> extends UpstreamResponse {
  result?: Row[]
  count?: number
}

/** The body of a page. */
export interface Page<Item> {
  items: Item[]
  /** Where the upstream counts. */
  total?: number
  /** Where the upstream says another number than there are items. */
  count?: number
  warnings?: unknown[]
}

type Fields<Properties extends TProperties> = Static<TObject<Properties>>
type NoFields = Record<never, TSchema>

/** An object schema whose fields only the caller of a reply needs to know. */
const objectOf = (properties: TProperties): TObject => Type.Object(properties)

const titleOf = (schema: TSchema): string =>
  (targetOf(schema).$id ?? 'item').replace(/(?<=[a-z0-9])[A-Z]/g, letter => ` ${letter.toLowerCase()}`)

/** What the upstream remarks, in text or as objects. */
const warnings = maybe(
  Type.Array(passedOn('A remark: text, or an object.'), {
    description: 'What the upstream remarks on the request, such as a filter that it set by itself.',
    examples: [["Required 'from_date' parameter isn't set."]]
  })
)

/** 200: one page of a list: `{items, total}`, what stands beside them, and `Link` headers to its neighbours. */
export function page<T extends TSchema, B extends TProperties = NoFields>(item: T, beside?: B): Reply<Page<Static<T>> & Fields<B>> {
  return {
    kind: 'page',
    status: 200,
    description: `One page of the list (${titleOf(item)}).`,
    headers: { Link: 'The pages beside this one: rel `first`, `prev` and `next`, as far as they exist (RFC 8288).' },
    body: objectOf({
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
    response: objectOf({
      result: Type.Array(item),
      totalCount: Type.Optional(Type.Integer()),
      count: Type.Optional(Type.Integer()),
      warnings,
      ...beside
    }),
    read({ result: items = [], totalCount: total, count, ...others }: Rows<Static<T>>, { input, url, hasNext = false }) {
      const { offset = 0, limit = items.length } = pagingOf(input)
      const link = linkHeader({ url, offset, limit, rows: items.length, total, hasNext })
      const body = count === undefined || count === items.length ? { items, total } : { items, total, count }
      return { body: addBeside(body, others), ...(link ? { headers: { link } } : {}) }
    }
  }
}

/**
 * 200: a whole list: `{items}` and what stands beside them. With `orOne`, the fields of a single item may stand in the response itself, where there is
 * no `result`.
 */
export function list<T extends TSchema, B extends TProperties = NoFields>(
  item: T,
  { beside, orOne = false }: { beside?: B; orOne?: boolean } = {}
): Reply<{ items: Static<T>[] } & Fields<B>> {
  const itemFields: TProperties = orOne ? optional(targetOf(item).properties) : {}
  return {
    kind: 'list',
    status: 200,
    description: `The list (${titleOf(item)}).`,
    body: objectOf({ items: Type.Array(item, { description: 'All items.' }), ...beside }),
    response: objectOf({ result: Type.Array(item), ...beside, ...itemFields }),
    read({ result, ...others }: Rows<Static<T>>) {
      if (orOne && result === undefined && Object.keys(others).some(name => itemFields[name]))
        return { body: addBeside({ items: [others] }, {}) }
      return { body: addBeside({ items: result ?? [] }, others) }
    }
  }
}

const optional = (properties: TProperties): TProperties =>
  Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, maybe(field)]))

/** 200: a list that stands beside `result` under a name of its own: `{items}`. */
export function listBeside<T extends TSchema>(name: string, item: T, description: string): Reply<{ items: Static<T>[] }> {
  return {
    kind: 'list',
    status: 200,
    description,
    body: objectOf({ items: Type.Array(item, { description: 'One entry for each.' }) }),
    response: objectOf({ result: Type.Optional(Type.Unknown()), [name]: json(Type.Array(item)) }),
    read: ({ result, [name]: items = [], ...others }) => ({ body: addBeside({ items }, { ...dataIn(result), ...others }) })
  }
}

/** Whether a row bears the name that addresses it; the upstream's filter also finds rows whose names merely hold it. */
export type Named = (row: Readonly<Record<string, unknown>>, name: string) => boolean

/** 200 or 404: one item, found by the list method's filter: the row whose `field` is the path's, or bears its `~name`; without a field the only row. */
export function first<T extends TSchema>(item: T, field?: string, named?: Named): Reply<Static<T>> {
  const nameField = field?.replace(/Id$/, 'Name') ?? ''
  const bears: Named = named ?? ((row, name) => row[nameField] === name)
  return {
    kind: 'first',
    status: 200,
    mayBeMissing: true,
    description: `The ${titleOf(item).toLowerCase()}.`,
    body: item,
    response: objectOf({ result: Type.Array(item), totalCount: Type.Optional(Type.Integer()), count: Type.Optional(Type.Integer()) }),
    read({ result = [], totalCount: _total, count: _count, ...others }: Rows<Record<string, unknown>>, { input }) {
      const id = field === undefined ? undefined : input[field]
      const isAddressed = (row: Record<string, unknown>): boolean => {
        if (field === undefined) return true
        if (typeof id === 'string' && id.startsWith('~')) return bears(row, id.slice(1))
        // Numbers come as text from some methods; a row without the field is what the filter found.
        return row[field] === undefined || String(row[field]) === String(id)
      }
      const row = result.find(isAddressed)
      if (!row) throw new Problem('not-found', nothing)
      return { body: addBeside(row, others) }
    }
  }
}

/**
 * 200: what the upstream returns as `result`, together with what stands beside it, of which `beside` names the known fields. `absent` is what it
 * means when there is no result: a broken response, unless the method says so of things that do not exist.
 */
export function value<T extends TSchema, B extends TProperties = NoFields>(
  body: T,
  { beside, absent = 'upstream-answer-invalid' }: { beside?: B; absent?: 'not-found' | 'upstream-answer-invalid' } = {}
): Reply<Static<T> & Fields<B>> {
  return {
    kind: 'value',
    status: 200,
    description: `${titleOf(body)}.`,
    body,
    mayBeMissing: absent === 'not-found',
    response: objectOf({ result: body, ...beside }),
    read({ result, ...others }) {
      if (absent === 'not-found' && (!isObject(result) || Object.keys(result).length === 0)) throw new Problem('not-found', nothing)
      if (!isObject(result)) throw new Problem('upstream-answer-invalid', 'The upstream answered without the result that this method has.')
      return { body: addBeside(result, others) }
    }
  }
}

/** 200: fields that stand beside `result`; with `result`, also `result` itself under that name. */
export function fields<P extends TProperties>(
  properties: P,
  { result: name, description = 'What the upstream answered.' }: { result?: keyof P & string; description?: string } = {}
): Reply<Fields<P>> {
  const beside = Object.fromEntries(Object.entries(properties).filter(([key]) => key !== name))
  return {
    kind: 'value',
    status: 200,
    description,
    body: objectOf(properties),
    response: objectOf({ result: (name && properties[name]) ?? maybe(passedOn('An acknowledgement, or data.')), ...beside }),
    read: ({ result, ...others }) => ({ body: addBeside(name === undefined ? dataIn(result) : { [name]: result }, others) })
  }
}

/** Reads what became of several things: a list in `result`, or one item spread over the response with a boolean of its own as `result`. */
function outcomeReader<T extends TObject>(item: T) {
  const decode = compileDecoder(Type.Array(item))
  const ignore = { unknown() {}, unreadable() {} }
  const { result: _, ...beside } = item.properties
  return {
    response: objectOf({ result: Type.Unknown(), ...optional(beside) }),
    itemsOf({ result, ...others }: UpstreamResponse) {
      const decoded = isObject(result) ? decode(result, ignore) : undefined
      return Array.isArray(decoded) ? { items: decoded, others } : { items: [{ ...others, result }], others: {} }
    }
  }
}

/** 200: what became of each of several things: `{items}`. */
export function outcomes<T extends TObject>(item: T): Reply<{ items: Static<T>[] }> {
  const { response, itemsOf } = outcomeReader(item)
  return {
    kind: 'list',
    status: 200,
    description: 'What became of each.',
    body: objectOf({ items: Type.Array(ref(item), { description: 'One entry for each.' }) }),
    response,
    read(upstream) {
      const { items, others } = itemsOf(upstream)
      return { body: addBeside({ items }, others) }
    }
  }
}

/** 204: what became of one thing. Where it failed, the upstream's reason is the problem. */
export function outcome(item: TObject): Reply<undefined> {
  const { response, itemsOf } = outcomeReader(item)
  return {
    kind: 'done',
    status: 204,
    description: 'Done.',
    response,
    read(upstream) {
      const [only] = itemsOf(upstream).items
      rejectFailure(only?.result, only?.errorMsg)
      return { body: undefined }
    }
  }
}

/**
 * 201: what was created: its ids (fields beside `result`, or in it) and `Location`, a path with `:field`s from the ids and the request. Reading
 * throws Problem `upstream-answer-invalid` when an id that is not optional is missing.
 */
export function created<P extends TProperties>(ids: P, location: string, { within = false } = {}): Reply<Fields<P>> {
  const body = objectOf(ids)
  return {
    kind: 'created',
    status: 201,
    description: 'It was made.',
    headers: { Location: 'The address of what was made.' },
    body,
    response: within ? objectOf({ result: body }) : objectOf({ result: passedOn('An acknowledgement, or data.'), ...ids }),
    read({ result, ...others }, { input, base }) {
      rejectFailure(result, undefined)
      const made = addBeside<Fields<P> & Record<string, unknown>>({ ...(within ? Object(result ?? {}) : dataIn(result)) }, others)
      for (const name of body.required ?? [])
        if (made[name] === undefined) throw new Problem('upstream-answer-invalid', 'The upstream did not return the id of what it created.')
      const values = { ...input, ...made }
      // Where an id is missing that need not come, there is nothing to point to.
      const complete = [...location.matchAll(/:(\w+)/g)].every(([, name = '']) => values[name] !== undefined)
      return { body: made, ...(complete ? { headers: { location: base + expandPath(location, values) } } : {}) }
    }
  }
}

/** 202: a report was ordered: its id, beside `result` or, with `inResult`, as `result` itself, and `Location`, where it will be. */
export function accepted<P extends TProperties>(ids: P, location: string, { inResult = false } = {}): Reply<Fields<P>> {
  const [name = '', id = Type.Unknown()] = Object.entries<TSchema>(ids)[0] ?? []
  return {
    kind: 'accepted',
    status: 202,
    description: 'It was ordered.',
    headers: { Location: 'The address of what was ordered; it tells when it is complete.' },
    body: objectOf(ids),
    response: objectOf(inResult ? { result: id } : { result: passedOn('An acknowledgement, or data.'), ...ids }),
    read({ result, ...beside }, { input, base }) {
      const body = addBeside<Fields<P> & Record<string, unknown>>(inResult ? { [name]: result } : dataIn(result), beside)
      if (body[name] === undefined) throw new Problem('upstream-answer-invalid', 'The upstream did not return the id of the report.')
      return { body, headers: { location: base + expandPath(location, { ...input, ...body }) } }
    }
  }
}

/** A report, as `first` finds it, with `Retry-After` while it is not complete. */
export function report<Report extends { completed?: string; created?: string }>(item: TUnsafe<Report>, field: string): Reply<Report> {
  const reply = first(item, field)
  return {
    ...reply,
    headers: { 'Retry-After': 'While the report is not complete: after how many seconds to look again.' },
    read(response, context) {
      const { body } = reply.read(response, context)
      return body.completed === undefined ? { body, headers: { 'retry-after': String(pollSeconds(body.created)) } } : { body }
    }
  }
}

/** Seconds until a report should be looked at again: the longer it has taken, the longer. */
const pollSeconds = (created: string | undefined): number => {
  const age = created === undefined ? Number.NaN : (Date.now() - Date.parse(created)) / 1000
  return Number.isNaN(age) ? 5 : Math.round(Math.min(60, Math.max(1, age / 4)))
}

/** 200: a file, passed on as it comes: its bytes, type, length, name and encoding. */
export function file(
  description: string,
  { types, name, problems = [] }: { types: readonly string[]; name: string; problems?: readonly ProblemType[] }
): Reply<undefined> {
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
    response: objectOf({}),
    read: () => ({ body: undefined })
  }
}

/** 204: it is done, and there is nothing to say. What the upstream echoes is not looked at. */
export const done: Reply<undefined> = {
  kind: 'done',
  status: 204,
  description: 'Done.',
  response: {
    ...objectOf({ result: Type.Unknown(), msg: Type.Optional(Type.String()), errorMsg: Type.Optional(Type.String()) }),
    ...marks({ open: true })
  },
  read({ result, msg, errorMsg }) {
    rejectFailure(result, errorMsg ?? msg)
    return { body: undefined }
  }
}
