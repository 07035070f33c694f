import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import fp from 'fastify-plugin'
import type { Operation } from '../src/api/operation.ts'
import { QuotaExceeded } from '../src/database/quota.ts'
import { sweepEvery } from '../src/database/sweep.ts'
import { fingerprintOf, keyHeader, readKey, replayedHeader, verdictOn } from '../src/idempotency/header.ts'
import {
  type Answer,
  createIdempotency,
  type Idempotency,
  type Known,
  recordQuota,
  type Attempt as Stored
} from '../src/idempotency/records.ts'
import { problemBody } from '../src/problems/body.ts'
import { problemOf } from '../src/problems/from-error.ts'
import { Problem, type Settle } from '../src/problems/problem.ts'

export interface IdempotencyOptions {
  operations: readonly Operation[]
  /** The path the service is mounted under. */
  basePath: string
  /** How long responses are stored and replayed, in milliseconds. */
  ttlMs: number
  /** How long a claim outlives its process, in milliseconds. */
  leaseMs: number
  /** How long a record with an unknown outcome is kept, in milliseconds; 0: for ever. */
  unknownTtlMs: number
  /** Maximum number of records per tenant; 0: no limit. */
  maxRecords: number
  /** How long a closing service waits for calls whose callers have disconnected, in milliseconds. */
  drainTimeoutMs: number
}

/** What became of requests with a key, for the metrics. */
export type IdempotencyCounts = Record<
  'claimed' | 'answered' | 'freed' | 'unknown' | 'replayed' | 'in-flight' | 'reused' | 'store-away',
  number
>

/** A request with a key, on its way. */
export interface Attempt {
  /** It was made before: its body is only read, to be compared with the first. */
  readonly repeated: boolean
  /** Notes what the request asks for; of an upload that is known at its end only. */
  note(...parts: unknown[]): void
  /** To be awaited right before the first byte of the call can leave. What it throws keeps the call here. */
  sending(): Promise<void>
}

/** How often expired records are looked for, in milliseconds. */
const sweepInterval = 60_000
/** As first answers have them. */
const json = 'application/json; charset=utf-8'
const problemJson = 'application/problem+json'

/** Requests with an `Idempotency-Key` have their effect once: every POST of the catalogue takes one. Those without pay nothing for it. */
export default fp(
  async (
    app: FastifyInstance,
    {
      operations,
      basePath: base,
      ttlMs: ttl,
      leaseMs: lease,
      unknownTtlMs: unknownTtl,
      maxRecords,
      drainTimeoutMs: patience
    }: IdempotencyOptions
  ) => {
    const { store } = app.tenants
    const records = createIdempotency(store, { ttl, lease, unknownTtl, quota: recordQuota(store.database, maxRecords) })
    const counts: IdempotencyCounts = {
      claimed: 0,
      answered: 0,
      freed: 0,
      unknown: 0,
      replayed: 0,
      'in-flight': 0,
      reused: 0,
      'store-away': 0
    }
    app.decorate('idempotency', { ...records, counts })
    app.decorateRequest('attempt', undefined)

    const renewing = setInterval(() => void records.renew(), Math.max(1, lease / 3)).unref()
    const sweeping = sweepEvery(sweepInterval, () =>
      records.sweep().catch(error => {
        app.log.warn({ code: error?.code }, 'idempotency records could not be swept')
        return undefined
      })
    )
    app.addHook('onClose', async () => {
      await sweeping.stop()
      // A caller may have gone, but its call goes on, and its answer is kept.
      await records.idle(patience)
      clearInterval(renewing)
      await records.renew()
    })

    const settles = new Map(operations.map(operation => [operation.id, settlementOf(operation, operations)]))

    /** What the store says, or that it is away: then nothing is sent. */
    const stored = async <T>(ask: Promise<T>): Promise<T> => {
      try {
        return await ask
      } catch (error) {
        if (error instanceof QuotaExceeded)
          throw new Problem(
            'tenant-quota-exceeded',
            `The tenant has used up its quota of ${maxRecords} remembered requests with an Idempotency-Key. Nothing was sent. Older ones are forgotten as they expire.`,
            { headers: { 'retry-after': '60' } }
          )
        counts['store-away']++
        throw new Problem(
          'store-unavailable',
          'Without its database Voxgate cannot tell whether this request was made before. Nothing was sent.',
          {
            cause: error
          }
        )
      }
    }
    const inFlight = () => {
      counts['in-flight']++
      return new Problem('idempotency-in-flight', 'The first request with this Idempotency-Key is still under way.', {
        headers: { 'retry-after': '1' }
      })
    }

    /** Answers a request that was made before. */
    const repeat = async (known: Known, fingerprint: string | undefined, operation: Operation, reply: FastifyReply) => {
      if (known.fingerprint !== undefined && fingerprint !== undefined && known.fingerprint !== fingerprint) {
        counts.reused++
        throw new Problem('idempotency-key-reused', 'This Idempotency-Key was used for another request. Take a fresh one for each.', {
          errors: [{ in: 'header', pointer: `/${keyHeader}`, detail: 'was used for a request with other contents' }]
        })
      }
      if (known.state === 'started' || known.state === 'sent') throw inFlight()
      counts.replayed++
      reply.header(replayedHeader, 'true')
      if (known.state === 'unknown')
        throw new Problem(
          'outcome-unknown',
          'The first request with this Idempotency-Key was sent, but its answer was lost. It is not sent again; look whether it had its effect.',
          { settle: { id: known.id, ...settles.get(operation.id) } }
        )
      return send(reply, await stored(known.answer()))
    }

    const once = async (request: FastifyRequest, reply: FastifyReply, operation: Operation, header: string, run: () => unknown) => {
      const { tenantId, keyId, lineage } = request.tenant
      let fingerprint: string | undefined
      const note = (...parts: unknown[]) => {
        fingerprint = fingerprintOf(request.headers['voxgate-child-account'] ?? null, request.params, ...parts)
      }
      if (!operation.upload) note(request.query, request.body ?? null)
      // A body may have taken its time to come: nothing is claimed, or repeated, for a caller that may not call any more.
      await request.readmit()
      const begun = await stored(records.claim({ tenantId, keyId, lineage, operation: operation.id, key: readKey(header) }, fingerprint))
      if ('known' in begun) {
        if (operation.upload && begun.known.fingerprint !== undefined) {
          request.attempt = { repeated: true, note, sending: () => Promise.reject(inFlight()) }
          await run()
        }
        return repeat(begun.known, fingerprint, operation, reply)
      }

      counts.claimed++
      const { attempt } = begun
      let sent = false
      let marking: Promise<void> | undefined
      const mark = async () => {
        if (!(await stored(attempt.sending(fingerprint)))) throw inFlight()
        sent = true
      }
      request.attempt = {
        repeated: false,
        note,
        sending() {
          marking ??= mark()
          return marking
        }
      }
      let answer: Answer
      try {
        const body = await run()
        answer = answerOf(reply, body, operation)
      } catch (error) {
        // A call that is cut while it is about to leave: first what is written down, then what became of it.
        await marking?.catch(() => {})
        throw await fail(error, attempt, sent, fingerprint, operation, String(request.id))
      }
      counts.answered++
      await attempt.end({ kind: 'done', answer, fingerprint })
      return send(reply, answer)
    }

    /** Writes down a failure; what the caller is told of it. */
    const fail = async (
      error: unknown,
      attempt: Stored,
      sent: boolean,
      fingerprint: string | undefined,
      operation: Operation,
      requestId: string
    ): Promise<unknown> => {
      const problem = problemOf(error)
      const verdict = verdictOn(problem, sent)
      if (verdict === 'free') {
        counts.freed++
        await attempt.end({ kind: 'free' })
        return error
      }
      if (verdict === 'unknown') {
        counts.unknown++
        await attempt.end({ kind: 'unknown' })
        if (problem.type === 'internal-error') return error
        const { errors, upstream, headers } = problem
        return new Problem(problem.type, problem.message, {
          ...(errors ? { errors } : {}),
          ...(upstream ? { upstream } : {}),
          ...(headers ? { headers } : {}),
          settle: { id: attempt.id, ...settles.get(operation.id) },
          cause: problem.cause
        })
      }
      counts.answered++
      const { status, headers } = problem
      const body = JSON.stringify(problemBody(problem, requestId, base))
      const answer = { status, headers: { ...headers, 'content-type': problemJson }, body }
      await attempt.end({ kind: 'done', answer, fingerprint })
      return error
    }

    app.addHook('onRoute', route => {
      const operation = route.config?.operation
      if (operation?.method !== 'POST') return
      const { handler } = route
      const handle: RouteHandlerMethod = function (request, reply) {
        const header = request.headers[keyHeader] as string | undefined
        if (header === undefined) return handler.call(this, request, reply)
        return once(request, reply, operation, header, () => handler.call(this, request, reply))
      }
      route.handler = handle
    })
  },
  { name: 'idempotency', dependencies: ['tenants', 'voximplant'] }
)

/** An answer as it is kept and sent: its body as text, and the headers that belong to it. */
function answerOf(reply: FastifyReply, body: unknown, { endpoint }: Operation): Answer {
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

const send = (reply: FastifyReply, { status, headers, body }: Answer): FastifyReply =>
  reply.code(status).headers(headers).serializer(asIs).send(body)

/** How the outcome of an operation can be found out: in our words where an operation of ours does it. */
function settlementOf({ traits: { reconcile } }: Operation, operations: readonly Operation[]): Omit<Settle, 'id'> | undefined {
  if (!reconcile) return undefined
  const [method, by] = reconcile
  const looks = operations.find(({ endpoint, method: verb }) => endpoint.rpc === method && verb === 'GET' && endpoint.reply.kind === 'page')
  return {
    method,
    by: by.split('+').map(wire => looks?.form.fieldOf.get(wire) ?? wire),
    ...(looks ? { operationId: looks.id } : {})
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    idempotency: Idempotency & { counts: IdempotencyCounts }
  }
  interface FastifyRequest {
    /** Set where the request bears an `Idempotency-Key`. */
    attempt: Attempt | undefined
  }
}
