import type { TObject, TSchema } from '@sinclair/typebox'
import { Problem, type ProblemType } from '../problems/problem.ts'

/**
 * How a response of the upstream becomes a REST response: a closed set. Each names the status, the body's schema, the shape of the
 * upstream's response it reads (in REST words; the wire decodes it, the sandbox encodes it), and the reading itself.
 */
export interface Reply<Body = unknown> {
  kind: 'page' | 'list' | 'first' | 'value' | 'created' | 'accepted' | 'done' | 'file'
  status: 200 | 201 | 202 | 204
  /** What the status means, for the document. */
  description: string
  /** The body's schema; none for 204. */
  body?: TSchema
  /** The shape of the upstream's response. */
  response: TObject
  /** Whether a 404 can come of the response itself. */
  mayBeMissing?: boolean
  /** Response headers, for the document: name -> description. */
  headers?: Record<string, string>
  /** For a file: the media types it usually has, and its name where the upstream gives none (with `:field`s from the request). */
  file?: { types: readonly string[]; name: string }
  /** Problems that this reply can end in, beyond those of every call. */
  problems?: readonly ProblemType[]
  /** Decoded response -> REST response. Throws Problem. */
  read(response: UpstreamResponse, context: ReplyContext): RestResponse<Body>
}

/** A decoded response of the upstream: `result` and what stands beside it. */
export interface UpstreamResponse {
  result?: unknown
  totalCount?: number
  [field: string]: unknown
}

export interface ReplyContext {
  /** The request's fields: path, query and body merged. */
  input: Readonly<Record<string, unknown>>
  /** The request's URL, path and query. */
  url: string
  /** The path the service is mounted under: empty, or such as `/voximplant`. */
  base: string
  /** Whether a page is followed by another, where the upstream does not count. */
  hasNext?: boolean
}

export interface RestResponse<Body = unknown> {
  /** Undefined for replies without a body. */
  body: Body
  headers?: Record<string, string>
}

/** The body of a reply. */
export type BodyOf<R extends Reply> = R extends Reply<infer Body> ? Body : never

/** Adds what stood beside the upstream's `result`: under its own names, or, where these are taken, in `beside`. The body has what the reply declares. */
export function addBeside<Body>(own: object, others: Readonly<Record<string, unknown>>): Body {
  const body: Record<string, unknown> = Object.assign(own)
  let taken: Record<string, unknown> | undefined
  for (const name of Object.keys(others)) {
    if (body[name] === undefined) body[name] = others[name]
    else if (body[name] !== others[name]) {
      taken ??= {}
      taken[name] = others[name]
    }
  }
  if (taken) body.beside = body.beside === undefined ? taken : { beside: body.beside, ...taken }
  return body as Body
}

/** A `result` that is a mere acknowledgement, such as 1 or true, is expressed by the status; data is passed on. */
export const dataIn = (result: unknown): { result?: unknown } => (typeof result === 'object' ? { result } : {})

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** A `result: false` is the upstream's way, in some methods, to say that nothing was done. */
export function rejectFailure(result: unknown, reason: unknown): void {
  if (result === false) throw new Problem('state-conflict', `The upstream did nothing${reason ? `: ${reason}` : ', and gave no reason'}.`)
}

/** `/a/:b` with values. */
export const expandPath = (template: string, values: Readonly<Record<string, unknown>>): string =>
  template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(values[name])))

/** The paging of a request. */
export const pagingOf = ({ offset, limit }: Readonly<Record<string, unknown>>): { offset?: number; limit?: number } => ({
  ...(typeof offset === 'number' ? { offset } : {}),
  ...(typeof limit === 'number' ? { limit } : {})
})
