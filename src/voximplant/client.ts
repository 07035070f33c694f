import { setTimeout as sleep } from 'node:timers/promises'
import { type Dispatcher, Pool } from 'undici'
import { Problem } from '../problem.ts'
import { type Breaker, type BreakerOptions, createBreaker } from './breaker.ts'
import { meaningOf } from './errors.ts'
import type { MethodClass } from './methods.ts'
import { type Budget, createBudget, type Fault, mayRepeat, pauseOf, type RetryOptions } from './retry.ts'
import { createTokens, type SigningKey, skewOf } from './token.ts'
import type { Decode, Drift } from './wire.ts'

/** What a tenant calls the upstream with. One object per stored version: tokens are cached by it. */
export type Credential = ({ kind: 'key' } & SigningKey) | { kind: 'api-key'; accountId: number; apiKey: string }

/** Whom a call is made for, and where. */
export interface Account {
  tenantId: string
  /** Scheme, host and port of the upstream. */
  origin: string
  credential: Credential
}

/** One call of one method. */
export interface Call {
  method: string
  /** `application/x-www-form-urlencoded`, `cmd` included. */
  form: string
  decode: Decode
  /** Fields of which an answer of this method has at least one, by the upstream's names. */
  answers: readonly string[]
  /** The method wants the account's id as a parameter too. */
  ownAccount?: boolean
  /** Reads only: a lost answer is a mere fault, not an unknown outcome. */
  safe: boolean
  /** When it may be sent again; never by default. */
  retry?: MethodClass['retry']
}

export interface ClientOptions {
  /** Milliseconds: to connect, to the first byte of the answer, and for everything. */
  connectTimeout: number
  headersTimeout: number
  timeout: number
  /** Connections per tenant and host. */
  connections: number
  /** The longest answer that is read, in bytes. */
  maxAnswerBytes: number
  retry: RetryOptions
  breaker: BreakerOptions
  drift: Drift
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
  pool: Pool
  headers: Record<string, string>
  /** Parameters, by the upstream's names. */
  params: readonly (readonly [name: string, value: string])[]
}

export interface Client {
  /** One POST, repeated where that is safe. Throws Refusal when the upstream says no, Problem when no answer could be had. */
  call(account: Account, call: Call): Promise<Record<string, unknown>>
  /** For calls that are more than a form and an answer: `upload.ts` and `download.ts`. */
  connection(account: Account): Connection
  /** Closes a tenant's connections: its credentials or host have changed. Calls under way end normally. */
  forget(tenantId: string): void
  close(): Promise<void>
}

/** An answer as it came. */
export interface RawAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** Why no whole answer came. `sent`: bytes may have reached the upstream. */
export class Cut extends Error {
  readonly reason: 'deadline' | 'oversized' | 'connection'
  readonly sent: boolean
  constructor(reason: Cut['reason'], sent: boolean, cause?: unknown) {
    super(reason, { cause })
    this.reason = reason
    this.sent = sent
  }
}

/** What a tenant has with one host. */
interface Line {
  pool: Pool
  breaker: Breaker
  budget: Budget
}

/** Of the calls under way, so large a share may wait for another attempt; a few always may. */
const repeatingShare = 0.2
const leastRepeating = 10

/** The client of the upstream: one pool of connections per tenant and host, a deadline on everything, no redirects, and the one place that tries again. */
export function createClient(options: ClientOptions): Client {
  const tokens = createTokens()
  const lines = new Map<string, Map<string, Line>>()
  /** Retries that wait or are under way, and calls: the process as a whole must not repeat itself too much either. */
  let repeating = 0
  let active = 0

  const lineOf = ({ tenantId, origin }: Account): Line => {
    const ofTenant = lines.get(tenantId) ?? new Map<string, Line>()
    let line = ofTenant.get(origin)
    if (!line) {
      const pool = new Pool(origin, {
        connections: options.connections,
        pipelining: 1,
        connect: { timeout: options.connectTimeout, ...(options.ca ? { ca: options.ca } : {}) },
        headersTimeout: options.headersTimeout,
        bodyTimeout: options.headersTimeout,
        keepAliveTimeout: 15_000
      })
      line = { pool, breaker: createBreaker(options.breaker), budget: createBudget() }
      lines.set(tenantId, ofTenant.set(origin, line))
    }
    return line
  }

  /** Everything of the answer, or a Cut. A dispatch handler of our own: undici's body streams cost more than the call. */
  const exchange = (pool: Pool, headers: Record<string, string>, body: string, timeout: number): Promise<RawAnswer> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      let status = 0
      let answerHeaders: RawAnswer['headers'] = {}
      let controller: Dispatcher.DispatchController | undefined
      let over = false
      const end = (error: Cut | undefined) => {
        if (over) return
        over = true
        clearTimeout(timer)
        if (error) reject(error)
        else resolve({ status, headers: answerHeaders, text: (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)).toString() })
      }
      // Aborting destroys the socket, so that an answer that comes late meets nobody.
      const cut = (reason: Cut['reason']) => {
        const error = new Cut(reason, controller !== undefined)
        end(error)
        controller?.abort(error)
      }
      const timer = setTimeout(cut, timeout, 'deadline')
      pool.dispatch(
        { path: '/platform_api', method: 'POST', headers, body },
        {
          onRequestStart(started) {
            controller = started
            if (over) started.abort(new Cut('deadline', false))
          },
          onResponseStart(_, statusCode, headers) {
            status = statusCode
            answerHeaders = headers
          },
          onResponseData(_, chunk) {
            bytes += chunk.length
            if (bytes > options.maxAnswerBytes) cut('oversized')
            else chunks.push(chunk)
          },
          onResponseEnd() {
            end(undefined)
          },
          onResponseError(_, error) {
            const timedOut = /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test((error as { code?: string }).code ?? '')
            end(new Cut(timedOut ? 'deadline' : 'connection', controller !== undefined, error))
          }
        }
      )
    })

  /** How long to wait before a failed attempt is repeated, in milliseconds; undefined when it must not be, or not by us. */
  const pauseFor = (failure: unknown, raw: RawAnswer | undefined, retry: MethodClass['retry'], attempts: number): number | undefined => {
    const fault = faultOf(failure)
    if (fault === undefined || !mayRepeat(retry, fault, attempts, options.retry.retries)) return undefined
    const told = Number(raw?.headers['retry-after']) * 1000
    if (Number.isNaN(told)) return pauseOf(attempts, options.retry)
    // A longer wait is the caller's, who is told of it.
    return told <= options.retry.most ? told : undefined
  }

  return {
    async call(account, { method, form, decode, answers, ownAccount, safe, retry }) {
      const { credential } = account
      const { pool, breaker, budget } = lineOf(account)
      const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
      let body = form
      if (credential.kind === 'key') {
        headers.authorization = tokens(credential)
        if (ownAccount) body += `&account_id=${credential.accountId}`
      } else body += `&account_id=${credential.accountId}&api_key=${encodeURIComponent(credential.apiKey)}`
      const end = performance.now() + options.timeout
      let renewed = false
      budget.earn()
      active++
      try {
        for (let attempts = 1; ; ) {
          let raw: RawAnswer | undefined
          let failure: unknown
          const now = performance.now()
          const probe = breaker.enter(now)
          try {
            raw = await exchange(pool, headers, body, attempts === 1 ? options.timeout : end - now)
            const answer = read(raw, method, answers, safe)
            breaker.leave(probe, false, now)
            return decode(answer, options.drift) as Record<string, unknown>
          } catch (error) {
            failure = error
            breaker.leave(probe, raw ? raw.status >= 500 : error instanceof Cut && error.reason !== 'oversized', performance.now())
          }
          if (raw && !renewed && credential.kind === 'key' && isTokenFault(failure, raw)) {
            // The upstream has done nothing for a token that it refused, so that anything may be sent again.
            renewed = true
            tokens.renew(credential, raw.headers.date as string | undefined)
            headers.authorization = tokens(credential)
            continue
          }
          const pause = retry === undefined ? undefined : pauseFor(failure, raw, retry, attempts)
          const allowed =
            pause !== undefined &&
            performance.now() + pause < end &&
            repeating < Math.max(leastRepeating, active * repeatingShare) &&
            budget.spend()
          if (!allowed) throw failure instanceof Cut ? problemOfCut(failure, method, safe) : failure
          attempts++
          repeating++
          try {
            await sleep(pause)
          } finally {
            repeating--
          }
        }
      } finally {
        active--
      }
    },
    connection(account): Connection {
      const { credential } = account
      const { pool } = lineOf(account)
      if (credential.kind === 'key') return { pool, headers: { authorization: tokens(credential) }, params: [] }
      const { accountId, apiKey } = credential
      return {
        pool,
        headers: {},
        params: [
          ['account_id', String(accountId)],
          ['api_key', apiKey]
        ]
      }
    },
    forget(tenantId) {
      const ofTenant = lines.get(tenantId)
      lines.delete(tenantId)
      for (const { pool } of ofTenant?.values() ?? []) void pool.close()
    },
    async close() {
      await Promise.all([...lines.values()].flatMap(ofTenant => [...ofTenant.values()].map(({ pool }) => pool.close())))
    }
  }
}

const notNow: readonly string[] = ['upstream-fault', 'upstream-unavailable', 'upstream-answer-invalid', 'rate-limited']

/** What kind of failure an attempt met; undefined for one that the next attempt would meet too. */
function faultOf(failure: unknown): Fault | undefined {
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
  if (cut.reason === 'deadline') return new Problem('upstream-timeout', `${method} was not answered in time.`, { cause: cut })
  if (cut.reason === 'oversized')
    return new Problem('upstream-answer-invalid', `The answer to ${method} is longer than Voxgate reads.`, { cause: cut })
  return new Problem('upstream-unreachable', `The connection to the upstream broke during ${method} (${causeOf(cut)}).`, { cause: cut })
}

/** The answer's JSON object when the upstream did what it was asked; throws otherwise. */
export function read(
  { status, headers, text }: RawAnswer,
  method: string,
  answers: readonly string[],
  safe: boolean
): Record<string, unknown> {
  const retryAfter = headers['retry-after'] as string | undefined
  const answer = parse(text)
  const refusal = refusalIn(answer, retryAfter)
  if (refusal) throw refusal
  if (status === 429)
    throw new Problem('rate-limited', `The upstream takes no more ${method} calls for now.`, {
      headers: { 'retry-after': retryAfter ?? '1' }
    })
  if (status === 503)
    throw new Problem('upstream-unavailable', `The upstream is not available for ${method}.`, {
      headers: { 'retry-after': retryAfter ?? '1' }
    })
  if (status === 200 && answer && answers.some(field => field in answer)) return answer
  const what = status === 200 ? `answered ${method} with something that is no answer of its API` : `answered ${method} with HTTP ${status}`
  if (!safe) throw new Problem('outcome-unknown', `The upstream ${what}. It is not sent again; look whether it had its effect.`)
  throw new Problem(status >= 500 ? 'upstream-fault' : 'upstream-answer-invalid', `The upstream ${what}.`)
}

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
