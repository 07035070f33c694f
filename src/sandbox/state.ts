import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makePrivate, writePrivate } from '../database/private-files.ts'

/** What the sandbox keeps of one account: rows by table, in REST form (camelCase, RFC 3339), and the next id of each kind. */
export interface AccountState {
  accountId: number
  tables: Record<string, Record<string, unknown>[]>
  nextIds: Record<string, number>
}

/** A table of every account: typed access to its rows. `id` is the field that identifies a row; ids begin at `first` and are never used again. */
export function table<Row extends object>(name: string, id: keyof Row & string, first = 1) {
  const rows = (account: AccountState): Row[] => {
    account.tables[name] ??= []
    return account.tables[name] as Row[]
  }
  return {
    rows,
    /** Adds a row under a new id. */
    add(account: AccountState, row: Omit<Row, typeof id>): Row {
      const next = account.nextIds[name] ?? first
      account.nextIds[name] = next + 1
      const added = { [id]: next, ...row } as unknown as Row
      rows(account).push(added)
      return added
    },
    /** The row with an id. */
    find: (account: AccountState, value: unknown): Row | undefined => rows(account).find(row => row[id] === value),
    /** Removes the rows that match; answers how many. */
    remove(account: AccountState, matches: (row: Row) => boolean): number {
      const kept = rows(account).filter(row => !matches(row))
      const removed = rows(account).length - kept.length
      account.tables[name] = kept as Record<string, unknown>[]
      return removed
    }
  }
}

/** Everything the sandbox remembers; with a file it outlives the process. */
export interface State {
  account(accountId: number, seed: (account: AccountState) => void): AccountState
  /** Something has changed: it is written soon. */
  changed(): void
  /** Writes now what is not written yet. */
  flush(): void
}

/** @param file where the state is kept; none: in memory only */
export function createState(file?: string): State {
  const accounts = new Map<number, AccountState>()
  let timer: NodeJS.Timeout | undefined
  if (file) {
    makePrivate(file)
    try {
      for (const account of JSON.parse(readFileSync(file, 'utf8')) as AccountState[]) accounts.set(account.accountId, account)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT')
        throw new Error(`the sandbox's state in ${file} cannot be read: ${(error as Error).message}; delete the file to begin anew`)
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
