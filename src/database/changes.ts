import type { Kysely } from 'kysely'
import type { Change } from '../tenants/model.ts'
import type { Tables } from './tables.ts'

/** How a database tells every process what has changed. */
export interface ChangeFeed {
  /** Told within a transaction, heard after it. */
  notify(transaction: Kysely<Tables>, change: Change): Promise<void>
  /** Listens until closed. After a gap, in which something may have been missed, it says that anything may have changed: `{}`. */
  listen(onChange: (change: Change) => void): { close(): Promise<void> }
}

/** Who is told of changes in this process: its own at once, those of others by the feed. The feed runs while somebody listens. */
export function createChanges(feed: ChangeFeed | undefined) {
  const listeners = new Set<(change: Change) => void>()
  let listening: { close(): Promise<void> } | undefined
  const emit = (change: Change) => {
    for (const listener of listeners) listener(change)
  }
  return {
    emit,
    on(listener: (change: Change) => void): () => void {
      listeners.add(listener)
      listening ??= feed?.listen(emit)
      return () => void listeners.delete(listener)
    },
    async close() {
      listeners.clear()
      await listening?.close()
    }
  }
}

export type Changes = ReturnType<typeof createChanges>
