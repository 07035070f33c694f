import type { Span, Tracer } from '@opentelemetry/api'
import type { Dispatcher } from 'undici'
import type { ByteBudget } from '../limits/byte-budget.ts'
import { Problem } from '../problems/problem.ts'
import { count, type Tally, Timing } from '../telemetry/counters.ts'
import type { Journey } from '../telemetry/journey.ts'
import { endAttempt, headersOf, startAttempt } from '../telemetry/spans.ts'
import type { Account } from './account.ts'
import {
  type Breaker,
  type BreakerCounts,
  type BreakerOptions,
  type BreakerScope,
  createBreaker,
  createBreakerCounts,
  createHostBreaker,
  type HostBreaker,
  type Pass,
  type Sign
} from './circuit-breaker.ts'
import { Connections, type HostManners } from './connection-pool.ts'
import { textOf } from './encoding.ts'
import { meaningOf } from './error-codes.ts'
import { LargeResponse, type LargeResponses, largeFrom, Turns } from './large-response.ts'
import type { MethodTraits } from './methods.ts'
import { type Budget, createBudget, type Fault, mayRepeat, pauseOf, type RetryOptions, secondsOf } from './retry.ts'
import type { Rows } from './rows.ts'
import { createTokens, skewOf } from './token.ts'
import type { Decode, Drift } from './wire/drift.ts'
import { decodeExactly } from './wire/response.ts'

/** Leave to call, looked at again right before each attempt: the caller and the account may have changed since the request began. */
export interface Permit {
  /** The account to call with now; a promise only where memory cannot tell. Throws Problem when the caller may not call any more. */
  account(): Account | Promise<Account>
  /** Whether that still holds, from memory alone: asked when the first byte is about to be written. */
  holds(account: Account): boolean
}

/** One call of one method. */
export interface Call {
  method: string
  /** `application/x-www-form-urlencoded`, `cmd` included. */
  form: string
  decode: Decode
  /** Fields of which an answer of this method has at least one, by the upstream's names. */
  answers: readonly string[]
  /** An error beside a result that holds data comes through with it; without this it is an error and nothing else. */
  partial?: boolean
  /** The method wants the account's id as a parameter too. */
  ownAccount?: boolean
  /** Reads only: a lost answer is a mere fault, not an unknown outcome. */
  safe: boolean
  /** How its `result` is decoded, where that is a list: a long one is then `Rows`, written already. */
  decodeRows?: Decode | undefined
  /** When it may be sent again; never by default. */
  retry?: MethodTraits['retry']
  /** Milliseconds for everything; the client's own by default. */
  timeout?: number | undefined
  /** The request that it is made for. Its end cancels the call, if that is a safe one. */
  journey?: Journey | undefined
  /** Awaited once, right before the first byte can leave; what it throws keeps everything here. */
  sending?: (() => Promise<void>) | undefined
  /** Without one, the call is made with the account that is given. */
  permit?: Permit | undefined
}

export interface ClientOptions {
  /** Milliseconds: to connect, to the first byte of the answer, and for everything. */
  connectTimeout: number
  headersTimeout: number
  timeout: number
  /** How long a connection without a call is kept, in milliseconds. */
  keepAlive: number
  /** How long a connection is left alone after an answer, in milliseconds: what comes meanwhile was not asked for, and ends it. */
  rest: number
  /** The same for a host that has done so within the last hour. */
  longRest: number
  /** Calls that a connection is used for; 0 for as many as it lasts. */
  callsPerConnection: number
  /** Connections per tenant and host. */
  connections: number
  /** The longest answer that is read, in bytes. */
  maxAnswerBytes: number
  /** Bytes of responses that are held in memory. */
  budget: ByteBudget
  retry: RetryOptions
  breaker: BreakerOptions & {
    /** How long a probe may take, in milliseconds. */
    probeTimeout: number
  }
  drift: Drift
  /** Where spans go, if anywhere. */
  tracer?: Tracer | undefined
  /** Told when a breaker opens or closes, and whose it is: a tenant's at a host, or a host's. */
  onBreaker?: (turn: { scope: BreakerScope; open: boolean; origin: string; tenantId: string | undefined }) => void
  /** Extra certificate authorities (PEM), for an upstream with a private one. */
  ca?: string
}

/** The upstream refused: its error, in its own words. `plugins/voximplant.ts` tells the caller what it means. */
export class Refusal extends Error {
  readonly code: number
  readonly fieldName: string | undefined
  /** Seconds to wait, when the upstream said so. */
  readonly retryAfter: string | undefined
  constructor(code: number, message: string, fieldName?: string, retryAfter?: string) {
    super(message)
    this.code = code
    this.fieldName = fieldName
    this.retryAfter = retryAfter
  }
}

/** What a call goes out with: the tenant's connections, and the proof of who calls. */
export interface Connection {
  pool: Connections
  headers: Record<string, string>
  /** Parameters, by the upstream's names. */
  params: readonly (readonly [name: string, value: string])[]
  /** To be told once how it ended: with an answer's status, or with what was thrown, or both. */
  done(failure: unknown, status: number | undefined): void
}

/** What became of calls, to be read at any time. */
export interface ClientCounts {
  /** By method: how long attempts took, and what they came to. */
  readonly methods: ReadonlyMap<string, { readonly time: Timing; readonly outcomes: Tally }>
  /** Attempts after the first, by the reason; and those that were due but not made, by what forbade them. */
  readonly retries: Tally
  readonly notRetried: Tally
  readonly breakers: BreakerCounts
  /** Connections that ended because the upstream sent what nobody had asked for. */
  readonly unsolicited: number
  /** Breakers that are open now. */
  open(): { tenants: string[]; hosts: string[] }
}

export interface Client {
  /** One POST, repeated where that is safe. Throws Refusal when the upstream says no, Problem when no answer could be had. */
  call(account: Account, call: Call): Promise<Record<string, unknown>>
  /** For calls that are more than a form and an answer: `upload.ts` and `download.ts`. Throws Problem while the breaker is open. */
  connection(account: Account, call: Pick<Call, 'method' | 'safe' | 'journey'>): Connection
  readonly counts: ClientCounts
  /** Closes a tenant's connections: its credentials or host have changed. Calls under way end normally. */
  forget(tenantId: string): void
  close(): Promise<void>
}

/** An answer as it came. */
export interface RawAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  /** The rows of a long list, which `text` then lacks. */
  rows?: Rows | undefined
}

/** Why no whole answer came. `sent`: bytes may have reached the upstream. */
export class Cut extends Error {
  /**
   * `permit`: it did not hold any more when the first byte was about to be written. `crowded`: the deadline passed while other large responses
   * were in its way here.
   */
  readonly reason: 'deadline' | 'crowded' | 'oversized' | 'connection' | 'gone' | 'permit'
  readonly sent: boolean
  constructor(reason: Cut['reason'], sent: boolean, cause?: unknown) {
    super(reason, { cause })
    this.reason = reason
    this.sent = sent
  }
}

/** A patient probe takes longer than its caller waits. */
class Overdue extends Error {}

/** What the caller of one is told. */
const unanswered = (interval: number): Problem =>
  new Problem('upstream-unavailable', 'The upstream has failed again and again, and does not answer in time now either.', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(interval / 1000))) }
  })

/** What a tenant has with one host. */
interface Line {
  pool: Connections
  breaker: Breaker
  budget: Budget
}

/** One attempt, from when it is let in. */
interface Attempt {
  line: Line
  pass: Pass
  since: number
  journey: Journey | undefined
  tally: { time: Timing; outcomes: Tally }
  span: Span | undefined
}

/** What an exchange has to know of the call it is made for. */
type ExchangeCall = Pick<Call, 'decodeRows' | 'safe' | 'journey'> & { tenantId: string }

/**
 * One request and its answer: a dispatch handler of our own, as undici's body streams cost more than the call. One object, not a handful of
 * closures: those keep each other, and with them answers that were read long ago, from being collected early.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: RawAnswer) => void
  readonly #reject: (cut: Cut) => void
  readonly #responses: LargeResponses
  readonly #call: ExchangeCall
  readonly #timer: NodeJS.Timeout
  #large: LargeResponse | undefined
  readonly #permitted: (() => boolean) | undefined
  #cancelledBy: Journey | undefined
  #chunks: Buffer[] = []
  #bytes = 0
  #status = 0
  #headers: RawAnswer['headers'] = {}
  #controller: Dispatcher.DispatchController | undefined
  #over = false

  /** @param timeout milliseconds */
  constructor(
    resolve: (answer: RawAnswer) => void,
    reject: (cut: Cut) => void,
    timeout: number,
    responses: LargeResponses,
    call: ExchangeCall,
    cancelledBy: Journey | undefined,
    permitted: (() => boolean) | undefined
  ) {
    this.#permitted = permitted
    this.#resolve = resolve
    this.#reject = reject
    this.#responses = responses
    this.#call = call
    this.#cancelledBy = cancelledBy
    this.#timer = setTimeout(late, timeout, this)
    if (cancelledBy) cancelledBy.underWay = this
  }

  /** Ends it here. Aborting destroys the socket, so that an answer that comes late meets nobody. */
  cut(reason: Cut['reason']): void {
    const error = new Cut(reason, this.#controller !== undefined)
    this.#end(error)
    this.#controller?.abort(error)
  }

  /** Ends it because its time is over. */
  late(): void {
    this.cut(this.#large?.delayed ? 'crowded' : 'deadline')
  }

  #end(error: Cut | undefined, text?: string, rows?: Rows): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    if (this.#cancelledBy) this.#cancelledBy.underWay = undefined
    this.#cancelledBy = undefined
    const chunks = this.#chunks
    this.#chunks = []
    if (error) {
      this.#large?.cancel()
      this.#reject(error)
    } else
      this.#resolve({
        status: this.#status,
        headers: this.#headers,
        text:
          text ??
          textOf(
            chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#bytes),
            this.#headers['content-encoding'],
            this.#responses.maxBytes
          ),
        rows
      })
  }

  /** From here on it is read as large responses are. */
  #enlarge(length: number | undefined): void {
    const { tenantId, decodeRows, safe, journey } = this.#call
    this.#large = new LargeResponse(this.#responses, this.#controller!, {
      tenantId,
      decodeRows: this.#status === 200 ? decodeRows : undefined,
      encoding: this.#headers['content-encoding'],
      waits: safe,
      length,
      done: result => {
        if (!result) {
          this.#end(undefined, '')
          this.#controller?.abort(new Error('no JSON'))
          return
        }
        // Counted on until the caller has taken what becomes of it.
        if (journey) journey.keep(result.hold)
        else result.hold.release()
        this.#end(undefined, result.text, result.rows)
      }
    })
    for (const chunk of this.#chunks.splice(0)) this.#large.data(chunk)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (!this.#over && this.#permitted?.() === false) {
      const error = new Cut('permit', false)
      this.#end(error)
      controller.abort(error)
      return
    }
    this.#controller = controller
    if (this.#over) controller.abort(new Cut('deadline', false))
  }
  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: RawAnswer['headers']): void {
    this.#status = status
    this.#headers = headers
    const length = Number(headers['content-length'])
    if (length > this.#responses.maxBytes) this.cut('oversized')
    else if (length > largeFrom) this.#enlarge(length)
  }
  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#responses.maxBytes) this.cut('oversized')
    else if (this.#large) this.#large.data(chunk)
    else {
      this.#chunks.push(chunk)
      if (this.#bytes > largeFrom) this.#enlarge(undefined)
    }
  }
  onResponseEnd(): void {
    if (this.#large) this.#large.end()
    else this.#end(undefined)
  }
  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    const timedOut = /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test((error as { code?: string }).code ?? '')
    this.#end(new Cut(timedOut ? 'deadline' : 'connection', this.#controller !== undefined, error))
  }
}

const late = (exchange: Exchange): void => exchange.late()

/** How many tenants' bursts of retries the process may spend at once. */
const commonBursts = 5

/** The client of the upstream: one pool of connections per tenant and host, a deadline on everything, no redirects, and the one place that tries again. */
export function createClient(options: ClientOptions): Client {
  const tokens = createTokens()
  const lines = new Map<string, Map<string, Line>>()
  const hosts = new Map<string, HostBreaker>()
  const { retries: retryCounts, notRetried, breakers } = { retries: {} as Tally, notRetried: {} as Tally, breakers: createBreakerCounts() }
  const methods = new Map<string, Attempt['tally']>()
  let unsolicited = 0
  const manners = new Map<string, HostManners>()
  const mannersOf = (origin: string): HostManners => {
    const known = manners.get(origin) ?? { suspectUntil: 0 }
    manners.set(origin, known)
    return known
  }
  const { tracer, onBreaker } = options
  const responses: LargeResponses = {
    budget: options.budget,
    turns: new Turns(),
    drift: options.drift,
    maxBytes: options.maxAnswerBytes
  }
  /** The process as a whole must not repeat itself too much either. Counted by calls, not by those that wait: a pause is longer than a call. */
  const common = createBudget({ share: options.retry.share, burst: options.retry.burst * commonBursts })

  const lineOf = ({ tenantId, origin }: Account): Line => {
    const ofTenant = lines.get(tenantId) ?? new Map<string, Line>()
    let line = ofTenant.get(origin)
    if (!line) {
      const pool = new Connections(origin, {
        most: options.connections,
        rest: options.rest,
        longRest: options.longRest,
        host: mannersOf(origin),
        callsPerConnection: options.callsPerConnection,
        connectTimeout: options.connectTimeout,
        silenceTimeout: options.headersTimeout,
        keepAlive: options.keepAlive,
        ca: options.ca,
        onUnsolicited: () => unsolicited++
      })
      const tell = (scope: BreakerScope, open: boolean) =>
        onBreaker?.({ scope, open, origin, tenantId: scope === 'tenant' ? tenantId : undefined })
      let host = hosts.get(origin)
      if (!host) {
        host = createHostBreaker(options.breaker, breakers, tell)
        hosts.set(origin, host)
      }
      line = { pool, breaker: createBreaker(tenantId, host, options.breaker, breakers, tell), budget: createBudget(options.retry) }
      lines.set(tenantId, ofTenant.set(origin, line))
    }
    return line
  }

  /** Lets an attempt in, and gives it its place in the trace. Throws Problem while a breaker is open. */
  const begin = (
    line: Line,
    { origin }: Account,
    { method, safe, journey }: Pick<Call, 'method' | 'safe' | 'journey'>,
    headers: Record<string, string>,
    earlier: number
  ): Attempt => {
    const since = performance.now()
    const pass = line.breaker.enter(since, safe)
    let tally = methods.get(method)
    if (!tally) {
      tally = { time: new Timing(), outcomes: {} }
      methods.set(method, tally)
    }
    const span = tracer && startAttempt(tracer, journey, method, origin, earlier)
    if (span) Object.assign(headers, headersOf(span))
    else if (journey) {
      headers.traceparent = journey.next()
      if (journey.state !== undefined) headers.tracestate = journey.state
    }
    return { line, pass, since, journey, tally, span }
  }

  /** What came of it, for the breaker and for everyone who counts. */
  const finish = ({ line, since, journey, tally, span }: Attempt, failure: unknown, status: number | undefined): void => {
    const now = performance.now()
    const outcome = failure === undefined ? 'ok' : outcomeOf(failure, status)
    line.breaker.leave(failure === undefined ? 'answered' : signOf(failure, status), now)
    tally.time.add(now - since)
    count(tally.outcomes, outcome)
    if (journey) {
      journey.upstream += now - since
      journey.attempts++
    }
    if (span) endAttempt(span, outcome, status)
  }

  /** Everything of the answer, or a Cut. */
  const exchange = (
    pool: Connections,
    headers: Record<string, string>,
    body: string,
    timeout: number,
    call: ExchangeCall,
    cancelledBy: Journey | undefined,
    permitted: (() => boolean) | undefined
  ): Promise<RawAnswer> =>
    new Promise((resolve, reject) => {
      pool.dispatch(
        { path: '/platform_api', method: 'POST', headers, body },
        new Exchange(resolve, reject, timeout, responses, call, cancelledBy, permitted)
      )
    })

  /**
   * The answer to a patient probe, or Overdue: its caller waits no longer than for any other probe, as everyone is told at once that the
   * upstream is away; the probe itself goes on, and finds one that is merely slow.
   */
  const askPatiently = (attempt: Attempt, call: Call, exchanged: Promise<RawAnswer>): Promise<RawAnswer> =>
    new Promise((resolve, reject) => {
      let overdue = false
      const timer = setTimeout(() => {
        overdue = true
        reject(new Overdue())
      }, options.breaker.probeTimeout)
      exchanged.then(
        raw => {
          clearTimeout(timer)
          if (!overdue) return resolve(raw)
          try {
            decoded(raw, call, options.drift)
            finish(attempt, undefined, raw.status)
          } catch (error) {
            finish(attempt, error, raw.status)
          }
        },
        cut => {
          clearTimeout(timer)
          if (overdue) finish(attempt, cut, undefined)
          else reject(cut)
        }
      )
    })

  /** How long to wait before a failed attempt is repeated, in milliseconds; undefined when it must not be, or not by us. */
  const pauseFor = (fault: Fault | undefined, raw: RawAnswer | undefined, retry: MethodTraits['retry'], attempts: number) => {
    if (fault === undefined || !mayRepeat(retry, fault, attempts, options.retry.retries)) return undefined
    const told = secondsOf(raw?.headers['retry-after'], raw?.headers.date)
    if (told === undefined) return pauseOf(attempts, options.retry)
    // A longer wait is the caller's, who is told of it.
    return told * 1000 <= options.retry.most ? told * 1000 : undefined
  }

  /** Why a repetition that would be right is not made; undefined when it is. Spends what it costs. */
  const forbids = (line: Line, pause: number, end: number): string | undefined => {
    if (performance.now() + pause >= end) return 'deadline'
    if (!line.budget.spend()) return 'tenant-budget'
    return common.spend() ? undefined : 'process-budget'
  }

  /** A call with an account's credentials, ready to be sent. */
  const signed = (account: Account, { form, ownAccount }: Call) => {
    const { credential } = account
    const headers: Record<string, string> = {
      ...account.headers,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      'accept-encoding': 'identity'
    }
    let body = form
    if (credential.kind === 'key') {
      headers.authorization = tokens(credential)
      if (ownAccount) body += `&account_id=${credential.accountId}`
    } else body += `&account_id=${credential.accountId}&api_key=${encodeURIComponent(credential.apiKey)}`
    return { account, credential, line: lineOf(account), headers, body }
  }

  return {
    async call(given, call) {
      const { method, decodeRows, safe, retry, journey, sending, permit, timeout = options.timeout } = call
      let ready = signed(given, call)
      const permitted = permit && (() => permit.holds(ready.account))
      const end = performance.now() + timeout
      // A change that was sent is never cancelled: its caller may have gone, but what becomes of it is still worth knowing.
      const cancelledBy = safe ? journey : undefined
      const about: ExchangeCall = { tenantId: given.tenantId, decodeRows, safe, journey }
      // Nothing is waited for while an earlier response of the same request is held.
      journey?.release()
      let renewed = false
      let mayLeave = sending === undefined
      ready.line.budget.earn()
      common.earn()
      for (let attempts = 1, sent = 0; ; sent++) {
        if (cancelledBy?.gone || (journey?.gone && sent === 0)) throw callerGone()
        if (permit) {
          const found = permit.account()
          const now = found instanceof Promise ? await found : found
          if (now !== ready.account) {
            ready = signed(now, call)
            renewed = false
          }
        }
        const { account, credential, line, headers, body } = ready
        let raw: RawAnswer | undefined
        let failure: unknown
        const attempt = begin(line, account, call, headers, sent)
        // A change that is cut leaves its caller in the dark, so that it has its time as a probe too.
        const limit = attempt.pass === 'probe' && safe ? options.breaker.probeTimeout : timeout
        try {
          if (!mayLeave) {
            await sending!()
            mayLeave = true
          }
          const most = attempts === 1 ? limit : Math.min(limit, end - attempt.since)
          if (attempt.pass === 'patient' && safe)
            raw = await askPatiently(attempt, call, exchange(line.pool, headers, body, most, about, undefined, permitted))
          else raw = await exchange(line.pool, headers, body, most, about, cancelledBy, permitted)
          const answer = decoded(raw, call, options.drift)
          finish(attempt, undefined, raw.status)
          return answer
        } catch (error) {
          // Its probe goes on without it, and says itself how it ended.
          if (error instanceof Overdue) throw unanswered(options.breaker.interval)
          failure = error
          finish(attempt, error, raw?.status)
        }
        if (failure instanceof Cut && failure.reason === 'permit' && performance.now() < end) {
          // Nothing has left: what has changed is looked at, and it goes on or ends there.
          sent--
          continue
        }
        if (raw && !renewed && credential.kind === 'key' && isTokenFault(failure, raw)) {
          // The upstream has done nothing for a token that it refused, so that anything may be sent again.
          renewed = true
          tokens.renew(credential, raw.headers.date as string | undefined)
          headers.authorization = tokens(credential)
          count(retryCounts, 'token')
          if (journey) journey.retries++
          continue
        }
        const fault = faultOf(failure)
        const pause = retry === undefined ? undefined : pauseFor(fault, raw, retry, attempts)
        const forbidden = pause === undefined ? undefined : forbids(line, pause, end)
        if (forbidden !== undefined) count(notRetried, forbidden)
        if (pause === undefined || forbidden !== undefined) throw failure instanceof Cut ? problemOfCut(failure, method, safe) : failure
        attempts++
        count(retryCounts, fault!)
        if (journey) journey.retries++
        await waitFor(pause, cancelledBy)
      }
    },
    connection(account, call): Connection {
      const { credential } = account
      const line = lineOf(account)
      const headers: Record<string, string> = { ...account.headers }
      const attempt = begin(line, account, call, headers, 0)
      const done = (failure: unknown, status: number | undefined) => finish(attempt, failure, status)
      if (credential.kind === 'key') {
        headers.authorization = tokens(credential)
        return { pool: line.pool, headers, params: [], done }
      }
      const { accountId, apiKey } = credential
      return {
        pool: line.pool,
        headers,
        params: [
          ['account_id', String(accountId)],
          ['api_key', apiKey]
        ],
        done
      }
    },
    counts: {
      methods,
      retries: retryCounts,
      notRetried,
      breakers,
      get unsolicited() {
        return unsolicited
      },
      open: () => ({
        tenants: [...lines].flatMap(([tenantId, ofTenant]) =>
          [...ofTenant.values()].some(({ breaker }) => breaker.open) ? [tenantId] : []
        ),
        hosts: [...hosts].flatMap(([origin, { open }]) => (open ? [origin] : []))
      })
    },
    forget(tenantId) {
      const ofTenant = lines.get(tenantId)
      lines.delete(tenantId)
      for (const [origin, { pool }] of ofTenant ?? []) {
        void pool.close()
        if (![...lines.values()].some(others => others.has(origin))) hosts.delete(origin)
      }
    },
    async close() {
      await Promise.all([...lines.values()].flatMap(ofTenant => [...ofTenant.values()].map(({ pool }) => pool.close())))
    }
  }
}

/** A pause that ends early when the caller goes. */
const waitFor = (ms: number, cancelledBy: Journey | undefined): Promise<void> =>
  new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      if (cancelledBy) cancelledBy.underWay = undefined
      resolve()
    }
    const timer = setTimeout(end, ms)
    if (cancelledBy) cancelledBy.underWay = { cut: end }
  })

/** Nobody reads this answer. */
export const callerGone = () => new Problem('caller-gone', 'The caller went away before the answer was there.')

const cutIn = (failure: unknown): Cut | undefined => {
  if (failure instanceof Cut) return failure
  return failure instanceof Problem && failure.cause instanceof Cut ? failure.cause : undefined
}

/** What an attempt came to, in a word. */
function outcomeOf(failure: unknown, status: number | undefined): string {
  const cut = cutIn(failure)
  if (cut) {
    if (cut.reason === 'gone' || cut.reason === 'permit') return 'cancelled'
    if (cut.reason === 'deadline') return 'timeout'
    if (cut.reason === 'crowded') return 'crowded'
    return cut.reason === 'oversized' ? 'oversized' : cut.sent ? 'lost' : 'unsent'
  }
  if (failure instanceof Refusal) return 'refused'
  if (status === undefined) return 'cancelled'
  if (status === 429) return 'rate-limited'
  return status >= 500 ? 'fault' : 'invalid'
}

/** What it says of the upstream. */
function signOf(failure: unknown, status: number | undefined): Sign {
  if (status !== undefined) return status >= 500 ? 'fault' : 'answered'
  const cut = cutIn(failure)
  if (!cut || cut.reason === 'gone' || cut.reason === 'permit') return 'neither'
  return cut.reason === 'oversized' || cut.reason === 'crowded' ? 'answered' : 'silent'
}

const notNow: readonly string[] = ['upstream-fault', 'upstream-unavailable', 'upstream-answer-invalid', 'rate-limited']

/** What kind of failure an attempt met; undefined for one that the next attempt would meet too. */
function faultOf(failure: unknown): Fault | undefined {
  if (failure instanceof Cut && (failure.reason === 'gone' || failure.reason === 'crowded')) return undefined
  if (failure instanceof Cut) return failure.sent ? (failure.reason === 'oversized' ? undefined : 'transport') : 'unsent'
  const type = failure instanceof Refusal ? meaningOf(failure.code).type : failure instanceof Problem ? failure.type : ''
  return notNow.includes(type) ? 'answer' : undefined
}

/** Seconds by which clocks may differ before a refused credential is taken for a wrong clock. */
const tolerance = 30

/** Whether the upstream refused the token rather than the credential behind it. A wrong clock also shows as a refused credential. */
function isTokenFault(failure: unknown, { headers }: RawAnswer): boolean {
  if (!(failure instanceof Refusal)) return false
  const { type } = meaningOf(failure.code)
  if (type === 'upstream-token-rejected') return true
  return type === 'upstream-credentials-rejected' && Math.abs(skewOf(headers.date as string | undefined, Date.now())) > tolerance
}

const causeOf = (error: Cut): string => {
  const cause = error.cause as { code?: string; message?: string } | undefined
  return cause?.code ?? cause?.message ?? 'no reason given'
}

/** What a lost answer means for the caller. */
export function problemOfCut(cut: Cut, method: string, safe: boolean): Problem {
  if (cut.reason === 'gone') return callerGone()
  if (!cut.sent)
    return new Problem(
      'upstream-unreachable',
      `No connection to the upstream could be made for ${method} (${causeOf(cut)}); nothing was sent.`,
      { cause: cut }
    )
  if (!safe)
    return new Problem(
      'outcome-unknown',
      `${method} was sent, but its answer was lost (${cut.reason === 'connection' ? causeOf(cut) : cut.reason}). It is not sent again; look whether it had its effect.`,
      { cause: cut }
    )
  if (cut.reason === 'crowded')
    return new Problem(
      'service-unavailable',
      `Too many large responses are being read for ${method} to be among them in time. Ask for smaller pages, or for fewer at once.`,
      { headers: { 'retry-after': '5' }, cause: cut }
    )
  if (cut.reason === 'deadline') return new Problem('upstream-timeout', `${method} was not answered in time.`, { cause: cut })
  if (cut.reason === 'oversized')
    return new Problem('upstream-answer-invalid', `The answer to ${method} is longer than Voxgate reads.`, { cause: cut })
  return new Problem('upstream-unreachable', `The connection to the upstream broke during ${method} (${causeOf(cut)}).`, { cause: cut })
}

/** A response as declared, when the upstream did what it was asked; throws otherwise. */
export const decoded = (
  raw: RawAnswer,
  { method, decode, answers, partial, safe }: Pick<Call, 'method' | 'decode' | 'answers' | 'partial' | 'safe'>,
  drift: Drift
): Record<string, unknown> => {
  const response = decodeExactly(read(raw, method, answers, safe, partial), raw.text, decode, drift) as Record<string, unknown>
  if (raw.rows) response.result = raw.rows
  return response
}

/**
 * The answer's JSON object when the upstream did what it was asked; throws Refusal or Problem otherwise. After a change, only the API's own
 * error document means that nothing was done: proxies answer 429 and 503 also when the connection broke after the request was forwarded.
 * @param safe nothing was changed: a read, or a call that was not sent to its end
 */
export function read(
  { status, headers, text, rows }: RawAnswer,
  method: string,
  answers: readonly string[],
  safe: boolean,
  partial = false
): Record<string, unknown> {
  const seconds = secondsOf(headers['retry-after'], headers.date)
  const retryAfter = seconds === undefined ? undefined : String(seconds)
  const answer = parse(text)
  const refusal = refusalIn(answer, retryAfter)
  const carriesData = partial && status === 200 && (rows?.length || holdsSomething(answer?.result))
  if (refusal && !carriesData && (safe || isErrorDocument(answer))) throw refusal
  if (safe && status === 429)
    throw new Problem('rate-limited', `The upstream takes no more ${method} calls for now.`, {
      headers: { 'retry-after': retryAfter ?? '1' }
    })
  if (safe && status === 503)
    throw new Problem('upstream-unavailable', `The upstream is not available for ${method}.`, {
      headers: { 'retry-after': retryAfter ?? '1' }
    })
  if (status === 200 && (!refusal || carriesData) && answer && answers.some(field => field in answer)) return answer
  const what = status === 200 ? `answered ${method} with something that is no answer of its API` : `answered ${method} with HTTP ${status}`
  if (!safe) throw new Problem('outcome-unknown', `The upstream ${what}. It is not sent again; look whether it had its effect.`)
  throw new Problem(status >= 500 ? 'upstream-fault' : 'upstream-answer-invalid', `The upstream ${what}.`)
}

/** Whether a result has data in it: not a bare acknowledgement, and not empty. */
const holdsSomething = (result: unknown): boolean => typeof result === 'object' && result !== null && Object.keys(result).length > 0

/** The upstream's no in an answer, if it is one. */
export function refusalIn(answer: Record<string, unknown> | undefined, retryAfter: string | undefined): Refusal | undefined {
  const refused = errorOf(answer)
  return refused && new Refusal(Number(refused.code), String(refused.msg ?? ''), refused.field_name as string | undefined, retryAfter)
}

/** The JSON object that a text is; undefined when it is none. */
export function parse(text: string): Record<string, unknown> | undefined {
  try {
    const answer = JSON.parse(text)
    return typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer : undefined
  } catch {
    return undefined
  }
}

/** The upstream's error: `error`, or the first of `errors`, as some methods write it. */
function errorOf(answer: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  const error = answer?.error ?? (Array.isArray(answer?.errors) ? answer.errors[0] : undefined)
  if (error === undefined || error === null || error === false) return undefined
  return typeof error === 'object' ? (error as Record<string, unknown>) : { msg: error }
}

/** Whether an error is in the form of the API, `{code, msg}`, and so not of something in between that answers JSON too. */
function isErrorDocument(answer: Record<string, unknown> | undefined): boolean {
  const { code, msg } = errorOf(answer) ?? {}
  return /^\d+$/.test(String(code)) && typeof msg === 'string'
}
