import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { textOf } from '../../src/voximplant/encoding.ts'
import { startStub } from '../stub.ts'
import { type Service, startService } from '../support.ts'

/** An upstream, or something in front of it, that compresses although it is asked not to. */

const users = JSON.stringify({ result: [{ user_id: 1, user_name: 'ada' }], total_count: 1 })
const made = JSON.stringify({ result: 1, user_id: 7 })
const encodings: Record<string, (text: string) => Buffer> = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  deflate: deflateSync,
  'deflate ': deflateRawSync,
  br: brotliCompressSync,
  'GZIP, br': text => brotliCompressSync(gzipSync(text))
}
const newUser = { userName: 'ada-2', userDisplayName: 'Ada', userPassword: 'Analytic4l-Engine' }
const csv = { method: 'POST', url: '/call-lists?ruleId=1&priority=1&maxSimultaneous=1&numAttempts=1&name=x', body: 'phone\n1\n' }

async function encoding(test: Test, act: (form: URLSearchParams) => { encoding?: string; body: Buffer | string; status?: number }) {
  const asked: (string | undefined)[] = []
  const stub = await startStub(test, ({ form, request, response }) => {
    asked.push(request.headers['accept-encoding'] as string | undefined)
    const { encoding, body, status = 200 } = act(form)
    response.writeHead(status, { 'content-type': 'application/json', ...(encoding ? { 'content-encoding': encoding } : {}) }).end(body)
  })
  const service: Service = await startService({ origin: stub.origin, env: { UPSTREAM_MAX_RESPONSE_SIZE: '100000' } })
  test.teardown(() => service.close())
  return { service, asked }
}

t.test('compressed responses are read as well as others, to forms and to files', async t => {
  let now = 'gzip'
  const { service, asked } = await encoding(t, form => {
    const text =
      form.get('cmd') === 'GetUsers' ? users : form.get('cmd') === 'AddUser' ? made : JSON.stringify({ result: true, list_id: 9, count: 1 })
    return { encoding: now, body: encodings[now]!(text) }
  })
  for (now of Object.keys(encodings)) {
    t.strictSame((await service.call('GET', '/applications/1/users')).body.items, [{ userId: 1, userName: 'ada' }], `${now}, a read`)
    const change = await service.call('POST', '/applications/1/users', newUser)
    t.strictSame([change.status, change.body], [201, { userId: 7 }], `${now}, a change`)
    const upload = await service.call(csv.method, csv.url, csv.body, { headers: { 'content-type': 'text/csv' } })
    t.equal(upload.status, 201, `${now}, a file: ${upload.text}`)
  }
  t.strictSame([...new Set(asked)], ['identity'], 'although none is asked for')
})

t.test('of a broken or unknown encoding a read says so, and the outcome of a change is unknown', async t => {
  const whole = gzipSync(users)
  const broken: [string, Buffer][] = [
    ['gzip', whole.subarray(0, whole.length - 9)],
    ['gzip', Buffer.from(users)],
    ['br', Buffer.from(users)],
    ['deflate', Buffer.from(users)],
    ['compress', Buffer.from(users)],
    ['gzip, gzip, gzip', gzipSync(gzipSync(whole))],
    ['gzip', Buffer.alloc(0)]
  ]
  let now = broken[0]!
  const { service } = await encoding(t, () => ({ encoding: now[0], body: now[1] }))
  for (now of broken) {
    const read = await service.call('GET', '/applications/1/users')
    t.strictSame([read.status, read.body.code], [502, 'upstream-answer-invalid'], `${now[0]}, a read`)
    const change = await service.call('POST', '/applications/1/users', newUser)
    t.strictSame([change.status, change.body.code], [504, 'outcome-unknown'], `${now[0]}, a change`)
  }
})

t.test('what decompresses to more than is read is not decompressed', async t => {
  const bomb = (pack: (text: string) => Buffer) => pack(JSON.stringify({ result: [], filler: 'x'.repeat(50_000_000) }))
  const bombs: [string, Buffer][] = [
    ['gzip', bomb(gzipSync)],
    ['br', bomb(brotliCompressSync)],
    ['deflate', bomb(deflateSync)]
  ]
  for (const [name, body] of bombs) {
    t.ok(body.length < 100_000, `${name}: ${body.length} bytes`)
    t.equal(textOf(body, name, 100_000), '')
  }
  const { service } = await encoding(t, () => ({ encoding: 'gzip', body: bombs[0]![1] }))
  const read = await service.call('GET', '/applications/1/users')
  t.strictSame([read.status, read.body.code], [502, 'upstream-answer-invalid'])
})

t.test('an error of the API is understood compressed too, also where a file was asked for', async t => {
  const error = brotliCompressSync(JSON.stringify({ error: { code: 116, msg: 'No application.' } }))
  const { service } = await encoding(t, () => ({ encoding: 'br', body: error }))
  for (const url of ['/applications/1/users', '/invoices/1/content'])
    t.equal((await service.call('GET', url)).body.upstream?.code, 116, url)
})
