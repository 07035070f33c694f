import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { invalid } from '../problems/invalid-request.ts'
import type { CallAudit } from '../tenants/call-audit.ts'
import { compose } from '../voximplant/compose.ts'
import type { RequestContext } from './context.ts'
import type { Operation } from './operation.ts'
import { createResponder, type RespondOptions } from './respond.ts'
import { audited } from './stages/audited.ts'
import { type IdempotentOptions, idempotent } from './stages/idempotent.ts'

export interface RoutesOptions extends RespondOptions {
  idempotency: Omit<IdempotentOptions, 'operations' | 'base'>
  audit: Pick<CallAudit, 'begin' | 'end'>
}

/** Returns how an operation becomes plain Fastify route options. */
export function createRoutes(options: RoutesOptions): (operation: Operation) => RouteOptions {
  const { idempotency, audit, operations, base } = options
  const respond = createResponder(options)
  const stages = compose<RequestContext, unknown>(
    idempotent({ ...idempotency, operations, base }), // replays the stored response of an earlier request with the same key
    audited(audit) // inside idempotency: a replayed response is not a second call
  )
  return operation => {
    const { method, url, schema } = operation
    const handle = stages(respond(operation))
    return {
      method,
      url,
      schema,
      handler: (request: FastifyRequest, reply: FastifyReply) => handle({ operation, request, reply, attempt: undefined }),
      config: { operation },
      ...(method === 'DELETE' ? { preValidation: rejectBody } : {})
    }
  }
}

/** What a caller puts into a body that is not read would be lost. */
const rejectBody = async (request: FastifyRequest) => {
  if (request.body !== undefined && request.body !== null)
    throw invalid([{ in: 'body', pointer: '', detail: 'is not read by this method; send its fields in the query' }])
}
