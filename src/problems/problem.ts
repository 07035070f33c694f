/**
 * Every way a request can fail, once. A problem's slug is its `code`, the last segment of its `type` and the address of its page; the
 * table decides status, title, who has to act (`origin`) and whether sending the same request again can help (`retryable`).
 */
export interface ProblemKind {
  status: number
  title: string
  /** Who can mend it: the `caller`, `voxgate` (its operators, the tenant's settings included) or the `upstream`. */
  origin: 'caller' | 'voxgate' | 'upstream'
  retryable: boolean
  /** What happened and what to do, for the problem's page. */
  help: string
}

const caller = (status: number, title: string, help: string, retryable = false): ProblemKind => ({
  status,
  title,
  origin: 'caller',
  retryable,
  help
})
const voxgate = (status: number, title: string, help: string, retryable = false): ProblemKind => ({
  status,
  title,
  origin: 'voxgate',
  retryable,
  help
})
const upstream = (status: number, title: string, help: string, retryable = false): ProblemKind => ({
  status,
  title,
  origin: 'upstream',
  retryable,
  help
})

export const problemTypes = {
  // The request never left Voxgate.
  'invalid-request': caller(
    400,
    'The request is not valid',
    'Read `errors`: each names the part of the request (`in`), the field (`pointer`, a JSON Pointer) and the fix. Violations are reported together, the first 20 of them. Where the upstream found the fault, `upstream` says so.'
  ),
  'malformed-request': caller(
    400,
    'The request is not HTTP',
    'The request line or a header is not well-formed, or the `Host` header is missing or there twice. Use an HTTP client, and look at what proxies on the way add.'
  ),
  'malformed-body': caller(
    400,
    'The body cannot be read',
    'The body is not well-formed for its content type. Check the JSON, and that Content-Length matches the bytes sent.'
  ),
  'malformed-url': caller(
    400,
    'The URL cannot be read',
    'The path or query holds a bad percent-encoding. Encode every path segment and query value as UTF-8.'
  ),
  'idempotency-key-required': caller(
    400,
    'An Idempotency-Key is required',
    'The call costs money. Send `Idempotency-Key` with a name of your own for this request, best a fresh UUID, and the same one when you send the request again: it then has its effect once.'
  ),
  'idempotency-in-flight': caller(
    409,
    'The request with this Idempotency-Key is in flight',
    'The first request with this key has not ended yet. Send it again after `Retry-After` seconds: the answer is then repeated.',
    true
  ),
  'idempotency-key-reused': caller(
    422,
    'The Idempotency-Key belongs to another request',
    'This key was used for a request with other contents. Use a fresh key for every request, and the same one only to send exactly the same request again.'
  ),
  'authentication-required': caller(
    401,
    'A valid API key is required',
    'Send `Authorization: Bearer vg_...` with a key of your tenant. The answer is the same for a missing, malformed and unknown key.'
  ),
  'key-expired': caller(
    401,
    'The API key has expired',
    'The key was right, but its time is over, or the grace after its rotation. Ask your Voxgate administrator for a new one.'
  ),
  'key-revoked': caller(
    401,
    'The API key is revoked',
    'The key was right, but an administrator has revoked it. It will not work again; ask your Voxgate administrator for a new one.'
  ),
  'admin-token-required': caller(
    401,
    'A valid admin token is required',
    "Send `Authorization: Bearer ...` with a token from ADMIN_TOKEN. Tenants' API keys are not accepted here. An address with many failures has to wait."
  ),
  'address-not-allowed': caller(
    403,
    'The API key does not work from this address',
    'The key, or its tenant, is bound to networks that your address does not belong to. Call from one of them, or ask your Voxgate administrator to allow yours.'
  ),
  'child-account-not-allowed': caller(
    403,
    'The API key may not act for this child account',
    'The header `Voxgate-Child-Account` names an account that this key is not allowed to act for. Leave the header out, or ask your Voxgate administrator.'
  ),
  'scope-missing': caller(
    403,
    'The API key does not allow this',
    'The key is valid but lacks the scope that `detail` names. Ask your Voxgate administrator for a key with that scope.'
  ),
  'tenant-disabled': caller(
    403,
    'The tenant is disabled',
    'An administrator has disabled this tenant. No call reaches the upstream until it is enabled again.'
  ),
  'not-found': caller(
    404,
    'There is no such thing',
    'Nothing has this address: the path is unknown, or the resource does not exist in your account.'
  ),
  'method-not-allowed': caller(
    405,
    'The method is not allowed here',
    'The address exists, but not with this verb. The `Allow` header lists the verbs that work.'
  ),
  'not-acceptable': caller(
    406,
    'The accepted types are not available',
    'The `Accept` header excludes `application/json`, which is all that this address has. Send `Accept: application/json`, or leave the header out.'
  ),
  'request-timeout': caller(
    408,
    'The request came too slowly',
    'The whole request did not arrive in time. Check the connection and send it again.',
    true
  ),
  'caller-gone': caller(
    499,
    'The caller disconnected',
    'The connection was closed before the response was sent. A read was cancelled; a change in flight continued, and its outcome is in the log. Nobody receives this response: it is for logs and metrics.',
    true
  ),
  'tenant-exists': caller(
    409,
    'There is such a tenant already',
    'Another tenant has this slug. Choose another, or change the one that is there.'
  ),
  'nothing-to-settle': caller(
    409,
    'The request has an outcome',
    'Only a request whose outcome is unknown can be settled. This one is still in flight, or is settled already: read its record.'
  ),
  'key-ended': caller(409, 'The API key has ended', 'The key is revoked, expired or rotated already. Make a new one in its place.'),
  'precondition-failed': caller(
    412,
    'It has been changed meanwhile',
    'What `If-Match` names is not the state it is in now. Read it again, and decide anew.'
  ),
  'count-differs': caller(
    412,
    'The number of affected things is not the expected one',
    '`expectedCount` guards calls with `all`: it must equal what the list endpoint counts now. Look at the list, and send the right number.'
  ),
  'payload-too-large': caller(
    413,
    'The body is too large',
    'JSON bodies and files have limits, see the configuration. Split the request into several; nothing of it was done.'
  ),
  'uri-too-long': caller(414, 'The URL is too long', 'Shorten the query, for example by sending fewer ids.'),
  'unsupported-media-type': caller(
    415,
    'The content type is not supported',
    'Send `Content-Type: application/json`. Where files are taken, the operation lists the other types.'
  ),
  'private-key-unusable': caller(
    422,
    'The private key cannot be used',
    'The upstream takes RSA keys of 2,048 bits or more, and Voxgate reads them in PEM form without a passphrase. Download the credentials again, or make a new key in the Voximplant control panel.'
  ),
  'credentials-of-another-account': caller(
    422,
    'The credentials are of another account',
    "A tenant is one account, and these credentials are of another. Download those of the tenant's account, or make a tenant for theirs."
  ),
  'credentials-refused': caller(
    422,
    'The upstream does not accept the credentials',
    'The upstream was asked, and knows no such account with such a key; `upstream` has its words. Nothing was stored. Check that the key has not been deleted in the Voximplant control panel.'
  ),
  'headers-too-large': caller(431, 'The headers are too large', 'Send fewer or shorter headers.'),

  // The upstream refused for a reason of the caller's.
  'invalid-value': caller(
    422,
    'The upstream refuses a value',
    'The request is well-formed, but the upstream does not take one of its values: `upstream.name` and `detail` tell which, `errors` points at the field where the upstream names it.'
  ),
  'already-exists': caller(
    409,
    'It exists already',
    'Something with this name or number exists already in the account. Choose another, or use the existing one.'
  ),
  'state-conflict': caller(
    409,
    'The current state does not allow this',
    'The thing is in a state in which this cannot be done. `upstream.name` tells which.'
  ),
  'report-not-ready': caller(409, 'The report is not ready', 'The report is still being made. Try again later.', true),
  'possible-duplicate': caller(
    409,
    'The upstream takes it for a duplicate',
    'The upstream saw the same operation a moment ago. Check whether the first one had its effect before sending it again.'
  ),
  'out-of-stock': caller(409, 'The upstream has none left', 'The numbers asked for are not available. Choose others.'),
  'payment-required': caller(
    402,
    'The account needs money or another plan',
    'Top up the Voximplant account or change its plan, then send the request again.'
  ),
  'quota-exceeded': caller(
    403,
    "The account's quota is used up",
    'The account holds as many of these as it may. Delete some, or ask the upstream for a higher limit.'
  ),
  'rate-limited': caller(
    429,
    'Too many requests',
    'Wait for `Retry-After` seconds, then send the request again. `RateLimit-Policy` and `RateLimit` tell how many requests are allowed and left.',
    true
  ),
  'concurrency-limited': caller(
    429,
    'Too many concurrent calls',
    'Your tenant has too many calls in flight, and no slot became free in time, or its callers have left too many responses unread. Nothing was sent. Send fewer concurrent requests, read responses to their end, or try again after `Retry-After` seconds.',
    true
  ),
  'tenant-quota-exceeded': caller(
    429,
    'The tenant has used up a quota',
    'Voxgate keeps a limited number of audit entries per tenant and day, and of requests with an Idempotency-Key; `detail` names the one that is used up. Nothing was sent. Wait for `Retry-After` seconds, or ask your Voxgate administrator for a larger quota.',
    true
  ),

  // The tenant's account at the upstream is at fault; the caller's key is fine.
  'upstream-permission-denied': voxgate(
    403,
    "The tenant's credentials may not do this",
    "The service account that Voxgate uses for this tenant lacks a role, or the account may not use the function. The tenant's administrator grants roles in the Voximplant control panel."
  ),
  'upstream-account-state': voxgate(
    403,
    "The tenant's account may not do this yet",
    'The Voximplant account must be activated or verified first, or the function enabled for it.'
  ),
  'credentials-missing': voxgate(
    424,
    'The tenant has no credentials',
    'No Voximplant credentials are stored for this tenant. An administrator has to add them.'
  ),
  'upstream-credentials-rejected': voxgate(
    424,
    "The upstream rejects the tenant's credentials",
    'The stored Voximplant credentials of this tenant are no longer accepted. An administrator has to replace them; your API key is not the cause.'
  ),

  // Voxgate or the upstream is at fault.
  'internal-error': voxgate(500, 'Something went wrong in Voxgate', 'This is a defect. Report it with the request id in `instance`.'),
  'facade-request-fault': voxgate(
    502,
    'The upstream does not understand Voxgate',
    'Voxgate sent a call that the upstream calls malformed. Report it with the request id in `instance`.'
  ),
  'upstream-method-gone': voxgate(
    501,
    'The upstream has no such method',
    'The upstream does not serve the method behind this endpoint (any more). Report it with the request id in `instance`.'
  ),
  'egress-refused': voxgate(
    502,
    'The upstream refuses the address Voxgate calls from',
    'The upstream does not take calls from the network Voxgate runs in (a VPN, say). Its operators have to change the way out.'
  ),
  'upstream-token-rejected': upstream(
    502,
    "The upstream rejects Voxgate's token",
    "The token signed with the tenant's key was not accepted, often because a clock is wrong. If it stays, report it with the request id.",
    true
  ),
  'upstream-fault': upstream(
    502,
    'The upstream failed',
    'The upstream reported a fault of its own. A read can be repeated; before repeating a write, look whether it had an effect.',
    true
  ),
  'upstream-answer-invalid': upstream(
    502,
    "The upstream's answer cannot be read",
    'The upstream answered something that is not an answer of its API: another content type, broken JSON, too many bytes or an HTTP error. A write may have had its effect.',
    true
  ),
  'upstream-unreachable': upstream(
    502,
    'The upstream cannot be reached',
    'No connection could be made, so nothing was sent. Trying again later is safe.',
    true
  ),
  'upstream-unavailable': upstream(
    503,
    'The upstream is busy',
    'The upstream asks to try again later. Wait for `Retry-After` seconds.',
    true
  ),
  'upstream-timeout': upstream(
    504,
    'The upstream did not answer in time',
    'The deadline passed before the answer came. It was a read: trying again is safe.',
    true
  ),
  'outcome-unknown': upstream(
    504,
    'It is not known whether this had an effect',
    'The request was sent, but its answer was lost. Voxgate does not send it again. Look at the resource before you repeat the call. With an Idempotency-Key, `settle` says where to look; the key stays taken until an operator has settled what happened.'
  ),
  'store-unavailable': voxgate(
    503,
    "Voxgate's database does not answer",
    'Tenants and keys that are not in memory cannot be looked up, and nothing can be changed, until the database, or the key server, is back. Wait for `Retry-After` seconds.',
    true
  ),
  'credentials-unverified': upstream(
    502,
    'The credentials could not be checked',
    'The upstream could not be asked whether it accepts the credentials, so that nothing was stored. Try again, or store them unseen with `verify=false`.',
    true
  ),
  'audit-unavailable': voxgate(
    503,
    'The audit log cannot be written',
    'Calls of this kind are made only when they can be written down before. The database did not take the entry, so that nothing was sent. Wait for `Retry-After` seconds.',
    true
  ),
  'service-unavailable': voxgate(
    503,
    'Voxgate cannot serve this now',
    'Voxgate is starting, stopping, overloaded or without its database. Wait for `Retry-After` seconds.',
    true
  )
} as const satisfies Record<string, ProblemKind>

/** The slug of a problem. */
export type ProblemType = keyof typeof problemTypes

/** How many violations a problem document names. */
export const maxViolations = 20
/** One violation: which part of the request, which field (JSON Pointer within that part), and what to do about it. */
export interface Violation {
  in: 'path' | 'query' | 'body' | 'header'
  pointer: string
  detail: string
}

/** What the upstream said, when it was the upstream that refused. */
export interface UpstreamRefusal {
  method: string
  code: number
  name: string
  message: string
}

/** How it can be found out whether a request with an Idempotency-Key had its effect. */
export interface Settle {
  /** The record that an operator can settle. */
  id: string
  /** The upstream's method that tells, what to look for, and the operation of ours that calls it. */
  method?: string
  by?: string[]
  operationId?: string
}

export interface ProblemDetails {
  errors?: Violation[]
  settle?: Settle
  upstream?: UpstreamRefusal
  headers?: Record<string, string>
  cause?: unknown
}

/** A failure with a place in the table; `plugins/problems.ts` turns it into the answer. Throw it from anywhere. */
export class Problem extends Error {
  readonly type: ProblemType
  readonly kind: ProblemKind
  /** The answer's status: the kind's, unless the context gives the same failure another (a missing parent in a body is 422). */
  readonly status: number
  /** What is wrong with the request; the document shows the first `maxViolations`. */
  readonly errors: Violation[] | undefined
  readonly upstream: UpstreamRefusal | undefined
  readonly settle: Settle | undefined
  readonly headers: Record<string, string> | undefined

  constructor(type: ProblemType, detail: string, { errors, upstream, settle, headers, cause }: ProblemDetails = {}) {
    super(detail, { cause })
    this.name = 'Problem'
    this.type = type
    this.kind = problemTypes[type]
    this.status = this.kind.status
    this.errors = errors
    this.upstream = upstream
    this.settle = settle
    this.headers = headers
  }
}
