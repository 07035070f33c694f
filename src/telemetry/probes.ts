import { connect } from 'node:net'

/** Runs a check at most once per interval and never twice concurrently; calls in between get the same outcome, also a failure. */
export function atMostEvery(intervalMs: number, check: () => Promise<void>): () => Promise<void> {
  let outcome: Promise<void> | undefined
  return () => {
    if (!outcome) {
      outcome = check()
      const expire = () => void setTimeout(() => (outcome = undefined), intervalMs).unref()
      outcome.then(expire, expire)
    }
    return outcome
  }
}

export type Reachability = 'ok' | 'unreachable' | 'unknown'

/** How long a check of the upstream holds, and how long one may take, in milliseconds. */
const checkIntervalMs = 10_000
const checkTimeoutMs = 1_000

/** Whether a server accepted a connection at the last check; nobody waits for a check. @param origin scheme, host and port */
export function watchReachability(origin: string): () => Reachability {
  const { protocol, hostname, port } = new URL(origin)
  const target = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    timeout: checkTimeoutMs
  }
  let reachability: Reachability = 'unknown'
  let checkedAt = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - checkedAt >= checkIntervalMs) {
      checkedAt = performance.now()
      const socket = connect(target).unref()
      const end = (result: Reachability) => {
        reachability = result
        socket.destroy()
      }
      socket
        .on('connect', () => end('ok'))
        .on('timeout', () => end('unreachable'))
        .on('error', () => end('unreachable'))
    }
    return reachability
  }
}
