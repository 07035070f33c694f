import { Problem } from '../problems/problem.ts'
import type { Operation } from './operation.ts'
import type { ReplyContext, RestResponse, UpstreamResponse } from './reply.ts'

/**
 * The REST response to a decoded response of the upstream. Throws Problem; a response to a change that lacks what it must have is
 * `outcome-unknown`, as the change was sent and may have had its effect.
 */
export function readReply(
  { endpoint: { reply, rpc }, traits: { safe } }: Operation,
  response: UpstreamResponse,
  context: ReplyContext
): RestResponse {
  try {
    return reply.read(response, context)
  } catch (error) {
    if (safe || !(error instanceof Problem && error.type === 'upstream-answer-invalid')) throw error
    throw new Problem('outcome-unknown', `${error.message} ${rpc} is not sent again; look whether it had its effect.`, { cause: error })
  }
}
