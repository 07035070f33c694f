import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import type { Operation } from '../src/api/operation.ts'
import { methods as traits } from '../src/voximplant/methods.ts'
import { type Certificate, makeCertificate } from './certificate.ts'
import { answersWhole, type Fault, type FaultKind, judge, type Occasion, type Plan, type Rule, type Verdict } from './faults.ts'

/**
 * An upstream that misbehaves by rule and keeps the score: it counts every effect by a marker in the content, so that it can tell what was
 * lost and what was done twice, whatever the service in front of it believes.
 */

/** One call that reached the upstream whole. */
export interface Attempt {
  /** Milliseconds since the start of the counts. */
  at: number
  fault?: FaultKind
  /** A write: whether it had its effect. */
  effect: boolean
  /** `whole`: the proper answer went out; `refused`: the upstream said that it did nothing; `cut`: the caller cannot know; `open`: in flight. */
  fate: 'whole' | 'refused' | 'cut' | 'open'
}

/** What is known of one piece of content. */
export interface Marked {
  method: string
  account: number
  effects: number
  attempts: Attempt[]
}

/** The score. */
export interface Counts {
  connections: number
  requests: number
  effects: number
  /** How often each fault struck. */
  faults: Partial<Record<FaultKind, number>>
  /** Requests by method. */
  methods: Record<string, number>
  /** When requests came, by account: milliseconds since the start of the counts, the latest 100,000. */
  arrivals: Map<number, number[]>
  /** By marker. */
  marked: Map<string, Marked>
}

export interface ChaosUpstream {
  /** Scheme, host and port. */
  origin: string
  /** The authority behind its certificate (PEM); undefined without TLS. */
  ca?: string
  plan(): Required<Plan>
  /** Sets what is given; new rules, and a new seed, begin anew. */
  set(plan: Plan): Promise<void>
  counts(): Counts
  /** Forgets counts; the rules stay, and begin anew. */
  reset(): void
  close(): Promise<void>
}

export interface ChaosOptions extends Plan {
  operations: readonly Operation[]
  /** Answers, where it is given; else the upstream answers by itself: empty lists, new ids. */
  sandbox?: FastifyInstance
  host?: string
  port?: number
  tls?: boolean
  /** What marks content; the text that matches is its name. */
  marker?: RegExp
}

interface Answer {
  status: number
  headers: Record<string, string>
  body: Buffer
}

interface Call {
  method: string
  safe: boolean
  account: number
  marker?: string
  params: URLSearchParams
}

const maxArrivals = 100_000
const strayBody = '{"result":[{"user_id":666,"user_name":"stray","skill_id":666,"skill_name":"stray"}],"total_count":1,"count":1}'
const oneGiB = 1_073_741_824

const listen = (server: { listen(port: number, host: string, ready: () => void): unknown }, port: number, host: string) =>
  new Promise<void>((resolve, reject) => {
    ;(server as Server).once('error', reject)
    server.listen(port, host, resolve)
  })

/** The bytes of an answer. */
const rawOf = ({ status, headers, body }: Answer): Buffer =>
  Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${Object.entries({ ...headers, 'content-length': String(body.length) })
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`
    ),
    body
  ])

const send = (to: ServerResponse, { status, headers, body }: Answer) =>
  to.writeHead(status, { ...headers, 'content-length': body.length }).end(body)

const json = (value: unknown): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
})

/** Starts the upstream. Without rules it does no harm. */
export async function startChaos({
  operations,
  sandbox,
  host = '127.0.0.1',
  port = 0,
  tls = false,
  marker: pattern = /chaos-[a-z0-9-]+/,
  seed = 1,
  rules = [],
  listening = true
}: ChaosOptions): Promise<ChaosUpstream> {
  const plan = { seed, rules: [...rules] as Rule[], listening }
  const struck: number[] = []
  let since = performance.now()
  let counts = fresh()
  let made = 1000
  /** Open connections by their callers' ports. */
  const sockets = new Map<number | undefined, Socket>()
  const resultFields = new Map(operations.map(operation => [operation.endpoint.rpc as string, operation.resultFields]))

  const judged = (occasion: Omit<Occasion, 'time'>): Verdict => {
    const verdict = judge(plan.rules, struck, plan.seed, { ...occasion, time: (performance.now() - since) / 1000 })
    for (const { kind } of verdict.ending ? [...verdict.gentle, verdict.ending] : verdict.gentle)
      counts.faults[kind] = (counts.faults[kind] ?? 0) + 1
    return verdict
  }

  // ------------------------------------------------------------------------------------------------------------ what it answers

  /** What it answers by itself: a list with what was looked for, or new ids. */
  const ownAnswer = ({ method, safe, marker, params }: Call): Answer => {
    if (!safe) {
      const ids = (resultFields.get(method) ?? []).filter(field => /_id$|_count$/.test(field)).map(field => [field, ++made])
      return json({ result: 1, ...Object.fromEntries(ids) })
    }
    const rows = marker && method === 'GetUsers' ? [{ user_id: ++made, user_name: params.get('user_name') ?? marker }] : []
    return json({ result: rows, total_count: rows.length, count: rows.length })
  }

  const answerOf = async (call: Call, request: IncomingMessage, body: Buffer): Promise<Answer> => {
    if (!sandbox) return ownAnswer(call)
    const { statusCode, headers, rawPayload } = await sandbox.inject({
      method: request.method as 'POST',
      url: request.url ?? '/',
      headers: request.headers as Record<string, string>,
      payload: body.length > 0 ? body : undefined
    })
    return { status: statusCode, headers: { 'content-type': String(headers['content-type'] ?? 'application/json') }, body: rawPayload }
  }

  // ------------------------------------------------------------------------------------------------------------ how it goes wrong

  /** Resets a connection, the one below TLS where there is that. */
  const reset = ({ remotePort }: Socket) => sockets.get(remotePort)?.resetAndDestroy()

  const wait = (ms: number, response: ServerResponse) =>
    new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      response.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })

  const endings: {
    [K in FaultKind]?: (
      fault: Extract<Fault, { kind: K }>,
      answer: Answer,
      socket: Socket,
      to: ServerResponse,
      random: () => number
    ) => void
  } = {
    reset({ at }, answer, socket, _, random) {
      const raw = rawOf(answer)
      const bytes = Math.min(at ?? Math.floor(random() * raw.length), raw.length)
      if (bytes === 0) reset(socket)
      else socket.write(raw.subarray(0, bytes), () => reset(socket))
    },
    'half-close'({ at }, answer, socket, _, random) {
      const raw = rawOf(answer)
      socket.end(raw.subarray(0, Math.min(at ?? Math.floor(random() * raw.length), raw.length - 1)))
    },
    'black-hole'() {},
    drip({ bytes = 1, everyMs = 1000 }, { status, headers, body }, _, to) {
      to.writeHead(status, { ...headers, 'content-length': body.length })
      to.flushHeaders()
      let sent = 0
      const timer = setInterval(() => {
        const part = body.subarray(sent, sent + bytes)
        sent += part.length
        if (sent < body.length) to.write(part)
        else {
          clearInterval(timer)
          to.end(part)
        }
      }, everyMs)
      to.once('close', () => clearInterval(timer))
    },
    garbage({ bytes = 1000 }, _, socket, __, random) {
      socket.end(Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256))))
    },
    'garbage-body'({ bytes = 1000 }, answer, _, to, random) {
      const body = Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)))
      send(to, { ...answer, status: 200, body })
    },
    truncated({ at }, { headers, body }, _, to, random) {
      const cut = body.subarray(0, Math.min(at ?? Math.floor(random() * body.length), body.length - 1))
      send(to, { status: 200, headers, body: cut })
    },
    huge({ bytes = oneGiB }, _, __, to) {
      to.writeHead(200, { 'content-type': 'application/json' })
      pipeline(Readable.from(endless(bytes)), to, () => {})
    },
    'content-type'({ type = 'text/html' }, _, __, to) {
      send(to, {
        status: 200,
        headers: { 'content-type': type },
        body: Buffer.from('<!doctype html><title>Sign in</title><p>Welcome to our network.')
      })
    },
    gzip(_, { status, headers, body }, __, to) {
      const packed = gzipSync(body)
      send(to, { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: packed })
    },
    'second-answer'({ count = 1, afterMs = 0 }, answer, socket, to) {
      send(to, answer)
      const again = () => {
        if (socket.writable) socket.write(rawOf(json(strayBody)).toString().repeat(count))
      }
      // Behind the answer, in the order that a pipelining client would take for its next ones.
      to.once('finish', () => (afterMs > 0 ? setTimeout(again, afterMs) : again()))
    },
    status({ status, retryAfter }, _, __, to) {
      const headers = { 'content-type': 'text/html', ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }) }
      send(to, { status, headers, body: Buffer.from(`<h1>${status} ${STATUS_CODES[status] ?? ''}</h1>`) })
    },
    refusal({ code }, _, __, to) {
      send(to, json({ error: { code, msg: 'a fault on purpose' } }))
    }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    const call = readCall(request, body, pattern)
    const now = performance.now()
    counts.requests++
    counts.methods[call.method] = (counts.methods[call.method] ?? 0) + 1
    const times = counts.arrivals.get(call.account) ?? []
    counts.arrivals.set(call.account, times)
    if (times.push(Math.round((now - counts.started) * 10) / 10) > maxArrivals) times.shift()
    const attempt: Attempt = { at: now - counts.started, effect: false, fate: 'open' }
    let of: Marked | undefined
    if (call.marker) {
      of = counts.marked.get(call.marker) ?? { method: call.method, account: call.account, effects: 0, attempts: [] }
      counts.marked.set(call.marker, of)
      of.attempts.push(attempt)
    }
    const counted = counts
    const verdict = judged({
      id: call.marker ? `${call.marker} ${of!.attempts.length}` : `request ${counts.requests}`,
      stage: 'request',
      method: call.method,
      safe: call.safe,
      account: call.account
    })
    const { ending } = verdict
    attempt.fault = ending?.kind ?? verdict.gentle[0]?.kind
    response.once('close', () => {
      const refused = ending?.kind === 'refusal'
      const proper = !ending || answersWhole(ending)
      attempt.fate = !response.writableFinished ? 'cut' : refused ? 'refused' : proper ? 'whole' : 'cut'
    })
    for (const fault of verdict.gentle) {
      if (fault.kind === 'latency') await wait(fault.ms + verdict.random() * (fault.jitter ?? 0), response)
      if (fault.kind === 'clock-skew') response.setHeader('date', new Date(Date.now() + fault.seconds * 1000).toUTCString())
    }
    const acts = !ending || verdict.effect
    const answer = acts ? await answerOf(call, request, body) : json({ result: 1 })
    if (acts && !call.safe && !isRefusal(answer)) {
      attempt.effect = true
      counted.effects++
      if (of) of.effects++
    }
    if (response.destroyed) return
    if (ending) endings[ending.kind]!(ending as never, answer, request.socket, response, verdict.random)
    else send(response, answer)
  }

  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      handle(request, response, Buffer.concat(chunks)).catch(error => {
        process.stderr.write(`${error?.stack ?? error}\n`)
        response.destroy()
      })
    })
    request.on('error', () => {})
    response.on('error', () => {})
  }

  // ------------------------------------------------------------------------------------------------------------ its doors

  const authority = tls ? makeCertificate({ name: 'Chaos', addresses: [], authority: true }) : undefined
  const door = (certificate?: Certificate): Server => {
    const server = certificate
      ? createHttpsServer({ cert: certificate.cert, key: certificate.key }, onRequest)
      : createHttpServer(onRequest)
    server.keepAliveTimeout = 60_000
    server.requestTimeout = 0
    server.on('clientError', (_, socket) => socket.destroy())
    server.on('tlsClientError', () => {})
    return server
  }
  const past = new Date('2021-01-01T00:00:00Z')
  const doors = {
    good: door(authority && makeCertificate({ issuer: authority.issuer })),
    ...(authority
      ? {
          expired: door(makeCertificate({ issuer: authority.issuer, until: past })),
          'wrong-name': door(makeCertificate({ issuer: authority.issuer, addresses: ['192.0.2.1'], name: 'elsewhere.invalid' })),
          'self-signed': door(makeCertificate())
        }
      : {})
  }
  const front = createTcpServer(socket => {
    const { remotePort } = socket
    sockets.set(remotePort, socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => sockets.get(remotePort) === socket && sockets.delete(remotePort))
    counts.connections++
    const { ending } = judged({ id: `connection ${counts.connections}`, stage: 'connection' })
    if (ending?.kind === 'connect-reset') return void socket.resetAndDestroy()
    if (ending?.kind === 'connect-black-hole') return void socket.resume()
    if (ending?.kind === 'tls-cut') {
      socket.once('data', () => {
        // The head of a handshake record, so that the client waits for the rest of it.
        const bytes = Buffer.concat([Buffer.from([0x16, 3, 3, 2, 0, 2, 0, 1, 252, 3, 3]), Buffer.alloc(502)]).subarray(0, ending.at ?? 0)
        socket.write(bytes, () => socket.resetAndDestroy())
      })
      return
    }
    const chosen = ending?.kind === 'tls' ? (doors as Record<string, Server>)[ending.certificate] : undefined
    ;(chosen ?? doors.good).emit('connection', socket)
  })
  let bound = port
  const open = async () => {
    await listen(front, bound, host)
    bound = (front.address() as AddressInfo).port
  }
  const shut = () =>
    new Promise<void>(resolve => {
      front.close(() => resolve())
      for (const socket of sockets.values()) socket.destroy()
    })

  function fresh(): Counts & { started: number } {
    return {
      started: performance.now(),
      connections: 0,
      requests: 0,
      effects: 0,
      faults: {},
      methods: {},
      arrivals: new Map(),
      marked: new Map()
    }
  }
  const begin = () => {
    struck.length = 0
    since = performance.now()
  }

  await open()
  if (!listening) await shut()
  return {
    get origin() {
      return `${tls ? 'https' : 'http'}://${host}:${bound}`
    },
    ca: authority?.cert,
    plan: () => ({ ...plan, rules: [...plan.rules] }),
    async set(next) {
      plan.seed = next.seed ?? plan.seed
      plan.rules = [...(next.rules ?? plan.rules)]
      if (next.rules || next.seed !== undefined) begin()
      if (next.listening === undefined || next.listening === plan.listening) return
      plan.listening = next.listening
      await (next.listening ? open() : shut())
    },
    counts: () => counts,
    reset() {
      counts = fresh()
      begin()
    },
    async close() {
      if (plan.listening) await shut()
      for (const server of Object.values(doors)) server.close()
    }
  }
}

/** JSON of a number of bytes, generated while it is read. */
function* endless(bytes: number): Generator<Buffer> {
  const head = Buffer.from('{"result":[')
  const row = Buffer.from('{"user_id":1,"user_name":"nobody"},'.repeat(1872))
  yield head
  for (let sent = head.length; sent < bytes; sent += row.length) yield row
  yield Buffer.from('{"user_id":2}],"total_count":1}')
}

const isRefusal = ({ status, body }: Answer): boolean => status !== 200 || /^\{"error"/.test(body.subarray(0, 8).toString())

const ownPath = /^\/platform_api(?:\/(\w+))?\/?(?:\?|$)/

/** What a request asks for, and for whom. Whether the token is good is for the sandbox to say. */
function readCall(request: IncomingMessage, body: Buffer, pattern: RegExp): Call {
  const url = request.url ?? '/'
  const form = /urlencoded/.test(request.headers['content-type'] ?? '')
  const params = new URLSearchParams(url.split('?')[1] ?? '')
  if (form) for (const [name, value] of new URLSearchParams(body.toString())) params.set(name, value)
  const method = ownPath.exec(url)?.[1] ?? params.get('cmd') ?? '?'
  const text = form || body.length === 0 ? params.toString() : body.toString('latin1')
  return {
    method,
    safe: (traits as Record<string, { safe?: boolean }>)[method]?.safe === true,
    account: accountIn(request.headers.authorization) ?? Number(params.get('account_id') ?? 0),
    marker: pattern.exec(text)?.[0],
    params
  }
}

function accountIn(authorization: string | undefined): number | undefined {
  const claims = /^Bearer [^.]+\.([^.]+)\./.exec(authorization ?? '')?.[1]
  if (!claims) return undefined
  try {
    const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    return typeof iss === 'number' ? iss : undefined
  } catch {
    return undefined
  }
}
