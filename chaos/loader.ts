import { once } from 'node:events'
import autocannon from 'autocannon'

/** Load from a process of its own, for the report: told what to do by messages, and ends with its parent. */

export interface LoadOrder {
  origin: string
  path: string
  /** API keys, in turn. */
  keys: string[]
  connections: number
  seconds: number
  /** Requests per second; as fast as it goes without. */
  rate?: number
}

export interface LoadResult {
  /** Per second. */
  good: number
  all: number
  statuses: Record<string, number>
  /** No answer at all. */
  errors: number
  p99: number
}

process.on('disconnect', () => process.exit())
for (;;) {
  const [{ origin, path, keys, connections, seconds, rate }] = (await once(process, 'message')) as [LoadOrder]
  const requests = keys.map(key => ({ method: 'GET' as const, path, headers: { authorization: `Bearer ${key}` } }))
  // Each connection begins with another key: in step, they would all call for the same tenant at once.
  let first = 0
  const result = await autocannon({
    url: origin,
    connections,
    duration: seconds,
    ...(rate ? { overallRate: rate } : {}),
    timeout: 30,
    requests,
    setupClient(client) {
      const from = first++ % requests.length
      client.setRequests([...requests.slice(from), ...requests.slice(0, from)])
    }
  })
  const statuses = Object.fromEntries(Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => [status, count ?? 0]))
  process.send?.({
    good: result['2xx'] / result.duration,
    all: result.requests.total / result.duration,
    statuses,
    errors: result.errors + result.timeouts,
    p99: result.latency.p99
  } satisfies LoadResult)
}
