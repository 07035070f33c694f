import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { type DirectoryOptions, TenantDirectory } from '../src/tenants/directory.ts'
import type { Store } from '../src/tenants/store.ts'

export interface TenantsOptions extends Omit<DirectoryOptions, 'onUnreadableCredential'> {
  store: Store
}

/** How often last uses are written, replaced secrets are destroyed, and the database's clock is read, in milliseconds. */
const flushIntervalMs = 5_000
const sweepIntervalMs = 60_000
const syncIntervalMs = 30_000

/** `app.tenants`: callers and accounts, and the periodic work on the store, which is closed with the app. */
export default fp(
  async (app: FastifyInstance, { store, cacheTtlMs, origin, lookupTimeoutMs }: TenantsOptions) => {
    const directory = new TenantDirectory(store, {
      cacheTtlMs,
      origin,
      lookupTimeoutMs,
      onUnreadableCredential: (tenantId, error) =>
        app.log.error({ tenant: tenantId, err: error }, 'the credential of a tenant does not open')
    })
    app.decorate('tenants', directory)
    const flush = () => directory.lastUsed.flush().catch(error => app.log.debug({ err: error }, 'last uses could not be written'))
    const sweep = () => store.sweep().catch(error => app.log.warn({ err: error }, 'replaced credentials could not be destroyed'))
    const sync = () => store.clock.sync().catch(error => app.log.debug({ err: error }, "the database's clock could not be read"))
    const timers = [
      setInterval(sync, syncIntervalMs).unref(),
      setInterval(flush, flushIntervalMs).unref(),
      setInterval(sweep, sweepIntervalMs).unref()
    ]
    await sweep()
    app.addHook('onClose', async () => {
      for (const timer of timers) clearInterval(timer)
      await flush()
      await store.close()
    })
  },
  { name: 'tenants' }
)

declare module 'fastify' {
  interface FastifyInstance {
    tenants: TenantDirectory
  }
}
