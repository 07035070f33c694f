import type { MethodTraits } from './methods.ts'

export interface RetryOptions {
  /** How often a read is tried again. */
  retries: number
  /** Milliseconds: the first pause is at most `base`, no pause is longer than `most`. */
  base: number
  most: number
  /** Of the calls so large a share may be repeated, and so many at once beyond that. */
  share: number
  burst: number
}

/**
 * Why an attempt failed. `unsent`: nothing of it has left; `transport`: its answer was lost; `answer`: the upstream said that it cannot now.
 */
export type Fault = 'unsent' | 'transport' | 'answer'

const covered: Record<MethodTraits['retry'], readonly Fault[]> = {
  any: ['unsent', 'transport', 'answer'],
  transport: ['unsent', 'transport'],
  unsent: ['unsent']
}

/** Whether a method of this class may be sent again after so many attempts. */
export const mayRepeat = (kind: MethodTraits['retry'], fault: Fault, attempts: number, retries: number): boolean =>
  covered[kind].includes(fault) && attempts <= (kind === 'any' ? retries : Math.min(1, retries))

/** The pause before the next attempt, in milliseconds: full jitter, so that those who failed together do not come back together. */
export const pauseOf = (attempts: number, { base, most }: RetryOptions): number =>
  Math.random() * Math.min(most, base * 2 ** (attempts - 1))

/**
 * Seconds to wait by a `Retry-After`, in either of its forms; undefined without one. A date is reckoned from the answer's own `Date`, so that clocks
 * need not agree.
 */
export function secondsOf(retryAfter: string | string[] | undefined, date: string | string[] | undefined): number | undefined {
  if (typeof retryAfter !== 'string') return undefined
  const text = retryAfter.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const until = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(until)) return undefined
  const theirs = typeof date === 'string' ? Date.parse(date) : Number.NaN
  return Math.max(0, Math.ceil((until - (Number.isNaN(theirs) ? Date.now() : theirs)) / 1000))
}

/** What retries may be spent, so that they never make an outage worse. */
export interface Budget {
  /** Every call pays a part of a retry in. */
  earn(): void
  /** Takes a retry, if there is one left. */
  spend(): boolean
}

export function createBudget({ share, burst }: Pick<RetryOptions, 'share' | 'burst'>): Budget {
  let left = burst
  return {
    earn() {
      left = Math.min(burst, left + share)
    },
    spend() {
      if (left < 1) return false
      left--
      return true
    }
  }
}
