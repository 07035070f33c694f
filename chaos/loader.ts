import { once } from 'node:events'
import autocannon from 'autocannon'

/** Load from a process of its own, for the report. It is controlled by messages and ends with its parent. */

export interface LoadOrder {
  origin: string
  path: string
  /** API keys, in turn. */
  keys: string[]
  connections: number
  seconds: number
  /** The number of first requests that are not counted: until all connections are open, there is no full load. */
  settle: number
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
  const [{ origin, path, keys, connections, seconds, settle, rate }] = (await once(process, 'message')) as [LoadOrder]
  const requests = keys.map(key => ({ method: 'GET' as const, path, headers: { authorization: `Bearer ${key}` } }))
  // Each connection begins with another key: in step, they would all call for the same tenant.
  let first = 0
  const begun = performance.now() + settle * 1000
  let [good, all, last] = [0, 0, begun]
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const options: autocannon.Options = {
      url: origin,
      connections,
      duration: seconds + settle,
      ...(rate ? { overallRate: rate } : {}),
      timeout: 30,
      requests,
      setupClient(client) {
        const from = first++ % requests.length
        client.setRequests([...requests.slice(from), ...requests.slice(0, from)])
      }
    }
    autocannon(options, (error, result) => (error ? reject(error) : resolve(result))).on('response', (_client, status) => {
      const now = performance.now()
      if (now < begun) return
      all++
      if (status < 300) good++
      last = now
    })
  })
  const statuses = Object.fromEntries(Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => [status, count ?? 0]))
  process.send?.({
    good: (good / (last - begun)) * 1000,
    all: (all / (last - begun)) * 1000,
    statuses,
    errors: result.errors + result.timeouts,
    p99: result.latency.p99
  } satisfies LoadResult)
}
