import type { Drift } from './wire/drift.ts'

/** Counts are kept for this many names at most, of this many characters: the names are the upstream's. */
const maxNames = 1000
const maxNameLength = 100

/** Differences between responses of the upstream and what is declared, by `<noun>.<field>`. */
export class DriftCounts implements Drift {
  readonly unknownFields = new Map<string, number>()
  readonly unreadableFields = new Map<string, number>()

  unknown = (field: string): void => add(this.unknownFields, field)
  unreadable = (field: string): void => add(this.unreadableFields, field)
}

function add(counts: Map<string, number>, name: string): void {
  // A copy: a slice would keep the whole name in memory.
  const field = name.length > maxNameLength ? structuredClone(name.slice(0, maxNameLength)) : name
  const before = counts.get(field)
  if (before !== undefined || counts.size < maxNames) counts.set(field, (before ?? 0) + 1)
}
