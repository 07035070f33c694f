import { isObject } from '../api/violations.ts'
import { exampleOf } from '../problems/documented.ts'
import type { Document, DocumentedOperation, Media, Parameter } from './transform.ts'

/**
 * The copy of the document that Swagger UI gets. Its reader of OpenAPI 3.1 takes a second or more for every operation that is opened, that of
 * 3.0 a quarter: so the copy has the shape of 3.0, and it leaves out what a reader of the page has no use for.
 */

type Schema = Record<string, unknown>

const problemExample = exampleOf('invalid-request')
const idOrNamePattern = '^([1-9][0-9]*|~.+)$'

/** An id or a name after a tilde, as one text. */
const isIdOrName = ({ anyOf }: Schema): boolean =>
  Array.isArray(anyOf) && anyOf.length === 2 && anyOf[0].type === 'integer' && anyOf[1].type === 'string'

/** The lists that a value can be one of. */
const listChoices = ({ anyOf }: Schema): Schema[] | undefined =>
  Array.isArray(anyOf) && anyOf.every(({ type }) => type === 'array') ? anyOf : undefined

const firstExample = ({ examples }: Schema): unknown => (Array.isArray(examples) ? examples[0] : undefined)

/** A schema of 3.1 as one of 3.0. */
export function schemaFor30(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(schemaFor30)
  return isObject(given) ? objectFor30(given) : given
}

function objectFor30(schema: Schema): Schema {
  const { description } = schema
  const kept = { ...(description ? { description } : {}) }
  if (isIdOrName(schema)) return { type: 'string', pattern: idOrNamePattern, ...kept, example: firstExample(schema) ?? 1 }
  const [list] = listChoices(schema) ?? []
  if (list) {
    const items = { type: 'string', pattern: idOrNamePattern }
    const example = firstExample(schema)
    return { type: 'array', items, minItems: list.minItems, maxItems: list.maxItems, ...kept, ...(example ? { example } : {}) }
  }
  const out: Schema = {}
  for (const [key, value] of Object.entries(schema)) {
    switch (key) {
      case 'examples':
        if (Array.isArray(value)) out.example = value[0]
        break
      case 'const':
        out.enum = [value]
        break
      case 'type':
        if (Array.isArray(value)) {
          out.type = value.find(type => type !== 'null')
          if (value.includes('null')) out.nullable = true
        } else out.type = value
        break
      case 'exclusiveMinimum':
        Object.assign(out, { minimum: value, exclusiveMinimum: true })
        break
      case 'exclusiveMaximum':
        Object.assign(out, { maximum: value, exclusiveMaximum: true })
        break
      case 'properties':
        out.properties = Object.fromEntries(Object.entries(Object(value)).map(([name, field]) => [name, schemaFor30(field)]))
        break
      case 'patternProperties':
        out.additionalProperties = schemaFor30(Object.values(Object(value))[0])
        break
      case 'anyOf':
      case 'oneOf': {
        const choices: Schema[] = Array.isArray(value) ? value : []
        const real = choices.filter(({ type }) => type !== 'null')
        if (real.length < choices.length) out.nullable = true
        if (real.length === 1) Object.assign(out, schemaFor30(real[0]))
        else out[key] = real.map(schemaFor30)
        break
      }
      case 'contentMediaType':
      case 'contentEncoding':
      case 'propertyNames':
      case '$id':
      case '$comment':
      case 'uniqueItems':
        break
      case 'items':
      case 'additionalProperties':
      case 'allOf':
      case 'not':
        out[key] = schemaFor30(value)
        break
      default:
        out[key] = value
    }
  }
  // 3.0 has no value that is nothing.
  if (out.type === 'null') return { nullable: true, ...kept }
  return out
}

const firstOf = ({ example, examples }: Pick<Parameter, 'example' | 'examples'>): unknown =>
  example ?? (examples ? Object.values(examples)[0]?.value : undefined)

const texts = (value: unknown): unknown => (Array.isArray(value) ? value.map(String) : String(value))

function parameterFor30({ example, examples, schema, content, ...parameter }: Parameter): object {
  const shown = firstOf({ example, examples })
  if (content) {
    // A value of JSON is sent as soon as the page sees an example, also of something that can be left out.
    const shownIn = (media: Media): Media => (media.example === undefined ? { schema: { type: 'string' } } : media)
    return {
      ...parameter,
      content: Object.fromEntries(
        Object.entries(content).map(([type, media]) => [
          type,
          parameter.required ? { ...media, schema: schemaFor30(media.schema) } : shownIn(media)
        ])
      )
    }
  }
  if (!schema) return parameter
  const { example: own, description: _, ...rest } = objectFor30(schema)
  const asText = isIdOrName(schema) || listChoices(schema) !== undefined
  // In the parameter it is sent; in the schema it would be, too: what is optional only shows it in its description.
  const value = shown === undefined ? {} : { example: asText ? texts(shown) : shown }
  const hint =
    shown === undefined && own !== undefined && parameter.in !== 'header'
      ? ` Example: \`${typeof own === 'string' ? own : JSON.stringify(own)}\`.`
      : ''
  const key = parameter.name === 'Idempotency-Key' && parameter.required
  return {
    ...parameter,
    ...(key ? { required: false, 'x-fresh': true } : {}),
    description: `${parameter.description ?? ''}${hint}${key ? ' Left empty, this page sends a fresh UUID.' : ''}`,
    schema: rest,
    ...value
  }
}

/** Only what a form cannot do without is filled in. */
const formOf = ({ schema = {} }: Media): Media => ({
  schema: {
    ...schema,
    properties: Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, field]) => {
        if (schema.required?.includes(name)) return [name, field]
        const { examples: _, default: __, ...rest } = field
        return [name, rest]
      })
    )
  }
})

function bodyFor30({ content, ...body }: NonNullable<DocumentedOperation['requestBody']>): object {
  // A body of a file alone has its fields in the query, which would stand on the page before everything else. JSON is what can be tried first.
  const medias = Object.entries(content)
    .filter(([type]) => type !== 'text/csv')
    .toSorted(([a], [b]) => Number(b === 'application/json') - Number(a === 'application/json'))
  return {
    ...body,
    content: Object.fromEntries(
      medias.map(([type, declared]) => {
        const media = type === 'multipart/form-data' ? formOf(declared) : declared
        // Without an example the page would make one up of every field there is.
        const empty = type === 'application/json' && media.example === undefined && media.schema?.properties ? { example: {} } : {}
        return [type, { ...media, ...empty, schema: schemaFor30(media.schema) }]
      })
    )
  }
}

/** A response of an operation, or a reference to a shared one. */
interface DocumentedResponse {
  $ref?: string
  description?: string
  content?: Record<string, Media>
  headers?: Record<string, Media>
}

/** The success of an operation, and one `default` for its failures, of which those of its own are named. */
function responsesFor30(responses: Record<string, DocumentedResponse>, shared: Readonly<Record<string, unknown>>): Record<string, object> {
  const out: Record<string, object> = {}
  const own: string[] = []
  for (const [status, response] of Object.entries(responses)) {
    const name = response.$ref?.split('/').at(-1)
    if (status === 'default') continue
    if (name) own.push(`**${status}** ${Object(shared[name]).description}`)
    else out[status] = responseFor30(response)
  }
  out.default = {
    description: [...own, 'Any other failure is a problem document too; `/problems` lists them all.'].join('\n\n'),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' }, example: problemExample } }
  }
  return out
}

const responseFor30 = ({ content, headers, ...response }: DocumentedResponse) => ({
  ...response,
  ...(headers
    ? {
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, header]) => [name, { ...header, schema: schemaFor30(header.schema) }])
        )
      }
    : {}),
  ...(content
    ? {
        content: Object.fromEntries(Object.entries(content).map(([type, media]) => [type, { ...media, schema: schemaFor30(media.schema) }]))
      }
    : {})
})

function operationFor30(operation: DocumentedOperation, shared: Readonly<Record<string, unknown>>): object {
  const plain = { ...operation }
  for (const key of Object.keys(plain)) if (key.startsWith('x-')) Reflect.deleteProperty(plain, key)
  const { parameters, requestBody, responses = {} } = plain
  const byFile = requestBody?.content['text/csv'] !== undefined
  return {
    ...plain,
    ...(parameters
      ? {
          parameters: parameters
            .filter(parameter => !(byFile && parameter.in === 'query'))
            .map(parameter => ('$ref' in parameter ? parameter : parameterFor30(parameter)))
        }
      : {}),
    ...(requestBody ? { requestBody: bodyFor30(requestBody) } : {}),
    responses: responsesFor30(responses, shared)
  }
}

const isParameter = (value: unknown): value is Parameter =>
  isObject(value) && typeof value.name === 'string' && typeof value.in === 'string'

/** The document for Swagger UI. */
export function pageDocument({ info, paths = {}, components = {}, ...document }: Document): object {
  const { summary: _, license: __, ...about } = info
  const { responses: shared = {}, schemas = {}, parameters = {}, ...rest } = components
  return {
    ...document,
    openapi: '3.0.3',
    info: about,
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, item]) => [
        path,
        Object.fromEntries(Object.entries(item).map(([verb, operation]) => [verb, operationFor30(operation, shared)]))
      ])
    ),
    components: {
      ...rest,
      parameters: Object.fromEntries(
        Object.entries(parameters).map(([name, parameter]) => [name, isParameter(parameter) ? parameterFor30(parameter) : parameter])
      ),
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, schemaFor30(schema)]))
    }
  }
}
