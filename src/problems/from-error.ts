import { Problem, type ProblemType, problemTypes } from './problem.ts'

/** An error that knows which problem it is for a caller. */
export interface ProblemSource extends Error {
  toProblem(): Problem
}

/** Fastify's own errors, by code; others are mapped by their status. */
const frameworkErrors: Record<string, [ProblemType, string]> = {
  FST_ERR_BAD_URL: ['malformed-url', 'The URL holds a bad percent-encoding.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri-too-long', 'A segment of the path is too long.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload-too-large', 'The body is larger than this endpoint takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'This content type is not taken here; send application/json.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-body', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed-body', 'The body is not as long as Content-Length says.'],
  FST_ERR_HANDLER_TIMEOUT: ['service-unavailable', 'The request took too long.']
}

const byStatus: Record<number, ProblemType> = {
  400: 'malformed-body',
  404: 'not-found',
  405: 'method-not-allowed',
  408: 'request-timeout',
  413: 'payload-too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
  429: 'rate-limited',
  431: 'headers-too-large',
  503: 'service-unavailable'
}

/** Any error as a Problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isProblemSource(error)) return error.toProblem()
  const { code = '', statusCode = 0 } = error as { code?: string; statusCode?: number }
  const framework = frameworkErrors[code]
  if (framework) return new Problem(framework[0], framework[1], { cause: error })
  const type = byStatus[statusCode]
  if (type) return new Problem(type, `${problemTypes[type].title}.`, { cause: error })
  // The message of an unforeseen error may hold anything, so only the log gets it.
  return new Problem('internal-error', 'The failure has been logged under the request id.', { cause: error })
}

const isProblemSource = (error: unknown): error is ProblemSource =>
  error instanceof Error && 'toProblem' in error && typeof error.toProblem === 'function'
