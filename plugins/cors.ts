import cors from '@fastify/cors'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type Config, parseOrigins } from '../src/config.ts'
import { replayedHeader } from '../src/idempotency/header.ts'

/** Headers of responses that pages of other origins may read. */
const exposedHeaders = [
  'allow',
  'content-disposition',
  'etag',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'server-timing',
  'www-authenticate',
  'x-request-id',
  replayedHeader
]

/** Cross-origin requests from the configured origins; nothing without one. */
export default fp(
  async (app: FastifyInstance, { corsOrigins }: Pick<Config['server'], 'corsOrigins'>) => {
    const origins = parseOrigins(corsOrigins)
    const allowsAll = origins.includes('*')
    app.decorate('allowOrigin', ({ headers: { origin } }, reply) => {
      if (origin !== undefined && (allowsAll || origins.includes(origin)))
        reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': exposedHeaders.join(', '), vary: 'Origin' })
    })
    if (origins.length === 0) return
    await app.register(cors, {
      origin: allowsAll ? '*' : origins,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders,
      // An OPTIONS request that is no preflight is an ordinary request.
      strictPreflight: false,
      maxAge: 600
    })
  },
  { name: 'cors' }
)

declare module 'fastify' {
  interface FastifyInstance {
    /** Lets a page of an allowed origin read a response that is sent before any hook has run. */
    allowOrigin(request: FastifyRequest, reply: FastifyReply): void
  }
}
