import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { faultKinds, readPlan } from './faults.ts'
import type { ChaosUpstream, Counts } from './upstream.ts'

/** A small HTTP port that steers an upstream: rules in, effects out. */

/** The score as JSON: sums, and what was done twice; `marked` and `arrivals` in full on request. */
export interface Score {
  connections: number
  requests: number
  effects: number
  faults: Counts['faults']
  methods: Counts['methods']
  marked: number
  /** Markers whose effect came more than once. */
  doubled: string[]
  content?: Record<string, ReturnType<Counts['marked']['get']>>
  arrivals?: Record<string, number[]>
}

export function scoreOf({ connections, requests, effects, faults, methods, marked, arrivals }: Counts, full = false): Score {
  return {
    connections,
    requests,
    effects,
    faults,
    methods,
    marked: marked.size,
    doubled: [...marked].filter(([, { effects }]) => effects > 1).map(([name]) => name),
    ...(full ? { content: Object.fromEntries(marked), arrivals: Object.fromEntries(arrivals) } : {})
  }
}

/** Serves `/chaos` (GET, PUT), `/chaos/effects` (GET) and `/chaos/reset` (POST). Returns its address. */
export async function startControl(
  upstream: ChaosUpstream,
  { host = '127.0.0.1', port = 0 } = {}
): Promise<{ url: string; close(): void }> {
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://chaos')
    switch (`${request.method} ${pathname}`) {
      case 'GET /chaos':
        return { upstream: upstream.origin, ...upstream.plan(), faults: faultKinds }
      case 'PUT /chaos': {
        await upstream.set(readPlan(JSON.parse(await text(request))))
        return upstream.plan()
      }
      case 'GET /chaos/effects':
        return scoreOf(upstream.counts(), searchParams.get('all') === 'true')
      case 'POST /chaos/reset':
        upstream.reset()
        return scoreOf(upstream.counts())
      default:
        return undefined
    }
  }
  const send = (response: ServerResponse, status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body, null, 2)}\n`)
  const server = createServer((request, response) => {
    answer(request).then(
      body =>
        body === undefined
          ? send(response, 404, { error: 'there are GET and PUT /chaos, GET /chaos/effects and POST /chaos/reset' })
          : send(response, 200, body),
      error => send(response, 400, { error: (error as Error).message })
    )
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/chaos`,
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}
