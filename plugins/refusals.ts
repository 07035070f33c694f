import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ProblemType } from '../src/problems/problem.ts'
import { createRefusalLog, type RefusalLog } from '../src/tenants/rejections.ts'

/** Refusals that tell of a key in the wrong hands, or of one that is used for more than it may be. */
const audited: ReadonlySet<string> = new Set<ProblemType>([
  'key-revoked',
  'key-expired',
  'address-not-allowed',
  'scope-missing',
  'child-account-not-allowed'
])

/** Refusals of keys that were right go to the audit log, after the response and bounded in number: `key.refused`. */
export default fp(
  async (app: FastifyInstance) => {
    const refusals = createRefusalLog({
      record: entry => app.tenants.store.record(entry),
      onError: error => app.log.debug({ err: error }, 'a refusal could not be written to the audit log'),
      intervalMs: 60_000,
      maxKinds: 10_000
    })
    app.decorate('refusals', refusals)
    app.onEnd(request => {
      const { tenant, trace } = request
      // A refusal that was answered 429 in its place is one all the same.
      const code = request.rejection ?? trace.problem
      if (!tenant || code === undefined || !audited.has(code)) return
      refusals.note({
        tenantId: tenant.tenantId,
        keyId: tenant.keyId,
        code,
        address: request.callerAddress,
        requestId: String(request.id),
        operation: request.routeOptions.config?.operation?.id
      })
    })
    app.addHook('onClose', () => refusals.close())
  },
  { name: 'refusals', dependencies: ['request-trace', 'tenants'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    refusals: RefusalLog
  }
}
