import type { UpstreamErrorName } from '../voximplant/error-codes.ts'
import { type Params, reject } from './codec.ts'

/** How methods filter, select and page rows. */

/** A value, a list of values, `all` (any number) or a test. Undefined: no filter. */
type Filter<Value> = Value | readonly Value[] | 'all' | ((value: Value) => boolean) | undefined

/** Filters by field; a row has to pass every one. */
export type Filters<Row> = { [Field in keyof Row]?: Filter<Row[Field]> }

/** Whether a value passes a filter. A value that is absent passes only where there is no filter, or a test that accepts it. */
export function matches<Value>(filter: Filter<Value>, value: Value): boolean {
  if (filter === undefined) return true
  if (filter instanceof Function) return filter(value)
  if (Array.isArray(filter)) return filter.includes(value)
  return filter === value || (filter === 'all' && typeof value === 'number')
}

/** The rows that pass every filter. */
export function where<Row extends object>(rows: readonly Row[], filters: Filters<Row>): Row[] {
  const active: [string, unknown][] = Object.entries(filters).filter(([, filter]) => filter !== undefined)
  return rows.filter(row => active.every(([field, filter]) => matches(filter, row[field as keyof Row])))
}

/** Texts that contain a part, in any case; no part: no filter. */
export const containing = (part: string | undefined) =>
  part === undefined ? undefined : (text: string | undefined) => text?.toLowerCase().includes(part.toLowerCase()) === true

/** Values from one to another, both included; undefined at both ends: no filter. */
export const between = <Value extends string | number>(from: Value | undefined, to: Value | undefined) =>
  from === undefined && to === undefined
    ? undefined
    : (value: Value | undefined) => value !== undefined && (from === undefined || value >= from) && (to === undefined || value <= to)

/** A flag that is false where a row does not have it. */
export const flagged = (flag: boolean | undefined) =>
  flag === undefined ? undefined : (value: boolean | undefined) => (value ?? false) === flag

/** Fields that have a value (or, with a flag that is false, have none). */
export const present = (flag: boolean | undefined) => (flag === undefined ? undefined : (value: unknown) => (value !== undefined) === flag)

/** Lists that include a value (or, with `is` false, do not); no value: no filter. */
export const including = <Value>(value: Value | undefined, is = true) =>
  value === undefined ? undefined : (list: readonly Value[]) => list.includes(value) === is

/** The fields that have a value: to be spread over a row, of which the others stay. */
export const defined = <Fields extends object>(fields: Fields): Partial<Fields> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>

/** One page of rows, as the upstream returns it. */
export function pageOf<Row>(rows: Row[], params: Params): { result: Row[]; count: number; totalCount: number } {
  const offset = params.number('offset') ?? 0
  const result = rows.slice(offset, offset + (params.number('count') ?? 20))
  return { result, count: result.length, totalCount: rows.length }
}

/** How a call names rows. The parameters are called as the fields are, unless `as` and `asName` say otherwise. */
export interface Selector<Row> {
  id: keyof Row & string
  name?: keyof Row & string
  unknownId: UpstreamErrorName
  unknownName?: UpstreamErrorName
  as?: string
  asName?: string
}

/** The rows that ids or names select, or all of them. Rejects a call that names none, or one that does not exist. */
export function select<Row extends object>(
  rows: readonly Row[],
  params: Params,
  { id, name, unknownId, unknownName = unknownId, as = id, asName = name }: Selector<Row>
): Row[] {
  const ids = params.ids(as)
  if (ids === 'all') return [...rows]
  if (ids !== undefined) return ids.map(value => rows.find(row => row[id] === value) ?? reject(unknownId, as))
  const names = name && asName && params.texts(asName)
  if (!names) return reject('REQUIRED_IS_EMPTY', as)
  return names.map(value => rows.find(row => row[name] === value) ?? reject(unknownName, asName))
}

/** The one row that an id or a name selects; of several the first. */
export function selectOne<Row extends object>(rows: readonly Row[], params: Params, selector: Selector<Row>): Row {
  const [row] = select(rows, params, selector)
  return row ?? reject(selector.unknownId, selector.as ?? selector.id)
}

/** A row of the demonstration data, which is there when a new account is filled. */
export function demoRow<Row>(row: Row | undefined, name: string): Row {
  if (row === undefined) throw new Error(`the demonstration data has no ${name}`)
  return row
}

/** Now, as rows keep it: whole seconds. */
export const now = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z')
