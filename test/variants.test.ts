import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import type { Operation } from '../src/api/operation.ts'
import type { UpstreamResponse } from '../src/api/reply.ts'
import { operations } from '../src/app.ts'
import { Problem } from '../src/problems/problem.ts'
import { compileEncoder } from '../src/voximplant/wire/codecs.ts'
import { inputOf, requestOf, target } from './generate.ts'
import { startService } from './support.ts'

/**
 * The upstream is free with its answers: an object where a list is documented and the reverse, numbers as text, nulls, missing and extra
 * fields. Every answer of every operation is spelt in all those ways, at every place, and none of them may break the service.
 */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A whole answer in the upstream's words, from the schema's examples. */
function wholeAnswer({ endpoint }: Operation): Json {
  return compileEncoder(endpoint.reply.response)(full(endpoint.reply.response)) as Json
}

/** A value of a schema with every field there. */
function full(given: TSchema): unknown {
  const schema = target(given)
  if (schema.examples?.length && schema.type !== 'array' && schema.type !== 'object') return schema.examples[0]
  if (schema.enum) return schema.enum[0]
  switch (schema.type) {
    case 'object':
      return schema.properties
        ? Object.fromEntries(Object.entries(schema.properties as Record<string, TSchema>).map(([name, field]) => [name, full(field)]))
        : { KEY: 1 }
    case 'array':
      return [full(schema.items), full(schema.items)]
    case 'integer':
    case 'number':
      return 7
    case 'boolean':
      return true
    case 'string':
      return schema.format === 'date-time' ? '2026-01-15T09:30:00Z' : schema.format === 'date' ? '2026-01-15' : 'text'
  }
  return 1
}

const places = (value: Json, path: (string | number)[] = []): (string | number)[][] => [
  path,
  ...(Array.isArray(value)
    ? value.flatMap((item, i) => places(item, [...path, i]))
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, field]) => places(field, [...path, key]))
      : [])
]

const at = (value: Json, path: (string | number)[]): Json => path.reduce<Json>((inner, key) => (inner as Record<string, Json>)[key]!, value)

function replaced(value: Json, path: (string | number)[], by: Json | undefined): Json {
  if (path.length === 0) return by ?? null
  const copy = structuredClone(value)
  const parent = at(copy, path.slice(0, -1)) as Record<string, Json>
  const key = path.at(-1)!
  if (by === undefined) delete parent[key]
  else parent[key] = by
  return copy
}

/** The other ways to spell a value. */
const spellings = (value: Json): (Json | undefined)[] => [
  undefined,
  null,
  '',
  [],
  {},
  0,
  'nonsense',
  [value],
  { 0: value },
  typeof value === 'number'
    ? String(value)
    : typeof value === 'string'
      ? Number(value) || 5
      : typeof value === 'boolean'
        ? String(value)
        : 1,
  ...(typeof value === 'boolean' ? [Number(value), String(Number(value))] : []),
  ...(Array.isArray(value)
    ? [value[0] ?? null]
    : typeof value === 'object' && value !== null
      ? [{ ...value, some_new_field: 1, __proto__x: {} }]
      : [])
]

const ignore = { unknown() {}, unreadable() {} }
/** What a reply may make of an answer that lacks what it is about. */
const allowed = new Set(['not-found', 'upstream-answer-invalid', 'state-conflict'])

t.test('every answer of every operation, spelt in every way at every place', async t => {
  let spelt = 0
  for (const operation of operations) {
    if (operation.endpoint.reply.file) continue
    const whole = wholeAnswer(operation)
    const input = inputOf(operation, 'full')
    const wrong: string[] = []
    const read = (answer: Json, what: string) => {
      spelt++
      try {
        const decoded = (operation.decode(answer, ignore) ?? {}) as UpstreamResponse
        JSON.stringify(operation.endpoint.reply.read(decoded, { input, url: '/x', base: '' }).body)
      } catch (error) {
        if (!(error instanceof Problem && allowed.has(error.type))) wrong.push(`${what}: ${error}`)
      }
    }
    read(whole, 'whole')
    for (const path of places(whole)) {
      for (const spelling of spellings(at(whole, path)))
        read(replaced(whole, path, spelling), `${path.join('.')} = ${JSON.stringify(spelling)}`)
    }
    t.strictSame(wrong, [], operation.id)
  }
  t.comment(`${spelt} answers`)
})

t.test('over HTTP, each operation with answers that are hardly any', async t => {
  let answer = ''
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const service = await startService({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  t.teardown(async () => {
    await service.close()
    server.close()
  })
  let calls = 0
  for (const operation of operations) {
    const { method, url, body } = requestOf(operation, inputOf(operation, 'minimal'))
    const wrong: string[] = []
    for (const raw of [
      '{"result":1}',
      '{"result":null}',
      '{"result":[]}',
      '{"result":{}}',
      '{"result":"x"}',
      '{"result":[null]}',
      '{"result":[1]}',
      '{"result":true,"total_count":"x"}',
      '{}',
      '{"error":{}}',
      '{"error":{"code":"118"}}',
      '{"error":"x","result":1}',
      '{"error":null,"result":1}',
      '{"errors":[]}',
      '{"result":{"__proto__":{"x":1},"constructor":1}}'
    ]) {
      answer = raw
      const { status, text } = await service.call(method, url, body)
      calls++
      if (status === 500 || status < 200) wrong.push(`${raw}: ${status} ${text.slice(0, 200)}`)
    }
    t.strictSame(wrong, [], operation.id)
  }
  t.comment(`${calls} calls`)
})
