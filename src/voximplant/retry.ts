import type { RetryReason } from './classify.ts'
import type { MethodTraits } from './methods.ts'

export interface RetryOptions {
  /** Maximum retries of a read. */
  maxRetries: number
  /** Milliseconds: the first pause is at most `baseDelayMs`, no pause is longer than `maxDelayMs`. */
  baseDelayMs: number
  maxDelayMs: number
  /** The share of calls that may be retried, and how many retries beyond it at any one time. */
  budgetRatio: number
  budgetBurst: number
}

/** The reasons for which each kind of method may be sent again. */
const retryableReasons: Record<MethodTraits['retry'], readonly RetryReason[]> = {
  any: ['unsent', 'transport', 'response'],
  transport: ['unsent', 'transport'],
  unsent: ['unsent']
}

/**
 * Whether a method may be sent again.
 * @param attempts how many have been made
 */
export const shouldRetry = (kind: MethodTraits['retry'], reason: RetryReason, attempts: number, maxRetries: number): boolean =>
  retryableReasons[kind].includes(reason) && attempts <= (kind === 'any' ? maxRetries : Math.min(1, maxRetries))

/** The pause before the next attempt, in milliseconds: full jitter, so that calls which failed together are not repeated together. */
export const backoffMs = (attempts: number, { baseDelayMs, maxDelayMs }: Pick<RetryOptions, 'baseDelayMs' | 'maxDelayMs'>): number =>
  Math.random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempts - 1))

/**
 * The seconds to wait by a `Retry-After`, in either of its forms; undefined without one. A date is compared with the response's own `Date`, so
 * that clocks need not agree.
 */
export function parseRetryAfter(retryAfter: string | string[] | undefined, date: string | string[] | undefined): number | undefined {
  if (typeof retryAfter !== 'string') return undefined
  const text = retryAfter.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const until = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(until)) return undefined
  const theirs = typeof date === 'string' ? Date.parse(date) : Number.NaN
  return Math.max(0, Math.ceil((until - (Number.isNaN(theirs) ? Date.now() : theirs)) / 1000))
}

/** Retries that may still be made, so that they never make an outage worse. */
export class RetryBudget {
  readonly #ratio: number
  readonly #burst: number
  #balance: number

  constructor({ budgetRatio, budgetBurst }: Pick<RetryOptions, 'budgetRatio' | 'budgetBurst'>) {
    this.#ratio = budgetRatio
    this.#burst = budgetBurst
    this.#balance = budgetBurst
  }

  /** Adds the budget's share of a retry; called once per call. */
  deposit(): void {
    this.#balance = Math.min(this.#burst, this.#balance + this.#ratio)
  }

  /** Takes a retry, if there is one left. */
  tryWithdraw(): boolean {
    if (this.#balance < 1) return false
    this.#balance--
    return true
  }
}
