import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../src/problem.ts'

/** Probes: `/health/live` (the process answers) and `/health/ready` (it should be given requests). */
export default fp(
  async (app: FastifyInstance, { base }: { base: string }) => {
    let closing = false
    app.addHook('preClose', async () => {
      closing = true
    })
    const hidden = { schema: { hide: true }, logLevel: 'warn' as const, config: { always: true as const } }
    app.get(`${base}/health/live`, hidden, () => ({ status: 'ok' }))
    app.get(`${base}/health/ready`, hidden, async () => {
      if (closing) throw new Problem('service-unavailable', 'The service is shutting down.')
      try {
        await app.tenants.store.ping()
      } catch (error) {
        throw new Problem('service-unavailable', 'The database does not answer.', { cause: error })
      }
      return { status: 'ok', store: 'ok' }
    })
  },
  { name: 'health', dependencies: ['tenants'] }
)
