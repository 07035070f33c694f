import type { Dispatcher } from 'undici'
import { Problem } from '../problems/problem.ts'
import type { Call, ResponseHead } from './call.ts'
import { textOf } from './encoding.ts'
import { TransportError, UpstreamError } from './errors.ts'
import { LargeResponse, type LargeResponses, largeFrom } from './large-response.ts'
import { parseRetryAfter } from './retry.ts'
import type { Rows } from './rows.ts'
import type { BodySink, Exchange } from './transport.ts'
import type { Decode, Drift } from './wire/drift.ts'
import { decodeExactly } from './wire/response.ts'

/** A response as it was received. */
export interface RawResponse extends ResponseHead {
  text: string
  /** The rows of a long list, which `text` then lacks. */
  rows?: Rows | undefined
}

/** How the response of a method is read. */
export interface ResponseShape {
  decode: Decode
  /** Fields of which a response of the method has at least one, by the upstream's names. */
  resultFields: readonly string[]
  /** An error beside a result that holds data comes through with it; without this it is an error and nothing else. */
  partial?: boolean | undefined
  /** How its `result` is decoded, where that is a list: a long one is then `Rows`, written already. */
  decodeRows?: Decode | undefined
}

/** Reads a response into memory, a large one by the rules of `large-response.ts`. */
export class BufferSink implements BodySink {
  readonly #call: Call
  readonly #decodeRows: Decode | undefined
  readonly #responses: LargeResponses
  readonly #resolve: (response: RawResponse) => void
  readonly #reject: (error: Error) => void
  #exchange!: Exchange
  #controller!: Dispatcher.DispatchController
  #large: LargeResponse | undefined
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(
    call: Call,
    decodeRows: Decode | undefined,
    responses: LargeResponses,
    resolve: (response: RawResponse) => void,
    reject: (error: Error) => void
  ) {
    this.#call = call
    this.#decodeRows = decodeRows
    this.#responses = responses
    this.#resolve = resolve
    this.#reject = reject
  }

  start(exchange: Exchange, controller: Dispatcher.DispatchController): void {
    this.#exchange = exchange
    this.#controller = controller
    const length = Number(exchange.headers['content-length'])
    if (length > this.#responses.maxBytes) exchange.oversized()
    else if (length > largeFrom) this.#enlarge(length)
  }

  data(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#responses.maxBytes) this.#exchange.oversized()
    else if (this.#large) this.#large.data(chunk)
    else {
      this.#chunks.push(chunk)
      if (this.#bytes > largeFrom) this.#enlarge(undefined)
    }
  }

  end(): void {
    if (this.#large) {
      this.#large.end()
      return
    }
    const chunks = this.#chunks
    const [first] = chunks
    const body = first && chunks.length === 1 ? first : Buffer.concat(chunks, this.#bytes)
    this.#finish(textOf(body, this.#exchange.headers['content-encoding'], this.#responses.maxBytes))
  }

  fail(error: Error): void {
    this.#chunks = []
    this.#large?.cancel()
    this.#reject(error)
  }

  lateError(): Error | undefined {
    return this.#large?.delayed ? new TransportError('crowded', this.#exchange.progress) : undefined
  }

  #finish(text: string, rows?: Rows): void {
    const { status, headers } = this.#exchange
    this.#chunks = []
    this.#exchange.complete()
    this.#resolve({ status, headers, text, rows })
  }

  /** From here on it is read as large responses are. */
  #enlarge(length: number | undefined): void {
    const { account, safe, stats } = this.#call
    const { status, headers } = this.#exchange
    this.#large = new LargeResponse(this.#responses, this.#controller, {
      tenantId: account.tenantId,
      decodeRows: status === 200 ? this.#decodeRows : undefined,
      encoding: headers['content-encoding'],
      waits: safe,
      length,
      done: result => {
        if (!result) {
          this.#resolve({ status, headers, text: '' })
          this.#exchange.discard(new Error('no JSON'))
          return
        }
        // Counted until the caller has taken what becomes of it.
        if (stats) stats.keep(result.hold)
        else result.hold.release()
        this.#finish(result.text, result.rows)
      }
    })
    for (const chunk of this.#chunks.splice(0)) this.#large.data(chunk)
  }
}

/**
 * A response as declared, when the upstream did what it was asked; throws as `read` does.
 * @param safe nothing was changed: a read, or a call that was not sent to its end
 */
export function decoded(
  raw: RawResponse,
  { decode, resultFields, partial }: ResponseShape,
  method: string,
  safe: boolean,
  drift: Drift
): Record<string, unknown> {
  const response = decodeExactly(read(raw, method, resultFields, safe, partial), raw.text, decode, drift) as Record<string, unknown>
  if (raw.rows) response.result = raw.rows
  return response
}

/**
 * The JSON object of a response when the upstream did what it was asked; throws UpstreamError or Problem otherwise. After a change, only the API's
 * own error document means that nothing was done: proxies return 429 and 503 also when the connection broke after the request was forwarded.
 * @param safe nothing was changed: a read, or a call that was not sent to its end
 */
export function read(
  { status, headers, text, rows }: RawResponse,
  method: string,
  resultFields: readonly string[],
  safe: boolean,
  partial = false
): Record<string, unknown> {
  const seconds = parseRetryAfter(headers['retry-after'], headers.date)
  const retryAfter = seconds === undefined ? undefined : String(seconds)
  const body = parse(text)
  const error = upstreamErrorIn(body, retryAfter)
  const carriesData = partial && status === 200 && (rows?.length || holdsData(body?.result))
  if (error && !carriesData && (safe || isErrorDocument(body))) throw error
  if (safe && status === 429)
    throw new Problem('rate-limited', `The upstream takes no more ${method} calls for now.`, {
      headers: { 'retry-after': retryAfter ?? '1' }
    })
  if (safe && status === 503)
    throw new Problem('upstream-unavailable', `The upstream is not available for ${method}.`, {
      headers: { 'retry-after': retryAfter ?? '1' }
    })
  if (status === 200 && (!error || carriesData) && body && resultFields.some(field => field in body)) return body
  const what = status === 200 ? `answered ${method} with something that is no answer of its API` : `answered ${method} with HTTP ${status}`
  if (!safe) throw new Problem('outcome-unknown', `The upstream ${what}. It is not sent again; look whether it had its effect.`)
  throw new Problem(status >= 500 ? 'upstream-fault' : 'upstream-answer-invalid', `The upstream ${what}.`)
}

/** Whether a result has data in it: neither a bare acknowledgement nor empty. */
const holdsData = (result: unknown): boolean => typeof result === 'object' && result !== null && Object.keys(result).length > 0

/** The upstream's error in a response, if it holds one. */
export function upstreamErrorIn(body: Record<string, unknown> | undefined, retryAfter: string | undefined): UpstreamError | undefined {
  const error = errorOf(body)
  if (!error) return undefined
  const { code, msg, field_name: fieldName } = error
  return new UpstreamError(Number(code), String(msg ?? ''), typeof fieldName === 'string' ? fieldName : undefined, retryAfter)
}

/** The JSON object that a text is; undefined when it is none. */
export function parse(text: string): Record<string, unknown> | undefined {
  try {
    const body = JSON.parse(text)
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : undefined
  } catch {
    return undefined
  }
}

/** The upstream's error: `error`, or the first of `errors`, as some methods write it. */
function errorOf(body: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  const error = body?.error ?? (Array.isArray(body?.errors) ? body.errors[0] : undefined)
  if (error === undefined || error === null || error === false) return undefined
  return typeof error === 'object' ? (error as Record<string, unknown>) : { msg: error }
}

/** Whether an error has the form of the API, `{code, msg}`, and so does not come from a gateway that returns JSON, too. */
function isErrorDocument(body: Record<string, unknown> | undefined): boolean {
  const { code, msg } = errorOf(body) ?? {}
  return /^\d+$/.test(String(code)) && typeof msg === 'string'
}
