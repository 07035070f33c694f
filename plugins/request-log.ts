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
    const lineOf = ({ method, routeOptions, tenant, journey, callerAddress }: FastifyRequest, reply: FastifyReply) => ({
      method,
      route: routeOptions.url,
      status: reply.statusCode,
      // A kind of problem, or nothing.
      problem: journey.problem,
      tenant: tenant?.tenantId,
      key: tenant?.keyId,
      address: callerAddress,
      trace: journey.traceId,
      ms: hundredths(reply.elapsedTime),
      ...(journey.attempts > 0 ? { upstreamMs: hundredths(journey.upstream), retries: journey.retries } : {}),
      ...(journey.gone ? { gone: true } : {})
    })
    app.onEnd((request, reply) => {
      const line = lineOf(request, reply)
      // A change whose caller does not know what became of it.
      if (request.journey.gone && request.journey.attempts > 0 && request.method !== 'GET') request.log.warn(line, 'the caller had gone')
      else request.log.info(line, 'request')
    })
  },
  { name: 'request-log', dependencies: ['journey'] }
)
