import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import { strict } from '../../schemas/common.ts'
import { keyHeaders } from '../idempotency/header.ts'
import { documentedProblems } from '../problems/documented.ts'
import type { ProblemType } from '../problems/problem.ts'
import type { MethodTraits } from '../voximplant/methods.ts'
import type { Form } from '../voximplant/wire/form.ts'
import type { Endpoint, Verb } from './endpoint.ts'
import { type ExampleCall, exampleOfObject, triedInUrl } from './example.ts'
import type { Reply } from './reply.ts'
import type { UploadPlan } from './upload.ts'

/** What Fastify validates of an operation, and what the document says of it. */
export interface OperationSchema extends FastifySchema {
  operationId: string
  tags: readonly string[]
  summary: string
  description: string
  deprecated?: boolean
  security: { [securityLabel: string]: readonly string[] }[]
  params: TObject
  querystring: TObject
  headers?: TObject
  body?: TObject | UploadPlan['body']
  response: Record<number, object>
  'x-voxgate-scopes': readonly string[]
  'x-voxgate-scopes-with-all'?: readonly string[]
  'x-voximplant-method': string
  'x-voximplant-params': readonly string[]
}

/** The fields of the parts of a request. */
export type RequestFields = Record<'path' | 'query' | 'body', TProperties>

/** The parts of an operation that its schema is made of. */
interface Parts {
  id: string
  endpoint: Endpoint
  method: Verb
  traits: MethodTraits
  scopes: readonly string[]
  fields: RequestFields
  form: Form
  upload: UploadPlan | undefined
  call: ExampleCall
}

/** The schema of an operation. */
export function schemaOf(parts: Parts): OperationSchema {
  const { id, endpoint, method, traits, scopes, fields, form, upload, call } = parts
  const body = method === 'GET' || method === 'DELETE' ? undefined : (upload?.body ?? bodyOf(parts))
  const ownParams = traits.ownAccount ? ['account_id'] : []
  return {
    operationId: id,
    tags: [endpoint.tag],
    summary: endpoint.summary,
    description: descriptionOf(endpoint, scopes),
    ...(endpoint.deprecated ? { deprecated: true } : {}),
    // Scopes of a bearer key have no place of their own in OpenAPI: linters take a list here for OAuth's.
    security: [{ apiKey: [] }],
    'x-voxgate-scopes': scopes,
    ...(endpoint.all ? { 'x-voxgate-scopes-with-all': [...scopes, 'bulk'] } : {}),
    params: strict(triedInUrl(fields.path, call)),
    querystring: upload?.querystring ?? strict(triedInUrl(fields.query, call)),
    ...(method === 'POST' ? { headers: keyHeaders(traits.costsMoney === true) } : {}),
    ...(body ? { body } : {}),
    response: { [endpoint.reply.status]: responseOf(endpoint.reply, method), ...problemResponses(parts) },
    'x-voximplant-method': endpoint.rpc,
    'x-voximplant-params': [...new Set([...form.params.map(param => param.wire), ...ownParams])].sort()
  }
}

function descriptionOf({ description, rpc, all }: Endpoint, scopes: readonly string[]): string {
  const named = scopes.map(scope => `\`${scope}\``).join(' and ')
  const needs = `Needs the scope${scopes.length > 1 ? 's' : ''} ${named}${all ? ', and `bulk` with `all`' : ''}.`
  return [description, needs, `Upstream: \`${rpc}\`.`].filter(Boolean).join('\n\n')
}

function bodyOf({ method, fields, call }: Parts): TObject {
  const example = exampleOfObject(Type.Object(fields.body), call)
  return strict(fields.body, {
    // Sets nothing: a PATCH of no field is a mistake.
    ...(method === 'PATCH' ? { minProperties: 1 } : {}),
    ...(Object.keys(example).length > 0 ? { examples: [example] } : {})
  })
}

const replayed = { 'Idempotency-Replayed': '`true` where this is the answer to an earlier request with the same `Idempotency-Key`.' }
const binary = { type: 'string', format: 'binary' }

function responseOf({ description, body, file, headers }: Reply, method: Verb): object {
  if (!body && !file) return { type: 'null', description }
  const content: Record<string, { schema: TSchema | typeof binary | undefined }> = file
    ? Object.fromEntries(file.types.map(type => [type, { schema: binary }]))
    : { 'application/json': { schema: body } }
  const described = { ...headers, ...(method === 'POST' ? replayed : {}) }
  return {
    description,
    content,
    ...(Object.keys(described).length > 0 ? { headers: headersOf(described) } : {})
  }
}

/** Headers of a response for the document, from their descriptions by name. */
export const headersOf = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, description]) => [name, { description, type: 'string' }]))

/** The problems an operation can end in, by status. */
function problemResponses({ endpoint: { all, reply }, method, fields, traits }: Parts): Record<number, object> {
  const types: ProblemType[] = [
    ...(reply.problems ?? []),
    'invalid-request',
    'authentication-required',
    'scope-missing',
    'upstream-credentials-rejected',
    'rate-limited',
    'internal-error',
    'upstream-fault',
    'service-unavailable'
  ]
  if (Object.keys(fields.path).length > 0 || method === 'DELETE' || reply.mayBeMissing) types.push('not-found')
  if (!traits.safe) types.push('already-exists', 'invalid-value', 'outcome-unknown', 'tenant-quota-exceeded')
  else types.push('invalid-value', 'upstream-timeout')
  if (method !== 'GET' && method !== 'DELETE') types.push('payload-too-large', 'unsupported-media-type', 'request-timeout')
  if (traits.costsMoney) types.push('payment-required')
  if (all) types.push('count-differs')
  if (method === 'POST') types.push('idempotency-in-flight', 'idempotency-key-reused')
  if (method === 'POST' && traits.costsMoney) types.push('idempotency-key-required')
  return documentedProblems(types)
}
