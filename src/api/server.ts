import { randomUUID } from 'node:crypto'
import type { TSchema } from '@sinclair/typebox'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { parseTrustProxy } from '../config/networks.ts'
import type { Config } from '../config.ts'
import { originForm, respondToClientError } from '../problems/malformed-request.ts'
import { logging } from '../telemetry/logging.ts'
import { validatorCompiler } from './validation.ts'

export interface ServerOptions {
  config: Pick<Config, 'server' | 'uploads'>
  logger?: FastifyServerOptions['logger']
  /** Schemas that routes refer to. */
  schemas: readonly TSchema[]
  /** Responds to requests that Fastify rejects before any hook runs. */
  frameworkErrors: FastifyServerOptions['frameworkErrors']
}

/** Maximum size of a request's head, in bytes: the longest list of ids that an operation takes needs 41 KB. */
const maxHeaderSize = 65_536

/** A Fastify server without hooks and routes. */
export function createServer({ config: { server, uploads }, logger, schemas, frameworkErrors }: ServerOptions): FastifyInstance {
  const app: FastifyInstance = Fastify({
    ...logging(server.logLevel, logger),
    bodyLimit: server.maxBodyBytes,
    // Node has one timeout for all requests, so it gets the longer one; the plugin `body-timeout` enforces the shorter one.
    requestTimeout: Math.max(server.requestTimeoutMs, uploads.timeoutMs),
    // A request without a host is rejected by the plugin `problems`, with a problem document.
    http: { headersTimeout: server.requestTimeoutMs, requireHostHeader: false, maxHeaderSize },
    rewriteUrl: originForm,
    trustProxy: parseTrustProxy(server.trustProxy),
    // Requests that arrive before the last connection has ended are served.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 600, ignoreTrailingSlash: false },
    frameworkErrors,
    clientErrorHandler: (error, socket) => respondToClientError(error, socket, randomUUID(), server.basePath)
  })
  app.setValidatorCompiler(validatorCompiler)
  // Responses are built from declared fields, so there is nothing for a schema to filter.
  app.setSerializerCompiler(() => JSON.stringify)
  app.removeContentTypeParser('text/plain')
  for (const schema of schemas) app.addSchema(schema)
  return app
}
