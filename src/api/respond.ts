import type { FastifyReply, FastifyRequest } from 'fastify'
import { attachment } from '../voximplant/download.ts'
import { type LongList, Rows, streamOf } from '../voximplant/rows.ts'
import { type Call, createCalls, type SendOperation } from './call.ts'
import type { RequestContext } from './context.ts'
import { createFinders, findItem, hasNextPage, isNotFound, itemField, namedFields, notFoundIn, resolveNames } from './find-by-name.ts'
import type { Operation } from './operation.ts'
import { expandPath } from './reply.ts'
import { readReply } from './reply-of.ts'
import { respondUpload } from './respond-upload.ts'
import { callOnAll, isName, validateSelection } from './select-all.ts'
import type { Upstream } from './upstream.ts'

/** The innermost part of a request: calls the upstream, and returns the body of the response. */
export type Respond = (context: RequestContext) => Promise<unknown>

export interface RespondOptions {
  upstream: Upstream
  operations: readonly Operation[]
  /** The path the service is mounted under. */
  base: string
  /** Milliseconds that the calls before the one that was asked for may take together. */
  lookupTimeoutMs: number
  /** Maximum size of an uploaded file, in bytes. */
  maxUploadBytes: number
}

/** Returns for each operation how it responds: to an upload, with a file, or plainly. */
export function createResponder(options: RespondOptions): (operation: Operation) => Respond {
  const callWith = createCalls(options.operations)
  const finders = createFinders(options.operations)
  return operation => {
    const { upload, endpoint } = operation
    const { file } = endpoint.reply
    if (upload) {
      const uploadOptions = { upstream: options.upstream, base: options.base, maxBytes: options.maxUploadBytes }
      return context => respondUpload(context, upload, uploadOptions)
    }
    return file ? context => respondDownload(context, file.name, options.upstream) : respondPlain(operation, options, callWith, finders)
  }
}

/** Responds to an operation whose parameters may be names, and may select everything. */
function respondPlain(
  operation: Operation,
  { upstream, base, lookupTimeoutMs }: RespondOptions,
  callWith: (send: SendOperation) => Call,
  finders: ReadonlyMap<string, Operation>
): Respond {
  const { endpoint, traits, withhold } = operation
  const { status, kind } = endpoint.reply
  const chooses = endpoint.all !== undefined || endpoint.exactlyOne !== undefined || endpoint.requires !== undefined
  const searches = itemField(operation) !== undefined
  const pages = kind === 'page' && endpoint.input.properties.offset !== undefined
  const names = traits.safe || endpoint.all ? namedFields(operation, finders) : []
  return async context => {
    const { request, reply } = context
    let input = inputOf(request)
    const everything = chooses && validateSelection(operation, input)
    const named = (names.length > 0 || searches) && isNamed(input)
    const end = everything || named ? performance.now() + lookupTimeoutMs : 0
    if (named && names.length > 0 && (everything || traits.safe))
      input = await resolveNames(operation, names, senderOf(upstream, context), input, { finders, end })
    try {
      if (searches && named && isNamed(input)) return await findItem(operation, senderOf(upstream, context), input, end)
      const { scopes } = request.tenant
      const answer = everything
        ? await callOnAll(operation, senderOf(upstream, context), scopes, input, callWith, end)
        : await upstream.call(context, operation, input)
      const hasNext = pages && answer.totalCount === undefined && (await hasNextPage(operation, senderOf(upstream, context), input, answer))
      const { body, headers } = readReply(operation, answer, { input, url: request.url, base, hasNext })
      if (withhold && !scopes.includes('secrets')) withhold(body)
      if (headers) reply.headers(headers)
      reply.code(status)
      return isLongList(body) ? sendRows(body, request, reply) : body
    } catch (error) {
      throw isNotFound(error) && !error.errors && !error.upstream ? notFoundIn(operation) : error
    }
  }
}

/** Responds with a file, which is passed on as it comes. */
async function respondDownload(context: RequestContext, name: string, upstream: Upstream): Promise<unknown> {
  const { request, reply } = context
  const input = inputOf(request)
  const { headers, stream } = await upstream.download(context, input)
  const disposition = attachment(headers['content-disposition'], expandPath(name, input))
  reply.headers({ 'content-type': 'application/octet-stream', ...headers, 'content-disposition': disposition })
  // Fastify would read a stream to its end to discard it.
  if (request.method === 'HEAD') stream.destroy()
  return stream
}

const senderOf =
  (upstream: Upstream, context: RequestContext): SendOperation =>
  (operation, input, form) =>
    upstream.call(context, operation, input, form)

const inputOf = ({ params, query, body }: FastifyRequest): Record<string, unknown> => ({
  ...(params as object),
  ...(query as object),
  ...(body as object | null | undefined)
})

const isNamed = (input: Record<string, unknown>): boolean => Object.values(input).some(isName)

const isLongList = (body: unknown): body is LongList => (body as LongList | undefined)?.items instanceof Rows

/** Sends a list whose rows are JSON already. What has been passed on is no longer counted as held in memory. */
function sendRows(body: LongList, request: FastifyRequest, reply: FastifyReply) {
  const { hold } = request.trace.upstream
  const { stream, bytes } = streamOf(body, passed => hold?.set(Math.max(0, hold.bytes - passed)))
  reply.headers({ 'content-type': 'application/json; charset=utf-8', 'content-length': bytes })
  return stream
}
