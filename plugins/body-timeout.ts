import type { FastifyInstance, preParsingHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { Problem } from '../src/problems/problem.ts'

/** Bodies have to be received in time; uploads have their own, longer timeout. */
export default fp(
  async (app: FastifyInstance, { requestTimeoutMs }: Pick<Config['server'], 'requestTimeoutMs'>) => {
    const watch: preParsingHookHandler = (_request, _reply, payload, next) => {
      const timer = setTimeout(() => {
        // Without a listener nothing reads the body, and there is nothing to wait for.
        if (payload.listenerCount('error') > 0) payload.emit('error', new Problem('request-timeout', 'The body was not received in time.'))
      }, requestTimeoutMs).unref()
      const stop = () => clearTimeout(timer)
      payload.once('end', stop).once('close', stop)
      next(null, payload)
    }
    app.addHook('onRoute', route => {
      if (route.config?.operation?.upload || !['POST', 'PUT', 'PATCH'].includes(String(route.method))) return
      route.preParsing = [watch, ...[route.preParsing ?? []].flat()]
    })
  },
  { name: 'body-timeout' }
)
