import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Problem } from '../problems/problem.ts'
import type { Call, Content, ResponseHead } from './call.ts'
import { textOf } from './encoding.ts'
import { callerGone, TransportError, toProblem } from './errors.ts'
import { withParams } from './form.ts'
import { parse, type RawResponse, read, upstreamErrorIn } from './response.ts'
import { type BodySink, dispatch, type Exchange } from './transport.ts'

/** A file as it comes from the upstream. */
export class Download {
  /** What the upstream says of it: `content-type`, `content-length`, `content-disposition` and `content-encoding`, where it does. */
  readonly headers: Record<string, string>
  readonly stream: Readable
  readonly #listeners: ((failure: unknown) => void)[] = []
  #ended = false
  #failure: unknown

  constructor(headers: Record<string, string>, stream: Readable) {
    this.headers = headers
    this.stream = stream
  }

  /** Calls back once the file has come to its end, or has failed: `failure` is then defined. */
  onEnd(listener: (failure: unknown) => void): void {
    if (this.#ended) listener(this.#failure)
    else this.#listeners.push(listener)
  }

  /** To be called when the file has come to its end, or has failed. */
  end(failure?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    for (const listener of this.#listeners) listener(failure)
  }
}

const passedOn = ['content-type', 'content-length', 'content-disposition', 'content-encoding']

/** A response of at most this many bytes may be an error; it is read before it is passed on. */
const maxErrorBytes = 65_536

const brace = '{'.charCodeAt(0)

/** A call of a method that returns a file, which is passed on chunk by chunk. */
export class DownloadContent implements Content<Download> {
  readonly repeatable = true
  readonly #form: string
  readonly #acceptEncoding: string | undefined
  readonly #timeoutMs: number

  /**
   * @param form `application/x-www-form-urlencoded`, `cmd` included
   * @param acceptEncoding the caller's `Accept-Encoding`
   * @param timeoutMs how long the upstream may keep us waiting in all, and the caller at one time
   */
  constructor(form: string, acceptEncoding: string | undefined, timeoutMs: number) {
    this.#form = form
    this.#acceptEncoding = acceptEncoding
    this.#timeoutMs = timeoutMs
  }

  async send(call: Call): Promise<Download> {
    const { headers, method } = call
    headers['content-type'] = 'application/x-www-form-urlencoded'
    headers.accept = '*/*'
    if (this.#acceptEncoding !== undefined) headers['accept-encoding'] = this.#acceptEncoding
    // Not the timeout of a probe: a file may take longer than that to arrive.
    const timeoutMs = call.attempt === 1 ? this.#timeoutMs : Math.max(1, call.deadline - performance.now())
    const received = await new Promise<Download | RawResponse>((resolve, reject) =>
      dispatch({
        call,
        body: withParams(this.#form, call),
        sink: new StreamSink(method, this.#timeoutMs, timeoutMs, resolve, reject),
        timeoutMs,
        cancellable: true,
        ownTimeout: true
      })
    )
    if (received instanceof Download) return received
    call.response = received
    read(received, method, [], true)
    throw new Problem('upstream-answer-invalid', `The upstream answered ${method} with HTTP ${received.status}.`)
  }
}

/** Passes a response on as a stream, unless it is an error. The upstream's time runs while it is waited for, not while the caller takes what there is. */
class StreamSink implements BodySink {
  readonly #method: string
  readonly #callerTimeoutMs: number
  readonly #resolve: (received: Download | RawResponse) => void
  readonly #reject: (error: Error) => void
  #exchange!: Exchange
  #controller!: Dispatcher.DispatchController
  #download: Download | undefined
  /** What has come before it is known whether it is a file. */
  #held: Buffer[] = []
  #bytes = 0
  /** What is left of the upstream's time, and since when it runs. */
  #leftMs: number
  #since = performance.now()

  constructor(
    method: string,
    callerTimeoutMs: number,
    timeoutMs: number,
    resolve: (received: Download | RawResponse) => void,
    reject: (error: Error) => void
  ) {
    this.#method = method
    this.#callerTimeoutMs = callerTimeoutMs
    this.#leftMs = timeoutMs
    this.#resolve = resolve
    this.#reject = reject
  }

  start(exchange: Exchange, controller: Dispatcher.DispatchController): void {
    this.#exchange = exchange
    this.#controller = controller
  }

  data(chunk: Buffer): void {
    if (this.#download) {
      this.#push(this.#download, chunk)
      return
    }
    this.#bytes += chunk.length
    // An error body that is too long is reported by its status alone.
    if (this.#bytes <= maxErrorBytes || this.#exchange.status === 200) this.#held.push(chunk)
    if (this.#looksLikeFile()) this.#begin()
  }

  end(): void {
    if (!this.#download) {
      const { status, headers } = this.#exchange
      const text = textOf(Buffer.concat(this.#held), headers['content-encoding'], 16 * maxErrorBytes)
      if (status !== 200 || upstreamErrorIn(parse(text), undefined)) {
        this.#exchange.complete()
        this.#resolve({ status, headers, text })
        return
      }
    }
    const download = this.#download ?? this.#begin()
    this.#exchange.complete()
    download.end()
    download.stream.push(null)
  }

  fail(error: Error): void {
    const download = this.#download
    if (!download) {
      this.#reject(error)
      return
    }
    download.end(error)
    // The caller sees a file that breaks off.
    download.stream.destroy(error instanceof TransportError ? toProblem(error, this.#method, true) : error)
  }

  lateError(): Error | undefined {
    return this.#download && this.#controller.paused
      ? new Problem('request-timeout', 'The caller did not take the file in time.')
      : undefined
  }

  #looksLikeFile(): boolean {
    const { status, headers } = this.#exchange
    if (status !== 200 || String(headers['content-type'] ?? '').includes('json')) return this.#bytes > maxErrorBytes && status === 200
    const first = this.#held[0]?.find(byte => byte > 0x20)
    return first !== brace || this.#bytes > maxErrorBytes
  }

  #begin(): Download {
    const stream = new Readable({
      read: () => this.#resume(),
      destroy: (error, destroyed) => {
        // The caller has disconnected, or does not want the bytes.
        download.end(error ?? callerGone())
        this.#exchange.discard(error ?? new Error('not wanted'))
        destroyed(error)
      }
    })
    // It may fail before anybody reads it.
    stream.on('error', () => {})
    const download = new Download(headersOf(this.#exchange), stream)
    this.#download = download
    this.#resolve(download)
    for (const chunk of this.#held.splice(0)) this.#push(download, chunk)
    return download
  }

  #push({ stream }: Download, chunk: Buffer): void {
    if (stream.push(chunk) || this.#exchange.over || this.#controller.paused) return
    this.#leftMs = Math.max(1, this.#leftMs - (performance.now() - this.#since))
    this.#exchange.setTimeout(this.#callerTimeoutMs)
    this.#controller.pause()
  }

  #resume(): void {
    if (!this.#controller.paused) return
    this.#since = performance.now()
    this.#exchange.setTimeout(this.#leftMs)
    this.#controller.resume()
  }
}

const headersOf = ({ headers }: ResponseHead): Record<string, string> => {
  const passed: Record<string, string> = {}
  for (const name of passedOn) {
    const value = headers[name]
    if (typeof value === 'string') passed[name] = value
  }
  return passed
}

/**
 * A `content-disposition` that has the file saved, never shown, under the name it came with or another one. Names beyond ASCII, which come as
 * bytes, are written as RFC 6266 has them: Node sends no such bytes.
 */
export function attachment(disposition: string | undefined, otherwise: string): string {
  if (disposition === undefined) return `attachment; filename="${otherwise}"`
  if (/^[\x20-\x7e]*$/.test(disposition)) return disposition.replace(/^[^;]*/, 'attachment')
  const bytes = Buffer.from(disposition, 'latin1')
  const text = bytes.toString().includes('\ufffd') ? disposition : bytes.toString()
  const [, quoted, bare] = /;\s*filename=(?:"((?:[^"\\]|\\.)*)"|([^;]*))/i.exec(text) ?? []
  const name = quoted?.replace(/\\(.)/g, '$1') ?? bare?.trim() ?? otherwise
  const plain = name.replace(/[^\x20-\x7e]|["\\]/g, '_')
  const coded = encodeURIComponent(name).replace(/['()*]/g, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${coded}`
}
