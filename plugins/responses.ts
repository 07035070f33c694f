import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { ByteBudget } from '../src/limits/byte-budget.ts'
import { Problem } from '../src/problems/problem.ts'

export interface Responses {
  budget: ByteBudget
  readonly counts: { /** Connections ended because a response was not taken in time. */ dropped: number; refused: number }
}

/** A response of at most this many bytes fits into the buffers of the connection, and is not counted. */
const minCounted = 16_384
const mebibyte = 1_048_576

/** Whose responses are counted together: a tenant's, the administrators', and those of callers without a key. No tenant has such a name. */
const keyOf = ({ tenant, actor }: FastifyRequest): string => tenant?.tenantId ?? (actor ? '/admin' : '/')

/**
 * Responses on their way out: what callers have not taken is counted in `app.responses.budget`, and has a deadline. A tenant whose callers leave its
 * share untaken gets no further responses until they take some.
 */
export default fp(
  async (app: FastifyInstance, { maxBytes, maxTenantBytes, timeoutMs }: Config['responses']) => {
    const budget = new ByteBudget({ max: maxBytes, share: maxTenantBytes })
    const counts = { dropped: 0, refused: 0 }
    app.decorate('responses', { budget, counts })

    /** Ends the connection when the caller takes nothing, or too little. */
    const watch = (request: FastifyRequest, { raw }: FastifyReply, silenceMs: number, totalMs: number | undefined): (() => void) => {
      const drop = () => {
        if (raw.destroyed || raw.writableFinished) return
        counts.dropped++
        request.log.warn({ tenant: request.tenant?.tenantId, route: request.routeOptions.url }, 'the response was not taken in time')
        raw.destroy()
      }
      // Node tells of silence only, and counts bytes that the system takes of what is written as none. A source that is slow is not the caller's fault.
      raw.setTimeout(silenceMs, () => {
        if (raw.writableLength > 0 || (raw.socket?.writableLength ?? 0) > 0) drop()
      })
      const timer = totalMs === undefined ? undefined : setTimeout(drop, totalMs).unref()
      const { socket } = raw
      return () => {
        clearTimeout(timer)
        // Between requests Node has set another one already; a request that was pipelined has to be without.
        if (socket?.timeout === silenceMs) socket.setTimeout(0)
      }
    }

    // After authentication, before the body is read.
    app.addHook('preParsing', (request, _reply, payload, next) => {
      if (budget.held === 0 || request.routeOptions.config.always || !budget.isShareUsed(keyOf(request))) return next(null, payload)
      counts.refused++
      next(
        new Problem('concurrency-limited', 'Earlier responses are still to be taken: read them to their end, or ask for smaller pages.', {
          headers: { 'retry-after': String(Math.ceil(timeoutMs / 1000)) }
        })
      )
    })

    app.addHook('onSend', (request, reply, payload, next) => {
      const { upstream } = request.trace
      const { hold } = upstream
      const streamed = typeof payload === 'object' && payload !== null && !Buffer.isBuffer(payload)
      if (!hold && !streamed && ((payload as string | Buffer | null)?.length ?? 0) < minCounted) return next(null, payload)
      const bytes = streamed
        ? hold
          ? Number(reply.getHeader('content-length'))
          : 0
        : Buffer.byteLength((payload ?? '') as string | Buffer)
      const held = hold ?? budget.hold(keyOf(request))
      held.hand(bytes)
      const unwatch = watch(request, reply, timeoutMs, streamed && !hold ? undefined : timeoutMs * Math.max(1, Math.ceil(bytes / mebibyte)))
      const end = () => {
        unwatch()
        held.release()
        upstream.release()
      }
      if (reply.raw.destroyed) end()
      else reply.raw.once('close', end)
      next(null, payload)
    })
    // What was to be a response and is none.
    app.onEnd(({ trace }) => trace.upstream.close())
  },
  { name: 'responses', dependencies: ['request-trace'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    responses: Responses
  }
}
