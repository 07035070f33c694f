import type { DisconnectSignal } from '../telemetry/disconnect.ts'
import type { RequestTrace } from '../telemetry/request-trace.ts'
import type { UpstreamStats } from '../telemetry/upstream-stats.ts'
import type { Account } from './account.ts'
import type { MethodTraits } from './methods.ts'
import type { UpstreamTarget } from './targets.ts'

/** Leave to call, checked again right before each attempt: the caller and the account may have changed since the request began. */
export interface Permit {
  /** The account to call with now; a promise only where memory cannot tell. Throws Problem when the caller may not call any more. */
  account(): Account | Promise<Account>
  /** Whether that still holds, from memory alone: asked when the first byte is about to be written. */
  holds(account: Account): boolean
}

/** The head of a response that was read. */
export interface ResponseHead {
  status: number
  headers: Record<string, string | string[] | undefined>
}

/** What is sent, and how the response is read: a form, an upload or a file download. */
export interface Content<Result extends object> {
  /** Whether it can be sent more than once. */
  readonly repeatable: boolean
  /** Makes one attempt, and sets `call.response` once a response was read. Throws UpstreamError, TransportError and Problem. */
  send(call: Call): Promise<Result>
}

export interface CallInit<Result extends object> {
  method: string
  content: Content<Result>
  permit: Permit
  /** Reads only: a lost response is a mere failure, not an unknown outcome. */
  safe: boolean
  /** When it may be sent again; never by default. */
  retry?: MethodTraits['retry'] | undefined
  /** Whether the method takes the account's id as a parameter, too. */
  ownAccount?: boolean | undefined
  /** The slots it needs: one of its tenant's, or one of its account's. None by default. */
  slots?: { scope: 'tenant' | 'account'; limit: number } | undefined
  /** For the call as a whole, in milliseconds. */
  timeoutMs: number
  /** Aborted when the caller disconnects: cancels a read, and a change that is not sent yet. */
  signal?: DisconnectSignal | undefined
  trace?: RequestTrace | undefined
  stats?: UpstreamStats | undefined
  /** Awaited once, right before the first byte by which the upstream can act may leave; what it throws keeps the call here. */
  beforeSend?: (() => Promise<void>) | undefined
}

/** One call of one method on its way through the stages, which fill in what is not known at first. */
export class Call<Result extends object = object> {
  readonly method: string
  readonly content: Content<Result>
  readonly permit: Permit
  readonly safe: boolean
  readonly retry: MethodTraits['retry'] | undefined
  readonly ownAccount: boolean
  readonly slots: CallInit<Result>['slots']
  readonly timeoutMs: number
  readonly signal: DisconnectSignal | undefined
  readonly trace: RequestTrace | undefined
  readonly stats: UpstreamStats | undefined
  /** Called by the transport, which then sets it to undefined. */
  beforeSend: (() => Promise<void>) | undefined
  /** On the clock of `performance.now()`; runs from when the call has its slot. */
  deadline: number
  /** The attempt in the retry loop, from 1. */
  attempt = 1
  /** Attempts of which something may have left. */
  sends = 0
  /** The response to the last attempt; undefined where none was read to its end. */
  response: ResponseHead | undefined = undefined
  /** Of the next attempt: its timeout in milliseconds, its headers, and parameters beside the content's own. */
  attemptTimeoutMs: number
  headers: Record<string, string> = {}
  params: readonly (readonly [name: string, value: string])[] = []
  /** The account that it is made with, and the tenant's target at its host; set by `withAccount`. */
  account!: Account
  target!: UpstreamTarget

  constructor(init: CallInit<Result>) {
    this.method = init.method
    this.content = init.content
    this.permit = init.permit
    this.safe = init.safe
    this.retry = init.retry
    this.ownAccount = init.ownAccount === true
    this.slots = init.slots
    this.timeoutMs = init.timeoutMs
    this.attemptTimeoutMs = init.timeoutMs
    this.signal = init.signal
    this.trace = init.trace
    this.stats = init.stats
    this.beforeSend = init.beforeSend
    this.deadline = performance.now() + init.timeoutMs
  }
}

export type Next = (call: Call) => Promise<object>
/** A stage of a call: does its part around `next`, which it may call again. */
export type Stage = (call: Call, next: Next) => Promise<object>
