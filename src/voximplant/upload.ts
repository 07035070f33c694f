import { randomBytes } from 'node:crypto'
import { Problem } from '../problems/problem.ts'
import type { Call, Content } from './call.ts'
import type { LargeResponses } from './large-response.ts'
import { BufferSink, decoded, type RawResponse, type ResponseShape } from './response.ts'
import { type BodySource, dispatch, type Exchange } from './transport.ts'

/** A file that is passed on to the upstream. */
export interface FilePart {
  /** The upstream's name of the parameter. */
  name: string
  filename: string
  type: string
  bytes: AsyncIterable<Uint8Array>
  /** In bytes, where that is known. */
  size?: number | undefined
}

/** Parameters of a call, by the upstream's names. */
export type Texts = Iterable<readonly [name: string, value: string]>

/** What is sent with a file. */
export interface UploadParts {
  /** The parameters that are known before the file, `cmd` first. */
  before: Texts
  file: FilePart
  /** The parameters that are known only after the file; what it throws aborts the call, which then has no effect. */
  after?: (() => Promise<Texts>) | undefined
}

export interface UploadOptions {
  /** Milliseconds: until everything is sent, for how long the upstream may take nothing of it, and from the last byte to the response. */
  timeoutMs: number
  stallTimeoutMs: number
  responseTimeoutMs: number
}

/** As browsers write names into a header. */
const quoted = (name: string): string => `"${name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22')}"`

/** The media types that a file may claim: nothing that could end the header. */
const mediaType = /^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w."+:-]+)*$/

/**
 * A call with a file as a part of multipart/form-data, sent chunk by chunk as it comes. The upstream acts on the closing boundary only: a call that
 * is aborted before it has no effect, and what the source of the bytes or of the later parameters throws is what the call rejects with.
 */
export class UploadContent implements Content<Record<string, unknown>> {
  readonly repeatable = false
  readonly #parts: UploadParts
  readonly #shape: ResponseShape
  readonly #responses: LargeResponses
  readonly #options: UploadOptions

  constructor(parts: UploadParts, shape: ResponseShape, responses: LargeResponses, options: UploadOptions) {
    this.#parts = parts
    this.#shape = shape
    this.#responses = responses
    this.#options = options
  }

  async send(call: Call): Promise<Record<string, unknown>> {
    const { headers, method } = call
    const body = new MultipartBody(call, this.#parts, this.#options)
    headers.accept = 'application/json'
    headers['accept-encoding'] = 'identity'
    headers['content-type'] = `multipart/form-data; boundary=${body.boundary}`
    if (body.length !== undefined) headers['content-length'] = String(body.length)
    const raw = await new Promise<RawResponse>((resolve, reject) =>
      dispatch({
        call,
        body,
        sink: new BufferSink(call, undefined, this.#responses, resolve, reject),
        timeoutMs: this.#options.timeoutMs,
        cancellable: false,
        ownTimeout: true
      })
    )
    call.response = raw
    if (raw.status === 413 && !body.complete) throw new Problem('payload-too-large', 'The upstream takes no file of this size.')
    return decoded(raw, this.#shape, method, !body.complete, this.#responses.drift)
  }
}

/** The parts of an upload, as undici asks for them. */
class MultipartBody implements BodySource {
  readonly boundary = `voxgate-${randomBytes(24).toString('hex')}`
  /** In bytes, where that is known beforehand. */
  readonly length: number | undefined
  /** Whether the upstream can act on what was sent. */
  complete = false
  readonly #call: Call
  readonly #parts: UploadParts
  readonly #options: UploadOptions
  readonly #head: Buffer
  readonly #tail: Buffer
  #awaitsCaller = false
  #stallTimer: NodeJS.Timeout | undefined

  constructor(call: Call, parts: UploadParts, options: UploadOptions) {
    this.#call = call
    this.#parts = parts
    this.#options = options
    const { before, file, after } = parts
    const type = mediaType.test(file.type) ? file.type : 'application/octet-stream'
    this.#head = Buffer.from(
      `${this.#text(before)}${this.#text(call.params)}--${this.boundary}\r\nContent-Disposition: form-data; name=${quoted(file.name)}; filename=${quoted(file.filename)}\r\nContent-Type: ${type}\r\n\r\n`
    )
    this.#tail = Buffer.from(`\r\n--${this.boundary}--\r\n`)
    this.length = file.size === undefined || after ? undefined : this.#head.length + file.size + this.#tail.length
  }

  async *chunks(exchange: Exchange): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#sendParts(exchange)
    } catch (error) {
      exchange.abort(error as Error)
      throw error
    }
  }

  async *#sendParts(exchange: Exchange): AsyncGenerator<Uint8Array> {
    const { file, after } = this.#parts
    const { permit, beforeSend } = this.#call
    await permit.account()
    if (exchange.over) return
    // While the upstream takes nothing, nothing is read from the caller, whose disconnect does not show then.
    const stallTimer = setTimeout(() => this.#awaitsCaller || exchange.late(), this.#options.stallTimeoutMs)
    this.#stallTimer = stallTimer
    yield this.#head
    this.#awaitsCaller = true
    for await (const chunk of file.bytes) {
      this.#awaitsCaller = false
      stallTimer.refresh()
      yield chunk
      this.#awaitsCaller = true
    }
    const later = after ? this.#text(await after()) : ''
    if (later !== '') yield Buffer.from(`\r\n${later.slice(0, -2)}`)
    // A response before the end, such as a rejection.
    if (exchange.over) return
    await permit.account()
    if (beforeSend) {
      await beforeSend()
      await permit.account()
    }
    if (exchange.over) return
    this.#awaitsCaller = false
    clearTimeout(stallTimer)
    this.complete = true
    exchange.bodyComplete(this.#options.responseTimeoutMs)
    yield this.#tail
  }

  lateError(): Error | undefined {
    return this.#awaitsCaller ? new Problem('request-timeout', 'The file did not come in time. Nothing was done.') : undefined
  }

  stop(): void {
    clearTimeout(this.#stallTimer)
  }

  #text(texts: Texts): string {
    let parts = ''
    for (const [name, value] of texts)
      parts += `--${this.boundary}\r\nContent-Disposition: form-data; name=${quoted(name)}\r\n\r\n${value}\r\n`
    return parts
  }
}
