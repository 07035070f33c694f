import { randomFillSync } from 'node:crypto'
import type { Span } from '@opentelemetry/api'
import type { Hold } from '../limits/byte-budget.ts'

/** A request on its way: the trace it belongs to (W3C Trace Context), and what its calls of the upstream came to. */

const pool = Buffer.alloc(8192)
let used = pool.length

/** So many random bytes in hexadecimal: ids, not secrets. */
const randomHex = (bytes: number): string => {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

const allZeros = /^0+$/
const wellFormed = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
/** Later versions may say more after a dash. */
const later = /^(?!ff|00)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})-/
const wellFormedState = /^[\x20-\x7e\t]{1,512}$/

/** Where a request stands in a trace. */
export interface TraceParent {
  traceId: string
  /** The caller's span. */
  spanId: string
  /** Two hexadecimal digits. */
  flags: string
}

/** Reads a `traceparent`; undefined when it is none. */
export function readTraceparent(header: unknown): TraceParent | undefined {
  if (typeof header !== 'string') return undefined
  const [, traceId, spanId, flags] = wellFormed.exec(header) ?? later.exec(header) ?? []
  if (traceId === undefined || allZeros.test(traceId) || allZeros.test(spanId!)) return undefined
  return { traceId, spanId: spanId!, flags: flags! }
}

export class Journey {
  readonly traceId: string
  readonly parent: TraceParent | undefined
  /** What goes on beside the trace's id, as it came. */
  readonly state: string | undefined
  /** OpenTelemetry's span of the request, where an SDK is there to take it. */
  span: Span | undefined = undefined
  /** Milliseconds spent at the upstream. */
  upstream = 0
  /** Attempts at the upstream, and those that were not the first of their call. */
  attempts = 0
  retries = 0
  /** The kind of problem it was answered with. */
  problem: string | undefined = undefined
  /** The caller has gone before its answer was out. */
  gone = false
  /** Its end has been told. */
  ended = false
  /** What is held in memory for its response, if that is large. */
  hold: Hold | undefined = undefined
  /** What is under way at the upstream, where it may be ended before it is through. */
  underWay: { cut(reason: 'gone'): void } | undefined = undefined

  constructor(traceparent: unknown, tracestate: unknown) {
    this.parent = traceparent === undefined ? undefined : readTraceparent(traceparent)
    this.traceId = this.parent ? this.parent.traceId : randomHex(16)
    this.state = this.parent && typeof tracestate === 'string' && wellFormedState.test(tracestate) ? tracestate : undefined
  }

  /** A `traceparent` for a call that is made for this request, with a span of its own. */
  next(): string {
    return `00-${this.traceId}-${randomHex(8)}-${this.parent ? this.parent.flags : '00'}`
  }

  /** Takes over what a response of the upstream holds in memory. */
  keep(hold: Hold): void {
    this.release()
    if (this.ended) hold.release()
    else this.hold = hold
  }

  release(): void {
    this.hold?.release()
    this.hold = undefined
  }

  leave(): void {
    this.gone = true
    this.underWay?.cut('gone')
  }
}
