import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/**
 * Helmet's headers on everything a browser shows: Swagger UI and the problems' pages. Answers of the API are JSON for programs, for which
 * `nosniff` is all that counts; a dozen headers on each would cost more than its validation.
 */
export default fp(
  async (app: FastifyInstance) => {
    // Before helmet's own hook, which reads what this one sets.
    app.addHook('onRoute', route => {
      if (route.config?.operation || route.config?.refuses) return
      route.helmet ??= { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }
    })
    await app.register(helmet, { global: false })
    app.addHook('onRequest', (_request, reply, next) => {
      reply.header('x-content-type-options', 'nosniff')
      next()
    })
  },
  { name: 'page-headers' }
)
