import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createIdempotencyCounts, type IdempotencyCounts } from '../src/api/stages/idempotent.ts'
import { sweepEvery } from '../src/database/sweep.ts'
import { createIdempotency, type Idempotency, recordQuota } from '../src/idempotency/records.ts'

export interface IdempotencyOptions {
  /** How long responses are stored and replayed, in milliseconds. */
  ttlMs: number
  /** How long a claim outlives its process, in milliseconds. */
  leaseMs: number
  /** How long a record with an unknown outcome is kept, in milliseconds; 0: for ever. */
  unknownTtlMs: number
  /** Maximum number of records per tenant; 0: no limit. */
  maxRecords: number
  /** How long a closing service waits for calls whose callers have disconnected, in milliseconds. */
  drainTimeoutMs: number
}

/** How often expired records are deleted, in milliseconds. */
const sweepIntervalMs = 60_000

/** `app.idempotency`: the records of requests with an `Idempotency-Key`, renewed and swept while the service runs. */
export default fp(
  async (app: FastifyInstance, { ttlMs, leaseMs, unknownTtlMs, maxRecords, drainTimeoutMs }: IdempotencyOptions) => {
    const { store } = app.tenants
    const quota = recordQuota(store.database, maxRecords)
    const records = createIdempotency(store, { ttl: ttlMs, lease: leaseMs, unknownTtl: unknownTtlMs, quota })
    app.decorate('idempotency', { ...records, counts: createIdempotencyCounts() })

    const renewing = setInterval(() => void records.renew(), Math.max(1, leaseMs / 3)).unref()
    const sweeping = sweepEvery(sweepIntervalMs, () =>
      records.sweep().catch(error => {
        app.log.warn({ code: error?.code }, 'idempotency records could not be swept')
        return undefined
      })
    )
    app.addHook('onClose', async () => {
      await sweeping.stop()
      // A caller may have disconnected, but its call goes on, and its response is stored.
      await records.idle(drainTimeoutMs)
      clearInterval(renewing)
      await records.renew()
    })
  },
  { name: 'idempotency', dependencies: ['tenants', 'voximplant'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    idempotency: Idempotency & { counts: IdempotencyCounts }
  }
}
