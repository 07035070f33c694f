import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, PostgresAdapter, type SelectQueryBuilder } from 'kysely'

/** Work on many rows in the background: in batches, with room for everybody else between them, and a limit of time for all. */

/** Rows of a batch. */
export const batchSize = 500
/** How long a sweep may take in all, in milliseconds; the rest is left for the next one. */
export const sweepBudgetMs = 2_000

/** How many rows were changed; `more`: the time was over before all were. */
export interface Swept {
  rows: number
  more: boolean
}

/** Runs batches until one is not full or the deadline has passed. Between two it pauses as long as the last one took. */
export async function inBatches(step: () => Promise<number>, deadline: number = performance.now() + sweepBudgetMs): Promise<Swept> {
  for (let rows = 0; ; ) {
    const before = performance.now()
    const changed = await step()
    rows += changed
    if (changed < batchSize) return { rows, more: false }
    if (performance.now() >= deadline) return { rows, more: true }
    await sleep(performance.now() - before)
  }
}

/** Has a sweep leave out what another replica is sweeping. SQLite has one writer at a time, and no such clause. */
// biome-ignore lint/suspicious/noExplicitAny: it is the same query for any table
export const skipLocked = <Q extends SelectQueryBuilder<any, any, any>>(database: Kysely<any>, query: Q): Q =>
  database.getExecutor().adapter instanceof PostgresAdapter ? (query.forUpdate().skipLocked() as Q) : query

/** Runs a sweep again and again until it is stopped: after `intervalMs`, or, where it left something, after as long as a sweep may take. */
export function sweepEvery(intervalMs: number, sweep: () => Promise<{ more: boolean } | undefined>): { stop(): Promise<void> } {
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout
  // Replicas that start together should not sweep together.
  const plan = (ms: number) => {
    timer = setTimeout(run, ms * (0.75 + Math.random() / 2)).unref()
  }
  const run = () => {
    running = sweep().then(swept => {
      if (!stopped) plan(swept?.more ? sweepBudgetMs : intervalMs)
    })
  }
  plan(intervalMs)
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    }
  }
}
