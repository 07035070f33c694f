import { Problem } from '../problems/problem.ts'

/** The upstream rejected a call: its error, in its own words. What it means to the caller is said by `src/api/upstream-problem.ts`. */
export class UpstreamError extends Error {
  readonly code: number
  /** The parameter that the upstream complains of, by its own name. */
  readonly fieldName: string | undefined
  /** Seconds to wait, when the upstream said so. */
  readonly retryAfter: string | undefined

  constructor(code: number, message: string, fieldName?: string, retryAfter?: string) {
    super(message)
    this.name = 'UpstreamError'
    this.code = code
    this.fieldName = fieldName
    this.retryAfter = retryAfter
  }
}

/** How much of a request may have reached the upstream. `partial`: a body without its end, on which the upstream does nothing. */
export type Progress = 'unsent' | 'partial' | 'sent'

/**
 * Why no complete response was read. `crowded`: the deadline passed while other large responses were read here. `not-permitted`: the permit
 * did not hold any more when the first byte was about to be written. `aborted`: the caller has disconnected.
 */
export type TransportReason = 'deadline' | 'crowded' | 'oversized' | 'connection' | 'aborted' | 'not-permitted'

export class TransportError extends Error {
  readonly reason: TransportReason
  readonly progress: Progress

  constructor(reason: TransportReason, progress: Progress, cause?: unknown) {
    super(reason, { cause })
    this.name = 'TransportError'
    this.reason = reason
    this.progress = progress
  }
}

/** Nobody reads this problem; logs and metrics do. */
export const callerGone = (): Problem => new Problem('caller-gone', 'The caller disconnected before the response was sent.')

const causeOf = ({ cause }: TransportError): string => {
  const { code, message } = (cause ?? {}) as { code?: string; message?: string }
  return code ?? message ?? 'no reason given'
}

/**
 * What a lost response means for the caller.
 * @param safe whether the call is a read, whose effect nobody has to know
 */
export function toProblem(error: TransportError, method: string, safe: boolean): Problem {
  const { reason, progress } = error
  if (reason === 'aborted') return callerGone()
  if (progress === 'partial')
    return reason === 'deadline'
      ? new Problem('upstream-timeout', 'The upstream did not take the file in time. It was cut before its end, so nothing was done.', {
          cause: error
        })
      : new Problem('upstream-unreachable', 'The connection to the upstream broke before the file was sent completely. Nothing was done.', {
          cause: error
        })
  if (progress === 'unsent')
    return new Problem(
      'upstream-unreachable',
      `No connection to the upstream could be made for ${method} (${causeOf(error)}); nothing was sent.`,
      { cause: error }
    )
  if (!safe)
    return new Problem(
      'outcome-unknown',
      `${method} was sent, but its answer was lost (${reason === 'connection' ? causeOf(error) : reason}). It is not sent again; look whether it had its effect.`,
      { cause: error }
    )
  if (reason === 'crowded')
    return new Problem(
      'service-unavailable',
      `Too many large responses are being read for ${method} to be among them in time. Request smaller pages, or fewer of them concurrently.`,
      { headers: { 'retry-after': '5' }, cause: error }
    )
  if (reason === 'deadline') return new Problem('upstream-timeout', `${method} was not answered in time.`, { cause: error })
  if (reason === 'oversized')
    return new Problem('upstream-answer-invalid', `The answer to ${method} is longer than Voxgate reads.`, { cause: error })
  return new Problem('upstream-unreachable', `The connection to the upstream broke during ${method} (${causeOf(error)}).`, { cause: error })
}
