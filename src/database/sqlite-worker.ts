import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadReply, ThreadRequest } from './sqlite-thread.ts'

/** One connection to SQLite, in a thread of its own: what takes long here stops nobody's event loop. Opened by its first statement. */

const { path, readOnly } = workerData as { path: string; readOnly: boolean }
const port = parentPort!
let database: DatabaseSync | undefined

function open(): DatabaseSync {
  // A lock is waited for in the main thread, which can give up.
  const opened = new DatabaseSync(path, { timeout: 0 })
  try {
    opened.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma secure_delete = on')
    if (readOnly) opened.exec('pragma query_only = on')
    return opened
  } catch (error) {
    opened.close()
    throw error
  }
}

function run({ sql, parameters }: ThreadRequest): Omit<ThreadReply, 'id'> {
  database ??= open()
  const statement = database.prepare(sql)
  const values = parameters as SQLInputValue[]
  if (statement.columns().length > 0) return { rows: statement.all(...values) }
  return { changes: statement.run(...values).changes }
}

port.on('message', (request: ThreadRequest | 'close') => {
  if (request === 'close') {
    database?.close()
    port.close()
    return
  }
  const { id } = request
  try {
    port.postMessage({ id, ...run(request) } satisfies ThreadReply)
  } catch (error) {
    // A cloned error would lose its codes.
    const { message, code, errcode } = error as { message: string; code?: string; errcode?: number }
    port.postMessage({ id, error: { message, code, errcode } } satisfies ThreadReply)
  }
})
