import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Problem } from '../problems/problem.ts'
import { attachment } from '../voximplant/download.ts'
import { type LongList, Rows, streamOf } from '../voximplant/rows.ts'
import { type Call, createCalls, type SendOperation } from './call.ts'
import { createFinders, findItem, hasNextPage, isNotFound, itemField, namedFields, notFoundIn, resolveNames } from './find-by-name.ts'
import type { Operation } from './operation.ts'
import { expandPath, type ReplyContext, type RestResponse, type UpstreamResponse } from './reply.ts'
import { callForAll, isName, requireChoices } from './select-all.ts'
import { invalid } from './validation.ts'

/**
 * The REST response to a decoded answer of the upstream. Throws Problem; an answer to a change that lacks what it must have is
 * `outcome-unknown`, as the change was sent and may have had its effect.
 */
export function readReply(
  { endpoint: { reply, rpc }, traits: { safe } }: Operation,
  response: UpstreamResponse,
  context: ReplyContext
): RestResponse {
  try {
    return reply.read(response, context)
  } catch (error) {
    if (safe || !(error instanceof Problem && error.type === 'upstream-answer-invalid')) throw error
    throw new Problem('outcome-unknown', `${error.message} ${rpc} is not sent again; look whether it had its effect.`, { cause: error })
  }
}

/** What the routes of a catalogue share. */
export interface RouteContext {
  /** Typed calls of the catalogue: they count what `all` selects. */
  callWith: (send: SendOperation) => Call
  finders: ReadonlyMap<string, Operation>
  /** The path the service is mounted under. */
  base: string
  /** Milliseconds that the calls before the one that was asked for may take together. */
  lookupTimeout: number
}

/** What the routes of these operations share. */
export const routeContext = (operations: readonly Operation[], { base = '', lookupTimeout = 30_000 } = {}): RouteContext => ({
  callWith: createCalls(operations),
  finders: createFinders(operations),
  base,
  lookupTimeout
})

/** One declaration as plain Fastify route options. */
export function toRoute(operation: Operation, { callWith, finders, base, lookupTimeout }: RouteContext): RouteOptions {
  const { endpoint, method, url, schema } = operation
  if (operation.upload) throw new Error(`${operation.id} takes a file: plugins/uploads.ts makes its route`)
  const { status, kind, file } = endpoint.reply
  if (file) return { method, url, schema, handler: passOn(operation, file.name), config: { operation } }
  const chooses = endpoint.all !== undefined || endpoint.exactlyOne !== undefined || endpoint.requires !== undefined
  const searches = itemField(operation) !== undefined
  const pages = kind === 'page' && endpoint.input.properties.offset !== undefined
  const names = operation.traits.safe || endpoint.all ? namedFields(operation, finders) : []
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    let input = { ...(request.params as object), ...(request.query as object), ...(request.body as object | null | undefined) } as Record<
      string,
      unknown
    >
    const everything = chooses && requireChoices(operation, input)
    const named = (names.length > 0 || searches) && isNamed(input)
    const end = everything || named ? performance.now() + lookupTimeout : 0
    if (named && names.length > 0 && (everything || operation.traits.safe))
      input = await resolveNames(operation, names, request, input, { finders, end })
    try {
      if (searches && named && isNamed(input)) return await findItem(operation, request, input, end)
      const answer = everything ? await callForAll(operation, request, input, callWith, end) : await request.voximplant(operation, input)
      const hasNext = pages && answer.totalCount === undefined && (await hasNextPage(operation, request, input, answer))
      const { body, headers } = readReply(operation, answer, { input, url: request.url, base, hasNext })
      if (operation.withhold && !request.tenant.scopes.includes('secrets')) operation.withhold(body)
      if (headers) reply.headers(headers)
      reply.code(status)
      return isLongList(body) ? sendRows(body, request, reply) : body
    } catch (error) {
      throw isNotFound(error) && !error.errors && !error.upstream ? notFoundIn(operation) : error
    }
  }
  return { method, url, schema, handler, config: { operation }, ...(method === 'DELETE' ? { preValidation: refuseBody } : {}) }
}

const isLongList = (body: unknown): body is LongList => (body as LongList | undefined)?.items instanceof Rows

/** Sends a list whose rows are JSON already; what has been passed on is not held any more. */
function sendRows(body: LongList, request: FastifyRequest, reply: FastifyReply) {
  const { hold } = request.journey
  const { stream, bytes } = streamOf(body, passed => hold?.set(Math.max(0, hold.bytes - passed)))
  reply.headers({ 'content-type': 'application/json; charset=utf-8', 'content-length': bytes })
  return stream
}

/** What a caller puts into a body that is not read would be lost. */
const refuseBody = async (request: FastifyRequest) => {
  if (request.body !== undefined && request.body !== null)
    throw invalid([{ in: 'body', pointer: '', detail: 'is not read by this method; send its fields in the query' }])
}

/** The handler of a download. */
const passOn = (operation: Operation, name: string) => async (request: FastifyRequest, reply: FastifyReply) => {
  const input = { ...(request.params as object), ...(request.query as object) }
  const { headers, stream } = await request.download(operation, input, reply)
  const disposition = attachment(headers['content-disposition'], expandPath(name, input))
  reply.headers({ 'content-type': 'application/octet-stream', ...headers, 'content-disposition': disposition })
  // Fastify reads a stream to its end to throw it away.
  if (request.method === 'HEAD') stream.destroy()
  return stream
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation behind a route of the catalogue. */
    operation?: Operation
  }
}

const isNamed = (input: Record<string, unknown>): boolean => Object.values(input).some(isName)
