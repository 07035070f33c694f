import { createServer, type Server } from 'node:http'
import type { Metrics } from './metrics.ts'

/** Serves `/metrics`, and nothing else, on its own port. Close it. */
export async function listenForMetrics(
  metrics: Pick<Metrics, 'contentType' | 'text' | 'admits'>,
  host: string,
  port: number
): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.url !== '/metrics') return response.writeHead(404).end()
    if (request.method !== 'GET' && request.method !== 'HEAD') return response.writeHead(405, { allow: 'GET, HEAD' }).end()
    if (!metrics.admits(request.headers.authorization))
      return response.writeHead(401, { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' }).end()
    try {
      const text = await metrics.text()
      response.writeHead(200, { 'content-type': metrics.contentType }).end(text)
    } catch {
      response.writeHead(500).end()
    }
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  return server
}
