import { randomFillSync } from 'node:crypto'
import type { Span } from '@opentelemetry/api'
import { Disconnect } from './disconnect.ts'
import { UpstreamStats } from './upstream-stats.ts'

const pool = Buffer.alloc(8192)
let used = pool.length

/** Random bytes in hexadecimal: ids, not secrets. */
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

/** The place of a request in a trace. */
export interface TraceParent {
  traceId: string
  /** The caller's span. */
  spanId: string
  /** Two hexadecimal digits. */
  flags: string
}

/** Reads a `traceparent`; undefined when it is not well-formed. */
export function readTraceparent(header: unknown): TraceParent | undefined {
  if (typeof header !== 'string') return undefined
  const [, traceId, spanId, flags] = wellFormed.exec(header) ?? later.exec(header) ?? []
  if (traceId === undefined || allZeros.test(traceId) || allZeros.test(spanId!)) return undefined
  return { traceId, spanId: spanId!, flags: flags! }
}

/** The trace of one request (W3C Trace Context), with what is known of the request at its end. */
export class RequestTrace {
  readonly traceId: string
  readonly parent: TraceParent | undefined
  /** The `tracestate` that came with the parent, passed on unchanged. */
  readonly state: string | undefined
  /** OpenTelemetry's span of the request, where an SDK is registered. */
  span: Span | undefined = undefined
  readonly upstream = new UpstreamStats()
  readonly disconnect = new Disconnect()
  /** The type of the problem that the response is. */
  problem: string | undefined = undefined
  /** Whether the listeners of its end have been called. */
  ended = false

  constructor(traceparent: unknown, tracestate: unknown) {
    this.parent = traceparent === undefined ? undefined : readTraceparent(traceparent)
    this.traceId = this.parent ? this.parent.traceId : randomHex(16)
    this.state = this.parent && typeof tracestate === 'string' && wellFormedState.test(tracestate) ? tracestate : undefined
  }

  /** A `traceparent` for a call that is made for this request, with a span id of its own. */
  next(): string {
    return `00-${this.traceId}-${randomHex(8)}-${this.parent ? this.parent.flags : '00'}`
  }
}
