import { buildConnector, Client, type Dispatcher, errors } from 'undici'

export interface ConnectionPoolOptions {
  /** Maximum connections; further requests queue. */
  maxConnections: number
  /** For how long a connection stays idle after each response, in milliseconds; and while its host is quarantined. */
  connectionCooldownMs: number
  quarantineCooldownMs: number
  /** What all pools of the host know of it. */
  host: HostQuarantine
  /** Requests per connection; 0 for any number. */
  maxRequestsPerConnection: number
  /** Milliseconds: to connect, without a byte while a response is due, and how long an idle connection is kept. */
  connectTimeoutMs: number
  headersTimeoutMs: number
  keepAliveTimeoutMs: number
  /** Extra certificate authorities (PEM). */
  ca?: string | undefined
  /** Called for each connection that was closed because of an unsolicited response. */
  onUnsolicited?: () => void
}

/** Whether a host has sent unsolicited responses lately. */
export interface HostQuarantine {
  /** On the clock of `performance.now()`; in the past for a host that is not quarantined. */
  quarantinedUntil: number
}

/** Milliseconds: how often connections in their cooldown are looked at, and how long a host stays quarantined. */
const tickMs = 1
const quarantineMs = 3_600_000

/**
 * Connections of one tenant to one host, one request at a time on each. A connection stays idle for a cooldown after each response: HTTP/1.1
 * responses carry no request id (RFC 9112 section 9.2), so that an unsolicited one would be read as the response to the next request. Bytes that
 * arrive while a connection is idle close it and quarantine the host, whose connections then have the longer cooldown. undici's own pool reuses a
 * connection immediately. The connection that was used last is used first, so that superfluous ones are closed for being idle.
 */
export class ConnectionPool {
  readonly #origin: string
  readonly #options: Client.Options
  readonly #maxConnections: number
  readonly #cooldownMs: number
  readonly #quarantineCooldownMs: number
  readonly #host: HostQuarantine
  readonly #all: Client[] = []
  readonly #idle: Client[] = []
  /** In the order in which their cooldowns began. */
  readonly #cooling: { client: Client; until: number }[] = []
  readonly #queue: { call: Dispatcher.DispatchOptions; handler: Dispatcher.DispatchHandler }[] = []
  #timer: NodeJS.Timeout | undefined
  readonly #onUnsolicited: (() => void) | undefined
  #closed = false
  #onQueueEmpty: (() => void) | undefined

  constructor(
    origin: string,
    {
      maxConnections,
      connectionCooldownMs,
      quarantineCooldownMs,
      host,
      maxRequestsPerConnection,
      connectTimeoutMs,
      headersTimeoutMs,
      keepAliveTimeoutMs,
      ca,
      onUnsolicited
    }: ConnectionPoolOptions
  ) {
    this.#origin = origin
    this.#onUnsolicited = onUnsolicited
    this.#maxConnections = maxConnections
    this.#cooldownMs = connectionCooldownMs
    this.#quarantineCooldownMs = quarantineCooldownMs
    this.#host = host
    this.#options = {
      // One for all connections, as it keeps TLS sessions. No HTTP/2: one connection would carry all calls of a tenant, and break for all of them.
      connect: buildConnector({ timeout: connectTimeoutMs, allowH2: false, ...(ca ? { ca } : {}) } as buildConnector.BuildOptions),
      allowH2: false,
      headersTimeout: headersTimeoutMs,
      bodyTimeout: headersTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      ...(maxRequestsPerConnection > 0 ? { maxRequestsPerClient: maxRequestsPerConnection } : {})
    }
  }

  /** Sends a request on an idle connection, on a new one, or when one is free. */
  dispatch(call: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    // A retry that is due after its tenant's account has changed.
    if (this.#closed) {
      handler.onResponseError?.(null as never, new errors.ClientClosedError())
      return
    }
    const client = this.#idle.pop() ?? (this.#all.length < this.#maxConnections ? this.#add() : undefined)
    if (client) this.#use(client, call, handler)
    else this.#queue.push({ call, handler })
  }

  /** Takes no more requests, and resolves when those that were taken have ended. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#queue.length > 0) await new Promise<void>(resolve => (this.#onQueueEmpty = resolve))
    clearTimeout(this.#timer)
    await Promise.all(this.#all.map(client => client.close()))
  }

  #add(): Client {
    const client = new Client(this.#origin, this.#options)
    // Emitted when the client can take the next request: after a response, and after its connection has broken.
    client.on('drain', () => this.#release(client))
    client.on('disconnect', (_origin, _targets, error) => {
      if (error.message === 'bad response') this.#quarantine()
    })
    this.#all.push(client)
    return client
  }

  #use(client: Client, call: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    client.dispatch(call, handler)
    // undici has rejected the request as invalid: no drain will come.
    if (client.stats.size === 0) this.#reuse(client)
  }

  #release(client: Client): void {
    const now = performance.now()
    const cooldown = now < this.#host.quarantinedUntil ? this.#quarantineCooldownMs : this.#cooldownMs
    if (cooldown === 0) this.#reuse(client)
    else {
      this.#cooling.push({ client, until: now + cooldown })
      this.#timer ??= setTimeout(() => this.#releaseCooled(), tickMs)
    }
  }

  /** After an unsolicited response. Idle connections have only had the short cooldown: they begin again. */
  #quarantine(): void {
    const isNew = performance.now() >= this.#host.quarantinedUntil
    this.#host.quarantinedUntil = performance.now() + quarantineMs
    if (isNew) for (const client of this.#idle.splice(0)) this.#release(client)
    this.#onUnsolicited?.()
  }

  #releaseCooled(): void {
    const now = performance.now()
    while (this.#cooling.length > 0 && this.#cooling[0]!.until <= now) this.#reuse(this.#cooling.shift()!.client)
    this.#timer = this.#cooling.length > 0 ? setTimeout(() => this.#releaseCooled(), tickMs) : undefined
  }

  #reuse(client: Client): void {
    const next = this.#queue.shift()
    if (next) this.#use(client, next.call, next.handler)
    else this.#idle.push(client)
    if (this.#queue.length === 0) this.#onQueueEmpty?.()
  }
}
