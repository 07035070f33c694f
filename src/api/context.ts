import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Operation } from './operation.ts'
import type {} from './request.ts'

/** What a request with an `Idempotency-Key` has to do on its way. */
export interface IdempotentAttempt {
  /** It was made before: its body is only read, to be compared with the first one. */
  readonly repeated: boolean
  /** Notes what the request asks for, of which the fingerprint is made; of an upload that is known at its end only. */
  note(...parts: unknown[]): void
  /** To be awaited right before the first byte of the call can leave. What it throws keeps the call here. */
  beforeSend(): Promise<void>
}

/** A request for an operation, on its way through the stages. */
export interface RequestContext {
  readonly operation: Operation
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Set by the stage `idempotent` where the request has a key. */
  attempt: IdempotentAttempt | undefined
}

export type RespondNext = (context: RequestContext) => unknown
/** A stage of a request. It returns what a Fastify handler returns: the body of the response, the reply that was sent, or a promise of either. */
export type RequestStage = (context: RequestContext, next: RespondNext) => unknown
