import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import { maybe, paging, strict } from '../../schemas/common.ts'
import { keyHeaders } from '../idempotency/header.ts'
import { documentedProblems, type ProblemType, type Violation } from '../problems/problem.ts'
import { type MethodTraits, traitsOf } from '../voximplant/methods.ts'
import { compileDecoder } from '../voximplant/wire/codecs.ts'
import type { Decode } from '../voximplant/wire/drift.ts'
import { compileForm, type Form } from '../voximplant/wire/form.ts'
import { isReference, marked } from '../voximplant/wire/marks.ts'
import { toSnake } from '../voximplant/wire/names.ts'
import type { Endpoint, Verb } from './endpoint.ts'
import { exampleOfObject, triedInUrl } from './example.ts'
import type { Reply } from './reply.ts'
import { scopesOf } from './scopes.ts'
import { everyFieldNames, everyFields } from './select-all.ts'
import { compileUpload, type UploadPlan } from './upload.ts'
import { compileWithhold, type Withhold } from './withheld.ts'

/** A declaration made ready for requests. */
export interface Operation {
  id: string
  endpoint: Endpoint
  method: Verb
  url: string
  traits: MethodTraits
  /** The scopes a key needs: all of them. */
  scopes: string[]
  /** Whether its responses may hold secrets, so that no cache may keep them. */
  confidential: boolean
  /** Removes what only keys with the scope `secrets` get. */
  withhold?: Withhold
  form: Form
  decode: Decode
  /** For a list: how its rows are decoded, and how for keys without the scope `secrets`. */
  decodeRows?: Decode
  decodeRowsWithheld?: Decode
  /** Whether a call with this input is written to the audit log before it is made; undefined: never. */
  audits?: (input: Record<string, unknown>) => boolean
  /** Fields that mark an answer of the method, by the upstream's names. */
  answers: readonly string[]
  /** Whether a result comes through although an error stands beside it: where the response has a place for both. */
  partial: boolean
  /** REST field -> where it travels. */
  partOf: Map<string, Violation['in']>
  /** How a file is read, for `plugins/uploads.ts`. */
  upload?: UploadPlan
  schema: FastifySchema
}

/** Compiles one declaration. Throws, naming it, when the declaration contradicts itself. */
export function compile(id: string, declaration: Endpoint): Operation {
  try {
    return compileOperation(id, declaration)
  } catch (error) {
    throw new Error(`endpoint ${id} (${declaration.http}): ${(error as Error).message}`, { cause: error })
  }
}

/** Compiles every declaration of every section. Throws when an operationId or an address is declared twice. */
export function compileAll(sections: readonly Record<string, Endpoint>[]): Operation[] {
  const operations = sections.flatMap(section => Object.entries(section).map(([id, declaration]) => compile(id, declaration)))
  const seen = new Map<string, string>()
  for (const { id, endpoint } of operations) {
    const address = endpoint.http.replace(/:\w+/g, ':_')
    if (seen.has(id)) throw new Error(`operationId ${id} is declared twice: ${seen.get(id)} and ${endpoint.http}`)
    if (seen.has(address)) throw new Error(`${endpoint.http} is declared twice: ${seen.get(address)} and ${id}`)
    seen.set(id, endpoint.http).set(address, id)
  }
  for (const { id, endpoint } of operations)
    for (const counter of Object.values(endpoint.all ?? {}))
      if (!seen.has(counter)) throw new Error(`endpoint ${id}: \`all\` counts with ${counter}, which is not declared`)
  return operations
}

function compileOperation(id: string, declaration: Endpoint): Operation {
  const { http, rpc, input, reply, tag } = declaration
  const [method, url] = http.split(' ') as [Verb, string]
  const traits = traitsOf(rpc)
  if (!traits) throw new Error(`the upstream has no method ${rpc}`)
  const inPath = [...url.matchAll(/:(\w+)/g)].map(match => match[1]!)
  for (const name of inPath) if (!input.properties[name]) throw new Error(`the path names ${name}, which is not a field of the input`)

  const parts: Record<'path' | 'query' | 'body', TProperties> = { path: {}, query: {}, body: {} }
  const takesBody = method !== 'GET' && method !== 'DELETE'
  const selectors = Object.keys(declaration.all ?? {})
  for (const name of selectors) if (!input.properties[name]) throw new Error(`\`all\` names ${name}, which is not a field of the input`)
  for (const name of declaration.exactlyOne ?? [])
    if (!input.properties[name]) throw new Error(`exactlyOne names ${name}, which is not a field of the input`)
  for (const [name, other] of Object.entries(declaration.requires ?? {}))
    if (!input.properties[name.replace('~', '')] || !input.properties[other])
      throw new Error(`requires names ${name} and ${other}, of which one is not a field of the input`)
  const fileField = Object.keys(input.properties).find(name => marked(input.properties[name]!, 'kind') === 'file')
  if (fileField !== undefined && !declaration.upload) throw new Error(`${fileField} is a file, but no \`upload\` says how it comes`)
  const example = declaration.example ?? {}
  for (const name of Object.keys(example))
    if (!input.properties[name] && name !== declaration.upload?.rows.name)
      throw new Error(`the example names ${name}, which is not a field of the input`)
  const choice = declaration.exactlyOne?.some(name => name in example) ? [] : (declaration.exactlyOne?.slice(0, 1) ?? [])
  const tried = [...(input.required ?? []), ...choice, ...Object.keys(example)]
  const partOf = new Map<string, 'path' | 'query' | 'body'>()
  // `all` stands where the selector stands that it replaces.
  const selectsInQuery = selectors.some(name => marked(input.properties[name]!, 'query'))
  const travelsInQuery = (name: string, field: TSchema) =>
    marked(field, 'query') === true || (selectsInQuery && everyFieldNames.includes(name))
  for (const [name, field] of Object.entries({ ...input.properties, ...everyFields(selectors) })) {
    const part = inPath.includes(name) ? 'path' : takesBody && !travelsInQuery(name, field) ? 'body' : 'query'
    partOf.set(name, part)
    parts[part][name] = selectors.includes(name) ? maybe(field) : part === 'query' ? inUrl(field) : field
  }

  // A `~name` is looked for among rows whose names merely hold it, page by page.
  const searched = reply.kind === 'first' && inPath.some(name => isReference(input.properties[name]))
  const form = compileForm(rpc, searched ? Type.Object({ ...input.properties, ...paging }) : input, declaration)

  const wireOf = (field: string) => form.fields.find(({ name }) => name === field)!.params[0]!.wire
  const upload = declaration.upload && compileUpload(declaration.upload, parts.body, partOf, wireOf, { tried, example })

  const scopes = scopesOf(tag, traits, reply)
  const audits = auditsOf(traits, form, scopes)
  const withhold = compileWithhold(reply.body)
  // An item that is looked for by its name is sent as it is found.
  if (withhold && reply.kind === 'first') throw new Error('fields for keys with `secrets` are not withheld from single items')
  const bodyExample = exampleOfObject(Type.Object(upload ? {} : parts.body), tried, example)
  return {
    id,
    endpoint: declaration,
    method,
    url,
    traits,
    scopes,
    confidential: withhold !== undefined || scopes.includes('secrets'),
    ...(withhold ? { withhold } : {}),
    ...(audits ? { audits } : {}),
    form,
    decode: compileDecoder(reply.answer, id),
    ...(traits.safe && (reply.kind === 'page' || reply.kind === 'list') ? decodersOfRows(reply, id) : {}),
    answers: Object.keys(reply.answer.properties).map(toSnake),
    partial: ['page', 'list', 'value'].includes(reply.kind),
    partOf,
    ...(upload ? { upload } : {}),
    schema: {
      operationId: id,
      tags: [tag],
      summary: declaration.summary,
      description: [
        declaration.description,
        `Needs the scope${scopes.length > 1 ? 's' : ''} ${scopes.map(scope => `\`${scope}\``).join(' and ')}${declaration.all ? ', and `bulk` with `all`' : ''}.`,
        `Upstream: \`${rpc}\`.`
      ]
        .filter(Boolean)
        .join('\n\n'),
      ...(declaration.deprecated ? { deprecated: true } : {}),
      // Scopes of a bearer key have no place of their own in OpenAPI: linters take a list here for OAuth's.
      security: [{ apiKey: [] }],
      'x-voxgate-scopes': scopes,
      ...(declaration.all ? { 'x-voxgate-scopes-with-all': [...scopes, 'bulk'] } : {}),
      params: strict(triedInUrl(parts.path, tried, example)),
      querystring: upload?.querystring ?? strict(triedInUrl(parts.query, tried, example)),
      ...(method === 'POST' ? { headers: keyHeaders(traits.costsMoney === true) } : {}),
      // Sets nothing: a PATCH of no field is a mistake.
      ...(takesBody
        ? {
            body:
              upload?.body ??
              strict(parts.body, {
                ...(method === 'PATCH' ? { minProperties: 1 } : {}),
                ...(Object.keys(bodyExample).length > 0 ? { examples: [bodyExample] } : {})
              })
          }
        : {}),
      response: {
        [reply.status]:
          reply.body || reply.file
            ? {
                description: reply.description,
                content: contentOf(reply),
                ...(reply.headers || method === 'POST'
                  ? { headers: headersOf({ ...reply.headers, ...(method === 'POST' ? replayed : {}) }) }
                  : {})
              }
            : { type: 'null', description: reply.description },
        ...problemResponses(declaration, method, inPath.length > 0, traits)
      },
      'x-voximplant-method': rpc,
      'x-voximplant-params': [...new Set([...form.params.map(param => param.wire), ...(traits.ownAccount ? ['account_id'] : [])])].sort()
    } as FastifySchema
  }
}

/** A field as a URL holds it. */
const inUrl = (field: TSchema): TSchema => (marked(field, 'kind') === 'json-text' ? { ...field, 'x-consume': 'application/json' } : field)

const binary = { type: 'string', format: 'binary' }
const contentOf = ({ body, file }: Reply) =>
  file ? Object.fromEntries(file.types.map(type => [type, { schema: binary }])) : { 'application/json': { schema: body } }

const replayed = { 'Idempotency-Replayed': '`true` where this is the answer to an earlier request with the same `Idempotency-Key`.' }

const headersOf = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, description]) => [name, { description, type: 'string' }]))

/** Which calls of a method are written to the audit log: those that destroy, change rights, spend or answer secrets. */
function auditsOf(traits: MethodTraits, form: Form, scopes: readonly string[]): Operation['audits'] {
  if (traits.privileged || traits.costsMoney || scopes.includes('secrets')) return () => true
  if (!traits.destructive) return undefined
  if (!traits.destructiveIf) return () => true
  // The condition speaks of what is sent: `name=value|value`, or `name|name`.
  const [names = '', values = '[^&]*'] = traits.destructiveIf.split('=')
  const destroys = new RegExp(`(?:^|&)(?:${names})=(?:${values})(?:&|$)`)
  return input => {
    try {
      return destroys.test(form.encode(input))
    } catch {
      // What cannot be sent destroys nothing; the call itself will say why.
      return false
    }
  }
}

/** The problems an operation can answer with, by status. */
function problemResponses({ all, reply }: Endpoint, method: Verb, inPath: boolean, traits: MethodTraits): Record<number, object> {
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
  if (inPath || method === 'DELETE' || reply.mayBeMissing) types.push('not-found')
  if (!traits.safe) types.push('already-exists', 'invalid-value', 'outcome-unknown', 'tenant-quota-exceeded')
  else types.push('invalid-value', 'upstream-timeout')
  if (method !== 'GET' && method !== 'DELETE') types.push('payload-too-large', 'unsupported-media-type', 'request-timeout')
  if (traits.costsMoney) types.push('payment-required')
  if (all) types.push('count-differs')
  if (method === 'POST') types.push('idempotency-in-flight', 'idempotency-key-reused')
  if (method === 'POST' && traits.costsMoney) types.push('idempotency-key-required')
  return documentedProblems(types)
}

/** How the rows of a list are decoded: those of a long one are written as they come, so that what is withheld never gets into them. */
function decodersOfRows({ answer, body }: Reply, id: string): Pick<Operation, 'decodeRows' | 'decodeRowsWithheld'> {
  const decodeRows = compileDecoder(answer.properties.result!, `${id}.result`)
  const withhold = compileWithhold((body as TObject).properties.items)
  if (!withhold) return { decodeRows }
  const decodeRowsWithheld: Decode = (raw, drift) => {
    const rows = decodeRows(raw, drift)
    withhold(rows)
    return rows
  }
  return { decodeRows, decodeRowsWithheld }
}
