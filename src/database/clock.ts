import { type Kysely, PostgresAdapter, sql } from 'kysely'

/**
 * The database's clock, as all replicas and restarts share it. Between measurements it runs on the monotonic clock: the wall clock of the process,
 * which may be wrong or be set while it runs, decides nothing.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Compares with the database again. Throws what the database throws. */
  sync(): Promise<void>
}

/** How far one measurement may move the clock after the first one, in milliseconds: no single step makes records expire all together. */
const maxStep = 60_000
/** A measurement that took longer says too little, in milliseconds. */
const maxRoundTrip = 1_000

/**
 * @param read the other clock, in milliseconds since the epoch
 * @param monotonic milliseconds, from anywhere on
 */
export async function createClock(read: () => Promise<number>, monotonic = () => performance.now()): Promise<Clock> {
  let offset: number | undefined
  const sync = async (): Promise<void> => {
    const before = monotonic()
    const theirs = await read()
    const after = monotonic()
    const measured = theirs - (before + after) / 2
    if (offset === undefined) offset = measured
    else if (after - before <= maxRoundTrip) offset += Math.min(maxStep, Math.max(-maxStep, measured - offset))
  }
  await sync()
  return { now: () => Math.round(monotonic() + offset!), sync }
}

/** The clock of a database. */
export function databaseClock(database: Kysely<unknown>): Promise<Clock> {
  const query =
    database.getExecutor().adapter instanceof PostgresAdapter
      ? sql<{ ms: number }>`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`
      : sql<{ ms: number }>`select unixepoch('subsec') * 1000.0 as ms`
  return createClock(async () => Number((await query.execute(database)).rows[0]!.ms))
}
