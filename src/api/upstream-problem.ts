import { Problem, type Violation } from '../problems/problem.ts'
import type { Credential } from '../voximplant/account.ts'
import { meaningOf } from '../voximplant/error-codes.ts'
import type { UpstreamError } from '../voximplant/errors.ts'
import { redact } from '../voximplant/redact.ts'
import { notFoundIn } from './find-by-name.ts'
import type { Operation } from './operation.ts'

/**
 * The secrets that a message of the upstream about a call may hold: the API key, and those fields of the call that are only ever written.
 * @param sent the parameters, `application/x-www-form-urlencoded`
 */
export function secretsOf({ endpoint, form }: Operation, credential: Credential, sent: string | URLSearchParams): string[] {
  const params = new URLSearchParams(sent)
  const secrets = form.fields
    .filter(({ name }) => endpoint.input.properties[name]?.writeOnly)
    .flatMap(field => field.params.flatMap(({ wire }) => params.getAll(wire)))
  return credential.kind === 'api-key' ? [...secrets, credential.apiKey] : secrets
}

/**
 * What an error of the upstream means to the caller: the field that the upstream names, or that its code is about, is looked for among those that
 * were sent.
 * @param sent the parameters, in which secrets of the call stand
 */
export function problemOfUpstreamError(
  { code, message: text, fieldName, retryAfter }: UpstreamError,
  operation: Operation,
  credential: Credential,
  sent: string | URLSearchParams
): Problem {
  const { endpoint, form, fieldLocations, traits, upload } = operation
  const message = redact(text, secretsOf(operation, credential, sent))
  const about = fieldName ?? /^INVALID_(\w+)$/.exec(meaningOf(code).name)?.[1]?.toLowerCase()
  const field = about === undefined ? undefined : form.fieldOf.get(about)
  const part = field === undefined ? undefined : fieldLocations.get(field)
  // The filter of a list refers to things; the selector of a change addresses them, as the path does; beside a file the query holds what a body would.
  const addressed = part === undefined ? undefined : part === 'path' || (part === 'query' && !traits.safe && !upload)
  const { name, type } = meaningOf(code, addressed)
  const errors: Violation[] | undefined =
    field !== undefined && part !== undefined ? [{ in: part, pointer: `/${field}`, detail: message || name }] : undefined
  const upstream = { method: endpoint.rpc, code, name, message }
  if (type === 'not-found') return notFoundIn(operation, field, upstream)
  return new Problem(type, `The upstream says: ${message || name}`, {
    errors,
    upstream,
    ...(type === 'rate-limited' || type === 'upstream-unavailable' ? { headers: { 'retry-after': retryAfter ?? '1' } } : {})
  })
}
