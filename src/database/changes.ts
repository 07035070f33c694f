import type { Dialect, Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** What has changed: a key, a tenant and all it has, or, with neither, anything at all. */
export interface Change {
  tenantId?: string
  keyId?: string
}

/** How a database tells every process what has changed. */
export interface ChangeFeed {
  /** Notified within a transaction, received after its commit. */
  notify(transaction: Kysely<Tables>, change: Change): Promise<void>
  /** Listens until closed. After a gap, in which something may have been missed, it says that anything may have changed: `{}`. */
  listen(onChange: (change: Change) => void): { close(): Promise<void> }
}

/** A database, and how it passes changes on to other processes, where it does. */
export type StoreDialect = Dialect & { feed?: ChangeFeed }

/** Notifies listeners in this process of changes: of its own immediately, of those by other processes through the feed, which runs while there are listeners. */
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
