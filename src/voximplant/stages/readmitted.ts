import type { Call, Stage } from '../call.ts'
import { callerGone, TransportError } from '../errors.ts'
import type { Targets } from '../targets.ts'
import type { Tokens } from '../token.ts'
import { useAccount } from './with-account.ts'

/**
 * Right before each attempt: checks the caller and the account again, and signs with the account as it is now. Where the permit ends before the
 * first byte is written, nothing has left: both are checked once more.
 */
export const readmitted =
  (targets: Targets, tokens: Tokens): Stage =>
  async (call, next) => {
    for (;;) {
      call.response = undefined
      if (call.signal?.aborted && (call.safe || call.sends === 0)) throw callerGone()
      const current = call.permit.account()
      const account = current instanceof Promise ? await current : current
      if (account !== call.account) useAccount(call, account, targets)
      sign(call, tokens)
      try {
        return await next(call)
      } catch (error) {
        const isRevoked = error instanceof TransportError && error.reason === 'not-permitted'
        if (!isRevoked) call.sends++
        if (!isRevoked || performance.now() >= call.deadline) throw error
      }
    }
  }

const noParams: Call['params'] = []

function sign(call: Call, tokens: Tokens): void {
  const { headers, credential } = call.account
  call.headers = { ...headers }
  if (credential.kind === 'key') {
    call.headers.authorization = tokens(credential)
    call.params = call.ownAccount ? [['account_id', String(credential.accountId)]] : noParams
  } else
    call.params = [
      ['account_id', String(credential.accountId)],
      ['api_key', credential.apiKey]
    ]
}
