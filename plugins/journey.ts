import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Journey } from '../src/telemetry/journey.ts'
import { endRequest, findTracer, startRequest } from '../src/telemetry/spans.ts'

/** Told once of every request, when its answer is out, or would be if its caller were still there. */
export type OnEnd = (request: FastifyRequest, reply: FastifyReply) => void

/** `request.journey`: the trace that a request belongs to, and what becomes of it; `Server-Timing` tells the caller the times. */
export default fp(
  async (app: FastifyInstance) => {
    const tracer = findTracer()
    const listeners: OnEnd[] = []
    app.decorate('onEnd', (listener: OnEnd) => {
      listeners.push(listener)
    })
    if (tracer) app.onEnd((request, reply) => endRequest(request.journey, reply.statusCode, request.tenant?.tenantId))
    const requests = { inFlight: 0 }
    app.decorate('requests', requests)
    const end: OnEnd = (request, reply) => {
      if (request.journey.ended) return
      request.journey.ended = true
      requests.inFlight--
      for (const listener of listeners) listener(request, reply)
    }

    app.decorateRequest('journey')
    app.addHook('onRequest', (request, reply, next) => {
      const { traceparent, tracestate } = request.headers
      const journey = new Journey(traceparent, tracestate)
      request.journey = journey
      // Here, as a later hook may refuse the request before others have met it.
      requests.inFlight++
      reply.raw.on('close', () => {
        if (reply.raw.writableFinished) return
        journey.leave()
        // Fastify tells nobody of an answer that was not read to its end.
        if (reply.raw.headersSent) end(request, reply)
      })
      if (tracer) startRequest(tracer, journey, request.method, request.routeOptions.url, next)
      else next()
    })
    app.addHook('onSend', (request, reply, payload, next) => {
      const { journey } = request
      const total = `total;dur=${reply.elapsedTime.toFixed(1)}`
      reply.header('server-timing', journey.attempts === 0 ? total : `${total}, upstream;dur=${journey.upstream.toFixed(1)}`)
      if (journey.gone) end(request, reply)
      next(null, payload)
    })
    app.addHook('onResponse', (request, reply, next) => {
      end(request, reply)
      next()
    })
  },
  { name: 'journey' }
)

declare module 'fastify' {
  interface FastifyInstance {
    onEnd(listener: OnEnd): void
    /** Requests whose response is not out yet. */
    requests: { readonly inFlight: number }
  }
  interface FastifyRequest {
    journey: Journey
  }
}
