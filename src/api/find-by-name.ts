import { Problem, type UpstreamRefusal } from '../problems/problem.ts'
import { Rows } from '../voximplant/rows.ts'
import { isReference } from '../voximplant/wire/marks.ts'
import { isObject } from '../voximplant/wire/undeclared.ts'
import type { SendOperation } from './call.ts'
import type { Operation } from './operation.ts'
import { pagingOf, type UpstreamResponse } from './reply.ts'
import { isName } from './select-all.ts'

/**
 * Names in addresses. The upstream's filters match parts of names, so that a list asked for by the name `support` also holds what belongs to
 * `support2`: before such a call a `~name` is resolved to the id of the one item that bears exactly this name.
 */

/** Rows per page, and pages at most, that are searched for a name. */
const pageSize = 1000
const maxPages = 20

/** Finds one item by its id or name: path field -> the operation that reads the item. */
export function createFinders(operations: readonly Operation[]): ReadonlyMap<string, Operation> {
  const finders = new Map<string, Operation>()
  for (const operation of operations) {
    const field = itemField(operation)
    if (field !== undefined && !finders.has(field)) finders.set(field, operation)
  }
  return finders
}

/** The path field by which an operation reads one item out of a list, where it takes a name. */
export function itemField({ endpoint, url, form }: Operation): string | undefined {
  const field = /:(\w+)$/.exec(url)?.[1]
  const finds = endpoint.reply.kind === 'first' && form.fieldOf.has('count')
  return finds && field !== undefined && isReference(endpoint.input.properties[field]) ? field : undefined
}

/** The fields of an operation whose `~name` is resolved before the call: those in the path first, as others are found within them. */
export function namedFields(operation: Operation, finders: ReadonlyMap<string, Operation>): string[] {
  const own = itemField(operation)
  return [...operation.fieldLocations]
    .filter(([field]) => field !== own && finders.has(field) && isReference(operation.endpoint.input.properties[field]))
    .sort(([, a], [, b]) => Number(b === 'path') - Number(a === 'path'))
    .map(([field]) => field)
}

export interface FindOptions {
  finders: ReadonlyMap<string, Operation>
  /** When to give up, on the clock of `performance.now()`. */
  end: number
}

/** The input with ids in place of names. Rejects with not-found, naming the path field, when no item bears the name. */
export async function resolveNames(
  operation: Operation,
  fields: readonly string[],
  send: SendOperation,
  input: Record<string, unknown>,
  { finders, end }: FindOptions
): Promise<Record<string, unknown>> {
  const resolved = { ...input }
  for (const field of fields) {
    const name = resolved[field]
    if (!isName(name)) continue
    const finder = finders.get(field)
    if (!finder) continue
    const { required = [] } = finder.endpoint.input
    // A user is found within an application: where none is named, the name goes to the upstream as it is.
    if (required.some(parent => resolved[parent] === undefined)) continue
    const within = Object.fromEntries(required.map(parent => [parent, resolved[parent]]))
    try {
      const row = await findItem(finder, send, within, end)
      resolved[field] = isObject(row) ? row[field] : undefined
    } catch (error) {
      if (!isNotFound(error)) throw error
      const part = operation.fieldLocations.get(field) ?? 'query'
      if (part === 'path') throw notFoundIn(operation, field)
      const violation = { in: part, pointer: `/${field}`, detail: namesNothing }
      throw new Problem('invalid-value', `${violation.in} ${violation.pointer} ${namesNothing}.`, { errors: [violation] })
    }
  }
  return resolved
}

/** The rows of a list. */
const countRows = ({ result }: UpstreamResponse): number => (Array.isArray(result) || result instanceof Rows ? result.length : 0)

/** Reads the list behind an operation page by page until the row turns up that the input addresses. Rejects with not-found when none does. */
export async function findItem(operation: Operation, send: SendOperation, input: Record<string, unknown>, end: number): Promise<unknown> {
  for (let offset = 0; ; offset += pageSize) {
    if (performance.now() >= end) throw new Problem('upstream-timeout', 'The name could not be looked up in time. Use the id.')
    const response = await send(operation, { ...input, limit: pageSize, offset })
    try {
      return operation.endpoint.reply.read(response, { input, url: '', base: '' }).body
    } catch (error) {
      const rows = countRows(response)
      const last = rows < pageSize || offset + rows >= (response.totalCount ?? Number.POSITIVE_INFINITY)
      if (last || !isNotFound(error)) throw error
    }
    if (offset + pageSize >= maxPages * pageSize)
      throw new Problem('invalid-value', `More than ${maxPages * pageSize} items have names that contain this one. Use the id.`)
  }
}

export const isNotFound = (error: unknown): error is Problem => error instanceof Problem && error.type === 'not-found'

const namesNothing = 'names nothing in this account'

/** The 404 that says which field names nothing: `field`, or the one that the path addresses last. `upstream`: what the upstream said. */
export function notFoundIn({ fieldLocations }: Pick<Operation, 'fieldLocations'>, field?: string, upstream?: UpstreamRefusal): Problem {
  const name = field ?? [...fieldLocations].findLast(([, part]) => part === 'path')?.[0]
  const part = name === undefined ? undefined : fieldLocations.get(name)
  if (part === undefined) return new Problem('not-found', 'There is no such thing in this account.', { upstream })
  const violation = { in: part, pointer: `/${name}`, detail: namesNothing }
  return new Problem('not-found', `${violation.in} ${violation.pointer} ${namesNothing}.`, { errors: [violation], upstream })
}

/** Whether a page has a next one, where the upstream does not count: asks for one row behind it. */
export async function hasNextPage(
  operation: Operation,
  send: SendOperation,
  input: Record<string, unknown>,
  response: UpstreamResponse
): Promise<boolean> {
  const rows = countRows(response)
  const { limit, offset = 0 } = pagingOf(input)
  if (rows === 0 || (limit !== undefined && rows < limit)) return false
  const next = offset + rows
  if (next > (operation.endpoint.input.properties.offset?.maximum ?? Number.POSITIVE_INFINITY)) return false
  try {
    return countRows(await send(operation, { ...input, limit: 1, offset: next })) > 0
  } catch {
    // The rows that are here are the response; what follows them is for the next request to find out.
    return true
  }
}
