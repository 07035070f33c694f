import type { FastifyReply, FastifyRequest } from 'fastify'
import { hashing } from '../idempotency/header.ts'
import type { IdempotentAttempt, RequestContext } from './context.ts'
import { readReply } from './reply-of.ts'
import type { UploadPlan } from './upload.ts'
import { readUpload } from './upload-readers.ts'
import type { UploadInput, Upstream } from './upstream.ts'

export interface RespondUploadOptions {
  upstream: Upstream
  /** The path the service is mounted under. */
  base: string
  /** Maximum size of a file, in bytes. */
  maxBytes: number
}

/** How long a caller may go on sending what is no longer read, in milliseconds. */
const discardTimeoutMs = 5_000

/** Responds to a request with a file. Nothing is kept: fields are checked as they come, and bytes are passed on as they are. */
export async function respondUpload(
  context: RequestContext,
  plan: UploadPlan,
  { upstream, base, maxBytes }: RespondUploadOptions
): Promise<unknown> {
  const { operation, request, reply, attempt } = context
  try {
    const upload = await readUpload(request, plan, maxBytes)
    upload.input = { ...(request.params as object), ...upload.input }
    if (attempt) noteContents(upload, attempt)
    if (attempt?.repeated) return await readToEnd(upload)
    const response = await upstream.upload(context, upload)
    const { body, headers } = readReply(operation, response, { input: upload.input, url: request.url, base })
    if (headers) reply.headers(headers)
    reply.code(operation.endpoint.reply.status)
    return body
  } finally {
    discardRest(request, reply)
  }
}

/** Notes what an upload asks for, once it has been read to its end. */
function noteContents(upload: UploadInput, attempt: IdempotentAttempt): void {
  const { file, after } = upload
  let bytesHash = ''
  const note = () => attempt.note(upload.input, file.filename, file.type, bytesHash)
  file.bytes = hashing(file.bytes, hash => {
    bytesHash = hash
    if (!after) note()
  })
  if (after)
    upload.after = async () => {
      const later = await after()
      note()
      return later
    }
}

/** A repeated request is only read, to be compared with the first one. */
async function readToEnd({ file, after }: UploadInput): Promise<void> {
  for await (const _ of file.bytes);
  await after?.()
}

/** Discards the rest of a body that was not read to its end, for a limited time, so that the caller reads the response. */
function discardRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.readableEnded || raw.destroyed) return
  reply.raw.once('finish', () => {
    if (raw.readableEnded || raw.destroyed) return
    raw.unpipe()
    // A reader that has not let go yet holds the stream; the listener has it flow from then on.
    raw.on('data', () => {}).resume()
    const timer = setTimeout(() => raw.destroy(), discardTimeoutMs).unref()
    raw.once('close', () => clearTimeout(timer))
  })
}
