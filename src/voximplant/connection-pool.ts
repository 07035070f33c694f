import { buildConnector, Client, type Dispatcher, errors } from 'undici'

export interface ConnectionsOptions {
  /** How many there may be; who finds none waits in line. */
  most: number
  /** How long a connection is left alone after an answer, in milliseconds; and while the host is suspect. */
  rest: number
  longRest: number
  /** What is known of the host, by all that call it. */
  host: HostManners
  /** Calls that a connection is used for; 0 for as many as it lasts. */
  callsPerConnection: number
  /** Milliseconds: to connect, of silence while an answer is due, and how long a connection without a call is kept. */
  connectTimeout: number
  silenceTimeout: number
  keepAlive: number
  /** Extra certificate authorities (PEM). */
  ca?: string | undefined
  /** Told of each connection that ended because the upstream sent what nobody had asked for. */
  onUnsolicited?: () => void
}

/** What a host has been seen to do. */
export interface HostManners {
  /** Until when it is suspect: it has sent what nobody had asked for. By `performance.now()`. */
  suspectUntil: number
}

/** Milliseconds: how often the connections that rest are looked at, and how long a host stays suspect. */
const turn = 1
const suspicion = 3_600_000

/**
 * A tenant's connections to one host: each has one call at a time, and rests after its answer. HTTP/1.1 has no names for answers, so that a second
 * one which comes once the next request has left would be taken for that request's; one that comes while nothing is under way ends the
 * connection. A host that has done so once gets the long rest: who answers twice does it again. undici's own pool gives a connection back at
 * once, and looks through all of them to find one. What was used last is used first, so that what is left over grows old and is closed.
 */
export class Connections {
  readonly #origin: string
  readonly #options: Client.Options
  readonly #most: number
  readonly #rest: number
  readonly #longRest: number
  readonly #host: HostManners
  readonly #all: Client[] = []
  readonly #free: Client[] = []
  /** In the order in which they began to rest. */
  readonly #resting: { client: Client; until: number }[] = []
  readonly #waiting: { call: Dispatcher.DispatchOptions; handler: Dispatcher.DispatchHandler }[] = []
  #timer: NodeJS.Timeout | undefined
  readonly #onUnsolicited: (() => void) | undefined
  #closed = false
  #onServed: (() => void) | undefined

  constructor(
    origin: string,
    { most, rest, longRest, host, callsPerConnection, connectTimeout, silenceTimeout, keepAlive, ca, onUnsolicited }: ConnectionsOptions
  ) {
    this.#origin = origin
    this.#onUnsolicited = onUnsolicited
    this.#most = most
    this.#rest = rest
    this.#longRest = longRest
    this.#host = host
    this.#options = {
      // One for all, as it keeps TLS sessions. One stream of HTTP/2 would carry all calls of a tenant, and its end would end them all.
      connect: buildConnector({ timeout: connectTimeout, allowH2: false, ...(ca ? { ca } : {}) } as buildConnector.BuildOptions),
      allowH2: false,
      headersTimeout: silenceTimeout,
      bodyTimeout: silenceTimeout,
      keepAliveTimeout: keepAlive,
      ...(callsPerConnection > 0 ? { maxRequestsPerClient: callsPerConnection } : {})
    }
  }

  /** Sends a request on a connection that has rested, on a new one, or in its turn. */
  dispatch(call: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    // A repetition that is due after its tenant's account has changed.
    if (this.#closed) {
      handler.onResponseError?.(null as never, new errors.ClientClosedError())
      return
    }
    const client = this.#free.pop() ?? (this.#all.length < this.#most ? this.#add() : undefined)
    if (client) this.#use(client, call, handler)
    else this.#waiting.push({ call, handler })
  }

  /** Takes no more calls, and ends when all have. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#waiting.length > 0) await new Promise<void>(served => (this.#onServed = served))
    clearTimeout(this.#timer)
    await Promise.all(this.#all.map(client => client.close()))
  }

  #add(): Client {
    const client = new Client(this.#origin, this.#options)
    // How undici says that it takes the next call: after an answer, and after its connection has broken.
    client.on('drain', () => this.#tired(client))
    client.on('disconnect', (_origin, _targets, error) => {
      if (error.message === 'bad response') this.#suspect()
    })
    this.#all.push(client)
    return client
  }

  #use(client: Client, call: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    client.dispatch(call, handler)
    // Refused outright, and told so: no drain will come.
    if (client.stats.size === 0) this.#rested(client)
  }

  #tired(client: Client): void {
    const now = performance.now()
    const rest = now < this.#host.suspectUntil ? this.#longRest : this.#rest
    if (rest === 0) this.#rested(client)
    else {
      this.#resting.push({ client, until: now + rest })
      this.#timer ??= setTimeout(() => this.#wake(), turn)
    }
  }

  /** The host has sent what nobody had asked for: those that have rested for a moment only rest again. */
  #suspect(): void {
    const news = performance.now() >= this.#host.suspectUntil
    this.#host.suspectUntil = performance.now() + suspicion
    if (news) for (const client of this.#free.splice(0)) this.#tired(client)
    this.#onUnsolicited?.()
  }

  #wake(): void {
    const now = performance.now()
    while (this.#resting.length > 0 && this.#resting[0]!.until <= now) this.#rested(this.#resting.shift()!.client)
    this.#timer = this.#resting.length > 0 ? setTimeout(() => this.#wake(), turn) : undefined
  }

  #rested(client: Client): void {
    const next = this.#waiting.shift()
    if (next) this.#use(client, next.call, next.handler)
    else this.#free.push(client)
    if (this.#waiting.length === 0) this.#onServed?.()
  }
}
