import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { callerAddress, parseTrustProxy, unknownAddress } from '../src/config/networks.ts'
import type { Config } from '../src/config.ts'
import { Problem } from '../src/problems/problem.ts'

/** How often it is logged that a header arrives which is not believed, in milliseconds. */
const warnInterval = 3_600_000

/** `request.callerAddress`, on every request. A request whose caller has disconnected already gets no further. */
export default fp(
  async (app: FastifyInstance, { trustProxy }: Pick<Config['server'], 'trustProxy'>) => {
    const trusts = parseTrustProxy(trustProxy)
    let warnAt = 0
    const warn = () => {
      if (performance.now() < warnAt) return
      warnAt = performance.now() + warnInterval
      app.log.warn(
        'X-Forwarded-For arrives, but TRUST_PROXY is false: if a proxy stands in front, all of its callers share the rate limits of its address, ' +
          'and keys that are bound to networks are refused. Set TRUST_PROXY to the number of proxies or to their networks. ' +
          'Without a proxy, a caller sends the header and it means nothing.'
      )
    }
    app.decorate('callerAddressOf', (request: IncomingMessage) => callerAddress(request, trusts) ?? unknownAddress)
    app.decorateRequest('callerAddress', unknownAddress)
    app.addHook('onRequest', (request, _reply, next) => {
      const address = callerAddress(request.raw, trusts)
      if (address === undefined) {
        request.trace.disconnect.abort()
        return next(new Problem('caller-gone', 'The caller had disconnected before its request was looked at.'))
      }
      request.callerAddress = address
      if (!trusts && request.headers['x-forwarded-for'] !== undefined) warn()
      next()
    })
  },
  { name: 'caller-address', dependencies: ['request-trace'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    /** For a request that meets no hook, as its URL cannot be read. */
    callerAddressOf(request: IncomingMessage): string
  }
}
