import type { NewAuditEntry } from './model.ts'

/** A request that was refused although its key was right. */
export interface Refusal {
  tenantId: string
  keyId: string
  /** The problem it was answered with, such as `address-not-allowed`. */
  code: string
  address: string
  requestId: string
  /** The operation it asked for. */
  operation: string | undefined
}

/** Writes refusals to the audit log, as `key.refused`: the first of a key and kind, and then how many more there were, once per interval. */
export interface RefusalLog {
  /** Never waits and never throws. */
  note(refusal: Refusal): void
  /** Writes what has not been written yet. */
  close(): Promise<void>
  readonly counts: {
    /** Rejections without an audit entry: the database did not accept it, or there were too many kinds. */ dropped: number
  }
}

export interface RefusalLogOptions {
  record: (entry: NewAuditEntry) => Promise<unknown>
  onError: (error: unknown) => void
  /** Milliseconds. */
  intervalMs: number
  /** Kinds of refusal, by key and code, that are watched at a time. */
  maxKinds: number
}

/** Addresses that an entry names, at most. */
const maxAddresses = 10
/** Entries that wait to be written, at most. */
const maxWaiting = 1_000

interface Window {
  last: Refusal
  endsAt: number
  suppressed: number
  addresses: Set<string>
}

export function createRefusalLog({ record, onError, intervalMs, maxKinds }: RefusalLogOptions): RefusalLog {
  const counts = { dropped: 0 }
  /** By key and code, the one that ends first at the front. */
  const windows = new Map<string, Window>()
  const waiting: { entry: NewAuditEntry; refusals: number }[] = []
  let writing: Promise<void> | undefined

  const drain = async (): Promise<void> => {
    // The caller that counted it continues first.
    await undefined
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        await record(next.entry)
      } catch (error) {
        counts.dropped += next.refusals
        onError(error)
      }
    }
    writing = undefined
  }
  const write = ({ tenantId, keyId, code, address, requestId, operation }: Refusal, more?: Window): void => {
    const refusals = more?.suppressed ?? 1
    if (waiting.length >= maxWaiting) {
      counts.dropped += refusals
      return
    }
    const detail = {
      ...(operation === undefined ? {} : { operation }),
      ...(more ? { suppressed: more.suppressed, addresses: [...more.addresses] } : {})
    }
    const entry = {
      actor: { kind: 'key' as const, id: keyId, address, requestId },
      action: 'key.refused',
      tenantId,
      target: keyId,
      outcome: code,
      detail
    }
    waiting.push({ entry, refusals })
    writing ??= drain()
  }
  /** Ends the windows that are over: a busy one is followed by another, a quiet one is forgotten. */
  const sweep = (now: number): void => {
    for (const [name, window] of windows) {
      if (window.endsAt > now) return
      windows.delete(name)
      if (window.suppressed === 0) continue
      write(window.last, window)
      windows.set(name, { ...window, endsAt: now + intervalMs, suppressed: 0, addresses: new Set() })
    }
  }
  const timer = setInterval(() => sweep(performance.now()), Math.min(intervalMs, 1_000)).unref()

  return {
    counts,
    note(refusal) {
      const name = `${refusal.keyId}/${refusal.code}`
      const window = windows.get(name)
      if (window) {
        window.last = refusal
        window.suppressed++
        if (window.addresses.size < maxAddresses) window.addresses.add(refusal.address)
        return
      }
      if (windows.size >= maxKinds) {
        counts.dropped++
        return
      }
      windows.set(name, { last: refusal, endsAt: performance.now() + intervalMs, suppressed: 0, addresses: new Set() })
      write(refusal)
    },
    async close() {
      clearInterval(timer)
      sweep(Number.POSITIVE_INFINITY)
      await writing
    }
  }
}
