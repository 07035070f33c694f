import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import fp from 'fastify-plugin'
import type { Operation } from '../src/api/operation.ts'
import { sweepEvery } from '../src/database/sweep.ts'
import { problemOf } from '../src/problems/from-error.ts'
import { Problem } from '../src/problems/problem.ts'
import { deleteEntries, entryQuota, writeEntry } from '../src/tenants/audit-log.ts'

export interface AuditOptions {
  /** How long entries are kept, in days; 0: for ever. */
  retentionDays: number
  /** How many the calls of a tenant may add in a day (UTC); 0: any number. */
  maxEntriesPerDay: number
}

/** How often entries are looked for that have to go, in milliseconds. */
const sweepIntervalMs = 3_600_000
const dayMs = 86_400_000

/**
 * Calls that can do harm are written down before they are made: those that destroy, change who may do what, cost money or answer secrets,
 * and all that are made for a child account. What cannot be written down is not done. How it ended is written when it has.
 */
export default fp(
  async (app: FastifyInstance, { retentionDays, maxEntriesPerDay }: AuditOptions) => {
    const { store } = app.tenants
    const quota = entryQuota(store.database, store.clock, maxEntriesPerDay)
    /** Ends that are being written. */
    const settling = new Set<Promise<void>>()

    const begin = async (request: FastifyRequest, { id, endpoint, partOf }: Operation): Promise<string> => {
      const { keyId, tenantId } = request.tenant
      try {
        if (!(await quota.allows(tenantId))) throw overQuota(maxEntriesPerDay, store.clock.now())
        const entry = await store.record({
          actor: { kind: 'key', id: keyId, address: request.callerAddress, requestId: String(request.id) },
          action: `call.${id}`,
          tenantId,
          outcome: 'started',
          detail: {
            method: endpoint.rpc,
            ...(request.childAccount === undefined ? {} : { childAccount: request.childAccount }),
            ...selectorsOf(partOf, inputOf(request))
          }
        })
        quota.add(tenantId)
        return entry
      } catch (error) {
        if (error instanceof Problem) throw error
        throw new Problem('audit-unavailable', 'The call could not be written to the audit log, so that it was not made.', { cause: error })
      }
    }
    const end = (request: FastifyRequest, entry: string, outcome: string) => {
      const settled: Promise<void> = store
        .settleAudit(entry, outcome)
        .catch(error => request.log.error({ err: error, entry, outcome }, 'an audit entry keeps the outcome `started`'))
        .finally(() => settling.delete(settled))
      settling.add(settled)
    }

    const audited = new WeakSet<object>()
    app.addHook('onRoute', route => {
      const { config, handler } = route
      const operation = config?.operation
      // HEAD has the handler of GET.
      if (!operation || audited.has(handler)) return
      const writtenDown = async (request: FastifyRequest, reply: FastifyReply) => {
        const entry = await begin(request, operation)
        try {
          const answer = await handler.call(app, request, reply)
          end(request, entry, 'done')
          return answer
        } catch (error) {
          end(request, entry, problemOf(error).type)
          throw error
        }
      }
      const { audits } = operation
      const either: RouteHandlerMethod = (request, reply) =>
        request.childAccount !== undefined || audits?.(inputOf(request)) ? writtenDown(request, reply) : handler.call(app, request, reply)
      audited.add(either)
      route.handler = either
    })
    /** Deleted since it was last noted. */
    let deleted = 0
    const sweep = async () => {
      if (retentionDays === 0) return undefined
      const before = new Date(store.clock.now() - retentionDays * dayMs)
      try {
        const { rows, more } = await deleteEntries(store.database, before)
        deleted += rows
        if (!more && deleted > 0) {
          const detail = { entries: deleted, before: before.toISOString() }
          await writeEntry(store.database, store.clock, { actor: { kind: 'service', id: 'sweep' }, action: 'audit.sweep', detail })
          deleted = 0
        }
        return { more }
      } catch (error) {
        app.log.warn({ err: error }, 'old entries of the audit log could not be deleted')
        return undefined
      }
    }
    const sweeping = sweepEvery(sweepIntervalMs, sweep)
    app.addHook('onClose', async () => {
      await sweeping.stop()
      await Promise.all(settling)
    })
  },
  { name: 'audit', dependencies: ['tenants'] }
)

/** What cannot be written down is not done: the quota ends with the day. */
function overQuota(max: number, now: number): Problem {
  const retryAfter = Math.ceil((dayMs - (now % dayMs)) / 1000)
  return new Problem(
    'tenant-quota-exceeded',
    `The tenant has used up its quota of ${max} audit entries for today (UTC), so that the call was not made. Calls that are not audited go on.`,
    { headers: { 'retry-after': String(retryAfter) } }
  )
}

/** A request's fields: path, query, and a body unless that is a file. */
const inputOf = ({ params, query, body }: FastifyRequest): Record<string, unknown> => ({
  ...(params as object),
  ...(query as object),
  ...(body === null || typeof body !== 'object' || 'pipe' in body ? {} : body)
})

/** What a call is about, by ids and names alone: what stands in the path, and ids. Everything else is content. */
function selectorsOf(partOf: Operation['partOf'], input: Record<string, unknown>): { selectors?: Record<string, unknown> } {
  const selectors = Object.entries(input).filter(
    ([field]) => partOf.get(field) === 'path' || /Id$/.test(field) || field === 'all' || field === 'expectedCount'
  )
  return selectors.length > 0 ? { selectors: Object.fromEntries(selectors) } : {}
}
