import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { constants } from 'node:zlib'
import { negotiate } from '@fastify/accept-negotiator'
import compress from '@fastify/compress'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** A response as it was first sent. */
interface Kept {
  body: Buffer
  headers: Record<string, string>
}

const encodings = ['br', 'gzip']

const encodingOf = ({ headers }: FastifyRequest): string => {
  const accepted = headers['accept-encoding']
  return (accepted === undefined ? undefined : negotiate(String(accepted), encodings)) ?? 'identity'
}

/**
 * What names the response to a request; undefined: it is not kept. Of a folder of files only plain names count, so that nobody makes the
 * memory hold a file under many spellings. The page itself depends on whether its URL ends in a slash.
 */
const keyOf = (request: FastifyRequest): string | undefined => {
  const file = (request.params as Record<string, string> | undefined)?.['*']
  if (file !== undefined && !/^[\w-]+(\.[\w-]+)*$/.test(file)) return undefined
  return [request.routeOptions.url, file, request.url.endsWith('/'), encodingOf(request)].join(' ')
}

/**
 * For routes whose content never changes while the process runs: each response is made and compressed once, and has an ETag. Register it in a
 * scope of its own, before the routes.
 */
export default fp(
  async (app: FastifyInstance) => {
    const kept = new Map<string, Kept>()
    await app.register(compress, {
      encodings: ['br', 'gzip'],
      // Once for the whole life of the process.
      brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } },
      globalDecompression: false
    })

    const fromMemory = async (request: FastifyRequest, reply: FastifyReply) => {
      const found = kept.get(keyOf(request) ?? '')
      if (!found) return
      reply.headers(found.headers)
      const known = request.headers['if-none-match']?.split(',').map(tag => tag.trim().replace(/^W\//, ''))
      if (known?.some(tag => tag === found.headers.etag || tag === '*')) {
        reply.removeHeader('content-encoding')
        return reply.code(304).send()
      }
      return reply.send(found.body)
    }

    const keep = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
      const key = keyOf(request)
      const encoding = reply.getHeader('content-encoding')
      if (!key || kept.has(key) || reply.statusCode !== 200 || request.method !== 'GET') return payload
      if (encoding !== undefined && encoding !== encodingOf(request)) return payload
      const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.from(payload) : await buffer(payload as Readable)
      for (const name of ['last-modified', 'accept-ranges', 'content-length']) reply.removeHeader(name)
      const headers = {
        'content-type': String(reply.getHeader('content-type')),
        ...(encoding === undefined ? {} : { 'content-encoding': String(encoding) }),
        etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"`,
        // A browser revalidates each time, at the cost of a 304 without a body.
        'cache-control': 'no-cache',
        vary: 'accept-encoding'
      }
      kept.set(key, { body, headers })
      reply.headers(headers)
      return body
    }

    // After the one of @fastify/compress: what is kept is compressed.
    app.addHook('onRoute', route => {
      route.preHandler = [...[route.preHandler ?? []].flat(), fromMemory]
      route.onSend = [...[route.onSend ?? []].flat(), keep]
    })
  },
  { name: 'served-once' }
)
