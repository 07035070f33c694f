import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../src/problems/problem.ts'
import { atMostEvery, watchReachability } from '../src/telemetry/probes.ts'
import { WrongMasterKey } from '../src/tenants/store.ts'

export interface HealthOptions {
  /** The path the service is mounted under. */
  basePath: string
  /** The upstream: scheme, host and port. */
  origin: string
}

/** How often idle connections are closed during the shutdown, in milliseconds. */
const reapIntervalMs = 100

/** It stops listening after this time without a new connection, or at most after the other, in milliseconds. */
const quietMs = 10
const maxQuietWaitMs = 2_000

/** How long the result of a database probe is kept, in milliseconds. */
const pingIntervalMs = 1_000

/**
 * Probes, and the shutdown. `/health/ready` needs the store. It reports the upstream and Redis, but they do not make a replica unready: all
 * replicas share them.
 */
export default fp(
  async (app: FastifyInstance, { basePath: base, origin }: HealthOptions) => {
    let closing = false
    const upstream = watchReachability(origin)
    const ping = atMostEvery(pingIntervalMs, () => app.tenants.store.ping())
    const hidden = { schema: { hide: true }, logLevel: 'warn' as const, config: { always: true as const } }
    app.get(`${base}/health/live`, hidden, () => ({ status: 'ok' }))
    app.get(`${base}/health/startup`, hidden, () => ({ status: 'ok' }))
    app.get(`${base}/health/ready`, hidden, async () => {
      if (closing) throw new Problem('service-unavailable', 'The service is shutting down.')
      try {
        await ping()
      } catch (error) {
        const detail =
          error instanceof WrongMasterKey ? 'This replica does not know a master key that is in use.' : 'The database does not answer.'
        throw new Problem('service-unavailable', detail, { cause: error })
      }
      return { status: 'ok', store: 'ok', upstream: upstream(), redis: app.limits.redis }
    })

    // From the signal on every answer is its connection's last, so that callers come back somewhere else.
    app.addHook('onSend', (_request, reply, payload, next) => {
      if (closing) reply.header('connection', 'close')
      next(null, payload)
    })
    app.decorate('drain', async (delay: number) => {
      closing = true
      let arrivals = 0
      app.server.on('connection', () => arrivals++)
      if (delay > 0) await sleep(delay)
      // Connections that the kernel has made for us are reset when we stop listening: it waits for a moment without new ones.
      for (let before = -1, end = performance.now() + maxQuietWaitMs; arrivals !== before && performance.now() < end; ) {
        before = arrivals
        await sleep(quietMs)
      }
      // What has arrived is read before idle connections are closed.
      await turn()
    })
    let reaper: NodeJS.Timeout | undefined
    app.addHook('preClose', async () => {
      closing = true
      reaper = setInterval(() => app.server.closeIdleConnections(), reapIntervalMs)
    })
    app.addHook('onClose', async () => clearInterval(reaper))
  },
  { name: 'health', dependencies: ['tenants', 'limits'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes it not ready, and waits for a number of milliseconds, in which it still serves, until balancers notice. */
    drain(delay: number): Promise<void>
  }
}
