import type { FastifyRequest } from 'fastify'
import { problemOf } from '../../problems/from-error.ts'
import type { CallAudit } from '../../tenants/call-audit.ts'
import type { RequestContext, RequestStage, RespondNext } from '../context.ts'
import type { Operation } from '../operation.ts'

/**
 * Writes calls that can do harm to the audit log before they are made, and their outcome afterwards: calls that destroy, change rights, cost money
 * or return secrets, and all that are made for a child account. A call that cannot be written is not made.
 */
export const audited =
  (audit: Pick<CallAudit, 'begin' | 'end'>): RequestStage =>
  (context, next) => {
    const { operation, request } = context
    const isAudited = request.childAccount !== undefined || operation.audits?.(inputOf(request)) === true
    return isAudited ? respondAudited(context, next, audit) : next(context)
  }

async function respondAudited(context: RequestContext, next: RespondNext, audit: Pick<CallAudit, 'begin' | 'end'>): Promise<unknown> {
  const { operation, request } = context
  const { id, endpoint, fieldLocations } = operation
  const { tenant, callerAddress, childAccount } = request
  const entry = await audit.begin(tenant.tenantId, {
    actor: { kind: 'key', id: tenant.keyId, address: callerAddress, requestId: String(request.id) },
    action: `call.${id}`,
    detail: {
      method: endpoint.rpc,
      ...(childAccount === undefined ? {} : { childAccount }),
      ...selectorsOf(fieldLocations, inputOf(request))
    }
  })
  try {
    const body = await next(context)
    audit.end(entry, 'done')
    return body
  } catch (error) {
    audit.end(entry, problemOf(error).type)
    throw error
  }
}

/** A request's fields: path, query, and a body unless that is a file. */
const inputOf = ({ params, query, body }: FastifyRequest): Record<string, unknown> => ({
  ...(params as object),
  ...(query as object),
  ...(body === null || typeof body !== 'object' || 'pipe' in body ? {} : body)
})

/** What a call is about, by ids and names alone: what stands in the path, and ids. Everything else is content. */
function selectorsOf(fieldLocations: Operation['fieldLocations'], input: Record<string, unknown>): { selectors?: Record<string, unknown> } {
  const selectors = Object.entries(input).filter(
    ([field]) => fieldLocations.get(field) === 'path' || /Id$/.test(field) || field === 'all' || field === 'expectedCount'
  )
  return selectors.length > 0 ? { selectors: Object.fromEntries(selectors) } : {}
}
