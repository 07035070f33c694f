import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { problemBody } from './body.ts'
import { Problem } from './problem.ts'

/** Requests that are not what HTTP has: those that Node's parser refuses, and those that it takes. */

/** The path and query of a request: a request line can also hold a whole URL (RFC 9112, section 3.2.2), whose host is the caller's word. */
export function originForm({ url = '/' }: Pick<IncomingMessage, 'url'>): string {
  if (url.startsWith('/')) return url
  const rest = url.replace(/^https?:\/\/[^/?#]*/i, '')
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest
}

/** Whether a request names its host as HTTP has it: once, which only HTTP/1.0 may leave out. A second one is another host to the next reader. */
export function namesHost({ rawHeaders, httpVersion }: Pick<IncomingMessage, 'rawHeaders' | 'httpVersion'>): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0')
}

/** The problem of a request without exactly one host. */
export const hostProblem = (): Problem => new Problem('malformed-request', 'The request must have exactly one Host header.')

const refused: Record<string, () => [statusText: string, problem: Problem]> = {
  HPE_HEADER_OVERFLOW: () => [
    'Request Header Fields Too Large',
    new Problem('headers-too-large', 'The headers are larger than is taken: 64 KiB together.')
  ],
  ERR_HTTP_REQUEST_TIMEOUT: () => ['Request Timeout', new Problem('request-timeout', 'The request did not come in time.')]
}

/** Responds to a request that Node's parser refuses, on the socket itself, and closes it. */
export function respondToClientError(error: Error & { code?: string }, socket: Socket, requestId: string, base: string): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [statusText, problem] = refused[error.code ?? '']?.() ?? [
    'Bad Request',
    new Problem('malformed-request', 'The request line or the headers are not well-formed.')
  ]
  const body = JSON.stringify(problemBody(problem, requestId, base))
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${problem.status} ${statusText}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`
    )
  socket.destroy(error)
}
