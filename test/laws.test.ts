import type { TSchema } from '@sinclair/typebox'
import { Ajv2020 as Ajv, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { tags } from '../routes/index.ts'
import { nouns } from '../schemas/index.ts'
import type { Operation } from '../src/api/operation.ts'
import { operations } from '../src/app.ts'
import catalogue from './fixtures/catalogue.json' with { type: 'json' }
import { type Choose, fieldsOf, type Input, inputOf, isReference, isReferences, isValid, requestOf, target } from './generate.ts'
import { startService, type TestAnswer } from './support.ts'
import { callerOf, chooseFrom, explore, freshTenant, harvest, make, namesFor, type Pool, populate } from './world.ts'

/** Laws that hold for every operation there is: a new endpoint adds no test code, only cases. */

interface CatalogueParam {
  wire: string
  kind: string
}
const methods = catalogue as Record<string, { inSeed: boolean; params: CatalogueParam[] } | undefined>

/** Exceptions are listed by name, with a reason, and have to be needed. */
class Exceptions {
  readonly #reasons: Record<string, string>
  readonly #met = new Set<string>()
  constructor(reasons: Record<string, string>) {
    this.#reasons = reasons
  }
  covers(name: string): boolean {
    if (!(name in this.#reasons)) return false
    this.#met.add(name)
    return true
  }
  get stale(): string[] {
    return Object.keys(this.#reasons).filter(name => !this.#met.has(name))
  }
}

// ------------------------------------------------------------------------------------------------------------------- the wire

t.test('operations send what the methods of the upstream take', async t => {
  const kinds = new Exceptions({
    'SQ_BindAgent sq_queue_name':
      'the reference calls it one string beside a list of ids, and beside user_name, which is a list; methods of the same family take lists'
  })
  // An endpoint for one thing may send one id or name where the method takes a list of them.
  const oneOf: Record<string, string> = { number: 'id-list', text: 'text-list' }
  const wrong: string[] = []
  let params = 0
  for (const { id, endpoint, form } of operations) {
    const method = methods[endpoint.rpc]
    if (!method) {
      wrong.push(`${id}: the upstream has no method ${endpoint.rpc}`)
      continue
    }
    for (const { wire, kind } of form.params) {
      params++
      const known = method.params.find(param => param.wire === wire)
      if (!known) wrong.push(`${id}: ${endpoint.rpc} has no parameter ${wire}`)
      else if (known.kind !== kind && known.kind !== oneOf[kind] && !kinds.covers(`${endpoint.rpc} ${wire}`))
        wrong.push(`${id}: sends ${wire} as ${kind}, but ${endpoint.rpc} takes ${known.kind}`)
    }
  }
  t.strictSame(wrong, [])
  t.strictSame(kinds.stale, [], 'every exception is needed')
  t.comment(`${params} parameters of ${operations.length} operations`)
})

t.test('every parameter of a served method can be reached', async t => {
  // Voxgate decides these by itself: formats, time zones, whose account it is.
  const internal = ['is_async', 'with_header', 'output', 'timezone', 'decimal_separator', 'account_id']
  const served = new Set<string>(operations.map(operation => operation.endpoint.rpc))
  const unreachable: string[] = []
  let reached = 0
  for (const name of served) {
    const sent = new Set(
      operations.filter(operation => operation.endpoint.rpc === name).flatMap(operation => operation.form.params.map(param => param.wire))
    )
    for (const { wire } of methods[name]?.params ?? []) {
      if (sent.has(wire)) reached++
      else if (!internal.includes(wire)) unreachable.push(`${name} ${wire}`)
    }
  }
  t.strictSame(unreachable, [])
  const reference = Object.entries(methods).filter(([, method]) => method?.inSeed)
  const missing = reference.map(([name]) => name).filter(name => !served.has(name))
  t.strictSame(missing, [], 'every method of the API reference is served')
  t.comment(
    `${reached} parameters of ${served.size} methods; of the API reference's ${reference.length} methods not served: ${missing.join(', ') || 'none'}`
  )
})

t.test('lists that the upstream takes joined are bounded, without repetition and never empty', async t => {
  const entries = 'the entries of a role are words of a list, not things that are lost'
  const wide = new Exceptions({
    'cancelCallListTasks taskId': 'the tasks of a call list come by the thousand',
    'updateAdminRole allowedEntries': entries,
    'updateAdminRole deniedEntries': entries
  })
  const wrong: string[] = []
  let lists = 0
  for (const { id, endpoint, form, traits } of operations) {
    for (const { name, params } of form.fields) {
      if (!params.some(({ kind }) => kind === 'id-list' || kind === 'text-list')) continue
      const schema = target(endpoint.input.properties[name]!)
      for (const list of (schema.anyOf ?? [schema]) as TSchema[]) {
        lists++
        const most = traits.destructive && !wide.covers(`${id} ${name}`) ? 100 : 1000
        if (list.minItems !== 1 || list.uniqueItems !== true || !(list.maxItems <= most))
          wrong.push(`${id} ${name}: ${list.minItems} to ${list.maxItems}, unique: ${list.uniqueItems}`)
      }
    }
  }
  t.strictSame(wrong, [])
  t.strictSame(wide.stale, [], 'every exception is needed')
  t.comment(`${lists} lists`)
})

t.test('verbs and statuses mean what they mean everywhere', async t => {
  const statuses: Record<string, number[]> = {
    GET: [200],
    POST: [200, 201, 202, 204],
    PUT: [200, 204],
    PATCH: [200, 204],
    DELETE: [200, 204]
  }
  const wrong: string[] = []
  for (const { id, method, traits, endpoint } of operations) {
    const { status } = endpoint.reply
    if (!statuses[method]!.includes(status)) wrong.push(`${id}: ${method} answers ${status}`)
    if ((method === 'GET') !== (traits.safe === true)) wrong.push(`${id}: ${method} of a method that is ${traits.safe ? '' : 'not '}safe`)
    if (id.startsWith('create') && status !== 201 && status !== 202) wrong.push(`${id}: answers ${status}`)
  }
  t.strictSame(wrong, [])
})

// ---------------------------------------------------------------------------------------------------------------- the document

interface DocumentedOperation {
  operationId: string
  summary?: string
  tags?: string[]
  description?: string
  security?: Record<string, string[]>[]
  'x-voxgate-scopes'?: string[]
  'x-voximplant-method'?: string
  parameters?: { name: string; in: string; schema?: object; content?: Record<string, { schema: object }> }[]
  requestBody?: { required?: boolean; content: Record<string, { schema: object }> }
  responses: Record<string, object>
}
interface Document {
  paths: Record<string, Record<string, DocumentedOperation>>
  components: { schemas: Record<string, object>; responses: Record<string, object> }
}

const escapePointer = (segment: string): string => segment.replace(/~/g, '~0').replace(/\//g, '~1')

/** The published document with validators for what it holds, compiled from the document itself. */
class Published {
  readonly document: Document
  readonly #ajv: Ajv
  readonly #compiled = new Map<string, ValidateFunction>()
  constructor(document: Document) {
    this.document = document
    // Strict, so that a format or a keyword that nobody knows is an error.
    this.#ajv = addFormats.default(
      new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true, validateSchema: false })
    )
    this.#ajv.addVocabulary(Object.keys(document))
    this.#ajv.addSchema(document as AnySchemaObject, 'openapi')
  }

  /** What stands at a JSON Pointer, `$ref`s within the document followed. */
  at(pointer: string): { pointer: string; value: Record<string, unknown> } {
    let value: unknown = this.document
    for (const segment of pointer.split('/').slice(1))
      value = (value as Record<string, unknown> | undefined)?.[segment.replace(/~1/g, '/').replace(/~0/g, '~')]
    if (typeof value !== 'object' || value === null) throw new Error(`the document has nothing at ${pointer}`)
    const { $ref } = value as { $ref?: string }
    return $ref && /^#\/components\/(?:responses|parameters)\//.test($ref)
      ? this.at($ref.slice(1))
      : { pointer, value: value as Record<string, unknown> }
  }

  /** The validator of the schema at a JSON Pointer. */
  validator(pointer: string): ValidateFunction {
    let validate = this.#compiled.get(pointer)
    if (!validate) {
      this.at(pointer)
      validate = this.#ajv.compile({ $ref: `openapi#${encodeURI(pointer)}` })
      this.#compiled.set(pointer, validate)
    }
    return validate
  }

  /** What is wrong with an answer of an operation; undefined: nothing. */
  faultOf({ method, url }: Operation, answer: TestAnswer): string | undefined {
    const responses = `${pointerTo(method, url)}/responses`
    // What any operation can fail with is documented as `default`.
    const documented = answer.status in this.at(responses).value ? answer.status : answer.status >= 400 ? 'default' : undefined
    if (documented === undefined) return `status ${answer.status} is not documented: ${answer.text.slice(0, 300)}`
    const { pointer, value } = this.at(`${responses}/${documented}`)
    const content = value.content as Record<string, { schema?: object }> | undefined
    if (!content) return answer.text === '' ? undefined : `a body where none is documented: ${answer.text.slice(0, 300)}`
    const type = String(answer.headers['content-type']).split(';')[0]!
    if (!content[type]) return `content type ${type} is not documented for ${answer.status}`
    if (!type.endsWith('json')) return undefined
    const validate = this.validator(`${pointer}/content/${escapePointer(type)}/schema`)
    return validate(answer.body) ? undefined : `the body is not valid: ${explain(validate)} in ${answer.text.slice(0, 500)}`
  }
}

const explain = (validate: ValidateFunction): string =>
  (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`).join(', ')

const templateOf = (url: string): string => url.replace(/:(\w+)/g, '{$1}')
const pointerTo = (method: string, url: string): string => `/paths/${escapePointer(templateOf(url))}/${method.toLowerCase()}`

const service = await startService({ demo: true })
t.teardown(() => service.close())
const published = new Published(service.app.swagger() as unknown as Document)

t.test('operationIds and addresses are unique, and the document has them all', async t => {
  const ids = operations.map(operation => operation.id)
  t.equal(new Set(ids).size, ids.length, 'operationIds')
  const addresses = operations.map(({ method, url }) => `${method} ${url.replace(/:\w+/g, ':')}`)
  t.equal(new Set(addresses).size, addresses.length, 'addresses')
  const documented = Object.entries(published.document.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, { operationId }]) => `${operationId} ${verb.toUpperCase()} ${path}`)
  )
  const missing = operations.map(({ id, method, url }) => `${id} ${method} ${templateOf(url)}`).filter(line => !documented.includes(line))
  t.strictSame(missing, [], 'in the document')
  const documentedIds = documented.map(line => line.split(' ')[0])
  t.equal(new Set(documentedIds).size, documentedIds.length, 'operationIds of the document')
  t.comment(`${operations.length} operations, ${Object.keys(published.document.paths).length} paths`)
})

t.test('every operation has a summary, a known tag, its scopes and the problems it can answer with', async t => {
  const wrong: string[] = []
  const names = tags.map(tag => tag.name)
  for (const { id, method, url, scopes } of operations) {
    const { value } = published.at(pointerTo(method, url))
    const documented = value as unknown as DocumentedOperation
    const { summary, tags: own = [], description = '', security = [], responses } = documented
    if (!summary || !/^[A-Z].*[^.]$/.test(summary)) wrong.push(`${id}: the summary is ${JSON.stringify(summary)}`)
    if (own.length !== 1 || !names.includes(own[0]!)) wrong.push(`${id}: the tags are ${own.join(', ')}`)
    if (security.length !== 1 || !('apiKey' in security[0]!)) wrong.push(`${id}: security is ${JSON.stringify(security)}`)
    if (documented['x-voxgate-scopes']?.join() !== scopes.join() || scopes.some(scope => !description.includes(`\`${scope}\``)))
      wrong.push(`${id}: the scopes are ${scopes.join(', ')}, not ${documented['x-voxgate-scopes']?.join(', ')}; ${description}`)
    if (!description.endsWith(`Upstream: \`${documented['x-voximplant-method']}\`.`))
      wrong.push(`${id}: no upstream method in ${description}`)
    const expected = [400, 422, 'default']
    if (url.includes(':')) expected.push(404)
    if (method !== 'GET') expected.push(409, 504)
    for (const status of expected) {
      if (!(status in responses)) wrong.push(`${id}: no response ${status}`)
      else {
        const { content } = published.at(`${pointerTo(method, url)}/responses/${status}`).value as {
          content?: Record<string, { schema: { $ref?: string } }>
        }
        if (content?.['application/problem+json']?.schema.$ref !== '#/components/schemas/Problem')
          wrong.push(`${id}: response ${status} is not a problem`)
      }
    }
    const successes = Object.keys(responses).filter(status => status.startsWith('2'))
    if (successes.length === 0) wrong.push(`${id}: no response for success`)
  }
  t.strictSame(wrong, [])
  const unused = names.filter(name => !operations.some(operation => operation.endpoint.tag === name))
  t.strictSame(unused, [], 'every tag has operations')
})

t.test('every schema of the document compiles', async t => {
  const wrong: string[] = []
  let count = 0
  const compile = (pointer: string) => {
    count++
    try {
      published.validator(pointer)
    } catch (error) {
      wrong.push(`${pointer}: ${(error as Error).message}`)
    }
  }
  const { paths, components } = published.document
  for (const name of Object.keys(components.schemas)) compile(`/components/schemas/${escapePointer(name)}`)
  for (const [path, verbs] of Object.entries(paths)) {
    for (const [verb, { parameters = [], requestBody, responses }] of Object.entries(verbs)) {
      const base = `/paths/${escapePointer(path)}/${verb}`
      for (const i of parameters.keys()) {
        const { pointer, value } = published.at(`${base}/parameters/${i}`)
        const types = Object.keys((value.content as object | undefined) ?? {})
        if (types.length === 0) compile(`${pointer}/schema`)
        for (const type of types) compile(`${pointer}/content/${escapePointer(type)}/schema`)
      }
      for (const type of Object.keys(requestBody?.content ?? {})) compile(`${base}/requestBody/content/${escapePointer(type)}/schema`)
      for (const status of Object.keys(responses)) {
        const { pointer, value } = published.at(`${base}/responses/${status}`)
        for (const [type, { schema }] of Object.entries((value.content ?? {}) as Record<string, { schema?: object }>))
          if (schema) compile(`${pointer}/content/${escapePointer(type)}/schema`)
      }
    }
  }
  t.strictSame(wrong, [])
  t.comment(`${count} schemas`)
})

// ------------------------------------------------------------------------------------------------------------------- the fields

t.test('every field is described, to the leaf, and every leaf has an example that is valid', async t => {
  const wrong: string[] = []
  let fields = 0
  let examples = 0
  const isLeaf = ({ type }: TSchema) => ['string', 'integer', 'number'].includes(type)
  const check = (where: string, schema: TSchema, exemplified: boolean, named: boolean): void => {
    const target = schema.$ref !== undefined
    if (target) return
    if (named) {
      fields++
      if (!schema.description) wrong.push(`${where}: no description`)
      else if (!/^[A-Z`].*[.!]$/s.test(schema.description)) wrong.push(`${where}: the description is no sentence: ${schema.description}`)
    }
    const own: unknown[] = schema.examples ?? []
    for (const example of own) {
      examples++
      if (!isValid(schema, example)) wrong.push(`${where}: the example ${JSON.stringify(example)} is not valid`)
    }
    if ((isLeaf(schema) || schema.anyOf) && own.length === 0 && !exemplified) wrong.push(`${where}: no example`)
    if (schema.anyOf) for (const [i, branch] of (schema.anyOf as TSchema[]).entries()) check(`${where}|${i}`, branch, true, false)
    // The example of a list is one of its items too, and that of a choice one of its branches.
    if (schema.items) check(`${where}[]`, schema.items, (exemplified || own.length > 0) && isLeaf(schema.items), false)
    if (schema.properties)
      for (const [name, field] of Object.entries(schema.properties as Record<string, TSchema>))
        check(`${where}.${name}`, field, false, true)
    for (const values of [schema.additionalProperties, ...Object.values(schema.patternProperties ?? {})])
      if (typeof values === 'object') check(`${where}.*`, values as TSchema, own.length > 0, false)
  }
  for (const operation of operations) {
    for (const { name, schema } of fieldsOf(operation)) check(`${operation.id}.${name}`, schema, false, true)
    if (operation.endpoint.reply.body) check(`${operation.id} answer`, operation.endpoint.reply.body, false, false)
  }
  for (const noun of nouns) {
    if (!noun.description) wrong.push(`${noun.$id}: no description`)
    check(String(noun.$id), noun, false, false)
  }
  t.strictSame(wrong, [])
  t.comment(`${fields} fields, ${examples} examples`)
})

interface Exemplified {
  required?: boolean
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

t.test('every operation has one example of its body, and of what its URL cannot do without, and all are valid', async t => {
  const wrong: string[] = []
  let bodies = 0
  for (const [path, verbs] of Object.entries(published.document.paths)) {
    for (const [verb, { operationId, parameters = [], requestBody }] of Object.entries(verbs)) {
      const base = `/paths/${escapePointer(path)}/${verb}`
      const check = (where: string, pointer: string, value: unknown) => {
        const validate = published.validator(pointer)
        if (value === undefined) wrong.push(`${operationId} ${where}: no example`)
        else if (!validate(value)) wrong.push(`${operationId} ${where}: ${explain(validate)} in ${JSON.stringify(value)}`)
      }
      for (const i of parameters.keys()) {
        const { pointer, value } = published.at(`${base}/parameters/${i}`)
        const { name, in: part, required, example, examples, content } = value as unknown as Exemplified & (typeof parameters)[number]
        const shown = examples ? Object.values(examples)[0]?.value : example
        if (part !== 'header' && !content && (required || shown !== undefined)) check(name, `${pointer}/schema`, shown)
      }
      const media = requestBody?.content['application/json'] as Exemplified | undefined
      if (!media) continue
      bodies++
      // The credentials of an account are nobody's example.
      if (operationId !== 'putCredentials' && (requestBody?.required || media.example !== undefined))
        check('body', `${base}/requestBody/content/application~1json/schema`, media.example)
    }
  }
  t.strictSame(wrong, [])
  t.comment(`${bodies} bodies`)
})

// ------------------------------------------------------------------------------------------------------------------- over HTTP

/** Where a `~name` can be sent, the name of something that exists. */
const byName =
  ({ endpoint }: Operation, pool: Pool): Choose =>
  field => {
    const schema = target(field.schema)
    if (isReference(schema) || isReferences(schema)) {
      const called = endpoint.rename?.[`~${field.name}`] ?? field.name.replace(/Id$/, 'Name')
      for (const name of namesFor(called).flatMap(known => pool.get(known) ?? []))
        for (const candidate of [`~${name}`, [`~${name}`]]) if (isValid(field.schema, candidate)) return candidate
    }
    return chooseFrom(pool)(field)
  }

const newTask = [{ phone: '14155550102' }]
/**
 * What a call needs beyond what its schema can say: fields to add, to leave out or to set, and operations to call before it, whose answers are
 * used first. Each reason is put to the test: without the adjustment the call must not go well.
 */
const adjustments: Record<string, { reason: string; add?: string[]; omit?: string[]; set?: Input; before?: string[] }> = {
  'bindSkills minimal': { reason: 'the skills are bound to users, to queues or to both', add: ['acdQueueId'] },
  'unbindSkills minimal': { reason: 'the skills are unbound from users, from queues or from both', add: ['acdQueueId'] },
  'bindSkills by name': { reason: 'the skills are bound to users, to queues or to both', add: ['acdQueueId'] },
  'unbindSkills by name': { reason: 'the skills are unbound from users, from queues or from both', add: ['acdQueueId'] },
  'bindSipRegistration minimal': { reason: 'an application, a rule or a user has to be there to bind to', add: ['applicationId'] },
  'unbindSipRegistration minimal': { reason: 'an application, a rule or a user has to be there to unbind from', add: ['applicationId'] },
  'createSmartQueue full': {
    reason: 'a time to wait is given in minutes or in seconds',
    omit: ['callMaxWaitingTime', 'imMaxWaitingTime']
  },
  'updateSmartQueue full': {
    reason: 'a time to wait is given in minutes or in seconds',
    omit: ['callMaxWaitingTime', 'imMaxWaitingTime']
  },
  'bindSkillUser by name': { reason: 'the names of users are those of an application', add: ['applicationId'] },
  'unbindSkillUser by name': { reason: 'the names of users are those of an application', add: ['applicationId'] },
  ...Object.fromEntries(
    [
      ['getSmartQueueRealtimeMetrics', 'sqQueueName'],
      ['getSmartQueueDayMetrics', 'sqQueueId'],
      ['createSmartQueuesReport', 'sqQueueId']
    ].flatMap(([id, queues]) =>
      ['minimal', 'by name'].map(extent => [
        `${id} ${extent}`,
        { reason: 'what is measured by the example is about queues, and up to a time of waiting', add: [queues, 'maxWaitingSec'] }
      ])
    )
  ),
  ...Object.fromEntries(
    ['minimal', 'full', 'by name'].map(extent => [
      `appendCallListTasks ${extent}`,
      { reason: "the demonstration's call list has the task of the example already", set: { tasks: newTask } }
    ])
  ),
  ...Object.fromEntries(
    ['cancelCallListBatch', 'cancelCallListBatches'].flatMap(id =>
      ['minimal', 'by name'].map(extent => [
        `${id} ${extent}`,
        { reason: 'the batch has to be one of the call list', before: ['appendCallListTasks'] }
      ])
    )
  ),
  'listPhoneNumbers full': { reason: 'the account has no child accounts', omit: ['childAccountId'] },
  'createOutboundTestNumber minimal': { reason: 'an account has one such number', before: ['deleteOutboundTestNumber'] },
  'activateOutboundTestNumber minimal': { reason: 'the call tells the code', before: ['callOutboundTestNumber'] }
}

type Variant = (operation: Operation, pool: Pool) => Input
const variants: Record<string, Variant> = {
  minimal: (operation, pool) => inputOf(operation, 'minimal', chooseFrom(pool)),
  full: (operation, pool) => inputOf(operation, 'full', chooseFrom(pool)),
  'by name': (operation, pool) => inputOf(operation, 'minimal', byName(operation, pool))
}

t.test('every operation answers as published', async t => {
  const refused = new Exceptions({})
  const wrong: string[] = []
  const statuses = new Map<number, number>()
  const used = new Set<string>()
  const started = Date.now()
  let calls = 0
  let worlds = 0
  const newWorld = async () => {
    worlds++
    const tenant = await freshTenant(service)
    const call = callerOf(service, tenant)
    const get = (url: string) => service.call('GET', url, undefined, { headers: { authorization: `Bearer ${tenant.key}` } })
    return { call, get, pool: await populate(call, beginning) }
  }
  // Accounts begin alike: what one of them holds is looked up once.
  const beginning = await explore(callerOf(service, await freshTenant(service)))
  const calm = await newWorld()

  /** One call, its answer held against the document; answers what is wrong with the status. */
  const run = async (
    operation: Operation,
    extent: string,
    adjust: (typeof adjustments)[string] | undefined
  ): Promise<string | undefined> => {
    // What changes something gets a world of its own: the order of the catalogue has no say.
    const { call, get, pool } = operation.traits.safe ? calm : await newWorld()
    const found: Pool = new Map()
    for (const id of adjust?.before ?? []) {
      const before = operations.find(({ id: other }) => other === id)!
      const { body } = await call(before, { ...variants.minimal!(before, pool), ...adjustments[`${id} minimal`]?.set })
      harvest(found, body)
    }
    for (const [name, values] of found) pool.set(name, [...values, ...(pool.get(name) ?? [])])
    const full = adjust?.add ? variants.full!(operation, pool) : {}
    const chosen = variants[extent]!(operation, pool)
    for (const name of adjust?.add ?? []) {
      if (!(name in full)) throw new Error(`${operation.id} has no field ${name}`)
      chosen[name] = full[name]
    }
    for (const name of adjust?.omit ?? []) delete chosen[name]
    Object.assign(chosen, adjust?.set)
    const { input, answer } = await make(call, operation, chosen)
    calls++
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    const fault = published.faultOf(operation, answer)
    if (fault) wrong.push(`${operation.id} ${extent}: ${fault}`)
    if (answer.status === 201 || answer.status === 202) {
      const location = String(answer.headers.location)
      const there = await get(location)
      if (there.status !== 200)
        wrong.push(`${operation.id} ${extent}: Location ${location} answers ${there.status} ${there.text.slice(0, 200)}`)
    } else if (answer.headers.location !== undefined) wrong.push(`${operation.id} ${extent}: ${answer.status} with a Location`)
    if (answer.status === operation.endpoint.reply.status) return undefined
    return `${answer.status} ${answer.body?.detail ?? answer.text.slice(0, 200)} for ${JSON.stringify(requestOf(operation, input))}`
  }

  for (const operation of operations) {
    const seen = new Set<string>()
    for (const [extent, variant] of Object.entries(variants)) {
      const text = JSON.stringify(variant(operation, calm.pool))
      if (seen.has(text)) continue
      seen.add(text)
      const name = `${operation.id} ${extent}`
      const adjust = adjustments[name]
      if (adjust) {
        used.add(name)
        if ((await run(operation, extent, undefined)) === undefined) wrong.push(`${name}: goes well without adjustment`)
      }
      const problem = await run(operation, extent, adjust)
      if (problem !== undefined && !refused.covers(operation.id) && !refused.covers(name)) wrong.push(`${name}: ${problem}`)
    }
  }
  t.strictSame(wrong, [])
  t.strictSame(refused.stale, [], 'every exception is needed')
  t.strictSame(
    Object.keys(adjustments).filter(name => !used.has(name)),
    [],
    'every adjustment is of a call that is made'
  )
  t.comment(
    `${calls} calls in ${worlds} worlds, ${Date.now() - started} ms, statuses ${JSON.stringify(Object.fromEntries(statuses))}, drift: ${[...service.app.upstream.drift.unknownFields.keys(), ...service.app.upstream.drift.unreadableFields.keys()].join(', ') || 'none'}`
  )
})

t.test('in an account that holds nothing, every operation still answers as published', async t => {
  const bare = await startService()
  t.teardown(() => bare.close())
  const wrong: string[] = []
  const statuses = new Map<number, number>()
  for (const operation of operations) {
    for (const extent of ['minimal', 'full'] as const) {
      const { method, url, body } = requestOf(operation, inputOf(operation, extent))
      const answer = await bare.call(method, url, body)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      const fault = published.faultOf(operation, answer)
      if (fault) wrong.push(`${operation.id} ${extent}: ${fault}`)
      // A fault that the upstream owns up to is an answer; one that nobody can make sense of is not.
      if (answer.status >= 500 && answer.body?.code !== 'upstream-fault') wrong.push(`${operation.id} ${extent}: ${answer.text}`)
    }
  }
  t.strictSame(wrong, [])
  t.comment(`statuses ${JSON.stringify(Object.fromEntries(statuses))}`)
})
