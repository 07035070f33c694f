import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Hold } from '../limits/byte-budget.ts'
import { Problem } from '../problems/problem.ts'
import { type Connection, Cut, callerGone, decoded, problemOfCut, type RawAnswer } from './client.ts'
import { textOf } from './encoding.ts'
import type { Decode, Drift } from './wire/drift.ts'

/** A file on its way to the upstream. */
export interface FilePart {
  /** The upstream's name of the parameter. */
  name: string
  filename: string
  type: string
  bytes: AsyncIterable<Uint8Array>
  /** How many bytes there are, where that is known. */
  size?: number | undefined
}

/** Parameters of a call, by the upstream's names. */
export type Texts = Iterable<readonly [name: string, value: string]>

/** One call of a method that takes a file. */
export interface UploadCall {
  method: string
  decode: Decode
  /** Fields of which an answer has at least one. */
  answers: readonly string[]
  /** The parameters that are known before the file, `cmd` first. */
  before: Texts
  file: FilePart
  /** The parameters that turn up only after the file; what it throws cuts the call, which then has no effect. */
  after?: (() => Promise<Texts>) | undefined
  /** Awaited right before the upstream can act; what it throws cuts the call, which then has no effect. */
  sending?: (() => Promise<void>) | undefined
  /** Asked before the first byte leaves and before the upstream can act; what it throws cuts the call, which then has no effect. */
  confirm?: (() => unknown) | undefined
  /** The caller has gone. */
  gone: AbortSignal
}

export interface UploadOptions {
  /** Milliseconds: until everything is sent, for which the upstream takes nothing of it, and from the last byte to the answer. */
  timeout: number
  stallTimeout: number
  answerTimeout: number
  /** The longest answer that is read, in bytes. */
  maxAnswerBytes: number
  /** What the response is counted in while it is held. */
  hold: Hold
  drift: Drift
}

/** As browsers write names into a header. */
const quoted = (name: string): string => `"${name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22')}"`

/** The type a file may claim: nothing that could end the header. */
const mediaType = /^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w."+:-]+)*$/

/**
 * Sends a file as a part of multipart/form-data, chunk by chunk as it comes. The upstream acts on the closing boundary only: a call that is cut
 * before it has no effect. Throws Refusal, Problem, and whatever the source of the bytes or of the later parameters throws.
 */
export async function upload(
  { pool, headers, params, done }: Connection,
  { method, decode, answers, before, file, after, sending, confirm, gone }: UploadCall,
  { timeout, stallTimeout, answerTimeout, maxAnswerBytes, hold, drift }: UploadOptions
): Promise<Record<string, unknown>> {
  const boundary = `voxgate-${randomBytes(24).toString('hex')}`
  const textParts = (texts: Texts): string => {
    let parts = ''
    for (const [name, value] of texts) parts += `--${boundary}\r\nContent-Disposition: form-data; name=${quoted(name)}\r\n\r\n${value}\r\n`
    return parts
  }
  const type = mediaType.test(file.type) ? file.type : 'application/octet-stream'
  const head = Buffer.from(
    `${textParts(before)}${textParts(params)}--${boundary}\r\nContent-Disposition: form-data; name=${quoted(file.name)}; filename=${quoted(file.filename)}\r\nContent-Type: ${type}\r\n\r\n`
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)

  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>()
  const chunks: Buffer[] = []
  let bytes = 0
  let raw: Omit<RawAnswer, 'text'> = { status: 0, headers: {} }
  let controller: Dispatcher.DispatchController | undefined
  // From here on the upstream can act.
  let complete = false
  let awaitsCaller = false
  let over = false

  const end = (error?: unknown) => {
    if (over) return
    over = true
    clearTimeout(timer)
    clearTimeout(stalled)
    gone.removeEventListener('abort', leave)
    if (error) reject(error)
    else resolve({ ...raw, text: textOf(Buffer.concat(chunks, bytes), raw.headers['content-encoding'], maxAnswerBytes) })
  }
  const cut = (error: Error) => {
    if (over) return
    end(error)
    controller?.abort(error)
  }
  const late = () =>
    cut(
      complete
        ? problemOfCut(new Cut('deadline', true), method, false)
        : awaitsCaller
          ? new Problem('request-timeout', 'The file did not come in time. Nothing was done.')
          : new Problem('upstream-timeout', 'The upstream did not take the file in time. It was cut before its end, so nothing was done.', {
              cause: new Cut('deadline', false)
            })
    )
  // What was sent completely is done, whether the caller hears of it or not.
  const leave = () => complete || cut(callerGone())
  let timer = setTimeout(late, timeout)
  // While the upstream takes nothing, nothing is read from the caller, and so it does not show when that one goes.
  let stalled: NodeJS.Timeout | undefined
  gone.addEventListener('abort', leave)
  if (gone.aborted) leave()

  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      await confirm?.()
      if (over) return
      stalled = setTimeout(() => awaitsCaller || late(), stallTimeout)
      yield head
      awaitsCaller = true
      for await (const chunk of file.bytes) {
        awaitsCaller = false
        stalled.refresh()
        yield chunk
        awaitsCaller = true
      }
      const later = after ? textParts(await after()) : ''
      if (later !== '') yield Buffer.from(`\r\n${later.slice(0, -2)}`)
      // An answer before the end, such as a refusal.
      if (over) return
      await confirm?.()
      if (sending) {
        await sending()
        await confirm?.()
      }
      if (over) return
      awaitsCaller = false
      clearTimeout(stalled)
      clearTimeout(timer)
      timer = setTimeout(late, answerTimeout)
      complete = true
      yield tail
    } catch (error) {
      cut(error as Error)
      throw error
    }
  }

  const length = file.size === undefined || after ? undefined : head.length + file.size + tail.length
  if (!over)
    pool.dispatch(
      {
        path: '/platform_api',
        method: 'POST',
        headers: {
          ...headers,
          accept: 'application/json',
          'accept-encoding': 'identity',
          'content-type': `multipart/form-data; boundary=${boundary}`,
          ...(length === undefined ? {} : { 'content-length': String(length) })
        },
        // Any source of chunks will do; the types do not know.
        body: body() as unknown as Readable,
        // A slow caller is no silent upstream: the timer above watches both.
        headersTimeout: 0,
        bodyTimeout: 0
      },
      {
        onRequestStart(started) {
          controller = started
          if (over) started.abort(new Error('cut'))
        },
        onResponseStart(_, status, headers) {
          raw = { status, headers }
        },
        onResponseData(_, chunk) {
          bytes += chunk.length
          if (bytes > maxAnswerBytes) cut(problemOfCut(new Cut('oversized', true), method, false))
          else chunks.push(chunk)
          hold.set(bytes)
        },
        onResponseEnd() {
          end()
        },
        onResponseError(_, error) {
          end(
            controller && !complete
              ? new Problem(
                  'upstream-unreachable',
                  'The connection to the upstream broke before the file was sent completely. Nothing was done.',
                  { cause: new Cut('connection', false, error) }
                )
              : problemOfCut(new Cut('connection', controller !== undefined, error), method, false)
          )
        }
      }
    )

  let answer: RawAnswer | undefined
  try {
    answer = await promise
    if (answer.status === 413 && !complete) throw new Problem('payload-too-large', 'The upstream takes no file of this size.')
    const body = decoded(answer, { method, decode, answers, safe: !complete }, drift)
    done(undefined, answer.status)
    return body
  } catch (error) {
    done(error, answer?.status)
    throw error
  } finally {
    hold.release()
  }
}
