import { randomUUID } from 'node:crypto'
import t from 'tap'
import { adminRoutes } from '../routes/admin.ts'
import { operations } from '../src/app.ts'
import { maxProblemBytes } from '../src/problems/body.ts'
import { type Input, inputOf, partOf, requestOf } from './generate.ts'
import { disproportion, growth } from './growth.ts'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

const unused = () => {
  throw new Error('these routes are only described')
}

/** No request makes work or output grow faster than what it sends: every operation, with inputs that are as bad and as large as the limits let them be. */

const stub = await startStub(t, ({ response }) => response.setHeader('content-type', 'application/json').end('{"result":1}'))
const adminToken = `ops:${randomUUID()}${randomUUID()}`
const service = await startService({ origin: stub.origin, env: { ADMIN_TOKEN: adminToken } })
t.teardown(() => service.close())
const adminHeaders = { authorization: `Bearer ${adminToken.slice(4)}` }

interface Target {
  name: string
  method: string
  url: string
  /** Fields of the JSON body; none: there is no body. */
  fields: Record<string, { type?: string }> | undefined
  /** The largest JSON body, in bytes. */
  limit: number
  headers: Record<string, string>
}

const targets: Target[] = [
  ...operations.map(operation => {
    const { method, url } = requestOf(operation, inputOf(operation, 'minimal'))
    const body = partOf(operation, 'body')
    return {
      name: operation.id,
      method,
      url: url.split('?')[0]!,
      fields: body?.properties as Target['fields'],
      limit: operation.upload ? 1_000_000 : 64_000,
      headers: {}
    }
  }),
  ...adminRoutes(unused).map(({ method, url, schema }) => ({
    name: `${method} ${url}`,
    method: method as string,
    url: url.replace(':tenantId', 'tenant-1').replace(':keyId', 'AAAAAAAAAAAA').replace(':recordId', randomUUID()),
    fields: ['POST', 'PUT', 'PATCH'].includes(method as string)
      ? (((schema?.body ?? {}) as { properties?: Target['fields'] }).properties ?? {})
      : undefined,
    limit: 64_000,
    headers: adminHeaders
  }))
]

/** Pieces that together take a number of bytes. */
const times = (bytes: number, piece: (i: number) => string, between = ','): string => {
  const parts: string[] = []
  for (let length = 0; length < bytes; length += parts.at(-1)!.length + 1) parts.push(piece(parts.length))
  return parts.join(between)
}

/** JSON bodies of a number of bytes that are invalid in one way. */
const bodies: Record<string, (bytes: number, fields: NonNullable<Target['fields']>) => string> = {
  'unknown fields': bytes => `{${times(bytes, i => `"f${i}":1`)}}`,
  'fields whose names are escapes': bytes => `{${times(bytes, i => `"\\u0000\\u0001${i}":1`)}}`,
  'one long name': bytes => `{"${'ж~/'.repeat(bytes / 4)}":1}`,
  'long texts': (bytes, fields) =>
    `{${Object.keys(fields).map((name, _, all) => `"${name}":"${'x"\\u0000;'.replace('"', '\\"').repeat(bytes / all.length / 10)}"`)}}`,
  'lists of bad items': (bytes, fields) =>
    `{${Object.keys(fields).map((name, _, all) => `"${name}":[${times(bytes / all.length, i => `{"a${i}":null}`)}]`)}}`,
  'lists of empty objects': (bytes, fields) =>
    `{${Object.keys(fields).map((name, _, all) => `"${name}":[${times(bytes / all.length, () => '{}')}]`)}}`,
  'lists of different numbers': (bytes, fields) =>
    `{${Object.keys(fields).map((name, _, all) => `"${name}":[${times(bytes / all.length, i => `${i + 1}`)}]`)}}`,
  'infinite numbers': (bytes, fields) =>
    `{${Object.keys(fields).map((name, _, all) => `"${name}":[${times(bytes / all.length, () => '1e999')}]`)}}`,
  // Deeper, and the collector of garbage takes longer than all else.
  nesting: (bytes, fields) => `{"${Object.keys(fields).at(-1) ?? 'x'}":${'['.repeat(bytes / 16)}${']'.repeat(bytes / 16)}}`,
  'a list in place of an object': bytes => `[${times(bytes, () => '{}')}]`
}

/** Queries of a number of bytes. */
const queries: Record<string, (bytes: number) => string> = {
  'unknown parameters': bytes => times(bytes, i => `f${i}=1`, '&'),
  'one parameter again and again': bytes => times(bytes, i => `limit=${i}`, '&'),
  'a long value': bytes => `limit=${'%D0%B6'.repeat(bytes / 6)}`
}

const problems: string[] = []
const rounds = { requests: 0 }

async function send({ method, headers }: Target, url: string, body?: string): Promise<number> {
  rounds.requests++
  const { status, text } = await service.call(method, url, body, {
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }
  })
  if (status >= 500 && status !== 502 && status !== 504) problems.push(`${method} ${url.slice(0, 60)}: ${status}`)
  const most = status >= 400 ? maxProblemBytes : 20_000 + 4 * (url.length + (body?.length ?? 0))
  if (text.length > most || Buffer.byteLength(text) > most)
    problems.push(`${method} ${url.slice(0, 60)}: ${text.length} bytes for ${body?.length}`)
  return status
}

t.test('no body makes a problem of more than 16 KiB, and none takes time out of proportion', async t => {
  for (const one of targets) {
    const { fields } = one
    if (!fields) continue
    for (const [name, body] of Object.entries(bodies)) {
      problems.length = 0
      const [small, large] = [body(one.limit / growth - 500, fields), body(one.limit - 2_000, fields)]
      const slow = await disproportion(
        () => send(one, one.url, small),
        () => send(one, one.url, large)
      )
      if (slow || problems.length > 0) t.fail(`${one.name}, ${name}`, { found: [slow, ...problems.slice(0, 3)] })
    }
  }
  t.comment(`${rounds.requests} requests, ${targets.filter(({ fields }) => fields).length} operations`)
})

t.test('a body of thousands of unknown fields is refused without being parsed', async t => {
  for (const url of ['/skills', '/call-lists', '/call-lists/1/tasks', '/admin/tenants']) {
    const { status, body } = await service.call('POST', url, bodies['unknown fields']!(60_000, {}), {
      headers: { 'content-type': 'application/json', ...(url.startsWith('/admin') ? adminHeaders : {}) }
    })
    t.equal(status, 400, url)
    t.match(body.errors, [{ pointer: '', detail: /more than 500 fields/ }], url)
  }
})

t.test('no query makes a problem of more than 16 KiB, and none takes time out of proportion', async t => {
  for (const one of targets)
    for (const [name, query] of Object.entries(queries)) {
      problems.length = 0
      const [small, large] = [query(3_500), query(3_500 * growth)]
      const body = one.fields && '{}'
      const slow = await disproportion(
        () => send(one, `${one.url}?${small}`, body),
        () => send(one, `${one.url}?${large}`, body)
      )
      if (slow || problems.length > 0) t.fail(`${one.name}, ${name}`, { found: [slow, ...problems.slice(0, 3)] })
    }
})

t.test('rows with fields of their own take time and memory in proportion', async t => {
  for (const operation of operations.filter(({ upload }) => upload)) {
    const input = inputOf(operation, 'minimal')
    const name = operation.upload!.declared.rows.name
    for (const [shape, row] of Object.entries<(i: number) => Input>({
      'fields of their own': i => ({ [`a${i}`]: 1, [`b${i}`]: 1 }),
      'one of 150 fields': i => ({ [`a${i % 150}`]: 1 }),
      'the same field': () => ({ a: 1 })
    })) {
      const request = (rows: number) => {
        const { method, url, body } = requestOf(operation, { ...input, [name]: Array.from({ length: rows }, (_, i) => row(i)) })
        return { one: { name: operation.id, method, url, fields: {}, limit: 0, headers: {} }, url, body: JSON.stringify(body) }
      }
      const [small, large] = [request(800), request(800 * growth)]
      problems.length = 0
      const slow = await disproportion(
        () => send(small.one, small.url, small.body),
        () => send(large.one, large.url, large.body)
      )
      t.strictSame([slow, ...problems], [undefined], `${operation.id}, ${shape}`)
    }
  }
})

t.test('the parts of a multipart body make a problem of at most 16 KiB', async t => {
  const boundary = 'b'
  const names = Array.from({ length: 100 }, (_, i) => `${'ж'.repeat(120)}${i}`)
  const body = `${names.map(name => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nx\r\n`).join('')}--${boundary}--\r\n`
  for (const { method, url } of operations.filter(({ upload }) => upload)) {
    const {
      status,
      text,
      body: problem
    } = await service.call(method, url.replace(/:\w+/g, '1'), body, {
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }
    })
    t.equal(status, 400)
    t.ok(Buffer.byteLength(text) <= maxProblemBytes, `${text.length} characters`)
    t.equal(problem.errors.length, 20)
  }
})

t.test('a problem that quotes the upstream is cut', async t => {
  const long = '\u0001ж'.repeat(100_000)
  const loud = await startStub(t, ({ response }) =>
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ error: { code: 118, msg: long, field_name: 'application_name' } }))
  )
  const other = await startService({ origin: loud.origin })
  t.teardown(() => other.close())
  const { status, text, body } = await other.call('POST', '/applications', { applicationName: 'app-one' })
  t.ok(status >= 400)
  t.ok(Buffer.byteLength(text) <= maxProblemBytes, `${Buffer.byteLength(text)} bytes`)
  t.match(body.detail, / \.\.\.$/)
})
