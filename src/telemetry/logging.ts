import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type FastifyServerOptions, LogController } from 'fastify'

const requestIdHeader = 'x-request-id'
const wellFormedId = /^[A-Za-z0-9._-]{8,128}$/

/** Server options for logs by allow-list: `plugins/request-log.ts` writes a line per request, nothing else of a request is ever logged. */
export function logging(level: string, logger: FastifyServerOptions['logger']): FastifyServerOptions {
  const allowed = {
    level,
    serializers: {
      req: () => undefined as never,
      res: () => undefined as never,
      err: (error: Error & { code?: string }) => ({
        type: error.name,
        code: error.code ?? '',
        message: error.message,
        stack: error.stack ?? ''
      })
    }
  }
  return {
    // Without a log there is no logger to make for every request either.
    logger: typeof logger === 'object' ? { ...allowed, ...logger } : (logger ?? (level === 'silent' ? false : allowed)),
    logController: new LogController({ disableRequestLogging: true }),
    // A caller's own id is kept when it cannot break a log line.
    genReqId: (request: IncomingMessage) => {
      const given = request.headers[requestIdHeader]
      return typeof given === 'string' && wellFormedId.test(given) ? given : randomUUID()
    }
  }
}
