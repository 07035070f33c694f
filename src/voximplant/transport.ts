import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { DisconnectSignal } from '../telemetry/disconnect.ts'
import type { Call, ResponseHead } from './call.ts'
import { type Progress, TransportError, type TransportReason } from './errors.ts'

/** Where the bytes of a response go. */
export interface BodySink {
  /** The head of the response has come, and stands in the exchange. */
  start(exchange: Exchange, controller: Dispatcher.DispatchController): void
  data(chunk: Buffer): void
  /** The body has ended. `exchange.complete()` has to follow, immediately or later. */
  end(): void
  /** Called once when no complete response came. */
  fail(error: Error): void
  /** What it means that the deadline passes now, where that is not the upstream's fault. */
  lateError?(): Error | undefined
}

/** A request body that is not there as a whole when the request starts. */
export interface BodySource {
  /** The chunks of the body. They end, or throw, when the exchange is over. */
  chunks(exchange: Exchange): AsyncIterable<Uint8Array>
  lateError(): Error | undefined
  /** The exchange is over. */
  stop(): void
}

export interface ExchangeOptions {
  call: Call
  /** What is sent: text as it is, or a source of chunks. */
  body: string | BodySource
  sink: BodySink
  timeoutMs: number
  /** Whether the caller's disconnect ends it at any time. It always ends one with a body from a source, until that is complete. */
  cancellable: boolean
  /** Whether it is only the deadline that decides when the upstream is late: it may wait for the caller meanwhile. */
  ownTimeout?: boolean
}

const path = '/platform_api'

/**
 * One request and its response: a dispatch handler of our own, as undici's body streams cost more than the call. It knows the deadline, the
 * caller's disconnect, the permit, and how much has been sent; the body comes from a source and goes to a sink. One object instead of closures:
 * those keep each other, and with them responses that were read long ago, from being collected early.
 */
export class Exchange implements Dispatcher.DispatchHandler, ResponseHead {
  status = 0
  headers: ResponseHead['headers'] = {}
  readonly #call: Call
  readonly #sink: BodySink
  readonly #source: BodySource | undefined
  readonly #signal: DisconnectSignal | undefined
  #progress: Progress = 'unsent'
  #controller: Dispatcher.DispatchController | undefined
  #timer: NodeJS.Timeout
  #over = false

  constructor({ call, body, sink, timeoutMs, cancellable }: ExchangeOptions) {
    this.#call = call
    this.#sink = sink
    this.#source = typeof body === 'string' ? undefined : body
    this.#timer = setTimeout(late, timeoutMs, this)
    const { signal } = call
    if (!signal || !(cancellable || this.#source)) return
    this.#signal = signal
    signal.addEventListener('abort', this)
  }

  /** Whether it has ended, in one way or another. */
  get over(): boolean {
    return this.#over
  }
  get progress(): Progress {
    return this.#progress
  }

  /** Sets another deadline, from now. */
  setTimeout(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#over) this.#timer = setTimeout(late, ms, this)
  }

  /** From here on the upstream can act on the body of the source. */
  bodyComplete(timeoutMs: number): void {
    this.#progress = 'sent'
    this.#signal?.removeEventListener('abort', this)
    this.setTimeout(timeoutMs)
  }

  /** Ends it with an error. Destroys the socket, so that a response that comes late is read by nobody. */
  abort(error: Error): void {
    if (this.#over) return
    this.#end()
    this.#sink.fail(error)
    this.#controller?.abort(error)
  }

  /** Ends it without calling the sink, which has what it needs. */
  discard(reason: Error): void {
    if (this.#over) return
    this.#end()
    this.#controller?.abort(reason)
  }

  /** Ends it: the sink has the whole response. */
  complete(): void {
    this.#end()
  }

  handleEvent(): void {
    this.#abortFor('aborted')
  }

  late(): void {
    const error = this.#source?.lateError() ?? this.#sink.lateError?.()
    if (error) this.abort(error)
    else this.#abortFor('deadline')
  }

  oversized(): void {
    this.#abortFor('oversized')
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { permit, account } = this.#call
    // A source checks for itself, as it takes longer.
    if (!this.#over && !this.#source && !permit.holds(account)) {
      const error = new TransportError('not-permitted', 'unsent')
      this.#end()
      this.#sink.fail(error)
      controller.abort(error)
      return
    }
    this.#controller = controller
    if (this.#over) controller.abort(new TransportError('deadline', 'unsent'))
    else if (this.#progress === 'unsent') this.#progress = this.#source ? 'partial' : 'sent'
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ResponseHead['headers']): void {
    this.status = status
    this.headers = headers
    this.#sink.start(this, controller)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#sink.data(chunk)
  }

  onResponseEnd(): void {
    if (!this.#over) this.#sink.end()
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    const timedOut = /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test((error as { code?: string }).code ?? '')
    if (this.#over) return
    this.#end()
    this.#sink.fail(new TransportError(timedOut ? 'deadline' : 'connection', this.#progress, error))
  }

  #abortFor(reason: TransportReason): void {
    // A file that is late is so before a connection is made as well.
    const progress = reason === 'deadline' && this.#source && this.#progress === 'unsent' ? 'partial' : this.#progress
    this.abort(new TransportError(reason, progress))
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this)
    this.#source?.stop()
  }
}

const late = (exchange: Exchange): void => exchange.late()

/** Sends a call's request. The exchange tells its sink what comes of it. */
export function dispatch(options: ExchangeOptions): void {
  const { call, body, ownTimeout } = options
  const exchange = new Exchange(options)
  if (call.signal?.aborted && (options.cancellable || typeof body !== 'string')) exchange.handleEvent()
  if (exchange.over) return
  call.target.pool.dispatch(
    {
      path,
      method: 'POST',
      headers: call.headers,
      // undici takes any iterable of chunks; its types do not say so.
      body: typeof body === 'string' ? body : (body.chunks(exchange) as unknown as Readable),
      ...(ownTimeout ? { headersTimeout: 0, bodyTimeout: 0 } : {})
    },
    exchange
  )
}
