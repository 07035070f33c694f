import { isUtf8 } from 'node:buffer'
import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { acceptsJson } from '../src/api/accept.ts'
import { checkSize } from '../src/api/body/scanner.ts'
import { Problem } from '../src/problems/problem.ts'

/** How long a caller may go on sending a body after the response to it, in milliseconds. */
const discardMs = 5_000

const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i

/** Throws Problem for a body that is not plain UTF-8 text by its headers. */
export function checkEncoding(headers: { 'content-encoding'?: string | undefined; 'content-type'?: string | undefined }): void {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity')
    throw new Problem('unsupported-media-type', `Send the body without a content encoding; ${encoding.slice(0, 40)} is not taken.`)
  const declared = charset.exec(headers['content-type'] ?? '')?.[1]
  if (declared !== undefined && !/^utf-?8$/i.test(declared))
    throw new Problem('unsupported-media-type', `Send the body in UTF-8; the charset ${declared.slice(0, 40)} is not taken.`)
}

/** JSON bodies, what callers accept, and bodies that nobody reads any more. */
export default fp(
  async (app: FastifyInstance) => {
    const parse = app.getDefaultJsonParser('error', 'error')
    app.removeContentTypeParser('application/json')
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
      // A content type without content is no body.
      const bytes = body.length === 0 ? undefined : body
      if (bytes) checkEncoding(request.headers)
      if (bytes && !isUtf8(bytes)) throw new Problem('malformed-body', 'The body is not valid UTF-8.')
      const { config, schema } = request.routeOptions
      const parseText = (text: string): unknown => {
        let outcome: unknown
        parse(request, text, (error, value) => {
          if (error) throw error
          outcome = value
        })
        return outcome
      }
      const upload = config.operation?.upload
      if (upload) return upload.rows.read(bytes, parseText)
      if (!bytes) return undefined
      if (schema?.body) checkSize(bytes, schema.body as TSchema)
      return parseText(bytes.toString())
    })

    app.addHook('onRequest', (request, _reply, next) => {
      const { accept } = request.headers
      const operation = request.routeOptions.config.operation
      // What has no JSON in its response can be had by everybody: a file as it is, and nothing.
      if (accept === undefined || operation?.endpoint.reply.body === undefined || acceptsJson(accept)) return next()
      next(new Problem('not-acceptable', 'This address has `application/json` only. Send `Accept: application/json`, or no `Accept`.'))
    })

    // With `Connection: close` Node closes a connection that is still being sent to, and the sender never reads the response.
    app.addHook('onSend', (request, reply, payload, next) => {
      const { raw } = request
      if (!raw.complete && !raw.destroyed && reply.statusCode >= 400) {
        reply.removeHeader('connection')
        reply.raw.once('finish', () => {
          if (raw.complete || raw.destroyed) return
          const timer = setTimeout(() => raw.destroy(), discardMs).unref()
          raw.once('close', () => clearTimeout(timer))
        })
      }
      next(null, payload)
    })
  },
  { name: 'bodies' }
)
