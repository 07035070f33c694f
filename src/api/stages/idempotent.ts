import type { FastifyReply } from 'fastify'
import { QuotaExceeded } from '../../database/quota.ts'
import { fingerprintOf, keyHeader, readKey, replayedHeader, verdictOn } from '../../idempotency/header.ts'
import type { Attempt, Idempotency, Known, Answer as StoredResponse } from '../../idempotency/records.ts'
import { problemBody } from '../../problems/body.ts'
import { problemOf } from '../../problems/from-error.ts'
import { Problem, type Settle } from '../../problems/problem.ts'
import { type CallerLookup, readmit } from '../admission.ts'
import type { RequestContext, RequestStage, RespondNext } from '../context.ts'
import type { Operation } from '../operation.ts'

/** What became of requests with a key, for the metrics. */
export type IdempotencyCounts = Record<
  'claimed' | 'answered' | 'freed' | 'unknown' | 'replayed' | 'in-flight' | 'reused' | 'store-unavailable',
  number
>

export const createIdempotencyCounts = (): IdempotencyCounts => ({
  claimed: 0,
  answered: 0,
  freed: 0,
  unknown: 0,
  replayed: 0,
  'in-flight': 0,
  reused: 0,
  'store-unavailable': 0
})

export interface IdempotentOptions {
  records: Pick<Idempotency, 'claim'>
  counts: IdempotencyCounts
  /** All operations: one of them may tell the outcome of another. */
  operations: readonly Operation[]
  callers: CallerLookup
  /** The path the service is mounted under. */
  base: string
  /** Maximum number of records per tenant, for the problem that names it. */
  maxRecords: number
}

const json = 'application/json; charset=utf-8'
const problemJson = 'application/problem+json'

/**
 * Requests with an `Idempotency-Key` have their effect once. The first one claims the key, marks it right before its call is sent, and stores its
 * response; later ones get that response, or the problem that says why there is none. Requests without a key pass.
 */
export function idempotent(options: IdempotentOptions): RequestStage {
  const guard = new Guard(options)
  return (context, next) => {
    const header = context.request.headers[keyHeader]
    return context.operation.method !== 'POST' || typeof header !== 'string' ? next(context) : guard.respondOnce(context, next, header)
  }
}

class Guard {
  readonly #options: IdempotentOptions
  readonly #counts: IdempotencyCounts
  readonly #settles: ReadonlyMap<string, Omit<Settle, 'id'> | undefined>

  constructor(options: IdempotentOptions) {
    const { operations, counts } = options
    this.#options = options
    this.#counts = counts
    this.#settles = new Map(operations.map(operation => [operation.id, settleOf(operation, operations)]))
  }

  async respondOnce(context: RequestContext, next: RespondNext, header: string): Promise<unknown> {
    const { operation, request } = context
    const { tenantId, keyId, lineage } = request.tenant
    let fingerprint: string | undefined
    const note = (...parts: unknown[]) => {
      fingerprint = fingerprintOf(request.headers['voxgate-child-account'] ?? null, request.params, ...parts)
    }
    if (!operation.upload) note(request.query, request.body ?? null)
    // A body may have taken its time to come: nothing is claimed or replayed for a caller that may not call any more.
    await readmit(request, this.#options.callers)
    const claim = { tenantId, keyId, lineage, operation: operation.id, key: readKey(header) }
    const claimed = await this.#stored(this.#options.records.claim(claim, fingerprint))
    if ('known' in claimed) {
      if (operation.upload && claimed.known.fingerprint !== undefined) {
        context.attempt = { repeated: true, note, beforeSend: () => Promise.reject(this.#inFlight()) }
        await next(context)
      }
      return this.#replay(claimed.known, fingerprint, context)
    }

    this.#counts.claimed++
    const { attempt } = claimed
    let sent = false
    let marking: Promise<void> | undefined
    const mark = async () => {
      if (!(await this.#stored(attempt.sending(fingerprint)))) throw this.#inFlight()
      sent = true
    }
    context.attempt = {
      repeated: false,
      note,
      beforeSend() {
        marking ??= mark()
        return marking
      }
    }
    let response: StoredResponse
    try {
      response = storedResponse(context.reply, await next(context), operation)
    } catch (error) {
      // The call may have been aborted while it was being marked: the mark is written first, then the outcome.
      await marking?.catch(() => {})
      throw await this.#fail(error, attempt, sent, fingerprint, context)
    }
    this.#counts.answered++
    await attempt.end({ kind: 'done', answer: response, fingerprint })
    return send(context.reply, response)
  }

  /** The response to a request that was made before. */
  async #replay(known: Known, fingerprint: string | undefined, { operation, reply }: RequestContext): Promise<FastifyReply> {
    if (known.fingerprint !== undefined && fingerprint !== undefined && known.fingerprint !== fingerprint) {
      this.#counts.reused++
      throw new Problem('idempotency-key-reused', 'This Idempotency-Key was used for another request. Take a fresh one for each.', {
        errors: [{ in: 'header', pointer: `/${keyHeader}`, detail: 'was used for a request with other contents' }]
      })
    }
    if (known.state === 'started' || known.state === 'sent') throw this.#inFlight()
    this.#counts.replayed++
    reply.header(replayedHeader, 'true')
    if (known.state === 'unknown')
      throw new Problem(
        'outcome-unknown',
        'The first request with this Idempotency-Key was sent, but its answer was lost. It is not sent again; look whether it had its effect.',
        { settle: { id: known.id, ...this.#settles.get(operation.id) } }
      )
    return send(reply, await this.#stored(known.answer()))
  }

  /** Writes down a failure; returns what the caller gets. */
  async #fail(
    error: unknown,
    attempt: Attempt,
    sent: boolean,
    fingerprint: string | undefined,
    { operation, request }: RequestContext
  ): Promise<unknown> {
    const problem = problemOf(error)
    const verdict = verdictOn(problem, sent)
    if (verdict === 'free') {
      this.#counts.freed++
      await attempt.end({ kind: 'free' })
      return error
    }
    if (verdict === 'unknown') {
      this.#counts.unknown++
      await attempt.end({ kind: 'unknown' })
      return problem.type === 'internal-error' ? error : withSettle(problem, { id: attempt.id, ...this.#settles.get(operation.id) })
    }
    this.#counts.answered++
    const { status, headers } = problem
    const body = JSON.stringify(problemBody(problem, String(request.id), this.#options.base))
    await attempt.end({ kind: 'done', answer: { status, headers: { ...headers, 'content-type': problemJson }, body }, fingerprint })
    return error
  }

  /** What the store returns, or the problem that it is unavailable: nothing is sent then. */
  async #stored<T>(result: Promise<T>): Promise<T> {
    try {
      return await result
    } catch (error) {
      if (error instanceof QuotaExceeded)
        throw new Problem(
          'tenant-quota-exceeded',
          `The tenant has used up its quota of ${this.#options.maxRecords} remembered requests with an Idempotency-Key. Nothing was sent. Older ones are forgotten as they expire.`,
          { headers: { 'retry-after': '60' } }
        )
      this.#counts['store-unavailable']++
      throw new Problem(
        'store-unavailable',
        'Without its database Voxgate cannot tell whether this request was made before. Nothing was sent.',
        { cause: error }
      )
    }
  }

  #inFlight(): Problem {
    this.#counts['in-flight']++
    return new Problem('idempotency-in-flight', 'The first request with this Idempotency-Key is still in flight.', {
      headers: { 'retry-after': '1' }
    })
  }
}

const withSettle = ({ type, message, errors, upstream, headers, cause }: Problem, settle: Settle): Problem =>
  new Problem(type, message, {
    ...(errors ? { errors } : {}),
    ...(upstream ? { upstream } : {}),
    ...(headers ? { headers } : {}),
    settle,
    cause
  })

/** A response as it is stored and sent: its body as text, and the headers that belong to it. */
function storedResponse(reply: FastifyReply, body: unknown, { endpoint }: Operation): StoredResponse {
  const headers: Record<string, string> = {}
  for (const declared of Object.keys(endpoint.reply.headers ?? {})) {
    const name = declared.toLowerCase()
    const value = reply.getHeader(name)
    if (value !== undefined) headers[name] = String(value)
  }
  const status = reply.statusCode
  return body === undefined ? { status, headers } : { status, headers: { ...headers, 'content-type': json }, body: JSON.stringify(body) }
}

const asIs = (text: unknown) => text as string

const send = (reply: FastifyReply, { status, headers, body }: StoredResponse): FastifyReply =>
  reply.code(status).headers(headers).serializer(asIs).send(body)

/** How the outcome of an operation can be found out: in our words where an operation of ours does it. */
function settleOf({ traits: { reconcile } }: Operation, operations: readonly Operation[]): Omit<Settle, 'id'> | undefined {
  if (!reconcile) return undefined
  const [method, by] = reconcile
  const finder = operations.find(
    ({ endpoint, method: verb }) => endpoint.rpc === method && verb === 'GET' && endpoint.reply.kind === 'page'
  )
  return {
    method,
    by: by.split('+').map(wire => finder?.form.fieldOf.get(wire) ?? wire),
    ...(finder ? { operationId: finder.id } : {})
  }
}
