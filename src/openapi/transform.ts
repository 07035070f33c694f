import { maxId } from '../../schemas/common.ts'
import { triedKeyword } from '../api/example.ts'
import { problemsKeyword, sharedResponse } from '../problems/documented.ts'
import type { ProblemType } from '../problems/problem.ts'

/** The OpenAPI document as Fastify's plugin makes it of the routes, put right: a pure function. */

export interface Parameter {
  in: string
  name: string
  required?: boolean
  description?: string
  schema?: Record<string, unknown>
  content?: Record<string, { schema?: Record<string, unknown>; example?: unknown; examples?: Record<string, { value: unknown }> }>
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

export interface Media {
  schema?: Record<string, unknown> & { required?: string[]; minProperties?: number; properties?: Record<string, Record<string, unknown>> }
  example?: unknown
}

export interface DocumentedOperation {
  operationId?: string
  description?: string
  responses?: Record<
    string,
    { $ref?: string; description?: string; content?: Record<string, { schema?: { [problemsKeyword]?: ProblemType[] } }> }
  >
  parameters?: Parameter[]
  security?: Record<string, string[]>[]
  requestBody?: { required?: boolean; content: Record<string, Media> }
  'x-voximplant-method'?: string
}

export interface Document {
  openapi: string
  info: Record<string, unknown>
  paths?: Record<string, Record<string, DocumentedOperation>>
  components?: Record<string, Record<string, unknown>>
}

/**
 * A list of one kind or of another: named a list of either too, because tools that read or write a URL look for `array` and `items`, and not
 * behind a choice.
 */
function tidyChoiceOfLists(schema: Record<string, unknown>): Record<string, unknown> {
  const { anyOf } = schema
  if (!Array.isArray(anyOf) || !anyOf.every(({ type }) => type === 'array')) return schema
  return { type: 'array', items: { anyOf: anyOf.map(({ items }) => items) }, ...schema }
}

/** The values of an example, however it is spelt. */
const valuesOf = ({ example, examples }: Pick<Parameter, 'example' | 'examples'>): unknown[] =>
  examples ? Object.values(examples).map(({ value }) => value) : example === undefined ? [] : [example]

/**
 * Swagger UI fills its form with the examples of parameters, and would send every optional filter: those of optional ones stand in the schema,
 * where they are shown but not sent, unless they belong to the example call. Path parameters come first.
 */
function tidyParameters(parameters: Parameter[]): Parameter[] {
  const order = ['path', 'query', 'header']
  return parameters.map(tidyParameter).toSorted((a, b) => order.indexOf(a.in) - order.indexOf(b.in))
}

function tidyParameter({ example, examples, ...parameter }: Parameter): Parameter {
  const [type = '', media] = Object.entries(parameter.content ?? {})[0] ?? []
  const schema = parameter.schema ?? media?.schema ?? {}
  const { [triedKeyword]: tried, ...rest } = schema
  const tidy = tidyChoiceOfLists(rest)
  // An Idempotency-Key from the document would be everybody's.
  const isSent = (tried === true || parameter.required === true) && parameter.in !== 'header'
  if (media) {
    const values = valuesOf(media)
    return {
      ...parameter,
      content: { [type]: isSent ? { ...media, schema: tidy } : { schema: values.length > 0 ? { ...tidy, examples: values } : tidy } }
    }
  }
  const values = valuesOf({ example, examples })
  if (!isSent) return { ...parameter, schema: values.length > 0 ? { ...tidy, examples: values } : tidy }
  return { ...parameter, schema: tidy, ...(example === undefined ? {} : { example }), ...(examples ? { examples } : {}) }
}

/** Fastify's plugin says of every body that it is required. One without fields is none, and one whose fields can all be left out can be too. */
function tidyBody(operation: DocumentedOperation): void {
  const schemas = Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema ?? {})
  const [schema] = schemas
  if (!schema?.properties || schemas.length > 1 || schema.required?.length || schema.minProperties) return
  if (Object.keys(schema.properties).length === 0) delete operation.requestBody
  // Where `all` is a choice, one of the choices has to be made.
  else if (!schema.properties.all && operation.requestBody) operation.requestBody.required = false
}

/** A field that is JSON text at the upstream is no text here, and so has no media type of its own. */
const withoutMediaTypes = <T>(document: T): T =>
  JSON.parse(JSON.stringify(document), (_, value) => {
    if (value?.contentMediaType !== 'application/json') return value
    const { contentMediaType: _media, ...schema } = value
    return schema
  })

/** Every operation of the upstream takes it: said once, and referred to. */
const childAccount = {
  in: 'header',
  name: 'Voxgate-Child-Account',
  required: false,
  description:
    "Makes the call for this child account of the tenant's account. Only for keys that are allowed it; such calls are written to the audit log.",
  schema: { type: 'integer', minimum: 1, maximum: maxId, examples: [7654321] }
}

/** Puts the shared problem responses in place of an operation's own. `used` collects them by name. */
function useSharedProblems({ responses = {} }: DocumentedOperation, used: Map<string, object>): void {
  for (const [status, { content }] of Object.entries(responses)) {
    const types = content?.['application/json']?.schema?.[problemsKeyword]
    if (!types) continue
    const { name, response } = sharedResponse(types, status)
    used.set(name, response)
    responses[status] = { $ref: `#/components/responses/${name}` }
  }
}

/** The document as it is published. Security schemes that no operation names are left out. */
export function finish(made: Document): Document {
  const document = withoutMediaTypes(made)
  const used = new Map<string, object>()
  const schemes = new Set<string>()
  let childAccounts = false
  for (const operation of Object.values(document.paths ?? {}).flatMap(item => Object.values(item))) {
    if (operation.parameters) operation.parameters = tidyParameters(operation.parameters)
    if (operation['x-voximplant-method']) {
      const shared = { $ref: '#/components/parameters/ChildAccount' } as unknown as Parameter
      operation.parameters = [...(operation.parameters ?? []), shared]
      childAccounts = true
    }
    tidyBody(operation)
    useSharedProblems(operation, used)
    for (const name of (operation.security ?? []).flatMap(choice => Object.keys(choice))) schemes.add(name)
  }
  const securitySchemes = Object.entries(document.components?.securitySchemes ?? {}).filter(([name]) => schemes.has(name))
  return {
    ...document,
    components: {
      ...document.components,
      securitySchemes: Object.fromEntries(securitySchemes),
      ...(childAccounts ? { parameters: { ChildAccount: childAccount } } : {}),
      responses: Object.fromEntries([...used].sort(([a], [b]) => (a < b ? -1 : 1)))
    }
  }
}
