import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makePrivate, writePrivate } from '../database/private-files.ts'
import { type Filters, where } from './query.ts'

/** What the sandbox keeps of one account: rows by table, in REST form (camelCase, RFC 3339), and the next id of each table. */
export interface AccountState {
  accountId: number
  tables: Record<string, object[]>
  nextIds: Record<string, number>
}

/** A table of every account: typed access to its rows. */
export interface Table<Row extends object, Id extends keyof Row & string> {
  rows(account: AccountState): Row[]
  where(account: AccountState, filters: Filters<Row>): Row[]
  /** The row with an id. */
  find(account: AccountState, id: unknown): Row | undefined
  /** Adds a row under a new id. */
  add(account: AccountState, row: Omit<Row, Id>): Row
  /** Removes rows; returns how many there were. */
  remove(account: AccountState, rows: readonly Row[]): number
}

/** @param id the field that identifies a row. Ids begin at `first` and are never used again. */
export function table<Row extends object, Id extends keyof Row & string>(name: string, id: Id, first = 1): Table<Row, Id> {
  const rows = (account: AccountState): Row[] => {
    account.tables[name] ??= []
    return account.tables[name] as Row[]
  }
  return {
    rows,
    where: (account, filters) => where(rows(account), filters),
    find: (account, value) => rows(account).find(row => row[id] === value),
    add(account, row) {
      const next = account.nextIds[name] ?? first
      account.nextIds[name] = next + 1
      const added: object = { [id]: next, ...row }
      rows(account).push(added as Row)
      return added as Row
    },
    remove(account, removed) {
      account.tables[name] = rows(account).filter(row => !removed.includes(row))
      return removed.length
    }
  }
}

/** The state of all accounts, in memory; with a file it is kept across restarts. */
export interface State {
  account(accountId: number, seed: (account: AccountState) => void): AccountState
  /** Schedules a write, within 200 ms. */
  changed(): void
  /** Writes pending changes immediately. */
  flush(): void
}

/** @param file where the state is kept; none: in memory only */
export function createState(file?: string): State {
  const accounts = new Map<number, AccountState>()
  let timer: NodeJS.Timeout | undefined
  if (file) {
    makePrivate(file)
    try {
      const stored: AccountState[] = JSON.parse(readFileSync(file, 'utf8'))
      for (const account of stored) accounts.set(account.accountId, account)
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error && error.code === 'ENOENT'))
        throw new Error(
          `the sandbox's state in ${file} cannot be read: ${error instanceof Error ? error.message : error}; delete the file to start anew`
        )
    }
  }
  const flush = () => {
    clearTimeout(timer)
    if (!file || !timer) return
    timer = undefined
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writePrivate(file, JSON.stringify([...accounts.values()]))
  }
  return {
    account(accountId, seed) {
      let account = accounts.get(accountId)
      if (!account) {
        account = { accountId, tables: {}, nextIds: {} }
        accounts.set(accountId, account)
        seed(account)
      }
      return account
    },
    changed() {
      if (file) timer ??= setTimeout(flush, 200).unref()
    },
    flush
  }
}
