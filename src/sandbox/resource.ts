import type { UpstreamErrorName } from '../voximplant/error-codes.ts'
import { type Params, reject } from './codec.ts'
import type { Method } from './method.ts'
import { defined, type Filters, pageOf, type Selector, select, selectOne, where } from './query.ts'
import type { AccountState, Table } from './state.ts'

export interface ResourceOptions<Row extends object, Id extends keyof Row & string> {
  table: Table<Row, Id>
  /** The field that identifies a row; `as` is its parameter, where that has another name. */
  id: Id
  as?: string
  /** The field that names a row; `asName` is its parameter, where that has another name. */
  name?: keyof Row & string
  asName?: string
  /** Whether calls can select rows by name; true unless given. */
  byName?: boolean
  /** The error for an id that does not exist; for a name, too, without `nameNotFound`. */
  notFound: UpstreamErrorName
  nameNotFound?: UpstreamErrorName
  /** The error for a name that another row has. */
  unique?: UpstreamErrorName
  /** Rejects names that the upstream does not accept. */
  checkName?: (name: string, param: string) => void
  /** The rows a call can reach; all rows of the account unless given. */
  within?: (account: AccountState, params: Params) => Row[]
  /** Removes references to rows that are deleted. */
  onRemove?: (account: AccountState, ids: Row[Id][]) => void
}

/** The operations of a plain section: rows with an id and perhaps a name, added, listed, changed and deleted. */
export function resource<Row extends object, Id extends keyof Row & string>({
  table,
  id,
  as = id,
  name,
  asName = name,
  byName = true,
  notFound,
  nameNotFound = notFound,
  unique,
  checkName,
  within = table.rows,
  onRemove
}: ResourceOptions<Row, Id>) {
  const selector: Selector<Row> = { id, name: byName ? name : undefined, unknownId: notFound, unknownName: nameNotFound, as, asName }
  const selectRows = (account: AccountState, params: Params): Row[] => select(within(account, params), params, selector)
  /** Checks a name, which no row but `self` may have. Returns it. */
  const check = (account: AccountState, params: Params, text: string, param: string, self?: Row): string => {
    checkName?.(text, param)
    if (name && unique && within(account, params).some(row => row !== self && row[name] === text)) reject(unique, param)
    return text
  }
  const remove: Method = (params, account) => {
    const rows = selectRows(account, params)
    table.remove(account, rows)
    onRemove?.(
      account,
      rows.map(row => row[id])
    )
    return undefined
  }
  return {
    /** The rows that a call names. */
    select: selectRows,
    /** The row that a call names. */
    one: (account: AccountState, params: Params): Row => selectOne(within(account, params), params, selector),
    /** The name that a call has to give, checked. */
    requiredName: (account: AccountState, params: Params, param: string, self?: Row): string =>
      check(account, params, params.required(param), param, self),
    /** The name that a call gives a row, checked; undefined where it gives none. */
    newName(account: AccountState, params: Params, param: string, self?: Row): string | undefined {
      const text = params.text(param)
      return text === undefined ? undefined : check(account, params, text, param, self)
    },
    /** Adds a row; the response is its id. */
    add: (account: AccountState, row: Omit<Row, Id>) => ({ result: 1, [id]: table.add(account, row)[id] }),
    /** One page of the rows that pass the filters. */
    page: (account: AccountState, params: Params, filters: Filters<Row>) => pageOf(where(within(account, params), filters), params),
    /** Changes the fields that have a value. */
    update(row: Row, fields: Partial<Row>): undefined {
      Object.assign(row, defined(fields))
    },
    /** Deletes the rows that a call names. */
    remove
  }
}
