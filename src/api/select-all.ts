import { invalid } from '../problems/invalid-request.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import type { Call, SendOperation } from './call.ts'
import type { ListEndpoint } from './endpoint.ts'
import type { Operation } from './operation.ts'
import type { UpstreamResponse } from './reply.ts'

/** What a schema of single fields cannot say: exactly one of several fields, and the selectors that can stand for everything. */

/** Whether a call selects everything. Throws unless each choice is made: exactly one of `exactlyOne`, a selector or `all`, each with what it needs. */
export function validateSelection(operation: Operation, input: Record<string, unknown>): boolean {
  const selectors = Object.keys(operation.endpoint.all ?? {})
  const optional = new Set(selectors.filter(name => (operation.endpoint.input.required ?? []).includes(name) === false))
  const chosen = input.all === true ? selectors[0] : typeof input.all === 'string' ? input.all : undefined
  const errors: Violation[] = []
  const complain = (field: string, detail: string) =>
    errors.push({ in: operation.fieldLocations.get(field) ?? 'query', pointer: `/${field}`, detail })
  for (const name of selectors) {
    if (name === chosen && input[name] !== undefined) complain(name, 'must be left out when `all` selects everything')
    else if (name !== chosen && input[name] === undefined && !optional.has(name))
      complain(name, chosen === undefined ? 'is required, unless `all` and `expectedCount` select everything' : 'is required')
  }
  if (chosen !== undefined && input.expectedCount === undefined) complain('expectedCount', 'is required with `all`')
  if (chosen === undefined && input.expectedCount !== undefined) complain('expectedCount', 'means nothing without `all`')
  const choice = operation.endpoint.exactlyOne ?? []
  const made = choice.filter(name => input[name] !== undefined || name === chosen)
  const [field] = [...made.slice(1), ...choice]
  if (field !== undefined && made.length !== 1) complain(field, `exactly one of ${choice.join(', ')} has to be given`)
  for (const [key, other] of Object.entries(operation.endpoint.requires ?? {})) {
    const name = key.replace('~', '')
    const applies = key === name ? input[name] !== undefined : isName([input[name]].flat()[0])
    if (applies && input[other] === undefined) complain(other, `is required with ${key === name ? '' : 'a name as '}\`${name}\``)
  }
  if (errors.length > 0) throw invalid(errors)
  return chosen !== undefined
}

/** Whether an id-or-name is a name. */
export const isName = (value: unknown): value is string => typeof value === 'string' && value.startsWith('~')

/** Counts what `all` would select through the list endpoint, and makes the call only when that is what the caller expects. */
export async function callOnAll(
  operation: Operation,
  send: SendOperation,
  scopes: readonly string[],
  input: Record<string, unknown>,
  callWith: (send: SendOperation) => Call,
  end: number
): Promise<UpstreamResponse> {
  if (!scopes.includes('bulk')) throw new Problem('scope-missing', 'This API key lacks the scope `bulk`, which calls with `all` need.')
  const { all, expectedCount, ...rest } = input
  const selectors = Object.entries(operation.endpoint.all ?? {})
  const [field, counter] = selectors.find(([name]) => all === true || all === name) ?? []
  if (field === undefined || counter === undefined) throw new Error(`${operation.id} cannot select everything`)
  const filters = Object.fromEntries(
    Object.entries(rest).filter(([name]) => counter.input.properties[name] && !operation.endpoint.all?.[name])
  )
  const missing = (counter.input.required ?? []).filter(name => filters[name] === undefined)
  if (missing.length > 0)
    throw invalid(
      missing.map(name => ({
        in: operation.fieldLocations.get(name) ?? 'query',
        pointer: `/${name}`,
        detail: 'is required with `all`, to count what is selected'
      }))
    )
  const count = await countUpTo(Number(expectedCount), counter, callWith(send), filters, end)
  if (count !== expectedCount)
    throw new Problem(
      'count-differs',
      `There are ${count === undefined ? `more than ${expectedCount}` : count} now, not ${expectedCount}: nothing was changed.`
    )
  const wire = operation.form.wireOf(field)
  return send(operation, rest, `${operation.form.encode(rest)}&${wire}=all`)
}

/**
 * How many rows a list has: as the upstream counts them, or, where it does not, by reading them; undefined for more than `max`, so that no more
 * pages are read than the caller's own number asks for. Rejects with upstream-timeout at `end`, on the clock of `performance.now()`.
 */
async function countUpTo(
  max: number,
  counter: ListEndpoint,
  call: Call,
  filters: Record<string, unknown>,
  end: number
): Promise<number | undefined> {
  const pages = counter.input.properties.limit !== undefined
  const limit = 1000
  for (let offset = 0; ; offset += limit) {
    if (performance.now() >= end)
      throw new Problem('upstream-timeout', 'What `all` selects could not be counted in time: nothing was changed.')
    const { items, total } = await call(counter, pages ? { ...filters, limit, offset } : filters)
    if (total !== undefined) return total
    if (!pages || items.length < limit) return offset + items.length
    if (offset + items.length > max) return undefined
  }
}
