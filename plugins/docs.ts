import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { maxId } from '../schemas/common.ts'
import { type ProblemType, problemTypes } from '../src/problem.ts'

export interface DocsOptions {
  /** The path the service is mounted under. */
  base: string
  version: string
  tags: readonly { name: string; description: string }[]
}

/** `invalid-request` -> `InvalidRequest`: the name in the document of the response for some kinds of problem. */
const responseName = (types: ProblemType[]): string =>
  types.map(type => type.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())).join('Or')

/** A problem of a kind, as an example. */
const exampleOf = (type: ProblemType) => {
  const { title, status, help, origin, retryable } = problemTypes[type]
  return {
    type: `/problems/${type}`,
    title,
    status,
    detail: help,
    instance: 'urn:request:0198c7b2-5a0e-7c34-9d62-3f1c1c4e9b11',
    code: type,
    origin,
    retryable
  }
}

/** A response that operations share: the kinds of problem that one status can mean, each with an example of its own. */
const problemResponse = (types: ProblemType[]) => ({
  description: `${types.map(type => `${problemTypes[type].title} (\`${type}\`)`).join('; or: ')}.`,
  content: {
    'application/problem+json': {
      schema: { $ref: '#/components/schemas/Problem' },
      ...(types.length === 1
        ? { example: exampleOf(types[0]!) }
        : { examples: Object.fromEntries(types.map(type => [type, { value: exampleOf(type) }])) })
    }
  }
})

interface Parameter {
  in: string
  required?: boolean
  schema?: Record<string, unknown>
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

interface Body {
  required?: boolean
  content: Record<string, { schema?: { required?: string[]; minProperties?: number; properties?: Record<string, unknown> } }>
}

interface DocumentedOperation {
  responses?: Record<string, object>
  parameters?: Parameter[]
  'x-voximplant-method'?: string
  requestBody?: Body
}

interface Documented {
  paths?: Record<string, Record<string, DocumentedOperation>>
  components?: { responses?: Record<string, object>; parameters?: Record<string, object> }
}

/**
 * A list of one kind or of another: named a list of either too, because tools that read or write a URL look for `array` and `items`, and not
 * behind a choice.
 */
function tidyChoiceOfLists(schema: Record<string, unknown>): Record<string, unknown> {
  const choices = schema.anyOf as { type?: string; items?: object }[] | undefined
  if (!choices?.every(({ type }) => type === 'array')) return schema
  return { type: 'array', items: { anyOf: choices.map(({ items }) => items) }, ...schema }
}

/**
 * Swagger UI fills its form with the examples of parameters, and would send every optional filter at once: those of optional ones stand in the
 * schema, where they are shown but not sent. Path parameters come first.
 */
function tidyParameters(parameters: Parameter[]): Parameter[] {
  const order = ['path', 'query', 'header']
  return parameters
    .map(({ example, examples, ...parameter }) => {
      if (parameter.schema) parameter.schema = tidyChoiceOfLists(parameter.schema)
      const values = examples ? Object.values(examples).map(({ value }) => value) : example === undefined ? [] : [example]
      // An Idempotency-Key from the document would be everybody's.
      if ((parameter.required && parameter.in !== 'header') || values.length === 0 || !parameter.schema)
        return { ...parameter, ...(example === undefined ? {} : { example }), ...(examples ? { examples } : {}) }
      return { ...parameter, schema: { ...parameter.schema, examples: values } }
    })
    .toSorted((a, b) => order.indexOf(a.in) - order.indexOf(b.in))
}

/** Fastify's plugin says of every body that it is required. One without fields is none, and one whose fields can all be left out can be too. */
function tidyBody(operation: DocumentedOperation): void {
  const schemas = Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema ?? {})
  const [schema] = schemas
  if (!schema?.properties || schemas.length > 1 || schema.required?.length || schema.minProperties) return
  if (Object.keys(schema.properties).length === 0) delete operation.requestBody
  // Where `all` is a choice, one of the choices has to be made.
  else if (!schema.properties.all) operation.requestBody!.required = false
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

/** Puts the shared problem responses in place of their marks. */
function finish(document: Documented): Documented {
  let childAccounts = false
  const used = new Map<string, object>()
  for (const item of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(item)) {
      if (operation.parameters) operation.parameters = tidyParameters(operation.parameters)
      if (operation['x-voximplant-method']) {
        const shared = { $ref: '#/components/parameters/ChildAccount' } as unknown as Parameter
        operation.parameters = [...(operation.parameters ?? []), shared]
        childAccounts = true
      }
      tidyBody(operation)
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        const types = (response as { description?: string }).description?.match(/^problem:(.+)$/)?.[1]?.split(',') as
          | ProblemType[]
          | undefined
        if (!types) continue
        const name = responseName(types)
        used.set(name, problemResponse(types))
        operation.responses![status] = { $ref: `#/components/responses/${name}` }
      }
    }
  }
  return {
    ...document,
    components: {
      ...document.components,
      ...(childAccounts ? { parameters: { ChildAccount: childAccount } } : {}),
      responses: Object.fromEntries([...used].sort(([a], [b]) => (a < b ? -1 : 1)))
    }
  }
}

/** OpenAPI 3.1 at `/openapi.json` and Swagger UI at `/docs`. */
export default fp(
  async (app: FastifyInstance, { base, version, tags }: DocsOptions) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Voxgate',
          version,
          summary: 'REST for the Voximplant Management API',
          description:
            'Resources in place of the RPC methods of the Voximplant Management API. Press **Authorize** and paste an API key (`vg_...`); the key decides which tenant, and so which Voximplant account, a call is made for.\n\n' +
            'An `{xxxId}` in a path is an id, or a name after a tilde (`~support`) where the description says so. Times are RFC 3339 instants. Every failure is an `application/problem+json` whose `type` is a page that says what to do.\n\n' +
            'Responses can hold more members than are described here: what the upstream sends beyond its reference comes through under camelCase names, with its values as they are (times as the upstream writes them, integers beyond 2^53 as text). Words such as statuses can be others than those that are listed. Ignore what you do not know.',
          license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
          contact: { name: 'The operators of this service' }
        },
        servers: [{ url: base || '/', description: 'This service' }],
        tags: [...tags],
        components: {
          securitySchemes: {
            apiKey: {
              type: 'http',
              scheme: 'bearer',
              bearerFormat: 'vg_<id>_<secret>_<check>',
              description: 'An API key of your tenant. The scopes an operation needs are listed with it.'
            },
            adminToken: { type: 'http', scheme: 'bearer', description: 'A token of an administrator, for what is under `/admin`.' }
          }
        }
      },
      refResolver: { buildLocalReference: (json, _base, _fragment, i) => (typeof json.$id === 'string' ? json.$id : `definition-${i}`) },
      stripBasePath: true,
      transformObject: document =>
        finish(withoutMediaTypes('openapiObject' in document ? document.openapiObject : document.swaggerObject) as Documented) as never
    })
    await app.register(swaggerUi, {
      routePrefix: `${base}/docs`,
      uiConfig: {
        persistAuthorization: true,
        // Without the bar on top that loads other documents.
        layout: 'BaseLayout',
        deepLinking: true,
        docExpansion: 'none',
        displayRequestDuration: true,
        filter: true,
        tryItOutEnabled: true,
        defaultModelsExpandDepth: 0
      },
      theme: { title: 'Voxgate' }
    })
    app.get(`${base}/openapi.json`, { schema: { hide: true } }, () => app.swagger())
  },
  { name: 'docs' }
)
