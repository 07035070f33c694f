import { type ProblemType, problemTypes } from './problem.ts'

/** How failures stand in the document: a shared response for each combination of kinds, each kind with an example as a caller would see it. */

/** `invalid-request` -> `InvalidRequest`: the name in the document of the response for some kinds of problem. */
const responseName = (types: readonly ProblemType[]): string =>
  types.map(type => type.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())).join('Or')

/** What the upstream has against a field of the body. */
const refusal = (method: string, code: number, name: string, message: string, pointer: string) => ({
  detail: `The upstream says: ${message}`,
  errors: [{ in: 'body', pointer, detail: message }],
  upstream: { method, code, name, message }
})

/** What a kind says of one request: its `detail`, and the members that it has beyond those of all. */
const seen: Partial<Record<ProblemType, object>> = {
  'invalid-request': { detail: 'body /userName is required.', errors: [{ in: 'body', pointer: '/userName', detail: 'is required' }] },
  'idempotency-key-required': {
    detail: 'header /Idempotency-Key is required.',
    errors: [{ in: 'header', pointer: '/Idempotency-Key', detail: 'is required' }]
  },
  'idempotency-key-reused': {
    detail: 'This Idempotency-Key was used for another request. Take a fresh one for each.',
    errors: [{ in: 'header', pointer: '/idempotency-key', detail: 'was used for a request with other contents' }]
  },
  'scope-missing': { detail: 'This API key lacks the scope `users:write`.' },
  'authentication-required': { detail: 'Send `Authorization: Bearer vg_...` with a valid API key.' },
  'admin-token-required': { detail: 'Send `Authorization: Bearer ...` with a valid admin token.' },
  'not-found': { detail: 'There is no such thing in this account.' },
  'count-differs': { detail: 'There are 4 now, not 3: nothing was changed.' },
  'already-exists': refusal('AddUser', 118, 'USER_NAME_ISNT_UNIQUE', 'user name isnt unique (user_name)', '/userName'),
  'invalid-value': refusal('AddUser', 523, 'PASSWORD_TOO_WEAK', 'password too weak (user_password)', '/userPassword'),
  'state-conflict': { detail: 'The upstream did nothing, and gave no reason.' },
  'tenant-exists': { detail: 'There is a tenant acme already.' },
  'precondition-failed': { detail: 'The tenant acme is not in the state that If-Match names.' }
}

/** A problem of a kind as a caller would see it. */
export const exampleOf = (type: ProblemType) => {
  const { title, status, origin, retryable } = problemTypes[type]
  return {
    type: `/problems/${type}`,
    title,
    status,
    detail: `${title}.`,
    instance: 'urn:request:0198c7b2-5a0e-7c34-9d62-3f1c1c4e9b11',
    code: type,
    origin,
    retryable,
    ...seen[type]
  }
}

/** A response that operations share: the kinds of problem that one status can mean, each with an example of its own. */
const problemResponse = (types: readonly ProblemType[], description = describe(types)) => ({
  description,
  content: {
    'application/problem+json': {
      schema: { $ref: '#/components/schemas/Problem' },
      ...(types.length === 1
        ? { example: exampleOf(types[0]!) }
        : { examples: Object.fromEntries(types.map(type => [type, { value: exampleOf(type) }])) })
    }
  }
})

const describe = (types: readonly ProblemType[]): string =>
  `${types.map(type => `${problemTypes[type].title} (\`${type}\`)`).join('; or: ')}.`

/** The `default` responses: the usual failures of any operation, distinguished by `status` and `code`. */
const defaults = {
  any: problemResponse(
    ['authentication-required', 'scope-missing', 'rate-limited', 'upstream-fault'],
    'Any other failure. `status` and `code` say which: 401 the API key is not valid, 403 it lacks a scope, 408 or 413 the request is too slow or too large, 415 its content type is not supported, 424 the credentials of the tenant are rejected, 429 too many requests, 500 a defect, 502 to 504 the upstream or the service cannot respond now. `/problems` lists every code.'
  ),
  admin: problemResponse(
    ['admin-token-required', 'rate-limited'],
    'Any other failure. `status` and `code` say which: 401 the token is not valid, 408 or 413 the request is too slow or too large, 415 its content type is not supported, 429 too many requests, 500 a defect, 503 the service cannot respond now. `/problems` lists every code.'
  )
} as const

/** In a response of a route's schema: the problem types that the response stands for. `src/openapi/transform.ts` puts the shared response there. */
export const problemsKeyword = 'x-problems'

/** Problems of any operation: the document describes them once, as the `default` response. */
const common: readonly ProblemType[] = [
  'authentication-required',
  'admin-token-required',
  'scope-missing',
  'request-timeout',
  'payload-too-large',
  'unsupported-media-type',
  'upstream-credentials-rejected',
  'rate-limited',
  'internal-error',
  'upstream-fault',
  'service-unavailable',
  'upstream-timeout'
]

/** The responses of a route's schema that are problems: the particular ones by status, the others as `default`. */
export function documentedProblems(types: Iterable<ProblemType>): Record<string, object> {
  const [particular, others] = [
    [...new Set(types)].filter(type => !common.includes(type)),
    [...new Set(types)].filter(type => common.includes(type))
  ]
  const byStatus = Object.groupBy(particular, type => problemTypes[type].status)
  const response = (types: readonly ProblemType[] = []) => ({ description: describe(types), [problemsKeyword]: types })
  return {
    ...Object.fromEntries(Object.entries(byStatus).map(([status, types]) => [status, response(types)])),
    default: response(others)
  }
}

/** The shared response for problem types: its name in the document, and what it says. */
export function sharedResponse(types: readonly ProblemType[], status: string): { name: string; response: object } {
  if (status !== 'default') return { name: responseName(types), response: problemResponse(types) }
  return types.includes('admin-token-required')
    ? { name: 'OtherAdminProblem', response: defaults.admin }
    : { name: 'OtherProblem', response: defaults.any }
}
