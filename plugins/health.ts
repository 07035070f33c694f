import { connect } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../src/problems/problem.ts'
import { WrongMasterKey } from '../src/tenants/store.ts'

export interface HealthOptions {
  /** The path the service is mounted under. */
  basePath: string
  /** The upstream: scheme, host and port. */
  origin: string
}

/** Milliseconds: how long a look at the upstream holds, and how long one may take. */
const lookEvery = 10_000
const lookTimeout = 1_000
/** How often connections that have become idle are closed while the last requests are answered, in milliseconds. */
const reapEvery = 100

/** It stops listening after this time without a new connection, or at most after the other, in milliseconds. */
const quiet = 10
const mostWait = 2_000

/** How long the database's answer to a probe is kept, in milliseconds. */
const pingInterval = 1_000

/** Asks at most once per `intervalMs`, and never concurrently; callers in between get the same outcome, a failure too. */
function atMostEvery(intervalMs: number, ask: () => Promise<void>): () => Promise<void> {
  let outcome: Promise<void> | undefined
  return () => {
    if (!outcome) {
      outcome = ask()
      const expire = () => void setTimeout(() => (outcome = undefined), intervalMs).unref()
      outcome.then(expire, expire)
    }
    return outcome
  }
}

type Reachable = 'ok' | 'unreachable' | 'unknown'

/** Whether the upstream takes a connection, as it was found last; nobody waits for it. */
function lookout(origin: string): () => Reachable {
  const { protocol, hostname, port } = new URL(origin)
  const to = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80), timeout: lookTimeout }
  let found: Reachable = 'unknown'
  let at = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - at >= lookEvery) {
      at = performance.now()
      const socket = connect(to).unref()
      const end = (is: Reachable) => {
        found = is
        socket.destroy()
      }
      socket
        .on('connect', () => end('ok'))
        .on('timeout', () => end('unreachable'))
        .on('error', () => end('unreachable'))
    }
    return found
  }
}

/**
 * Probes, and the way out. `/health/startup`: it has started; `/health/live`: the process answers; `/health/ready`: it should be given requests,
 * for which it needs the store. The upstream and Redis are told of, but no reason to take a replica away: all have the same ones.
 */
export default fp(
  async (app: FastifyInstance, { basePath: base, origin }: HealthOptions) => {
    let closing = false
    const upstream = lookout(origin)
    const ping = atMostEvery(pingInterval, () => app.tenants.store.ping())
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
      for (let before = -1, end = performance.now() + mostWait; arrivals !== before && performance.now() < end; ) {
        before = arrivals
        await sleep(quiet)
      }
      // What has arrived is read before idle connections are closed.
      await turn()
    })
    let reaper: NodeJS.Timeout | undefined
    app.addHook('preClose', async () => {
      closing = true
      reaper = setInterval(() => app.server.closeIdleConnections(), reapEvery)
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
