import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { adminPath, isSpelledOut } from '../src/admin/suggestions.ts'
import type { Config } from '../src/config.ts'
import { Problem } from '../src/problems/problem.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** `/a/:b` -> what matches its paths. */
const patternOf = (url: string): RegExp => new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\/:\w+/g, '/[^/]+')}$`)

/** An address that exists answers 405 with `Allow` to every method that it lacks, and OPTIONS with 204. */
export default fp(
  async (app: FastifyInstance, { basePath: base }: Pick<Config['server'], 'basePath'>) => {
    const served = new Map<string, Set<string>>()
    const allowed: { pattern: RegExp; allow: string }[] = []
    const nothingHere = new Problem('not-found', 'Nothing is served at this address.')
    const refusal = (method: string, allow: string) =>
      new Problem('method-not-allowed', `${method} is not allowed here; allowed: ${allow}.`, { headers: { allow } })

    app.addHook('onRoute', ({ url, method, config }) => {
      if ((config && 'refuses' in config) || url.includes('*') || url.startsWith(`${base}/docs`)) return
      const own = served.get(url) ?? new Set<string>()
      for (const name of [method].flat()) own.add(name)
      served.set(url, own)
    })
    // Methods that no route can have, such as TRACE and those of WebDAV, end where nothing is found.
    app.addHook('onRequest', (request, reply, next) => {
      const { method } = request
      if (!request.is404 || method === 'OPTIONS' || (methods as readonly string[]).includes(method)) return next()
      const path = request.url.split('?', 1)[0]!
      const found = allowed.find(({ pattern }) => pattern.test(path))
      if (found) return app.limits.reject(request, reply, refusal(method, found.allow), next)
      next()
    })
    app.decorate('refuseOtherMethods', (prefix: string) => {
      for (const [url, own] of served) {
        if (!url.startsWith(prefix)) continue
        const allow = [...own, 'OPTIONS'].sort().join(', ')
        const config = { refuses: true as const, allow }
        const schema = { hide: true }
        allowed.push({ pattern: patternOf(url), allow })
        const isAdmin = url.startsWith(`${base}${adminPath}/`)
        const exists = (path: string) => !isAdmin || isSpelledOut(path, base)
        const lacking = methods.filter(method => !own.has(method) && !(method === 'HEAD' && own.has('GET')))
        if (lacking.length > 0)
          app.route({
            method: [...lacking],
            url,
            schema,
            config,
            // Before the body is read: its type or size does not matter here.
            onRequest: (request, reply, next) =>
              app.limits.reject(request, reply, exists(request.originalUrl) ? refusal(request.method, allow) : nothingHere, next),
            handler: () => {}
          })
        if (!own.has('OPTIONS'))
          app.route({
            method: 'OPTIONS',
            url,
            schema,
            config,
            onRequest: app.limits.limitAddress,
            handler: (request, reply) => {
              if (!exists(request.originalUrl)) throw nothingHere
              return reply.code(204).header('allow', allow).send()
            }
          })
      }
    })
  },
  { name: 'other-methods', dependencies: ['limits'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    /** Gives every address under a prefix a 405 for the methods it lacks, and OPTIONS; call it after the last route. */
    refuseOtherMethods(prefix: string): void
  }
  interface FastifyContextConfig {
    /** A route that only says which methods there are. */
    refuses?: true
    /** The methods of its address, as in `Allow`. */
    allow?: string
  }
}
