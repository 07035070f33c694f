import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import type { Operation } from '../src/api/operation.ts'
import type { UpstreamResponse } from '../src/api/reply.ts'
import { operations } from '../src/app.ts'
import { compileEncoder } from '../src/voximplant/wire/codecs.ts'
import { toCamel } from '../src/voximplant/wire/names.ts'
import { decodeExactly } from '../src/voximplant/wire/response.ts'
import { fromUpstreamTime } from '../src/voximplant/wire/times.ts'
import responses from './fixtures/responses.json' with { type: 'json' }
import { type Input, inputOf, isValid, requestOf, target } from './generate.ts'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

/** Nothing that the upstream answers is lost on the way, whatever it is called. `fixtures/responses.json` has responses of the vendor's documentation and of live accounts. */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A value as the REST response has it. */
const converted = (value: Json): Json => (typeof value === 'string' ? (fromUpstreamTime(value) ?? value) : value)

/** The leaves of an upstream response that the REST response lacks, by path. */
function lost(value: Json, rest: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => lost(item, (rest as Json[] | undefined)?.[i], `${path}[${i}]`))
  if (typeof value === 'object' && value !== null) {
    // The one name that the rule of case does not give.
    const nameOf = (key: string) => (key === 'enabled_3ds' ? 'enabled3ds' : toCamel(key))
    return Object.entries(value).flatMap(([key, field]) =>
      lost(field, (rest as Record<string, unknown> | undefined)?.[nameOf(key)], `${path}.${key}`)
    )
  }
  return rest === converted(value) ? [] : [`${path}: ${JSON.stringify(value)}, not ${JSON.stringify(rest)}`]
}

/** What a whole response lacks. */
function lostOf(
  { endpoint }: Operation,
  { result, total_count, count, ...beside }: Record<string, Json>,
  body: Record<string, unknown>
): string[] {
  const rows = Array.isArray(result) ? result : []
  switch (endpoint.reply.kind) {
    case 'page':
      return [
        ...lost(rows, body.items, 'result'),
        ...(total_count === undefined ? [] : lost(total_count, body.total, 'total_count')),
        // Expressed by the number of items, unless the upstream miscounts.
        ...(count === rows.length ? [] : lost(count!, body.count, 'count')),
        ...lost(beside, body, 'beside')
      ]
    case 'first':
      return [...lost(rows[0]!, body, 'result'), ...lost(beside, body, 'beside')]
    // A `result` that is a bare 1 is expressed by the status.
    default:
      return [...(typeof result === 'object' ? lost(result, body, 'result') : []), ...lost(beside, body, 'beside')]
  }
}

t.test('every documented response arrives whole, and as published', async t => {
  let text = ''
  const stub = await startStub(t, ({ response }) => response.setHeader('content-type', 'application/json').end(text))
  const service = await startService({ origin: stub.origin })
  t.teardown(() => service.close())
  const wrong: string[] = []
  let calls = 0
  const silent: string[] = []
  for (const [name, { method, json }] of Object.entries(responses)) {
    text = json
    const sent = JSON.parse(json) as Record<string, Json> & { error?: { code: number; msg: string } }
    for (const operation of operations.filter(({ endpoint }) => endpoint.rpc === method)) {
      const { reply } = operation.endpoint
      const row = Array.isArray(sent.result) ? (sent.result[0] as Record<string, Json>) : undefined
      const ids = Object.fromEntries(Object.entries(row ?? {}).map(([key, value]) => [toCamel(key), value]))
      const input = inputOf(operation, 'minimal', ({ part, name }) =>
        part === 'path' && reply.kind === 'first' ? ids[name] : undefined
      ) as Input
      const { method: verb, url, body } = requestOf(operation, input)
      const answer = await service.call(verb, url, body)
      calls++
      if (sent.error) {
        const { code, message } = answer.body?.upstream ?? {}
        if (answer.status < 400 || code !== sent.error.code || message !== sent.error.msg)
          wrong.push(`${name} ${operation.id}: ${answer.text}`)
      } else if (answer.status !== reply.status) wrong.push(`${name} ${operation.id}: ${answer.status} ${answer.text}`)
      // A 204 has no body: what the upstream echoes of a change ends here, by design.
      else if (reply.status === 204) silent.push(operation.id)
      else {
        wrong.push(...lostOf(operation, sent, answer.body).map(loss => `${name} ${operation.id}: ${loss}`))
        if (!isValid(reply.body!, answer.body)) wrong.push(`${name} ${operation.id}: not as published: ${answer.text.slice(0, 500)}`)
      }
    }
  }
  t.strictSame(wrong, [])
  t.strictSame([...service.app.upstream.drift.unknownFields.keys()], [], 'all of their members are declared')
  t.strictSame([...service.app.upstream.drift.unreadableFields.keys()], [])
  t.ok(calls > 20 && silent.length > 0)
  t.comment(`${calls} calls, without a body: ${silent.join(', ')}`)
})

// ------------------------------------------------------------------------------------------------------------------- generated

/** A sequence of numbers below `sides` that depends on the seed alone. */
function diceOf(seed: number): (sides: number) => number {
  let n = seed | 0
  return sides => {
    n = (Math.imul(n, 1664525) + 1013904223) | 0
    return (n >>> 8) % sides
  }
}

/** A value of a schema with every field there. */
function full(given: TSchema): unknown {
  const schema = target(given)
  if (schema.examples?.length && schema.type !== 'array' && schema.type !== 'object') return schema.examples[0]
  if (schema.type === 'object')
    return schema.properties
      ? Object.fromEntries(Object.entries(schema.properties as Record<string, TSchema>).map(([name, field]) => [name, full(field)]))
      : { KEY: 1 }
  if (schema.type === 'array') return [full(schema.items), full(schema.items)]
  return { boolean: true, string: 'text', integer: 7, number: 7 }[schema.type as string] ?? 'text'
}

const objectsIn = (value: Json): { [key: string]: Json }[] =>
  Array.isArray(value)
    ? value.flatMap(objectsIn)
    : typeof value === 'object' && value !== null
      ? [value, ...Object.values(value).flatMap(objectsIn)]
      : []

t.test('in generated responses with members that nobody declared, none is lost', async t => {
  const wanted = Number(process.env.GENERATED_RESPONSES ?? 5000)
  const roll = diceOf(Number(process.env.SEED ?? 20_261_125))
  const words = [
    'new',
    'price',
    'x',
    'is',
    'sub',
    'list',
    'total',
    'v2',
    'unit',
    'media',
    'param',
    'info',
    'group',
    'hd',
    'class',
    'HTTP',
    'ID'
  ]
  const name = () => {
    const chosen = Array.from({ length: 1 + roll(4) }, () => words[roll(words.length)]!)
    const separator = ['_', '_', '_', '-', '.', '', ' '][roll(7)]!
    return `${chosen.join(separator)}${roll(3) === 0 ? `${separator}${roll(100_000)}` : ''}`
  }
  const drift = { unknown() {}, unreadable() {} }
  const withBody = operations.filter(({ endpoint: { reply } }) => reply.body && reply.kind !== 'file')
  const wholes = withBody.map(({ endpoint }) => JSON.stringify(compileEncoder(endpoint.reply.response)(full(endpoint.reply.response))))
  const inputs = withBody.map(operation => inputOf(operation, 'minimal'))
  const losses: string[] = []
  let members = 0
  for (let i = 0; i < wanted; i++) {
    const which = i % withBody.length
    const operation = withBody[which]!
    const { reply } = operation.endpoint
    const answer = JSON.parse(wholes[which]!) as { [key: string]: Json }
    const markers: string[] = []
    const marker = (): Json => {
      const text = `marker ${members++}`
      markers.push(text)
      return [text, [1, text], { [name()]: text, list: [{ [name()]: true, ok: text }] }, { a_b: { c_d: [text] } }][roll(4)]!
    }
    const row = reply.kind === 'first' ? (answer.result as Json[])[0]! : answer
    const places = [answer, ...objectsIn(row)]
    for (let n = 1 + roll(5); n > 0; n--) {
      const place = places[roll(places.length)]!
      const key = name()
      if (!Object.keys(place).some(other => toCamel(other) === toCamel(key))) place[key] = marker()
    }
    const text = JSON.stringify(answer)
    const decoded = decodeExactly(answer, text, operation.decode, drift) as UpstreamResponse
    // One item is found by its id: the first row's.
    const ids = reply.kind === 'first' ? (decoded.result as Input[])[0] : undefined
    const { body } = reply.read(decoded, { input: { ...inputs[which], ...ids }, url: '/x', base: '' })
    const response = JSON.stringify(body)
    for (const text of markers)
      if (!response.includes(JSON.stringify(text))) losses.push(`${operation.id}: ${text} of ${JSON.stringify(answer)}`)
  }
  t.strictSame(losses.slice(0, 5), [])
  t.comment(`${wanted} responses of ${withBody.length} operations, ${members} members, ${losses.length} lost`)
})

// ------------------------------------------------------------------------------------------------------------------- openness

t.test('no schema of a response closes what the upstream may open', async t => {
  const closed: string[] = []
  const seen = new Set<unknown>()
  const visit = (given: TSchema, where: string): void => {
    const schema = target(given)
    if (seen.has(schema)) return
    seen.add(schema)
    for (const word of ['enum', 'const', 'pattern', 'minLength', 'maxLength', 'maxItems', 'minItems', 'uniqueItems'])
      if (schema[word] !== undefined) closed.push(`${where}: ${word}`)
    if (schema.additionalProperties === false) closed.push(`${where}: additionalProperties`)
    for (const [name, field] of Object.entries((schema.properties ?? {}) as Record<string, TSchema>)) visit(field, `${where}.${name}`)
    for (const inner of [schema.items, ...((schema.anyOf as TSchema[] | undefined) ?? [])]) if (inner) visit(inner, `${where}[]`)
  }
  for (const { id, endpoint } of operations) if (endpoint.reply.body) visit(endpoint.reply.body, id)
  t.strictSame(closed, [])
})

t.test('an error beside a result that holds data leaves the data there', async t => {
  let text = ''
  const stub = await startStub(t, ({ response }) => response.setHeader('content-type', 'application/json').end(text))
  const service = await startService({ origin: stub.origin })
  t.teardown(() => service.close())
  const error = { code: 506, msg: 'No route' }
  text = JSON.stringify({ result: [{ user_id: 1 }], error })
  const page = await service.call('GET', '/applications/1/users')
  t.equal(page.status, 200)
  t.strictSame([page.body.items, page.body.error], [[{ userId: 1 }], error])
  text = JSON.stringify({ result: [], error })
  t.ok((await service.call('GET', '/applications/1/users')).status >= 400, 'without data it is an error')
  text = JSON.stringify({ result: [{ user_id: 1 }], error })
  t.ok((await service.call('DELETE', '/applications/1/users/1')).status >= 400, 'and where the response could not show it')
})

t.test('rules and scenarios come with the applications of the sandbox that are asked for them', async t => {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  const rulesOf = async (query: string) => (await service.call('GET', `/applications/1?${query}`)).body.rules
  t.equal(await rulesOf(''), undefined)
  t.match(await rulesOf('withRules=true'), [{ ruleName: 'incoming', rulePattern: '.*' }])
  t.equal((await rulesOf('withRules=true'))[0].scenarios, undefined)
  t.match(await rulesOf('withScenarios=true'), [{ scenarios: [{ scenarioName: 'incoming' }] }])
})

t.test('the names of statuses are a list of one where the upstream sends one without a result', async t => {
  const stub = await startStub(t, ({ response }) =>
    response.setHeader('content-type', 'application/json').end('{"sq_status_name":"DND","custom_status_name":"Lunch","new_one":1}')
  )
  const service = await startService({ origin: stub.origin })
  t.teardown(() => service.close())
  const { status, body } = await service.call('GET', '/applications/1/agent-statuses')
  t.equal(status, 200)
  t.strictSame(body, { items: [{ sqStatusName: 'DND', customStatusName: 'Lunch', newOne: 1 }] })
})
