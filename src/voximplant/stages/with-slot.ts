import type { Bulkhead } from '../bulkhead.ts'
import type { Call, Stage } from '../call.ts'
import { Download } from '../download.ts'

/** Takes a slot for the call, and gives it back at its end: of a file, once its stream is closed. Throws Problem where none is free in time. */
export const withSlot =
  (bulkhead: Bulkhead): Stage =>
  async (call, next) => {
    if (!call.slots) return next(call)
    const partition = bulkhead.partition(partitionKey(call))
    const slot = bulkhead.acquire(partition, call.slots.limit)
    if (slot) await slot
    call.deadline = performance.now() + call.timeoutMs
    let result: object
    try {
      result = await next(call)
    } catch (error) {
      bulkhead.release(partition)
      throw error
    }
    if (result instanceof Download && !result.stream.closed) result.stream.once('close', () => bulkhead.release(partition))
    else bulkhead.release(partition)
    return result
  }

/** No tenant's id has a space. */
const partitionKey = ({ slots, account }: Call): string =>
  slots?.scope === 'account' ? `account ${account.credential.accountId}` : account.tenantId
