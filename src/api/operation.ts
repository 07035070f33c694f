import { type TSchema, Type } from '@sinclair/typebox'
import { maybe, paging } from '../../schemas/common.ts'
import type { Violation } from '../problems/problem.ts'
import { type MethodTraits, traitsOf } from '../voximplant/methods.ts'
import { compileDecoder } from '../voximplant/wire/codecs.ts'
import type { Decode } from '../voximplant/wire/drift.ts'
import { compileForm, type Form } from '../voximplant/wire/form.ts'
import { isReference, marked } from '../voximplant/wire/marks.ts'
import { toSnake } from '../voximplant/wire/names.ts'
import type { Endpoint, Verb } from './endpoint.ts'
import type { ExampleCall } from './example.ts'
import { type OperationSchema, type RequestFields, schemaOf } from './operation-schema.ts'
import type { Reply } from './reply.ts'
import { scopesOf } from './scopes.ts'
import { selectAllFieldNames, selectAllFields } from './select-all-fields.ts'
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
  /** Fields that mark a response of the method, by the upstream's names. */
  resultFields: readonly string[]
  /** Whether a result comes through although an error stands beside it: where the response has a place for both. */
  partial: boolean
  /** REST field -> where it travels. */
  fieldLocations: Map<string, Violation['in']>
  /** How a file is read, for `plugins/uploads.ts`. */
  upload?: UploadPlan
  schema: OperationSchema
}

/** Compiles one declaration. Throws, naming it, when the declaration contradicts itself. */
export function compile(id: string, declaration: Endpoint): Operation {
  try {
    return compileOperation(id, declaration)
  } catch (error) {
    throw new Error(`endpoint ${id} (${declaration.http}): ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** Compiles every declaration of every section. Throws when an operationId or an address is declared twice. */
export function compileAll(sections: readonly Readonly<Record<string, Endpoint>>[]): Operation[] {
  const operations = sections.flatMap(section => Object.entries(section).map(([id, declaration]) => compile(id, declaration)))
  const seen = new Map<string, string>()
  for (const { id, endpoint } of operations) {
    const address = endpoint.http.replace(/:\w+/g, ':_')
    if (seen.has(id)) throw new Error(`operationId ${id} is declared twice: ${seen.get(id)} and ${endpoint.http}`)
    if (seen.has(address)) throw new Error(`${endpoint.http} is declared twice: ${seen.get(address)} and ${id}`)
    seen.set(id, endpoint.http).set(address, id)
  }
  const declared = new Set<Endpoint>(operations.map(({ endpoint }) => endpoint))
  for (const { id, endpoint } of operations)
    for (const counter of Object.values(endpoint.all ?? {}))
      if (!declared.has(counter)) throw new Error(`endpoint ${id}: \`all\` counts with ${counter.http}, which is not declared`)
  return operations
}

const verbs: readonly Verb[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

function compileOperation(id: string, endpoint: Endpoint): Operation {
  const { http, rpc, reply } = endpoint
  const method = verbs.find(verb => http.startsWith(`${verb} `))
  const traits: MethodTraits | undefined = traitsOf(rpc)
  if (!method) throw new Error('begins with no verb')
  if (!traits) throw new Error(`the upstream has no method ${rpc}`)
  const url = http.slice(method.length + 1)
  const pathFields = Array.from(url.matchAll(/:(\w+)/g), ([, name = '']) => name)
  checkNames(endpoint, pathFields)
  const call = exampleCallOf(endpoint)
  const { fields, fieldLocations } = locateFields(endpoint, method, pathFields)
  const form = formOf(endpoint, pathFields)
  const upload = endpoint.upload && compileUpload(endpoint.upload, fields.body, fieldLocations, form.wireOf, call)
  const scopes = scopesOf(endpoint.tag, traits, reply)
  const audits = auditsOf(traits, form, scopes)
  const withhold = compileWithhold(reply.body)
  // An item that is looked for by its name is sent as it is found.
  if (withhold && reply.kind === 'first') throw new Error('fields for keys with `secrets` are not withheld from single items')
  return {
    id,
    endpoint,
    method,
    url,
    traits,
    scopes,
    confidential: withhold !== undefined || scopes.includes('secrets'),
    ...(withhold ? { withhold } : {}),
    ...(audits ? { audits } : {}),
    form,
    decode: compileDecoder(reply.response, id),
    ...(traits.safe && (reply.kind === 'page' || reply.kind === 'list') ? decodersOfRows(reply, id) : {}),
    resultFields: Object.keys(reply.response.properties).map(toSnake),
    partial: ['page', 'list', 'value'].includes(reply.kind),
    fieldLocations,
    ...(upload ? { upload } : {}),
    schema: schemaOf({ id, endpoint, method, traits, scopes, fields, form, upload, call })
  }
}

/** Throws when a declaration names a field that its input does not have, or has a file that it does not say how to read. */
function checkNames({ input, all, exactlyOne, requires, example, upload }: Endpoint, pathFields: readonly string[]): void {
  const { properties } = input
  const check = (what: string, names: readonly string[]) => {
    for (const name of names) if (!properties[name]) throw new Error(`${what} names ${name}, which is not a field of the input`)
  }
  check('the path', pathFields)
  check('`all`', Object.keys(all ?? {}))
  check('exactlyOne', exactlyOne ?? [])
  for (const [name, other] of Object.entries(requires ?? {}))
    if (!properties[name.replace('~', '')] || !properties[other])
      throw new Error(`requires names ${name} and ${other}, of which one is not a field of the input`)
  const fileField = Object.entries(properties).find(([, field]) => marked(field, 'kind') === 'file')
  if (fileField && !upload) throw new Error(`${fileField[0]} is a file, but no \`upload\` says how it comes`)
  check(
    'the example',
    Object.keys(example ?? {}).filter(name => name !== upload?.rows.name)
  )
}

/** The example call: what the call cannot do without, the first of several choices, and what the declaration adds. */
function exampleCallOf({ input, exactlyOne = [], example = {} }: Endpoint): ExampleCall {
  const choice = exactlyOne.some(name => name in example) ? [] : exactlyOne.slice(0, 1)
  return { fields: [...(input.required ?? []), ...choice, ...Object.keys(example)], values: example }
}

/** Where each field of a request travels, those of `all` included. */
function locateFields({ input, all = {} }: Endpoint, method: Verb, pathFields: readonly string[]) {
  const fields: RequestFields = { path: {}, query: {}, body: {} }
  const fieldLocations = new Map<string, keyof RequestFields>()
  const selectors = Object.keys(all)
  const takesBody = method !== 'GET' && method !== 'DELETE'
  // `all` stands where the selector stands that it replaces.
  const selectsInQuery = Object.entries(input.properties).some(([name, field]) => selectors.includes(name) && marked(field, 'query'))
  const travelsInQuery = (name: string, field: TSchema) =>
    !takesBody || marked(field, 'query') === true || (selectsInQuery && selectAllFieldNames.includes(name))
  for (const [name, field] of Object.entries({ ...input.properties, ...selectAllFields(selectors) })) {
    const part = pathFields.includes(name) ? 'path' : travelsInQuery(name, field) ? 'query' : 'body'
    fieldLocations.set(name, part)
    fields[part][name] = selectors.includes(name) ? maybe(field) : part === 'query' ? inUrl(field) : field
  }
  return { fields, fieldLocations }
}

/** A field as a URL holds it. */
const inUrl = (field: TSchema): TSchema => (marked(field, 'kind') === 'json-text' ? { ...field, 'x-consume': 'application/json' } : field)

/** The encoder of the input. A `~name` is looked for among rows whose names merely hold it, page by page. */
function formOf(endpoint: Endpoint, pathFields: readonly string[]): Form {
  const { rpc, input, reply } = endpoint
  const pages = reply.kind === 'first' && pathFields.some(name => isReference(input.properties[name]))
  return compileForm(rpc, pages ? Type.Object({ ...input.properties, ...paging }) : input, endpoint)
}

/** Which calls of a method are written to the audit log: those that destroy, change rights, spend or return secrets. */
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

/** How the rows of a list are decoded: those of a long one are written as they come, so that what is withheld never gets into them. */
function decodersOfRows({ response, body }: Reply, id: string): Pick<Operation, 'decodeRows' | 'decodeRowsWithheld'> {
  const rows = response.properties.result
  if (!rows) return {}
  const decodeRows = compileDecoder(rows, `${id}.result`)
  const withhold = compileWithhold(body?.properties.items)
  if (!withhold) return { decodeRows }
  const decodeRowsWithheld: Decode = (raw, drift) => {
    const rows = decodeRows(raw, drift)
    withhold(rows)
    return rows
  }
  return { decodeRows, decodeRowsWithheld }
}
