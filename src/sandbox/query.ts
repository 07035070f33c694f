import type { UpstreamErrorName } from '../voximplant/error-codes.ts'
import { type Params, refuse } from './codec.ts'

/** What the methods of the sandbox have in common: how rows are chosen and paged. */

/** One page of rows, as the upstream answers it. */
export function pageOf<Row>(rows: Row[], params: Params): { result: Row[]; count: number; totalCount: number } {
  const offset = params.number('offset') ?? 0
  const result = rows.slice(offset, offset + (params.number('count') ?? 20))
  return { result, count: result.length, totalCount: rows.length }
}

/** Whether a text holds another, in any case; everything holds nothing. */
export const holdsPart = (text: unknown, part: string | undefined): boolean =>
  part === undefined || (typeof text === 'string' && text.toLowerCase().includes(part.toLowerCase()))

/** The rows that ids or names select, or all of them. Refuses when nothing is named, and when something named does not exist. */
export function choose<Row extends object>(
  rows: Row[],
  params: Params,
  {
    id,
    name,
    unknownId,
    unknownName = unknownId,
    as = id,
    asName = name
  }: {
    id: keyof Row & string
    name?: keyof Row & string
    unknownId: UpstreamErrorName
    unknownName?: UpstreamErrorName
    as?: string
    asName?: string
  }
): Row[] {
  const ids = params.ids(as)
  if (ids === 'all') return [...rows]
  if (ids !== undefined) return ids.map(wanted => rows.find(row => row[id] === wanted) ?? refuse(unknownId, as))
  const names = asName === undefined ? undefined : params.texts(asName)
  if (names === undefined || name === undefined) return refuse('REQUIRED_IS_EMPTY', as)
  return names.map(wanted => rows.find(row => row[name] === wanted) ?? refuse(unknownName, asName))
}

/** The one row that an id or a name selects. */
export function chooseOne<Row extends object>(rows: Row[], params: Params, selector: Parameters<typeof choose<Row>>[2]): Row {
  return choose(rows, params, selector)[0]!
}

/** Now, as rows keep it: whole seconds. */
export const now = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z')
