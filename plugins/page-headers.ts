import helmet from '@fastify/helmet'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'

/** Nobody on the way keeps a response that may hold a secret. */
export const noStore: onRequestHookHandler = (_request, reply, next) => {
  reply.header('cache-control', 'no-store')
  next()
}

/**
 * Helmet's headers on everything a browser shows: Swagger UI and the problems' pages. Answers of the API are JSON for programs, for which
 * `nosniff` is all that counts; a dozen headers on each would cost more than its validation. Where secrets are answered, `no-store` comes with it.
 */
export default fp(
  async (app: FastifyInstance) => {
    // Before helmet's own hook, which reads what this one sets.
    app.addHook('onRoute', route => {
      if (route.config?.operation?.confidential) route.onRequest = [noStore, ...[route.onRequest ?? []].flat()]
      if (route.config?.operation || route.config?.refuses) return
      // Whether a whole domain is reached by TLS alone is for the proxy to promise, which speaks it.
      route.helmet ??= { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } }, strictTransportSecurity: false }
    })
    await app.register(helmet, { global: false })
    app.addHook('onRequest', (_request, reply, next) => {
      reply.header('x-content-type-options', 'nosniff')
      next()
    })
  },
  { name: 'page-headers' }
)
