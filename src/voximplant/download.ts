import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Problem } from '../problems/problem.ts'
import { type Connection, Cut, callerGone, parse, problemOfCut, type RawAnswer, read, refusalIn } from './client.ts'
import { textOf } from './encoding.ts'

/** A file that is on its way. */
export interface Download {
  /** What the upstream says of it: `content-type`, `content-length`, `content-disposition` and `content-encoding`, as far as it does. */
  headers: Record<string, string>
  stream: Readable
}

/** One call of a method that answers a file. */
export interface DownloadCall {
  method: string
  /** `application/x-www-form-urlencoded`, `cmd` included. */
  form: string
  /** The caller's `Accept-Encoding`. */
  acceptEncoding: string | undefined
  /** Whether it may still leave, asked when its first byte is about to be written; when not, Cut `permit` is thrown. */
  permitted: () => boolean
  /** The caller has gone. */
  gone: AbortSignal
}

export interface DownloadOptions {
  /** How long the upstream may keep us waiting in all, and the caller at one time, in milliseconds. */
  timeout: number
}

const passed = ['content-type', 'content-length', 'content-disposition', 'content-encoding']

/** An answer of at most this many bytes may be an error; it is read before it is passed on. */
const maxErrorBytes = 65_536

const brace = '{'.charCodeAt(0)

/** Fetches a file, which is passed on chunk by chunk. Throws Refusal when the upstream says no, Problem when there is no file to be had. */
export function download(
  { pool, headers, params, done }: Connection,
  { method, form, acceptEncoding, permitted, gone }: DownloadCall,
  { timeout }: DownloadOptions
): Promise<Download> {
  const { promise, resolve, reject } = Promise.withResolvers<Download>()
  let controller: Dispatcher.DispatchController | undefined
  let answer: Omit<RawAnswer, 'text'> = { status: 0, headers: {} }
  /** What has come before it is known whether this is a file. */
  let held: Buffer[] | undefined = []
  let bytes = 0
  let over = false

  // The upstream's time runs while it is waited for, not while the caller takes what there is.
  let left = timeout
  let since = performance.now()
  const late = () =>
    fail(
      controller?.paused
        ? new Problem('request-timeout', 'The caller did not take the file in time.')
        : problemOfCut(new Cut('deadline', true), method, true)
    )
  let timer = setTimeout(late, left)
  const stream = new Readable({
    read() {
      if (!controller?.paused) return
      clearTimeout(timer)
      since = performance.now()
      timer = setTimeout(late, left)
      controller.resume()
    },
    destroy(error, destroyed) {
      // Whoever destroys it wants no more: the caller has gone, or nobody asks for the bytes.
      if (!over) {
        stop()
        done(error ?? callerGone(), undefined)
        controller?.abort(error ?? new Error('not wanted'))
      }
      destroyed(error)
    }
  })
  const give = (chunk: Buffer) => {
    if (stream.push(chunk) || over || controller?.paused) return
    clearTimeout(timer)
    left = Math.max(1, left - (performance.now() - since))
    timer = setTimeout(late, timeout)
    controller?.pause()
  }

  const stop = () => {
    over = true
    clearTimeout(timer)
    gone.removeEventListener('abort', leave)
  }
  const fail = (error: Error, status?: number) => {
    if (over) return
    stop()
    done(error, status)
    controller?.abort(error)
    // Before the start it is an answer; after it, the caller sees a file that breaks off.
    if (held) reject(error)
    else stream.destroy(error)
  }
  const leave = () => fail(callerGone())
  gone.addEventListener('abort', leave)

  const start = () => {
    const chunks = held ?? []
    held = undefined
    const kept = passed.flatMap(name => {
      const value = answer.headers[name]
      return typeof value === 'string' ? [[name, value] as const] : []
    })
    resolve({ headers: Object.fromEntries(kept), stream })
    for (const chunk of chunks) give(chunk)
  }
  /** What a short answer that looks like one of the API says; nothing when it is a file after all. */
  const refusal = (): Error | undefined => {
    const text = textOf(Buffer.concat(held ?? []), answer.headers['content-encoding'], 16 * maxErrorBytes)
    if (answer.status === 200) return refusalIn(parse(text), answer.headers['retry-after'] as string | undefined)
    try {
      read({ ...answer, text }, method, [], true)
    } catch (error) {
      return error as Error
    }
    return new Problem('upstream-answer-invalid', `The upstream answered ${method} with HTTP ${answer.status}.`)
  }
  const looksLikeFile = (): boolean => {
    if (answer.status !== 200 || String(answer.headers['content-type'] ?? '').includes('json'))
      return bytes > maxErrorBytes && answer.status === 200
    const first = held?.[0]?.find(byte => byte > 0x20)
    return first !== brace || bytes > maxErrorBytes
  }

  const body = params.reduce((body, [name, value]) => `${body}&${name}=${encodeURIComponent(value)}`, form)
  if (gone.aborted) leave()
  else
    pool.dispatch(
      {
        path: '/platform_api',
        method: 'POST',
        headers: {
          ...headers,
          'content-type': 'application/x-www-form-urlencoded',
          accept: '*/*',
          ...(acceptEncoding === undefined ? {} : { 'accept-encoding': acceptEncoding })
        },
        body,
        // A slow caller is no silent upstream: the timer above tells them apart.
        headersTimeout: 0,
        bodyTimeout: 0
      },
      {
        onRequestStart(started) {
          if (!over && !permitted()) {
            const error = new Cut('permit', false)
            fail(error)
            return started.abort(error)
          }
          controller = started
          if (over) started.abort(new Error('cut'))
        },
        onResponseStart(_, status, headers) {
          answer = { status, headers }
        },
        onResponseData(_, chunk) {
          if (!held) return give(chunk)
          bytes += chunk.length
          // An error that is longer than errors are is told by its status.
          if (bytes <= maxErrorBytes || answer.status === 200) held.push(chunk)
          if (looksLikeFile()) start()
        },
        onResponseEnd() {
          if (over) return
          const no = held && refusal()
          if (no) return fail(no, answer.status)
          if (held) start()
          stop()
          done(undefined, answer.status)
          stream.push(null)
        },
        onResponseError(_, error) {
          fail(problemOfCut(new Cut('connection', controller !== undefined, error), method, true))
        }
      }
    )
  return promise
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
