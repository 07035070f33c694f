import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

const hundredths = (ms: number): number => Math.round(ms * 100) / 100

/** One log line per request, of names, addresses and numbers only: no URL with its query, no header, no body. The id goes back as `X-Request-Id`. */
export default fp(
  async (app: FastifyInstance) => {
    app.addHook('onRequest', (request, reply, next) => {
      reply.header('x-request-id', request.id)
      next()
    })
    if (app.log.level === 'silent' || app.log.level === undefined) return
    const lineOf = ({ method, routeOptions, tenant, trace, callerAddress }: FastifyRequest, reply: FastifyReply) => ({
      method,
      route: routeOptions.url,
      status: reply.statusCode,
      // A kind of problem, or nothing.
      problem: trace.problem,
      tenant: tenant?.tenantId,
      key: tenant?.keyId,
      address: callerAddress,
      trace: trace.traceId,
      ms: hundredths(reply.elapsedTime),
      ...(trace.upstream.attempts > 0 ? { upstreamMs: hundredths(trace.upstream.ms), retries: trace.upstream.retries } : {}),
      ...(trace.disconnect.aborted ? { gone: true } : {})
    })
    app.onEnd((request, reply) => {
      const line = lineOf(request, reply)
      // A change whose caller does not know what became of it.
      const { disconnect, upstream } = request.trace
      if (disconnect.aborted && upstream.attempts > 0 && request.method !== 'GET') request.log.warn(line, 'the caller had gone')
      else request.log.info(line, 'request')
    })
  },
  { name: 'request-log', dependencies: ['request-trace'] }
)
