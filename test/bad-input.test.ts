import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import type { Operation } from '../src/api/operation.ts'
import { operations } from '../src/app.ts'
import { maxViolations } from '../src/problems/problem.ts'
import catalogue from './fixtures/catalogue.json' with { type: 'json' }
import {
  badValues,
  type Field,
  fieldsOf,
  type Input,
  inputOf,
  isReference,
  isReferences,
  isValid,
  type Part,
  partOf,
  queryOf,
  type Request,
  requestOf,
  sample,
  target
} from './generate.ts'
import { startService, type TestAnswer } from './support.ts'

/** Whatever is wrong with a request, it is said in full and in REST words, and nothing of it reaches the upstream. */

const service = await startService()
t.teardown(() => service.close())

const problemSchema = (service.app.swagger() as { components?: { schemas?: Record<string, object> } }).components!.schemas!
  .Problem as TSchema

let requests = 0
const send = async ({ method, url, body }: Request, headers: Record<string, string> = {}): Promise<TestAnswer> => {
  requests++
  // As text: a value can be one that no serializer would write.
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return service.call(method, url, payload, {
    headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers }
  })
}

interface Violation {
  in: Part
  pointer: string
  detail: string
}

/** What is wrong with an answer that should be a problem; undefined: nothing. */
function faultOf(answer: TestAnswer, status: number, code: string): string | undefined {
  const { body } = answer
  const seen = `${answer.status} ${answer.text.slice(0, 200)}`
  if (answer.status !== status) return `not ${status}: ${seen}`
  if (!String(answer.headers['content-type']).startsWith('application/problem+json')) return `no application/problem+json: ${seen}`
  if (!isValid(problemSchema, body)) return `no valid Problem: ${seen}`
  if (body.status !== status || body.code !== code || !body.type.endsWith(`/problems/${code}`)) return `not ${code}: ${seen}`
  return undefined
}

/** The same for violations of named fields, and of no others; of more than a problem names, the first. */
function violationFault(answer: TestAnswer, expected: { in: Part; field: string }[]): string | undefined {
  const fault = faultOf(answer, 400, 'invalid-request')
  if (fault) return fault
  const errors = (answer.body.errors ?? []) as Violation[]
  const isAbout = (error: Violation, { in: part, field }: { in: Part; field: string }) =>
    error.in === part && (error.pointer === field || (field !== '' && error.pointer.startsWith(`${field}/`)))
  const cut = /; and at least \d+ more\.$/.test(answer.body.detail)
  if (cut !== errors.length >= maxViolations && (cut || expected.length > maxViolations))
    return `not the first ${maxViolations}: ${errors.length} errors, ${answer.body.detail}`
  const silent = cut ? undefined : expected.find(violation => !errors.some(error => isAbout(error, violation)))
  if (silent) return `nothing about ${silent.in} ${silent.field}: ${JSON.stringify(errors).slice(0, 300)}`
  const stray = errors.find(error => !expected.some(violation => isAbout(error, violation)))
  if (stray) return `about another field: ${JSON.stringify(stray)}`
  return errors.every(error => error.detail !== '') ? undefined : 'says nothing'
}

/** Runs one request and answers its faults, the worst of which is that the upstream was called. */
async function expectNothingUpstream(what: string, request: () => Promise<string | undefined>): Promise<string[]> {
  const before = service.upstreamRequests()
  const fault = await request()
  const reached = service.upstreamRequests() - before
  return [...(fault ? [`${what}: ${fault}`] : []), ...(reached ? [`${what}: reached the upstream`] : [])]
}

/** A request that is refused before its fields are looked at. */
const refused = async (what: string, request: Request, status: number, code: string, headers: Record<string, string> = {}) =>
  expectNothingUpstream(what, async () => faultOf(await send(request, headers), status, code))

const pointerTo = (name: string): string => `/${name.replace(/~/g, '~0').replace(/\//g, '~1')}`

// ------------------------------------------------------------------------------------------------------------------- names

interface CatalogueMethod {
  params: { wire: string; kind: string }[]
}
const methods = catalogue as Record<string, CatalogueMethod | undefined>
/** Parameters that some method of the upstream reads as a list of names: what one method stores, another would tear apart. */
const listed = new Set(
  Object.values(methods).flatMap(method => method!.params.filter(({ kind }) => kind === 'text-list').map(({ wire }) => wire))
)

/** Whether the upstream would take a text field for a name or a list item: taken from its reference, not from our own schemas. */
function isNamed({ endpoint, form, traits }: Operation, { name, schema }: Pick<Field, 'name' | 'schema'>): boolean {
  if (isReference(schema) || isReferences(schema)) return true
  if (schema.contentMediaType === 'application/json') return false
  const params = form.fields.find(field => field.name === name)?.params ?? []
  return params.some(({ wire, kind }) => {
    const known = methods[endpoint.rpc]?.params.find(param => param.wire === wire)
    return kind === 'text-list' || known?.kind === 'text-list' || (!traits.safe && listed.has(wire.replace(/^(new|required)_/, '')))
  })
}

// ------------------------------------------------------------------------------------------------------------------- fields

/** A valid input that holds a field: the others of a choice make room for it. */
function inputWith(operation: Operation, field: Field, value: unknown): Input {
  const input = inputOf(operation, 'minimal')
  const choice = operation.endpoint.exactlyOne ?? []
  if (choice.includes(field.name)) for (const name of choice) delete input[name]
  // What the field cannot be without is no fault of it.
  const { requires = {}, input: declared } = operation.endpoint
  const needed = requires[field.name] ?? requires[`~${field.name}`]
  const other = needed === undefined ? {} : { [needed]: sample(declared.properties[needed]!, needed) }
  return { ...input, ...other, [field.name]: value }
}

t.test('what the cases are made from is accepted: each goes wrong by its one fault', async t => {
  const wrong: string[] = []
  for (const operation of operations) {
    const before = service.upstreamRequests()
    const answer = await send(requestOf(operation, inputOf(operation, 'minimal')))
    if (service.upstreamRequests() === before) wrong.push(`${operation.id}: ${answer.status} ${answer.text}`)
  }
  t.strictSame(wrong, [])
})

t.test('every bad value of every field is refused by name', async t => {
  // Lists whose items may be the words `ALL` and `ANY`, with the reason.
  const notSelectors = new Map([['GetCurrencyRate currency', 'ALL is the Albanian lek, and the list has no word for every currency']])
  const met = new Set<string>()
  const bodyLimit = service.app.initialConfig.bodyLimit!
  const started = Date.now()
  let cases = 0
  for (const operation of operations) {
    const wrong: string[] = []
    for (const field of fieldsOf(operation)) {
      const expected = [{ in: field.part, field: pointerTo(field.name) }]
      const name = `${operation.endpoint.rpc} ${field.name}`
      if (notSelectors.has(name)) met.add(name)
      for (const { what, value } of badValues(field, isNamed(operation, field))) {
        // A path without one of its segments is another path.
        if (field.part === 'path' && value === '') continue
        const capital = Array.isArray(value) ? value[0] : value
        if (notSelectors.has(name) && (capital === 'ALL' || capital === 'ANY')) continue
        cases++
        const request = requestOf(operation, inputWith(operation, field, value))
        // What is longer than a body can be is refused before it is read.
        const tooBig = JSON.stringify(request.body ?? '').length > bodyLimit
        const faults = async () => {
          const answer = await send(request)
          return tooBig && answer.status === 413 ? faultOf(answer, 413, 'payload-too-large') : violationFault(answer, expected)
        }
        wrong.push(...(await expectNothingUpstream(`${field.part} ${field.name}, ${what}`, faults)))
      }
    }
    t.strictSame(wrong, [], operation.id)
  }
  t.strictSame(
    [...notSelectors.keys()].filter(name => !met.has(name)),
    [],
    'every exception is needed'
  )
  t.comment(`${cases} bad values in ${operations.length} operations, ${Date.now() - started} ms`)
})

t.test('missing, unknown and repeated fields are refused by name', async t => {
  let cases = 0
  for (const operation of operations) {
    const wrong: string[] = []
    const input = inputOf(operation, 'minimal')
    const check = async (what: string, request: Request, ...expected: { in: Part; field: string }[]) => {
      cases++
      wrong.push(...(await expectNothingUpstream(what, async () => violationFault(await send(request), expected))))
    }
    const request = requestOf(operation, input)
    const body = partOf(operation, 'body')
    for (const { name, part, required, schema } of fieldsOf(operation)) {
      if (required && part !== 'path') {
        const { [name]: _, ...rest } = input
        const request = requestOf(operation, rest, part === 'body' ? { body: {} } : {})
        const empty = part === 'body' && body?.minProperties && Object.keys(request.body as object).length === 0
        await check(`without ${name}`, request, { in: part, field: pointerTo(name) }, ...(empty ? [{ in: part, field: '' }] : []))
      }
      const isList = target(schema).type === 'array' || isReferences(schema)
      if (part === 'query' && !isList) {
        const { [name]: _, ...rest } = input
        const value = sample(schema, name)
        const text = typeof value === 'object' ? JSON.stringify(value) : value
        await check(`${name} twice`, requestOf(operation, rest, { query: { [name]: [text, text] } }), {
          in: 'query',
          field: pointerTo(name)
        })
      }
    }
    for (const name of ['noSuchField', 'limits', 'a/b~c', 'constructor', 'toString'])
      await check(`query ${name}`, requestOf(operation, input, { query: { [name]: '1' } }), { in: 'query', field: pointerTo(name) })
    if (body) {
      for (const name of ['noSuchField', 'a/b~c', 'constructor'])
        await check(`body ${name}`, requestOf(operation, input, { body: { [name]: 1 } }), { in: 'body', field: pointerTo(name) })
      for (const value of [[], [{}], 'text', 5, true])
        await check(`body ${JSON.stringify(value)}`, { ...request, body: JSON.stringify(value) }, { in: 'body', field: '' })
      const needed = body.required?.length > 0 || body.minProperties > 0
      if (needed) {
        await check('body null', { ...request, body: 'null' }, { in: 'body', field: '' })
        // Where a body can come in several forms, it is its type that is missing.
        if (operation.upload) wrong.push(...(await refused('no body', { ...request, body: undefined }, 415, 'unsupported-media-type')))
        else await check('no body', { ...request, body: undefined }, { in: 'body', field: '' })
      }
      if (body.minProperties) {
        const missing = ((body.required ?? []) as string[]).map(name => ({ in: 'body' as const, field: pointerTo(name) }))
        await check('nothing to change', { ...request, body: {} }, { in: 'body', field: '' }, ...missing)
      }
    }
    t.strictSame(wrong, [], operation.id)
  }
  t.comment(`${cases} cases`)
})

t.test('a choice of fields has to be made, and once', async t => {
  let cases = 0
  for (const operation of operations) {
    const { all = {}, exactlyOne = [] } = operation.endpoint
    const fields = fieldsOf(operation)
    const fieldOf = (name: string) => {
      const { part } = fields.find(field => field.name === name)!
      return { in: part, field: pointerTo(name) }
    }
    const wrong: string[] = []
    const check = async (what: string, input: Input, expected: { in: Part; field: string }[]) => {
      cases++
      const request = requestOf(operation, input)
      wrong.push(...(await expectNothingUpstream(what, async () => violationFault(await send(request), expected))))
    }
    const input = inputOf(operation, 'minimal')
    if (exactlyOne.length > 0) {
      const without = Object.fromEntries(Object.entries(input).filter(([name]) => !exactlyOne.includes(name)))
      await check('none', without, [fieldOf(exactlyOne[0]!)])
      const both = {
        ...without,
        ...Object.fromEntries(exactlyOne.map(name => [name, sample(fields.find(field => field.name === name)!.schema, name)]))
      }
      await check('both', both, [fieldOf(exactlyOne[1]!)])
    }
    for (const selector of Object.keys(all)) {
      const chosen = Object.keys(all).length === 1 ? true : selector
      const { [selector]: _, ...rest } = input
      const given = exactlyOne.includes(selector)
        ? Object.fromEntries(Object.entries(rest).filter(([name]) => !exactlyOne.includes(name)))
        : rest
      await check(`all ${selector} uncounted`, { ...given, all: chosen }, [fieldOf('expectedCount')])
      await check(
        `all and ${selector}`,
        { ...given, [selector]: sample(fields.find(field => field.name === selector)!.schema, selector), all: chosen, expectedCount: 1 },
        [fieldOf(selector)]
      )
      await check(`counted, but not all ${selector}`, { ...input, expectedCount: 1 }, [fieldOf('expectedCount')])
    }
    if (Object.keys(all).length > 0 || exactlyOne.length > 0) t.strictSame(wrong, [], operation.id)
  }
  t.comment(`${cases} cases`)
})

t.test('violations of path, query and body are reported together', async t => {
  let violations = 0
  let several = 0
  for (const operation of operations) {
    const input: Input = {}
    const expected: { in: Part; field: string }[] = []
    for (const field of fieldsOf(operation)) {
      const bad = badValues(field, isNamed(operation, field)).find(({ value }) => value !== '' && value !== null)
      if (bad) {
        input[field.name] = bad.value
        expected.push({ in: field.part, field: pointerTo(field.name) })
      } else if (field.part === 'path') input[field.name] = sample(field.schema, field.name)
    }
    const body = partOf(operation, 'body')
    expected.push({ in: 'query', field: '/noSuchField' }, ...(body ? [{ in: 'body' as const, field: '/noSuchField' }] : []))
    violations += expected.length
    if (new Set(expected.map(violation => violation.in)).size === 3) several++
    const request = requestOf(operation, input, { query: { noSuchField: 1 }, ...(body ? { body: { noSuchField: 1 } } : {}) })
    const wrong = await expectNothingUpstream('all together', async () => violationFault(await send(request), expected))
    t.strictSame(wrong, [], operation.id)
  }
  t.comment(`${violations} violations in ${operations.length} requests, ${several} of them with faults in path, query and body`)
})

// ------------------------------------------------------------------------------------------------------------------- framework

const withBody = operations.filter(operation => partOf(operation, 'body'))

t.test('bodies that cannot be read', async t => {
  const big = JSON.stringify({ text: 'x'.repeat(2 * 1024 * 1024) })
  for (const operation of withBody) {
    const request = requestOf(operation, inputOf(operation, 'minimal'))
    const cases: [string, string | undefined, number, string, Record<string, string>?][] = [
      ['2 MB', big, 413, 'payload-too-large'],
      ['text', 'userName=ada', 415, 'unsupported-media-type', { 'content-type': 'text/plain' }],
      ['a form', 'userName=ada', 415, 'unsupported-media-type', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['XML', '<a/>', 415, 'unsupported-media-type', { 'content-type': 'application/xml' }],
      ['no media type', '{}', 415, 'unsupported-media-type', { 'content-type': 'json' }],
      ['half', '{"a":', 400, 'malformed-body'],
      ['two', '{}{}', 400, 'malformed-body'],
      ['single quotes', "{'a':1}", 400, 'malformed-body'],
      ['a comment', '{"a":1 /* one */}', 400, 'malformed-body'],
      ['NaN', '{"a":NaN}', 400, 'malformed-body'],
      ['a bare control character', '{"a":"\n"}', 400, 'malformed-body'],
      ['a prototype', '{"__proto__":{"admin":true}}', 400, 'malformed-body'],
      ['a constructor', '{"constructor":{"prototype":{"admin":true}}}', 400, 'malformed-body'],
      ['blank', '  ', 400, 'malformed-body']
    ]
    const wrong: string[] = []
    for (const [what, body, status, code, headers] of cases)
      wrong.push(...(await refused(what, { ...request, body }, status, code, headers)))
    t.strictSame(wrong, [], operation.id)
  }
  t.comment(`${withBody.length} operations with a body`)
})

const paths = new Map<string, Operation[]>()
for (const operation of operations) paths.set(operation.url, [...(paths.get(operation.url) ?? []), operation])

t.test('URLs that cannot be read', async t => {
  for (const [path, [operation]] of paths) {
    const { method, body } = requestOf(operation!, inputOf(operation!, 'minimal'))
    const url = path.replace(/:\w+/g, '1')
    const query = queryOf(
      Object.entries(inputOf(operation!, 'minimal')).filter(([name]) => operation!.fieldLocations.get(name) === 'query')
    )
    const wrong: string[] = []
    const check = async (what: string, url: string, status: number, code: string) =>
      wrong.push(...(await refused(what, { method, url, body }, status, code)))
    for (const broken of ['%zz', '%', '%e2%28%a1', '%ED%A0%80']) {
      if (path.includes(':')) await check(`${broken} in the path`, path.replace(/:\w+/g, broken), 400, 'malformed-url')
      await check(`${broken} at the end`, `${url}${broken}`, 400, 'malformed-url')
      await check(`${broken} in the query`, `${url}?${query}&noSuchField=${broken}`, 400, 'malformed-url')
      await check(`${broken} in a key of the query`, `${url}?${query}&${broken}=1`, 400, 'malformed-url')
    }
    if (path.includes(':')) await check('a long segment', path.replace(/:\w+/g, 'a'.repeat(5000)), 414, 'uri-too-long')
    await check('further on', `${url}/nowhere/at/all`, 404, 'not-found')
    await check('doubled slashes', url.replaceAll('/', '//'), 404, 'not-found')
    // An empty id is no id, and the collection has an address of its own.
    wrong.push(
      ...(await expectNothingUpstream('a slash at the end', async () => {
        const answer = await send({ method, url: `${url}/?${query}`, body })
        const code = { 400: 'invalid-request', 404: 'not-found', 405: 'method-not-allowed' }[answer.status]
        return code ? faultOf(answer, answer.status, code) : `${answer.status} ${answer.text}`
      }))
    )
    t.strictSame(wrong, [], path)
  }
  const wrong: string[] = []
  for (const url of ['/nowhere', '//', '/Applications', `/${'a'.repeat(5000)}`])
    for (const method of ['GET', 'POST', 'DELETE'])
      wrong.push(...(await refused(`${method} ${url}`, { method, url, body: undefined }, 404, 'not-found')))
  t.strictSame(wrong, [], 'unknown paths')
  t.comment(`${paths.size} paths`)
})

t.test('verbs that a path does not have are answered with those it has', async t => {
  let cases = 0
  for (const [path, served] of paths) {
    const allowed = served.map(operation => operation.method as string)
    const url = path.replace(/:\w+/g, '1')
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      if (allowed.includes(method)) continue
      cases++
      for (const body of [undefined, '{"a":', 'x'.repeat(2 * 1024 * 1024)]) {
        if (method === 'GET' && body !== undefined) continue
        const wrong = await expectNothingUpstream(`${method} ${path}`, async () => {
          const answer = await send({ method, url, body })
          const allow = String(answer.headers.allow)
            .split(', ')
            .filter(verb => verb !== 'HEAD' && verb !== 'OPTIONS')
            .sort()
          return (
            faultOf(answer, 405, 'method-not-allowed') ??
            (JSON.stringify(allow) === JSON.stringify([...allowed].sort())
              ? undefined
              : `Allow is ${answer.headers.allow}, not ${allowed.join(', ')}`)
          )
        })
        t.strictSame(wrong, [], `${method} ${path}`)
      }
    }
  }
  t.comment(`${cases} verbs on ${paths.size} paths; ${requests} requests in all`)
})
