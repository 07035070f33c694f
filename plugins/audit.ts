import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { sweepEvery } from '../src/database/sweep.ts'
import { deleteEntries, writeEntry } from '../src/tenants/audit-log.ts'
import { type CallAudit, createCallAudit } from '../src/tenants/call-audit.ts'

export interface AuditOptions {
  /** How long entries are kept, in days; 0: for ever. */
  retentionDays: number
  /** How many entries the calls of a tenant may add in a day (UTC); 0: any number. */
  maxEntriesPerDay: number
}

/** How often expired entries are deleted, in milliseconds. */
const sweepIntervalMs = 3_600_000
const dayMs = 86_400_000

/** `app.callAudit`: entries of the audit log for calls, which expire. */
export default fp(
  async (app: FastifyInstance, { retentionDays, maxEntriesPerDay }: AuditOptions) => {
    const { store } = app.tenants
    const callAudit = createCallAudit(store, maxEntriesPerDay, (error, entry, outcome) =>
      app.log.error({ err: error, entry, outcome }, 'an audit entry keeps the outcome `started`')
    )
    app.decorate('callAudit', callAudit)

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
      await callAudit.drained()
    })
  },
  { name: 'audit', dependencies: ['tenants'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    callAudit: CallAudit
  }
}
