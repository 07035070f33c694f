import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { freshKey, type Service, startService } from './support.ts'

/** Files in both directions, byte by byte, over real sockets. */

// -------------------------------------------------------------------------------------------------------------- the upstream

/** One request as the upstream saw it. */
interface Taken {
  headers: IncomingMessage['headers']
  /** What has come of its body so far. */
  body(): Buffer
  /** Whether the body came to its end. */
  complete: boolean
  /** Settles when the request is complete or broken off. */
  over: Promise<void>
  socket: Socket
  response: ServerResponse
}

interface Upstream {
  origin: string
  taken: Taken[]
  /** What is done with a request: `end` when it is complete (the default), `start` as soon as its head is there. */
  behave(answer: Behaviour, when?: 'start' | 'end'): void
  /** The latest request. */
  last(): Taken
  server: Server
}

type Behaviour = (response: ServerResponse, taken: Taken) => void

const created = '{"result":true,"count":2,"list_id":77,"batch_id":"6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f"}'

async function startUpstream(t: Test): Promise<Upstream> {
  let act: Behaviour = response => response.setHeader('content-type', 'application/json').end(created)
  let when: 'start' | 'end' = 'end'
  const taken: Taken[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    const one: Taken = {
      headers: request.headers,
      body: () => Buffer.concat(chunks),
      complete: false,
      over: new Promise(resolve => request.once('close', resolve)),
      socket: request.socket,
      response
    }
    taken.push(one)
    request.on('data', chunk => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      one.complete = true
      if (when === 'end') act(response, one)
    })
    if (when === 'start') act(response, one)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    behave(next, at = 'end') {
      act = next
      when = at
    },
    last: () => taken.at(-1)!,
    server
  }
}

/** The parts of a multipart body. Throws unless it is whole. */
function partsOf({ headers, body }: Taken): { name: string; filename?: string; type?: string; bytes: Buffer }[] {
  const boundary = /boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1]
  const bytes = body()
  const mark = Buffer.from(`--${boundary}`)
  const parts: ReturnType<typeof partsOf> = []
  let at = bytes.indexOf(mark)
  if (at !== 0) throw new Error('the body does not begin with its boundary')
  for (;;) {
    const start = at + mark.length
    if (bytes.subarray(start, start + 4).equals(Buffer.from('--\r\n'))) {
      if (start + 4 !== bytes.length) throw new Error('something follows the closing boundary')
      return parts
    }
    const next = bytes.indexOf(Buffer.concat([Buffer.from('\r\n'), mark]), start)
    if (next < 0) throw new Error('there is no closing boundary')
    const head = bytes.indexOf('\r\n\r\n', start)
    const text = bytes.subarray(start, head).toString()
    parts.push({
      name: /; name="([^"]*)"/.exec(text)![1]!,
      filename: /filename="([^"]*)"/.exec(text)?.[1],
      type: /Content-Type: (.*)/.exec(text)?.[1],
      bytes: bytes.subarray(head + 4, next)
    })
    at = next + 2
  }
}

const textsOf = (taken: Taken) =>
  Object.fromEntries(
    partsOf(taken)
      .filter(part => part.filename === undefined)
      .map(({ name, bytes }) => [name, bytes.toString()])
  )
const fileOf = (taken: Taken) => partsOf(taken).find(part => part.filename !== undefined)!

// -------------------------------------------------------------------------------------------------------------- the service

interface Started extends Service {
  address: string
  key: string
  /** `POST` over a real socket. */
  post(url: string, body: RequestInit['body'], headers?: Record<string, string>): Promise<Got>
}

interface Got {
  status: number
  location: string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  body: any
}

async function start(t: Test, origin: string | undefined, env: Record<string, string> = {}, demo = false): Promise<Started> {
  const service = await startService({ origin, env, demo })
  t.teardown(() => service.close())
  const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const key = service.tenants[0]!.key
  return {
    ...service,
    address,
    key,
    async post(url, body, headers = {}) {
      const answer = await fetch(address + url, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${key}`, ...freshKey('POST', url), ...headers },
        duplex: 'half'
      } as RequestInit)
      return { status: answer.status, location: answer.headers.get('location'), body: JSON.parse(await answer.text()) }
    }
  }
}

const fields = { ruleId: '5', priority: '1', maxSimultaneous: '2', numAttempts: '3', name: 'Frühling & "Co" + 100%' }
const asSent = { rule_id: '5', priority: '1', max_simultaneous: '2', num_attempts: '3', name: fields.name }
const csvUrl = (more: Record<string, string> = {}) => `/call-lists?${new URLSearchParams({ ...fields, ...more })}`
const csv = { 'content-type': 'text/csv' }

type Order = 'before' | 'after' | 'around'

/** A form with the fields before the file, after it, or on both sides. */
function form(
  order: Order,
  bytes: Uint8Array | string,
  more: Record<string, string> = {},
  { filename = 'tasks.csv', all = { ...fields, ...more } } = {}
): FormData {
  const body = new FormData()
  const names = Object.entries(all)
  const cut = order === 'before' ? names.length : order === 'after' ? 0 : 2
  for (const [name, value] of names.slice(0, cut)) body.append(name, value)
  body.append('fileContent', new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'text/csv' }), filename)
  for (const [name, value] of names.slice(cut)) body.append(name, value)
  return body
}

/** A stream of `size` bytes in pieces. */
const streamOf = (size: number, piece = 16_384) => {
  let left = size
  return new ReadableStream({
    async pull(controller) {
      await sleep(1)
      if (left <= 0) return controller.close()
      controller.enqueue(new Uint8Array(Math.min(piece, left)).fill(0x61))
      left -= piece
    }
  })
}

/** Opens a socket to the service and sends the head of a request, and some of its body. */
async function dial({ address, key }: Started, url: string, headers: string[], some: string | Buffer): Promise<Socket> {
  const { port } = new URL(address)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(
    `POST ${url} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nIdempotency-Key: ${randomUUID()}\r\n${headers.join('\r\n')}\r\n\r\n`
  )
  socket.write(some)
  return socket
}

const until = async (test: () => boolean, ms = 5000): Promise<boolean> => {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(5)) if (test()) return true
  return false
}

// Each of the 256 bytes, alone and beside line ends and what looks like a boundary; twice 64 KiB, so that it comes in pieces.
const everyByte = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  Buffer.from('\r\n--\r\n\r\n----WebKitFormBoundary--\r\n--voxgate-\r\n'),
  Buffer.from(Array.from({ length: 131_072 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)),
  Buffer.from('\r\n')
])
const utf16 = Buffer.from('\ufeffphone;name\r\n14155550101;Åsa Ж 漢字 😀\r\n', 'utf16le')

// ------------------------------------------------------------------------------------------------------------------ uploads

t.test('bytes and fields reach the upstream as they are', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin)
  for (const [what, bytes] of [
    ['every byte', everyByte],
    ['UTF-16', utf16],
    ['one byte', Buffer.from('\n')]
  ] as const) {
    const ways: Record<string, () => Promise<Got>> = {
      'fields before the file': () => service.post('/call-lists', form('before', bytes, { encoding: 'UTF-16LE', delimiter: '\t' })),
      'fields after the file': () => service.post('/call-lists', form('after', bytes, { encoding: 'UTF-16LE', delimiter: '\t' })),
      'fields around the file': () => service.post('/call-lists', form('around', bytes, { encoding: 'UTF-16LE', delimiter: '\t' })),
      'the file as the body': () => service.post(csvUrl({ encoding: 'UTF-16LE', delimiter: '\t' }), bytes, csv),
      'the file as a body of unknown length': () =>
        service.post(csvUrl({ encoding: 'UTF-16LE', delimiter: '\t' }), new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(), csv)
    }
    for (const [how, send] of Object.entries(ways)) {
      const answer = await send()
      const name = `${what}, ${how}`
      t.equal(answer.status, 201, name)
      t.strictSame(answer.body, { listId: 77, batchId: '6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f', count: 2 }, name)
      t.equal(answer.location, '/call-lists/77', name)
      t.ok(fileOf(upstream.last()).bytes.equals(bytes), `${name}: the bytes`)
      t.equal(fileOf(upstream.last()).name, 'file_content', name)
      t.strictSame(
        textsOf(upstream.last()),
        { cmd: 'CreateCallList', ...asSent, encoding: 'UTF-16LE', delimiter: '\t' },
        `${name}: the fields`
      )
      t.match(upstream.last().headers.authorization, /^Bearer /)
    }
  }
  t.equal(upstream.last().headers['transfer-encoding'], 'chunked', 'what has no length has none at the upstream')
  await service.post(csvUrl(), utf16, csv)
  t.equal(Number(upstream.last().headers['content-length']), upstream.last().body().length, 'what has a length has one')
})

t.test('names of files and of lists', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin)
  const file = Buffer.from('phone\n1\n')
  t.equal((await service.post('/call-lists/~Spring%20%2F%20campaign/tasks', file, csv)).status, 201)
  t.strictSame(textsOf(upstream.last()), { cmd: 'AppendToCallList', list_name: 'Spring / campaign' })
  t.equal(fileOf(upstream.last()).filename, 'tasks.csv')
  t.equal(
    (await service.post('/call-lists/12/tasks', form('before', file, {}, { filename: 'a"b\r\nc ü.csv', all: {} as never }))).status,
    201
  )
  t.strictSame(textsOf(upstream.last()), { cmd: 'AppendToCallList', list_id: '12' })
  const { filename } = fileOf(upstream.last())
  t.match(filename, /ü\.csv$/)
  t.notMatch(filename, /["\r\n]/)
})

t.test('tasks in JSON become a CSV', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin)
  const send = async (tasks: unknown, more: Record<string, unknown> = {}) =>
    service.post('/call-lists/1/tasks', JSON.stringify({ tasks, ...more }), { 'content-type': 'application/json' })
  const written = async (tasks: unknown, more?: Record<string, unknown>) => {
    const answer = await send(tasks, more)
    t.equal(answer.status, 201)
    return fileOf(upstream.last()).bytes
  }
  const text = async (...args: Parameters<typeof written>) => (await written(...args)).toString()

  t.equal(
    await text([
      { phone: '1', name: 'Ada' },
      { phone: 2, vip: true, __start_at: '2026-05-01T00:00:00+02:00' }
    ]),
    'phone;name;vip;__start_at\n1;Ada;;\n2;;true;1777586400\n'
  )
  t.equal(
    await text([{ a: 'x;y', b: 'say "hi"', c: 'two\nlines', d: ' edge ', e: '' }]),
    'a;b;c;d;e\n"x;y";"say ""hi""";"two\nlines";" edge ";\n'
  )
  t.equal(await text([{ a: 'x;y', b: "it's, so" }], { delimiter: ',', quote: "'", escape: '\\' }), "a,b\nx;y,'it\\'s, so'\n")
  t.equal(await text([{ a: 'back\\slash', b: 'plain' }], { escape: '\\' }), 'a;b\n"back\\\\slash";plain\n')
  t.equal(await text([{ 'a;b': 9007199254740991, c: 0.0000001 }]), '"a;b";c\n9007199254740991;0.0000001\n')
  t.equal(await text([{ a: 1 }, { constructor: 2, toString: 'x' }]), 'a;constructor;toString\n1;;\n;2;x\n')
  t.equal(await text([{ only: '' }, { only: 'x' }]), 'only\n""\nx\n')
  t.strictSame(await written([{ n: 'Åß' }], { encoding: 'ISO-8859-1' }), Buffer.from('n\nÅß\n', 'latin1'))
  t.equal(textsOf(upstream.last()).encoding, 'ISO-8859-1')
  t.strictSame(await written([{ n: 'Ж😀' }], { encoding: 'utf-16le' }), Buffer.from('n\nЖ😀\n', 'utf16le'))

  const before = upstream.taken.length
  for (const [tasks, more, ...pointers] of [
    [[], {}, '/tasks'],
    [undefined, {}, '/tasks'],
    [[{}], {}, '/tasks/0'],
    [[{ a: null, b: {} }], { foo: 1 }, '/foo', '/tasks/0/a', '/tasks/0/b'],
    [[{ a: 'Ж' }, { 'b/c': 'Ж' }], { encoding: 'latin1' }, '/tasks/0/a', '/tasks/1/b~1c'],
    [[{ a: 'é' }], { encoding: 'ascii' }, '/tasks/0/a'],
    [[{ a: '\ud800' }], {}, '/tasks/0/a'],
    [[{ a: '1' }], { encoding: 'windows-1251' }, '/encoding'],
    [[{ a: '1' }], { delimiter: '"' }, '/delimiter'],
    [[{ a: '1' }], { delimiter: '|', escape: '|' }, '/delimiter'],
    [[{ a: '1' }], { quote: 'ab' }, '/quote'],
    [[{ __task_uuid: 'a b', __start_execution_time: '25:00:00' }], {}, '/tasks/0/__task_uuid', '/tasks/0/__start_execution_time'],
    [[{ __start_at: 1777586400 }], {}, '/tasks/0/__start_at']
  ] as [unknown, Record<string, unknown>, ...string[]][]) {
    const answer = await send(tasks, more)
    t.equal(answer.status, 400)
    t.strictSame(
      answer.body.errors.map((error: { pointer: string }) => error.pointer).sort(),
      pointers.sort(),
      JSON.stringify({ tasks, more })
    )
  }
  t.equal(upstream.taken.length, before, 'the upstream was not called')
})

t.test('bodies that are wrong', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin)
  const { ruleId, ...others } = fields
  const file = Buffer.from('phone\n1\n')
  const plain = (entries: [string, string | Blob][]) => {
    const body = new FormData()
    for (const [name, value] of entries) body.append(name, value as string)
    return body
  }
  const blob = new Blob([file])
  const pointersOf = ({ body }: Got) => body.errors?.map((error: { in: string; pointer: string }) => `${error.in} ${error.pointer}`)
  const all = Object.entries(fields)

  await t.test('a file part without a file name is a file, as some clients write it', async t => {
    const before = upstream.taken.length
    t.equal((await service.post('/call-lists', plain([...all, ['fileContent', 'phone\n1\n']]))).status, 201)
    t.equal(upstream.taken.length, before + 1)
    upstream.taken.length = before
  })

  await t.test('found before the file: the upstream is not called', async t => {
    for (const [what, pointers, send] of [
      ['an unknown field', ['body /foo'], () => service.post('/call-lists', form('before', file, { foo: '1' }))],
      ['a bad value', ['body /queueId'], () => service.post('/call-lists', form('before', file, { queueId: '0x10' }))],
      ['two mistakes', ['body /foo', 'body /queueId'], () => service.post('/call-lists', form('before', file, { queueId: 'x', foo: '' }))],
      ['no file', ['body /fileContent'], () => service.post('/call-lists', plain(all))],
      [
        'a file that was not chosen (Swagger UI)',
        ['body /fileContent'],
        () => service.post('/call-lists', plain([...all, ['fileContent', '']]))
      ],
      [
        'nothing at all',
        ['body /fileContent', 'body /maxSimultaneous', 'body /name', 'body /numAttempts', 'body /priority', 'body /ruleId'],
        () => service.post('/call-lists', plain([['fileContent', '']]))
      ],
      ['an empty file', ['body /fileContent'], () => service.post('/call-lists', form('before', ''))],
      ['an empty file first', ['body /fileContent'], () => service.post('/call-lists', form('after', ''))],
      ['an empty body', ['body /fileContent'], () => service.post(csvUrl(), '', csv)],
      [
        'a file for a text',
        ['body /name'],
        () => service.post('/call-lists', plain([['name', blob], ...all.filter(([name]) => name !== 'name'), ['fileContent', blob]]))
      ],
      ['a field twice', ['body /priority'], () => service.post('/call-lists', plain([...all, ['priority', '2'], ['fileContent', blob]]))],
      ['a field too few, in the query', ['query /ruleId'], () => service.post(`/call-lists?${new URLSearchParams(others)}`, file, csv)],
      ['an unknown field in the query', ['query /foo'], () => service.post(csvUrl({ foo: '1' }), file, csv)],
      ['fields in the query of a form', ['query /name'], () => service.post('/call-lists?name=x', form('before', file))],
      [
        'fields in the query of JSON',
        ['query /encoding'],
        () => service.post('/call-lists/1/tasks?encoding=x', '{"tasks":[{"a":1}]}', { 'content-type': 'application/json' })
      ],
      ['a bad id', ['path /listId', 'query /foo'], () => service.post('/call-lists/x/tasks?foo=1', file, csv)]
    ] as [string, string[], () => Promise<Got>][]) {
      const answer = await send()
      t.equal(answer.status, 400, what)
      t.equal(answer.body.code, 'invalid-request', what)
      t.strictSame(pointersOf(answer)?.sort(), pointers, what)
    }
    t.equal(upstream.taken.length, 0, 'the upstream was not called')
  })

  await t.test('found after the file: the call is cut', async t => {
    for (const [what, pointers, send] of [
      ['an unknown field', ['body /foo'], () => service.post('/call-lists', form('after', everyByte, { foo: '1' }))],
      ['a bad value', ['body /queueId'], () => service.post('/call-lists', form('after', everyByte, { queueId: 'x' }))],
      [
        'a field too few',
        ['body /ruleId'],
        () => service.post('/call-lists', form('after', everyByte, {}, { all: others as typeof fields }))
      ],
      [
        'a field twice',
        ['body /name'],
        () => service.post('/call-lists', plain([...all, ['fileContent', new Blob([everyByte])], ['name', 'x']]))
      ],
      [
        'a second file',
        ['body /fileContent'],
        () => service.post('/call-lists', plain([['fileContent', new Blob([everyByte])], ...all, ['fileContent', blob]]))
      ]
    ] as [string, string[], () => Promise<Got>][]) {
      const answer = await send()
      t.equal(answer.status, 400, what)
      t.strictSame(pointersOf(answer), pointers, what)
      for (const taken of upstream.taken) {
        await taken.over
        t.equal(taken.complete, false, `${what}: nothing complete reached the upstream`)
        t.throws(() => partsOf(taken), `${what}: there is no closing boundary`)
      }
      upstream.taken.length = 0
    }
  })

  await t.test('not well-formed', async t => {
    const boundary = 'x'
    const type = { 'content-type': `multipart/form-data; boundary=${boundary}` }
    const field = (name: string, value: string) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const head = '--x\r\nContent-Disposition: form-data; name="fileContent"; filename="a.csv"\r\n\r\n'
    const texts = all.map(([name, value]) => field(name, value)).join('')
    for (const [what, body, headers] of [
      ['no closing boundary', `${texts}${head}phone\n1\n`, type],
      ['no closing boundary, a line later', `${texts}${head}phone\n1\n\r\n--x`, type],
      ['cut in a field after the file', `${head}phone\n1\n\r\n${texts.slice(0, -30)}`, type],
      ['no boundary in the header', `${texts}${head}phone\n1\n\r\n--x--\r\n`, { 'content-type': 'multipart/form-data' }],
      ['another boundary', `${texts}${head}phone\n1\n\r\n--x--\r\n`.replaceAll('--x', '--y'), type],
      ['no part at all', '', type],
      ['a name from the prototype', `${field('__proto__', '1')}${texts}${head}phone\n\r\n--x--\r\n`, type],
      ['a hundred fields too many', `${field('foo', '1').repeat(200)}${texts}${head}phone\n\r\n--x--\r\n`, type],
      [
        'JSON that is none',
        `--x\r\nContent-Disposition: form-data; name="name"\r\nContent-Type: application/json\r\n\r\n{\r\n--x--\r\n`,
        type
      ]
    ] as [string, string, Record<string, string>][]) {
      const answer = await service.post('/call-lists', body, headers)
      t.equal(answer.status, 400, what)
      t.match(answer.body.code, /^(malformed-body|invalid-request)$/, what)
      for (const taken of upstream.taken) {
        await taken.over
        t.throws(() => partsOf(taken), `${what}: nothing complete reached the upstream`)
      }
      upstream.taken.length = 0
    }
  })

  await t.test('other types', async t => {
    for (const [url, headers] of [
      ['/call-lists', { 'content-type': 'text/plain' }],
      ['/call-lists', { 'content-type': 'application/x-www-form-urlencoded' }],
      [csvUrl(), { ...csv, 'content-encoding': 'gzip' }],
      ['/applications', csv],
      ['/applications', { 'content-type': 'multipart/form-data; boundary=x' }]
    ] as [string, Record<string, string>][])
      t.equal((await service.post(url, file, headers)).status, 415, `${url} ${JSON.stringify(headers)}`)
    const none = await fetch(`${service.address}/call-lists`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.key}`, ...freshKey('POST', '/call-lists') }
    })
    t.equal(none.status, 415, 'nothing sent')
    t.equal(upstream.taken.length, 0)
  })
})

t.test('files that are too large', async t => {
  const upstream = await startUpstream(t)
  const limit = 100_000
  const service = await start(t, upstream.origin, { UPLOAD_LIMIT: String(limit) })
  const exact = Buffer.alloc(limit, 'a')
  const over = Buffer.alloc(limit + 1, 'a')
  for (const [what, send] of [
    ['a form', () => service.post('/call-lists', form('before', exact))],
    ['a form with the file first', () => service.post('/call-lists', form('after', exact))],
    ['a body', () => service.post(csvUrl(), exact, csv)],
    ['a stream', () => service.post(csvUrl(), streamOf(limit, 10_000), csv)]
  ] as [string, () => Promise<Got>][]) {
    t.equal((await send()).status, 201, `${what} of the largest size`)
    t.equal(fileOf(upstream.last()).bytes.length, limit)
  }
  for (const [what, send] of [
    ['a form, a byte too large', () => service.post('/call-lists', form('before', over))],
    ['a form with the file first, a byte too large', () => service.post('/call-lists', form('after', over))],
    ['a form much too large', () => service.post('/call-lists', form('before', Buffer.alloc(limit * 50)))],
    ['a stream a byte too large', () => service.post(csvUrl(), streamOf(limit + 1, 10_000), csv)],
    ['a stream much too large', () => service.post(csvUrl(), streamOf(limit * 20), csv)],
    ['a body that says so', () => service.post(csvUrl(), over, csv)]
  ] as [string, () => Promise<Got>][]) {
    upstream.taken.length = 0
    const answer = await send()
    t.equal(answer.status, 413, what)
    t.equal(answer.body.code, 'payload-too-large', what)
    for (const taken of upstream.taken) {
      await taken.over
      t.equal(taken.complete, false, `${what}: the upstream's request is broken off`)
      t.throws(() => partsOf(taken), `${what}: there is no closing boundary`)
    }
  }
  t.equal(upstream.taken.length, 0, 'a length that is too large is refused before the upstream is called')
  const rows = JSON.stringify({ tasks: [{ a: 'x'.repeat(limit) }] })
  t.equal(
    (await service.post('/call-lists/1/tasks', rows, { 'content-type': 'application/json' })).status,
    413,
    'JSON that makes too large a file'
  )
  const huge = JSON.stringify({ tasks: [{ a: 'x'.repeat(1_100_000) }] })
  t.equal((await service.post('/call-lists/1/tasks', huge, { 'content-type': 'application/json' })).status, 413, 'JSON that is too large')
  t.equal(upstream.taken.length, 0)
  t.equal((await service.post(csvUrl(), exact, csv)).status, 201, 'and afterwards all is well')
})

t.test('callers who leave', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin)
  const multipart = [...Object.entries(fields)]
    .map(([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('')
  const head = '--x\r\nContent-Disposition: form-data; name="fileContent"; filename="a.csv"\r\n\r\nphone\n'
  for (const [what, url, headers, some] of [
    ['a body', csvUrl(), ['Content-Type: text/csv', 'Content-Length: 1000000'], 'phone\n'.repeat(1000)],
    ['a stream', csvUrl(), ['Content-Type: text/csv', 'Transfer-Encoding: chunked'], '6\r\nphone\n\r\n'],
    [
      'a form',
      '/call-lists',
      ['Content-Type: multipart/form-data; boundary=x', 'Content-Length: 1000000'],
      multipart + head + '1\n'.repeat(5000)
    ],
    [
      'a form with the file first',
      '/call-lists',
      ['Content-Type: multipart/form-data; boundary=x', 'Content-Length: 1000000'],
      head + '1\n'.repeat(5000)
    ],
    [
      'a form after the file',
      '/call-lists',
      ['Content-Type: multipart/form-data; boundary=x', 'Content-Length: 1000000'],
      `${head}\r\n${multipart}`
    ]
  ] as [string, string, string[], string][]) {
    upstream.taken.length = 0
    const socket = await dial(service, url, headers, some)
    t.ok(await until(() => (upstream.taken[0]?.body().length ?? 0) > 100), `${what}: the bytes go on while they come`)
    t.equal(upstream.last().complete, false)
    socket.destroy()
    await Promise.race([upstream.last().over, sleep(5000)])
    t.equal(upstream.last().complete, false, `${what}: the upstream's request is broken off`)
    t.ok(await until(() => upstream.last().socket.destroyed), `${what}: its connection is closed`)
  }

  await t.test('while the upstream does not read', async t => {
    const stuck = await startUpstream(t)
    let broken = 0
    stuck.server.removeAllListeners('request').on('request', request => {
      request.on('error', () => {})
      request.socket.on('close', () => broken++)
      request.pause()
      // A connection that is not read does not show that it has ended.
      setTimeout(() => request.resume(), 1500)
    })
    const service = await start(t, stuck.origin, { UPSTREAM_HEADERS_TIMEOUT: '300' })
    const socket = await dial(service, csvUrl(), ['Content-Type: text/csv', 'Content-Length: 100000000'], Buffer.alloc(30_000_000, 'a'))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    t.match(answer.toString(), /^HTTP\/1\.1 504 .*nothing was done.*"upstream-timeout"/s, 'it is not waited for')
    socket.destroy()
    t.ok(await until(() => broken === 1), 'the call is cut')
  })
})

t.test('what the upstream makes of a file', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin, { UPSTREAM_TIMEOUT: '400', UPLOAD_TIMEOUT: '800' })
  const file = Buffer.from('phone\n1\n')
  const send = () => service.post(csvUrl(), file, csv)
  const json =
    (body: unknown, status = 200): Behaviour =>
    response =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

  for (const [what, behave, status, code] of [
    ['a refusal of the file', json({ error: { code: 250, msg: 'bad csv' } }), 422, 'invalid-value'],
    ['a refusal of the rule', json({ error: { code: 147, msg: 'no rule', field_name: 'rule_id' } }), 422, undefined],
    ['false', json({ result: false }), 409, 'state-conflict'],
    ['an HTTP error', json('no', 500), 504, 'outcome-unknown'],
    ['too large, after the end', (response => response.writeHead(413).end()) as Behaviour, 504, 'outcome-unknown'],
    ['nothing that is an answer', (response => response.end('hello')) as Behaviour, 504, 'outcome-unknown'],
    ['a reset', ((_, { socket }) => socket.resetAndDestroy()) as Behaviour, 504, 'outcome-unknown'],
    ['silence', (() => {}) as Behaviour, 504, 'outcome-unknown']
  ] as [string, Behaviour, number, string | undefined][]) {
    upstream.behave(behave)
    const answer = await send()
    t.equal(answer.status, status, what)
    if (code) t.equal(answer.body.code, code, what)
    if (what === 'a refusal of the rule') t.strictSame(answer.body.errors, [{ in: 'query', pointer: '/ruleId', detail: 'no rule' }])
  }

  await t.test('before it has all of it', async t => {
    // More than all buffers on the way hold together.
    const large = () => service.post(csvUrl(), streamOf(60_000_000, 1_000_000), csv)
    upstream.behave(json({ error: { code: 100, msg: 'no' } }), 'start')
    const refused = await large()
    t.equal(refused.status, 424, 'an immediate rejection')

    for (const [status, code] of [
      [413, 'payload-too-large'],
      [503, 'upstream-unavailable']
    ] as const) {
      upstream.behave(response => response.writeHead(status).end(), 'start')
      t.match(await large(), { status, body: { code } }, `HTTP ${status} before the end of the file: nothing can have been done`)
    }

    upstream.behave((_, { socket }) => socket.resetAndDestroy(), 'start')
    const broken = await large()
    t.equal(broken.status, 502, 'a reset')
    t.match(broken.body.detail, /Nothing was done/)

    upstream.behave(response => response.setHeader('content-type', 'application/json').end(created))
    const slow = await dial(service, csvUrl(), ['Content-Type: text/csv', 'Content-Length: 100'], 'phone\n')
    const [answer] = (await once(slow, 'data')) as [Buffer]
    t.match(answer.toString(), /^HTTP\/1\.1 408 .*"request-timeout"/s, 'a caller who is too slow')
    slow.destroy()
    t.equal((await send()).status, 201, 'and afterwards all is well')
  })

  const gone = await start(t, 'http://127.0.0.1:1')
  const answer = await gone.post(csvUrl(), file, csv)
  t.equal(answer.status, 502)
  t.equal(answer.body.code, 'upstream-unreachable')
})

t.test('bodies that come too slowly', async t => {
  const service = await start(t, undefined, { REQUEST_TIMEOUT: '300' })
  const socket = await dial(service, '/applications', ['Content-Type: application/json', 'Content-Length: 100'], '{')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 408 .*"request-timeout"/s, 'JSON')
  socket.destroy()
  const upload = await dial(service, csvUrl(), ['Content-Type: text/csv', 'Content-Length: 6'], 'pho')
  await sleep(600)
  upload.write('ne\n')
  const [late] = (await once(upload, 'data')) as [Buffer]
  t.notMatch(late.toString(), /^HTTP\/1\.1 408/, 'files have longer')
  upload.destroy()
})

t.test('the document tells how files come and go', async t => {
  const service = await start(t, undefined)
  const { paths } = (await service.call('GET', '/openapi.json')).body
  for (const path of ['/call-lists', '/call-lists/{listId}/tasks']) {
    const { requestBody, parameters } = paths[path].post
    t.strictSame(Object.keys(requestBody.content).sort(), ['application/json', 'multipart/form-data', 'text/csv'])
    const { properties, required } = requestBody.content['multipart/form-data'].schema
    t.match(properties.fileContent, { type: 'string', format: 'binary' })
    t.ok(required.includes('fileContent'))
    const inQuery = parameters.filter((parameter: { in: string }) => parameter.in === 'query')
    t.strictSame(
      inQuery.map((parameter: { name: string }) => parameter.name).sort(),
      Object.keys(properties)
        .filter(name => name !== 'fileContent')
        .sort(),
      'beside a raw file the same fields stand in the query'
    )
    t.notOk(inQuery.some((parameter: { required: boolean }) => parameter.required))
    t.ok(requestBody.content['application/json'].schema.required.includes('tasks'))
  }
  t.match(paths['/invoices/{invoiceId}/content'].get.responses['200'].content['application/pdf'].schema, { format: 'binary' })
  const list = paths['/call-sessions'].get.parameters.find((parameter: { name: string }) => parameter.name === 'remoteNumberList')
  t.equal(list.schema, undefined)
  t.equal(list.content['application/json'].schema.type, 'array', 'JSON in a query is declared as JSON')
})

// ---------------------------------------------------------------------------------------------------------------- downloads

t.test('downloads', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin)
  const get = (url: string, headers: Record<string, string> = {}, method = 'GET') =>
    service.app.inject({ method: method as 'GET', url, headers: { authorization: `Bearer ${service.key}`, ...headers } })
  const serve =
    (bytes: Buffer, headers: Record<string, string | number>): Behaviour =>
    response =>
      response.writeHead(200, headers).end(bytes)

  await t.test('bytes, type, length and name', async t => {
    upstream.behave(
      serve(everyByte, {
        'content-type': 'application/pdf',
        'content-length': everyByte.length,
        'content-disposition': 'attachment; filename="a b;c.pdf"',
        'set-cookie': 'a=b'
      })
    )
    const answer = await get('/invoices/7/content')
    t.equal(answer.statusCode, 200)
    t.ok(answer.rawPayload.equals(everyByte))
    t.match(answer.headers, {
      'content-type': 'application/pdf',
      'content-length': String(everyByte.length),
      'content-disposition': 'attachment; filename="a b;c.pdf"'
    })
    t.equal(answer.headers['set-cookie'], undefined)
    t.equal(upstream.last().body().toString(), 'cmd=DownloadInvoice&invoice_id=7')

    upstream.behave(serve(Buffer.from('x'), {}))
    t.match((await get('/invoices/7/content')).headers, {
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename="invoice-7.pdf"'
    })
    upstream.behave(serve(Buffer.from('<html>'), { 'content-type': 'text/html', 'content-disposition': 'inline; filename=a.html' }))
    t.match((await get('/invoices/7/content')).headers, {
      'content-disposition': 'attachment; filename=a.html',
      'x-content-type-options': 'nosniff'
    })
    for (const [sent, got] of [
      [
        Buffer.from('inline; filename="Счёт \\"1\\".pdf"').toString('latin1'),
        `attachment; filename="____ _1_.pdf"; filename*=UTF-8''%D0%A1%D1%87%D1%91%D1%82%20%221%22.pdf`
      ],
      ['attachment; filename=r\u00e9.pdf', `attachment; filename="r_.pdf"; filename*=UTF-8''r%C3%A9.pdf`],
      ['attachment; foo=\u00e9', `attachment; filename="invoice-7.pdf"; filename*=UTF-8''invoice-7.pdf`]
    ] as const) {
      upstream.behave(({ socket }) => {
        socket!.end(
          Buffer.from(`HTTP/1.1 200 OK\r\nContent-Disposition: ${sent}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`, 'latin1')
        )
      })
      t.equal((await get('/invoices/7/content')).headers['content-disposition'], got)
    }
    upstream.behave(serve(Buffer.alloc(0), { 'content-type': 'text/csv' }))
    t.equal((await get('/history-reports/7/content')).body, '', 'a file of nothing')
    upstream.behave(serve(everyByte, { 'content-type': 'application/pdf', 'content-length': everyByte.length }))
    const head = await get('/invoices/7/content', {}, 'HEAD')
    t.equal(head.statusCode, 200)
    t.equal(head.headers['content-length'], String(everyByte.length))
    t.equal(head.rawPayload.length, 0)
  })

  await t.test('gzip is passed on', async t => {
    const zipped = gzipSync(everyByte)
    upstream.behave(serve(zipped, { 'content-type': 'text/csv', 'content-encoding': 'gzip', 'content-length': zipped.length }))
    const answer = await get('/history-reports/7/content', { 'accept-encoding': 'gzip, br' })
    t.equal(answer.headers['content-encoding'], 'gzip')
    t.equal(answer.headers['content-length'], String(zipped.length))
    t.ok(answer.rawPayload.equals(zipped))
    t.equal(upstream.last().headers['accept-encoding'], 'gzip, br')
    const read = await fetch(`${service.address}/history-reports/7/content`, { headers: { authorization: `Bearer ${service.key}` } })
    t.ok(Buffer.from(await read.arrayBuffer()).equals(everyByte), 'a client that can unpack it does')
  })

  await t.test('errors', async t => {
    const error = (code: number) => JSON.stringify({ error: { code, msg: 'no' } })
    for (const [what, url, body, headers, status, code] of [
      ['none such', '/history-reports/7/content', error(355), { 'content-type': 'application/json' }, 404, 'not-found'],
      [
        'not ready',
        '/history-reports/7/content',
        error(356),
        { 'content-type': 'application/json; charset=utf-8' },
        409,
        'report-not-ready'
      ],
      ['no type', '/invoices/7/content', `\n ${error(461)}`, {}, 404, 'not-found'],
      ['another type', '/invoices/7/content', error(461), { 'content-type': 'text/html' }, 404, 'not-found'],
      [
        'packed',
        '/invoices/7/content',
        gzipSync(error(461)),
        { 'content-type': 'application/json', 'content-encoding': 'gzip' },
        404,
        'not-found'
      ],
      ['credentials', '/invoices/7/content', error(100), { 'content-type': 'application/json' }, 424, 'upstream-credentials-rejected']
    ] as [string, string, string | Buffer, Record<string, string>, number, string][]) {
      upstream.behave(serve(Buffer.from(body as string), headers))
      const answer = await get(url)
      t.equal(answer.statusCode, status, what)
      t.equal(answer.json().code, code, what)
      t.match(answer.headers['content-type'], /^application\/problem\+json/, what)
      t.equal(answer.headers['content-disposition'], undefined, what)
      t.equal(answer.headers['content-encoding'], undefined, what)
    }
    for (const [status, expected, code] of [
      [500, 502, 'upstream-fault'],
      [404, 502, 'upstream-answer-invalid'],
      [302, 502, 'upstream-answer-invalid'],
      [429, 429, 'rate-limited'],
      [503, 503, 'upstream-unavailable']
    ] as const) {
      upstream.behave(response => response.writeHead(status, { location: '/' }).end('x'.repeat(200_000)))
      const answer = await get('/invoices/7/content')
      t.equal(answer.statusCode, expected, `HTTP ${status}`)
      t.equal(answer.json().code, code)
    }
    for (const text of ['{not json', '{"a":1}', JSON.stringify({ error: 'x'.repeat(100_000) })]) {
      upstream.behave(serve(Buffer.from(text), { 'content-type': 'text/csv' }))
      const answer = await get('/history-reports/7/content')
      t.equal(answer.statusCode, 200, 'a file that begins as an error does')
      t.equal(answer.body, text)
    }
  })

  await t.test('a file that breaks off', async t => {
    upstream.behave((response, { socket }) => {
      response.writeHead(200, { 'content-type': 'text/csv', 'content-length': 1_000_000 }).write('a'.repeat(1000))
      setTimeout(() => socket.destroy(), 50)
    })
    const answer = await fetch(`${service.address}/history-reports/7/content`, { headers: { authorization: `Bearer ${service.key}` } })
    t.equal(answer.status, 200)
    await t.rejects(answer.arrayBuffer(), 'the caller sees that it is not whole')
    upstream.behave((_, { socket }) => socket.resetAndDestroy())
    t.equal((await get('/history-reports/7/content')).statusCode, 502)
  })

  await t.test('a caller who leaves', async t => {
    let sent = 0
    upstream.behave(response => {
      response.writeHead(200, { 'content-type': 'text/csv' })
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'a'))) sent += 65_536
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    const leaving = new AbortController()
    const answer = await fetch(`${service.address}/history-reports/7/content`, {
      headers: { authorization: `Bearer ${service.key}` },
      signal: leaving.signal
    })
    await answer.body!.getReader().read()
    await sleep(300)
    const before = sent
    await sleep(200)
    t.equal(sent, before, 'what nobody takes is not fetched')
    t.ok(sent < 40_000_000, 'nor kept')
    leaving.abort()
    t.ok(await until(() => upstream.last().socket.destroyed), "the upstream's connection is closed")

    upstream.behave(() => {})
    const waiting = new AbortController()
    const asked = fetch(`${service.address}/history-reports/7/content`, {
      headers: { authorization: `Bearer ${service.key}` },
      signal: waiting.signal
    })
    const count = upstream.taken.length
    t.ok(await until(() => upstream.taken.length > count))
    waiting.abort()
    await t.rejects(asked)
    t.ok(await until(() => upstream.last().socket.destroyed), 'also while nothing has come yet')
  })
})

t.test('how long a download may take', async t => {
  const upstream = await startUpstream(t)
  const service = await start(t, upstream.origin, { UPSTREAM_DOWNLOAD_TIMEOUT: '1000' })
  const get = () => fetch(`${service.address}/history-reports/7/content`, { headers: { authorization: `Bearer ${service.key}` } })

  upstream.behave(() => {})
  const silent = await get()
  t.equal(silent.status, 504)
  t.equal(((await silent.json()) as { code: string }).code, 'upstream-timeout')

  upstream.behave(response => {
    response.writeHead(200, { 'content-type': 'text/csv' })
    const timer = setInterval(() => response.write('drip\n'), 100)
    response.on('close', () => clearInterval(timer))
  })
  const drip = await get()
  t.equal(drip.status, 200)
  await t.rejects(drip.text(), 'an upstream that drips')
  t.ok(await until(() => upstream.last().socket.destroyed))

  const size = 20_000_000
  upstream.behave(response => response.writeHead(200, { 'content-type': 'text/csv', 'content-length': size }).end(Buffer.alloc(size, 'a')))
  const { port } = new URL(service.address)
  const caller = connect(Number(port), '127.0.0.1')
  caller.write(`GET /history-reports/7/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${service.key}\r\nConnection: close\r\n\r\n`)
  let got = 0
  caller.on('data', chunk => {
    got += chunk.length
    // Takes twice as long as the upstream may, which is through in a tenth of it.
    caller.pause()
    setTimeout(() => caller.resume(), 6)
  })
  const began = Date.now()
  await once(caller, 'close')
  t.ok(got > size, 'a slow caller gets all of it')
  t.ok(Date.now() - began > 1_100, 'and was slow')
})

t.test('a report from its order to its file', async t => {
  const service = await start(t, undefined, {}, true)
  const ordered = await service.call('POST', '/history-reports/calls', { fromDate: '2026-01-01T00:00:00Z', toDate: '2026-02-01T00:00:00Z' })
  t.equal(ordered.status, 202)
  const location = String(ordered.headers.location)
  t.equal(location, `/history-reports/${ordered.body.historyReportId}`)
  const pending = await service.call('GET', location)
  t.equal(pending.body.completed, undefined)
  t.match(pending.headers['retry-after'], /^\d+$/)
  t.equal((await service.call('GET', `${location}/content`)).body.code, 'report-not-ready')
  let report = pending
  while (report.headers['retry-after'] !== undefined) {
    await sleep(Number(report.headers['retry-after']) * 1000)
    report = await service.call('GET', location)
  }
  t.match(report.body.completed, /Z$/)
  const content = await service.app.inject({ url: `${location}/content`, headers: { authorization: `Bearer ${service.key}` } })
  t.equal(content.headers['content-encoding'], 'gzip')
  const text = gunzipSync(content.rawPayload).toString()
  t.equal(text.trim().split('\r\n').length, report.body.calculatedData.sessionCount + 1)
  t.equal(Buffer.byteLength(text), report.body.fileSize)
  t.equal(content.rawPayload.length, report.body.downloadSize)
  t.match(content.headers['content-disposition'], report.body.fileName)
  t.equal((await service.call('GET', location)).body.downloadCount, 1)
})
