import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../src/api/request.ts'
import { RequestTrace } from '../src/telemetry/request-trace.ts'
import { endRequest, findTracer, startRequest } from '../src/telemetry/spans.ts'

/** Called once per request, when its response was sent, or would have been if its caller had not disconnected. */
export type OnEnd = (request: FastifyRequest, reply: FastifyReply) => void

/** `request.trace`: the trace that a request belongs to, and what becomes of it; `Server-Timing` tells the caller the durations. */
export default fp(
  async (app: FastifyInstance) => {
    const tracer = findTracer()
    const listeners: OnEnd[] = []
    app.decorate('onEnd', (listener: OnEnd) => {
      listeners.push(listener)
    })
    if (tracer) app.onEnd((request, reply) => endRequest(request.trace, reply.statusCode, request.tenant?.tenantId))
    const requests = { inFlight: 0 }
    app.decorate('requests', requests)
    const end: OnEnd = (request, reply) => {
      if (request.trace.ended) return
      request.trace.ended = true
      requests.inFlight--
      for (const listener of listeners) listener(request, reply)
    }

    app.decorateRequest('trace')
    app.addHook('onRequest', (request, reply, next) => {
      const { traceparent, tracestate } = request.headers
      const trace = new RequestTrace(traceparent, tracestate)
      request.trace = trace
      // Here, as a later hook may reject the request before others see it.
      requests.inFlight++
      reply.raw.on('close', () => {
        if (reply.raw.writableFinished) return
        trace.disconnect.abort()
        // Fastify has no hook for a response that was not read to its end.
        if (reply.raw.headersSent) end(request, reply)
      })
      if (tracer) startRequest(tracer, trace, request.method, request.routeOptions.url, next)
      else next()
    })
    app.addHook('onSend', (request, reply, payload, next) => {
      const { upstream, disconnect } = request.trace
      const total = `total;dur=${reply.elapsedTime.toFixed(1)}`
      reply.header('server-timing', upstream.attempts === 0 ? total : `${total}, upstream;dur=${upstream.ms.toFixed(1)}`)
      if (disconnect.aborted) end(request, reply)
      next(null, payload)
    })
    app.addHook('onResponse', (request, reply, next) => {
      end(request, reply)
      next()
    })
  },
  { name: 'request-trace' }
)

declare module 'fastify' {
  interface FastifyInstance {
    onEnd(listener: OnEnd): void
    /** Requests whose response is not sent yet. */
    requests: { readonly inFlight: number }
  }
}
