import { type Dispatcher, Pool } from 'undici'
import { Problem } from '../problem.ts'
import { createTokens, type SigningKey } from './token.ts'
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
  /** One POST. Throws Refusal when the upstream says no, Problem when no answer could be had. */
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

/** The client of the upstream: one pool of connections per tenant and host, a deadline on everything, no redirects, no retries. */
export function createClient(options: ClientOptions): Client {
  const tokens = createTokens()
  const pools = new Map<string, Map<string, Pool>>()

  const poolOf = ({ tenantId, origin }: Account): Pool => {
    const ofTenant = pools.get(tenantId) ?? new Map<string, Pool>()
    let pool = ofTenant.get(origin)
    if (!pool) {
      pool = new Pool(origin, {
        connections: options.connections,
        pipelining: 1,
        connect: { timeout: options.connectTimeout, ...(options.ca ? { ca: options.ca } : {}) },
        headersTimeout: options.headersTimeout,
        bodyTimeout: options.headersTimeout,
        keepAliveTimeout: 15_000
      })
      pools.set(tenantId, ofTenant.set(origin, pool))
    }
    return pool
  }

  /** Everything of the answer, or a Cut. A dispatch handler of our own: undici's body streams cost more than the call. */
  const exchange = (pool: Pool, headers: Record<string, string>, body: string): Promise<RawAnswer> =>
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
      const timer = setTimeout(cut, options.timeout, 'deadline')
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

  return {
    async call(account, { method, form, decode, answers, ownAccount, safe }) {
      const { credential } = account
      const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
      let body = form
      if (credential.kind === 'key') {
        headers.authorization = tokens(credential)
        if (ownAccount) body += `&account_id=${credential.accountId}`
      } else body += `&account_id=${credential.accountId}&api_key=${encodeURIComponent(credential.apiKey)}`
      let raw: RawAnswer
      try {
        raw = await exchange(poolOf(account), headers, body)
      } catch (error) {
        throw error instanceof Cut ? problemOfCut(error, method, safe) : error
      }
      return decode(read(raw, method, answers, safe), options.drift) as Record<string, unknown>
    },
    connection(account): Connection {
      const { credential } = account
      const pool = poolOf(account)
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
      const ofTenant = pools.get(tenantId)
      pools.delete(tenantId)
      for (const pool of ofTenant?.values() ?? []) void pool.close()
    },
    async close() {
      await Promise.all([...pools.values()].flatMap(ofTenant => [...ofTenant.values()].map(pool => pool.close())))
    }
  }
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
