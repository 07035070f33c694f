import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** One whole call, as a stub of the upstream has taken it. */
export interface StubCall {
  /** The parameters of a form; `body` where it is none. */
  form: URLSearchParams
  body: string
  request: IncomingMessage
  response: ServerResponse
}

export interface Stub {
  /** Scheme, host and port. */
  origin: string
  server: Server
}

/** What an upstream without anything answers to a list. */
export const emptyList = '{"result":[],"total_count":0,"count":0}'

/** An upstream of a test's own on a real socket, whose calls the test answers as it likes. It ends with the test, and its connections too. */
export async function startStub(t: Test, act: (call: StubCall) => unknown): Promise<Stub> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      // The caller broke it off: there is no call.
      return
    }
    const body = Buffer.concat(chunks).toString()
    act({ form: new URLSearchParams(body), body, request, response })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
