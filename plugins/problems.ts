import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { invalid } from '../src/api/validation.ts'
import { DatabaseAway } from '../src/database/unavailable.ts'
import { problemBody } from '../src/problems/body.ts'
import { hostProblem, namesHost } from '../src/problems/malformed-request.ts'
import { Problem, type ProblemType, problemTypes } from '../src/problems/problem.ts'
import { KeyServerError } from '../src/vault/transit.ts'
import { UnknownMasterKey } from '../src/vault/vault.ts'

/** Fastify's own failures, by its error code; what is not here goes by its status. */
const frameworkErrors: Record<string, [ProblemType, string]> = {
  FST_ERR_BAD_URL: ['malformed-url', 'The URL holds a bad percent-encoding.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri-too-long', 'A segment of the path is too long.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload-too-large', 'The body is larger than this endpoint takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'This content type is not taken here; send application/json.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-body', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed-body', 'The body is not as long as Content-Length says.'],
  FST_ERR_HANDLER_TIMEOUT: ['service-unavailable', 'The request took too long.']
}

const byStatus: Record<number, ProblemType> = {
  400: 'malformed-body',
  404: 'not-found',
  405: 'method-not-allowed',
  408: 'request-timeout',
  413: 'payload-too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
  429: 'rate-limited',
  431: 'headers-too-large',
  503: 'service-unavailable'
}

/** Any failure as a Problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof DatabaseAway) return new Problem('store-unavailable', 'The database does not answer.', { cause: error })
  if (error instanceof KeyServerError) return new Problem('store-unavailable', 'The key server does not answer.', { cause: error })
  if (error instanceof UnknownMasterKey)
    return new Problem('store-unavailable', 'This replica does not know the master key that is in use.', { cause: error })
  const { code = '', statusCode } = error as Partial<FastifyError>
  const known = frameworkErrors[code]
  if (known) return new Problem(known[0], known[1], { cause: error })
  const type = statusCode === undefined ? undefined : byStatus[statusCode]
  if (type) return new Problem(type, `${problemTypes[type].title}.`, { cause: error })
  // The message of an unforeseen error may hold anything: it goes to the log only.
  return new Problem('internal-error', 'The failure has been logged under the request id.', { cause: error })
}

/** Answers a request with a problem. */
export const sendProblem = (problem: Problem, request: FastifyRequest, reply: FastifyReply, base: string): FastifyReply => {
  // A request whose URL cannot be read meets no hook.
  if (request.journey) request.journey.problem = problem.type
  if (problem.headers) reply.headers(problem.headers)
  if (problem.status === 401) reply.header('cache-control', 'no-store')
  if (problem.kind.retryable && problem.status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', '1')
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problemBody(problem, String(request.id), base))
}

/** The order in which Fastify validates; it stops at the first part that is wrong. */
const parts = ['params', 'body', 'querystring', 'headers'] as const

type Validate = (data: unknown) => { error?: unknown }

/** A problem of validation, with what is wrong in the parts that were not looked at any more. */
function withLaterParts(problem: Problem, request: FastifyRequest): Problem {
  const { validationContext } = problem as Problem & { validationContext?: (typeof parts)[number] }
  if (!validationContext || !problem.errors) return problem
  const errors = [...problem.errors]
  for (const part of parts.slice(parts.indexOf(validationContext) + 1)) {
    const found = request.getValidationFunction(part) as Validate | Record<string, Validate> | undefined
    const validate = typeof found === 'object' ? found[request.mediaType ?? ''] : found
    const outcome = validate?.(part === 'querystring' ? request.query : request[part])
    if (outcome?.error instanceof Problem) errors.push(...(outcome.error.errors ?? []))
  }
  return errors.length > problem.errors.length ? invalid(errors) : problem
}

/** What Node says of a body whose sender has disconnected. */
const disconnects = new Set(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'])

/** A body that ends early because its sender disconnected is nobody's mistake. */
function unlessGone(problem: Problem, { raw }: FastifyRequest): Problem {
  if (raw.complete || !raw.destroyed) return problem
  const unread =
    problem.type === 'malformed-body' || (problem.type === 'internal-error' && disconnects.has((problem.cause as FastifyError)?.code))
  return unread ? new Problem('caller-gone', 'The caller disconnected before its request had arrived.', { cause: problem.cause }) : problem
}

const isEncoded = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const page = (slug: string, base: string): string => {
  const kind = problemTypes[slug as ProblemType]
  const plain = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
  const code = (text: string) => plain(text).replace(/`([^`]+)`/g, '<code>$1</code>')
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${plain(kind.title)} - Voxgate</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}code{background:#eee;padding:0 .2em}dt{font-weight:600}dd{margin:0 0 .5rem}</style>
<h1>${plain(kind.title)}</h1><p>${code(kind.help)}</p>
<dl><dt>Code</dt><dd><code>${slug}</code></dd><dt>Status</dt><dd>${kind.status}</dd><dt>Who can mend it</dt><dd>${{ caller: 'you, the caller', voxgate: 'the operators of Voxgate or of the tenant', upstream: 'the upstream' }[kind.origin]}</dd><dt>Does trying again help?</dt><dd>${kind.retryable ? 'It can.' : 'Not without a change.'}</dd></dl>
<p><a href="${base}/problems">All problems</a></p></html>`
}

export interface ProblemsOptions {
  /** The path the service is mounted under. */
  base: string
}

/** Every failure, the framework's own included, becomes one application/problem+json; each kind of problem has a page. */
export default fp(
  async (app: FastifyInstance, { base }: ProblemsOptions) => {
    // Made once: a stack for each would cost more than the response.
    const nothingHere = new Problem('not-found', 'Nothing is served at this address.')
    app.setErrorHandler((error, request, reply) => {
      const problem = unlessGone(withLaterParts(problemOf(error), request), request)
      if (problem.status >= 500)
        request.log[problem.type === 'internal-error' ? 'error' : 'warn'](
          {
            code: problem.type,
            err: problem.type === 'internal-error' ? error : undefined,
            reason: problem.type === 'credentials-unverified' ? (problem.cause as Error | undefined)?.message : undefined
          },
          problem.type
        )
      return sendProblem(problem, request, reply, base)
    })
    // Before a body is read: its type or size does not matter here.
    app.addHook('onRequest', (request, reply, next) => {
      if (!namesHost(request.raw)) return app.limits.refuse(request, reply, hostProblem(), next)
      if (request.is404) return app.limits.refuse(request, reply, nothingHere, next)
      // The router decodes the path and refuses what it cannot; the query's parser takes anything, so that `%zz` would become a value.
      const at = request.url.indexOf('?')
      if (at >= 0 && request.url.indexOf('%', at) >= 0 && !isEncoded(request.url.slice(at + 1)))
        return app.limits.refuse(request, reply, new Problem('malformed-url', 'The query holds a bad percent-encoding.'), next)
      next()
    })
    app.setNotFoundHandler((request, reply) => sendProblem(nothingHere, request, reply, base))

    const html = { schema: { hide: true } }
    app.get(`${base}/problems`, html, (_, reply) => {
      const rows = Object.entries(problemTypes).map(
        ([slug, kind]) => `<li><a href="${base}/problems/${slug}">${kind.status} ${slug}</a>: ${kind.title}</li>`
      )
      return reply
        .type('text/html')
        .send(
          `<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems - Voxgate</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}</style><h1>Problems</h1><ul>${rows.join('')}</ul></html>`
        )
    })
    app.get<{ Params: { slug: string } }>(`${base}/problems/:slug`, html, (request, reply) => {
      if (!Object.hasOwn(problemTypes, request.params.slug)) throw new Problem('not-found', 'There is no such kind of problem.')
      return reply.type('text/html').send(page(request.params.slug, base))
    })
  },
  { name: 'problems', dependencies: ['limits'] }
)
