import { increment } from '../../telemetry/counters.ts'
import type { Account } from '../account.ts'
import type { ResponseHead, Stage } from '../call.ts'
import type { CallCounters } from '../counters.ts'
import { meaningOf } from '../error-codes.ts'
import { UpstreamError } from '../errors.ts'
import { skewOf, type Tokens } from '../token.ts'

/**
 * Makes the call again, once per account, with a new token when the upstream has rejected the one it came with: it has done nothing for it, so
 * that anything may be sent again. The attempts of the repeated call count from one.
 */
export const reauthorized =
  (tokens: Tokens, { retries }: Pick<CallCounters, 'retries'>): Stage =>
  async (call, next) => {
    for (let renewedFor: Account | undefined; ; ) {
      try {
        return await next(call)
      } catch (error) {
        const { account, response, content, stats } = call
        const { credential } = account
        if (credential.kind !== 'key' || account === renewedFor || !content.repeatable) throw error
        if (!response || !isTokenRejected(error, dateOf(response))) throw error
        renewedFor = account
        tokens.renew(credential, dateOf(response))
        increment(retries, 'token')
        if (stats) stats.retries++
      }
    }
  }

/** Seconds by which clocks may differ before a rejected credential is taken for a wrong clock. */
const toleranceSeconds = 30

/** Whether the upstream rejected the token rather than the credential behind it. A wrong clock also shows as a rejected credential. */
function isTokenRejected(error: unknown, date: string | undefined): boolean {
  if (!(error instanceof UpstreamError)) return false
  const { type } = meaningOf(error.code)
  if (type === 'upstream-token-rejected') return true
  return type === 'upstream-credentials-rejected' && Math.abs(skewOf(date, Date.now())) > toleranceSeconds
}

const dateOf = ({ headers: { date } }: ResponseHead): string | undefined => (typeof date === 'string' ? date : undefined)
