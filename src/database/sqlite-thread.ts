import { Worker } from 'node:worker_threads'

/** What a statement came to: its rows, or how many it changed. */
export interface ThreadResult {
  rows?: unknown[]
  changes?: number | bigint
}

/** The messages of `sqlite-worker.ts`. */
export interface ThreadRequest {
  id: number
  sql: string
  parameters: readonly unknown[]
}
export interface ThreadReply extends ThreadResult {
  id: number
  error?: { message: string; code?: string | undefined; errcode?: number | undefined }
}

/** The thread ended while statements were in flight. */
export const threadEndedCode = 'SQLITE_THREAD_ENDED'

const endedError = (message: string, cause?: unknown): Error => Object.assign(new Error(message, { cause }), { code: threadEndedCode })

/** How long a thread may take to close its connection, in milliseconds; after that it is ended. */
const closeTimeoutMs = 5_000

interface Pending {
  resolve(result: ThreadResult): void
  reject(error: Error): void
}

/** A connection to a SQLite file in a thread of its own, started by the first statement, and again after it has crashed. */
export class SqliteThread {
  readonly #options: { path: string; readOnly: boolean }
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  #starts = 0
  #lastId = 0
  #closed = false

  constructor(path: string, { readOnly = false } = {}) {
    this.#options = { path, readOnly }
  }

  /** How often the thread was started. */
  get starts(): number {
    return this.#starts
  }

  /** The thread, while there is one. */
  get worker(): Worker | undefined {
    return this.#worker
  }

  /**
   * Runs one statement, after those before it. Throws the driver's error with `code` and `errcode`, or one with `threadEndedCode`.
   * @param start the start of the thread that the statement is for; it does not run on a later one
   */
  async run(sql: string, parameters: readonly unknown[] = [], start?: number): Promise<ThreadResult> {
    if (this.#closed) throw endedError('the database is closed')
    if (start !== undefined && (start !== this.#starts || !this.#worker)) throw endedError('the thread of this transaction ended')
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<ThreadResult>()
    this.#worker ??= this.#start()
    this.#pending.set(id, { resolve, reject })
    // It keeps the process alive only while somebody waits for it.
    this.#worker.ref()
    try {
      this.#worker.postMessage({ id, sql, parameters } satisfies ThreadRequest)
    } catch (error) {
      this.#take(id)
      throw error
    }
    return promise
  }

  /** Closes the connection after what is in flight. */
  async close(): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    if (!worker) return
    const ended = new Promise(resolve => worker.once('exit', resolve))
    worker.ref()
    worker.postMessage('close')
    const timer = setTimeout(() => void worker.terminate(), closeTimeoutMs)
    await ended
    clearTimeout(timer)
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#worker?.unref()
    return pending
  }

  #start(): Worker {
    this.#starts++
    // Flags of the main thread, such as loaders, are not for this one.
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: this.#options, execArgv: [] })
    worker.on('message', ({ id, error, ...result }: ThreadReply) => {
      const pending = this.#take(id)
      if (error) pending?.reject(Object.assign(new Error(error.message), { code: error.code, errcode: error.errcode }))
      else pending?.resolve(result)
    })
    let cause: unknown
    worker.on('error', error => {
      cause = error
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
      const error = endedError('the thread of the SQLite database ended', cause)
      for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(error)
    })
    return worker
  }
}
