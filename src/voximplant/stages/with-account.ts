import type { Account } from '../account.ts'
import type { Call, Stage } from '../call.ts'
import type { Targets } from '../targets.ts'

/** Finds the account that the call is made with. Throws Problem where its caller may not call. */
export const withAccount =
  (targets: Targets): Stage =>
  async (call, next) => {
    // Nothing is waited for while an earlier response of the same request is held in memory.
    call.stats?.release()
    const account = call.permit.account()
    useAccount(call, account instanceof Promise ? await account : account, targets)
    return next(call)
  }

/** Makes the call with another account, or with its first one. */
export function useAccount(call: Call, account: Account, targets: Targets): void {
  call.account = account
  call.target = targets.get(account)
}
