import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { problemBody } from '../src/problems/body.ts'
import { problemOf } from '../src/problems/from-error.ts'
import { invalid } from '../src/problems/invalid-request.ts'
import { hostProblem, namesHost } from '../src/problems/malformed-request.ts'
import { isProblemType, problemList, problemPage } from '../src/problems/page.ts'
import { Problem } from '../src/problems/problem.ts'

/** Sends a problem as the response. */
const sendProblem = (problem: Problem, request: FastifyRequest, reply: FastifyReply, base: string): FastifyReply => {
  // A request whose URL cannot be read meets no hook.
  if (request.trace) request.trace.problem = problem.type
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

/** Responds to requests that Fastify rejects before any hook runs. @param base the path the service is mounted under */
export const frameworkErrorHandler =
  (base: string) =>
  (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    const { server } = request
    request.callerAddress = server.callerAddressOf(request.raw)
    server.allowOrigin(request, reply)
    server.limits.reject(request, reply, problemOf(error), problem => sendProblem(problem, request, reply, base))
  }

/** Every failure, the framework's own included, becomes one application/problem+json; each kind of problem has a page. */
export default fp(
  async (app: FastifyInstance, { basePath: base }: Pick<Config['server'], 'basePath'>) => {
    // Created once: a stack trace for each would cost more than the response.
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
      if (!namesHost(request.raw)) return app.limits.reject(request, reply, hostProblem(), next)
      if (request.is404) return app.limits.reject(request, reply, nothingHere, next)
      // The router decodes the path and refuses what it cannot; the query's parser takes anything, so that `%zz` would become a value.
      const at = request.url.indexOf('?')
      if (at >= 0 && request.url.indexOf('%', at) >= 0 && !isEncoded(request.url.slice(at + 1)))
        return app.limits.reject(request, reply, new Problem('malformed-url', 'The query holds a bad percent-encoding.'), next)
      next()
    })
    app.setNotFoundHandler((request, reply) => sendProblem(nothingHere, request, reply, base))

    const hidden = { schema: { hide: true } }
    app.get(`${base}/problems`, hidden, (_, reply) => reply.type('text/html').send(problemList(base)))
    app.get<{ Params: { type: string } }>(`${base}/problems/:type`, hidden, ({ params: { type } }, reply) => {
      if (!isProblemType(type)) throw new Problem('not-found', 'There is no such problem type.')
      return reply.type('text/html').send(problemPage(type, base))
    })
  },
  { name: 'problems', dependencies: ['limits'] }
)
