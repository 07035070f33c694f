import type { FastifyInstance, preParsingHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../src/problems/problem.ts'

export interface ArrivalOptions {
  /** How long a body may take to arrive, in milliseconds. */
  timeout: number
}

/** Bodies have to arrive in time. Files have a longer time of their own. */
export default fp(
  async (app: FastifyInstance, { timeout }: ArrivalOptions) => {
    const watch: preParsingHookHandler = (_request, _reply, payload, next) => {
      const timer = setTimeout(() => {
        // Whoever reads the body listens; when nobody does, there is none to wait for.
        if (payload.listenerCount('error') > 0) payload.emit('error', new Problem('request-timeout', 'The body did not come in time.'))
      }, timeout).unref()
      const stop = () => clearTimeout(timer)
      payload.once('end', stop).once('close', stop)
      next(null, payload)
    }
    app.addHook('onRoute', route => {
      if (route.config?.operation?.upload || !['POST', 'PUT', 'PATCH'].includes(String(route.method))) return
      route.preParsing = [watch, ...[route.preParsing ?? []].flat()]
    })
  },
  { name: 'arrival' }
)
