import type { MethodClass } from './methods.ts'

export interface RetryOptions {
  /** How often a read is tried again. */
  retries: number
  /** Milliseconds: the first pause is at most `base`, no pause is longer than `most`. */
  base: number
  most: number
}

/**
 * Why an attempt failed. `unsent`: nothing of it has left; `transport`: its answer was lost; `answer`: the upstream said that it cannot now.
 */
export type Fault = 'unsent' | 'transport' | 'answer'

const covered: Record<MethodClass['retry'], readonly Fault[]> = {
  any: ['unsent', 'transport', 'answer'],
  transport: ['unsent', 'transport'],
  unsent: ['unsent']
}

/** Whether a method of this class may be sent again after so many attempts. */
export const mayRepeat = (kind: MethodClass['retry'], fault: Fault, attempts: number, retries: number): boolean =>
  covered[kind].includes(fault) && attempts <= (kind === 'any' ? retries : Math.min(1, retries))

/** The pause before the next attempt, in milliseconds: full jitter, so that those who failed together do not come back together. */
export const pauseOf = (attempts: number, { base, most }: RetryOptions): number =>
  Math.random() * Math.min(most, base * 2 ** (attempts - 1))

/** What retries may be spent, so that they never make an outage worse. */
export interface Budget {
  /** Every call pays in a fifth of a retry. */
  earn(): void
  /** Takes a retry, if there is one left. */
  spend(): boolean
}

const share = 0.2
const most = 10

export function createBudget(): Budget {
  let left = most
  return {
    earn() {
      left = Math.min(most, left + share)
    },
    spend() {
      if (left < 1) return false
      left--
      return true
    }
  }
}
