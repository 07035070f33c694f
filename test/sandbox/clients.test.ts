import { createPublicKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { operations } from '../../src/app.ts'
import { buildSandbox } from '../../src/sandbox/server.ts'
import { createCredential } from '../support.ts'

/** The requests of the vendor's clients, byte for byte as their public sources write them, against the sandbox. */

const credential = createCredential(7)

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const bearer = (header: object, claims: object): string => {
  const body = `${part(header)}.${part(claims)}`
  return `Bearer ${body}.${sign('sha256', Buffer.from(body), credential.privateKey).toString('base64url')}`
}
const now = () => Math.floor(Date.now() / 1000)
const { keyId: kid } = credential

/** A client: how it writes a call with these parameters, a file among them or not. */
type Client = (method: string, params: Record<string, unknown>, file?: { name: string; bytes: Buffer }) => Buffer

const request = (line: string, headers: string[], body: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`${[line, 'Host: sandbox', ...headers, `Content-Length: ${body.length}`, 'Connection: close'].join('\r\n')}\r\n\r\n`),
    body
  ])

const joined = (value: unknown): string => (Array.isArray(value) ? value.join(';') : String(value))

const capitalized = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'True' : 'False') : joined(value))

/** requests.post(data=...): a urlencoded form with the method in it; booleans as Python writes them. */
const python: Client = (method, params, file) => {
  const form = new URLSearchParams({
    ...Object.fromEntries(Object.entries(params).map(([name, value]) => [name, capitalized(value)])),
    ...(file ? { [file.name]: file.bytes.toString() } : {}),
    cmd: method
  })
  const token = bearer({ alg: 'RS256', typ: 'JWT', kid }, { iss: 7, iat: now() - 5, exp: now() + 24 })
  const headers = [
    `Authorization: ${token}`,
    'Content-Type: application/x-www-form-urlencoded',
    'Accept-Encoding: gzip, deflate',
    'Accept: */*'
  ]
  return request('POST /platform_api HTTP/1.1', headers, Buffer.from(form.toString()))
}

/** mime/multipart: CreateFormField for files too, so without a file name or a type. */
const go: Client = (method, params, file) => {
  const parts = Object.entries(params).map(
    ([name, value]) => `--b0\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${joined(value)}\r\n`
  )
  const body = Buffer.concat([
    Buffer.from(parts.join('')),
    ...(file ? [Buffer.from(`--b0\r\nContent-Disposition: form-data; name="${file.name}"\r\n\r\n`), file.bytes, Buffer.from('\r\n')] : []),
    Buffer.from('--b0--\r\n')
  ])
  const token = bearer({ alg: 'RS256', kid, typ: 'JWT' }, { exp: now() + 30, iat: now(), iss: 7 })
  return request(
    `POST /platform_api/${method} HTTP/1.1`,
    [`Authorization: ${token}`, 'Content-Type: multipart/form-data; boundary=b0'],
    body
  )
}

/** A form written by hand: with a file it is a chunked PUT that waits for 100-continue and lacks the line break before its end. */
const php: Client = (method, params, file) => {
  const boundary = '-------------6745'
  const text = (value: unknown) => (typeof value === 'boolean' ? (value ? '1' : '') : joined(value))
  const fields = Object.entries(params)
    .map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${text(value)}\r\n`)
    .join('')
  const token = bearer({ typ: 'JWT', alg: 'RS256', kid }, { iat: now(), iss: 7, exp: now() + 60 })
  const headers = [`Content-Type: multipart/form-data; boundary=${boundary}`, `Authorization: ${token}`]
  if (!file) return request(`POST /platform_api/${method} HTTP/1.1`, headers, Buffer.from(`${fields}--${boundary}--\r\n`))
  const chunk = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${file.name}"; filename="stream"\r\nContent-Type: application/octet-stream\r\n\r\n`
  const lines = [`PUT /platform_api/${method} HTTP/1.1`, 'Host: sandbox', ...headers, 'Transfer-Encoding: chunked', 'Expect: 100-continue']
  return Buffer.concat([
    Buffer.from(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`),
    chunk(Buffer.from(fields + head)),
    chunk(file.bytes),
    chunk(Buffer.from(`--${boundary}--\r\n`)),
    Buffer.from('0\r\n\r\n')
  ])
}

/** MultipartEntityBuilder: every part with a type and an encoding, files without a file name; `iss` is text, account_id is sent as well. */
const java: Client = (method, params, file) => {
  const parts = Object.entries({ account_id: 7, ...params }).map(
    ([name, value]) =>
      `--J-b_0\r\nContent-Disposition: form-data; name="${name}"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${joined(value)}\r\n`
  )
  const head = `--J-b_0\r\nContent-Disposition: form-data; name="${file?.name}"\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n`
  const body = Buffer.concat([
    Buffer.from(parts.join('')),
    ...(file ? [Buffer.from(head), file.bytes, Buffer.from('\r\n')] : []),
    Buffer.from('--J-b_0--\r\n')
  ])
  const token = bearer({ kid, alg: 'RS256' }, { iss: '7', iat: now() - 5, exp: now() + 300 })
  return request(
    `POST /platform_api/${method} HTTP/1.1`,
    [`Authorization: ${token}`, 'Content-Type: multipart/form-data; boundary=J-b_0'],
    body
  )
}

/** MultipartFormDataContent: a boundary in quotes, names without them, `cmd` beside the method in the path; `iss` is text, booleans are 1 and 0. */
const dotnet: Client = (method, params, file) => {
  const text = (value: unknown) => (typeof value === 'boolean' ? (value ? '1' : '0') : joined(value))
  const parts = Object.entries({ ...params, cmd: method }).map(
    ([name, value]) =>
      `--d-0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=${name}\r\n\r\n${text(value)}\r\n`
  )
  const body = Buffer.concat([
    Buffer.from(parts.join('')),
    ...(file ? [Buffer.from(`--d-0\r\nContent-Disposition: form-data; name=${file.name}\r\n\r\n`), file.bytes, Buffer.from('\r\n')] : []),
    Buffer.from('--d-0--\r\n')
  ])
  const token = bearer({ alg: 'RS256', kid, typ: 'JWT' }, { nbf: now(), exp: now() + 3600, iat: now(), iss: '7' })
  return request(
    `POST /platform_api/${method} HTTP/1.1`,
    [`Authorization: ${token}`, 'Content-Type: multipart/form-data; boundary="d-0"'],
    body
  )
}

const clients: Record<string, Client> = { python, go, php, java, dotnet }

async function start(t: Test) {
  const key = createPublicKey(credential.privateKey)
  const sandbox = await buildSandbox({ operations, accounts: [{ accountId: 7, name: 'acme', keys: { [kid]: key } }], demo: true })
  t.teardown(() => sandbox.close())
  await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const { port } = sandbox.server.address() as { port: number }
  // biome-ignore lint/suspicious/noExplicitAny: tests look into responses freely
  const ask = async (bytes: Buffer): Promise<any> => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.write(bytes)
    await once(socket, 'close')
    const text = Buffer.concat(chunks).toString().replace('HTTP/1.1 100 Continue\r\n\r\n', '')
    t.match(text, /^HTTP\/1\.1 200 /)
    return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4))
  }
  return { sandbox, ask }
}

const csv = Buffer.from('phone;name;__task_uuid\n14155550101;Ада;order-1\n14155550102;Bob;order-2\n')

for (const [name, client] of Object.entries(clients)) {
  t.test(`understands a list that the ${name} client asks for, with flags and several ids`, async t => {
    const { ask, sandbox } = await start(t)
    const response = await ask(client('GetUsers', { application_id: 1, with_skills: true, count: 2, order_by: 'user_name' }))
    t.match(response, { count: 2, result: [{ user_id: Number, skills: [] }, { user_id: Number }] })
    t.match(sandbox.sandbox.seen.at(-1), { accountId: 7, method: 'GetUsers' })
    t.match(await ask(client('GetUsers', { application_id: 1, with_skills: false })), { result: [{ skills: undefined }] })
    t.match(await ask(client('DelUser', { application_id: 1, user_id: [1001, 1002] })), { result: 1 })
  })

  t.test(`understands what the ${name} client creates`, async t => {
    const { ask } = await start(t)
    const user = { application_id: 1, user_name: 'margaret', user_display_name: 'Margaret', user_password: 'Passw0rd!', user_active: true }
    const { user_id } = await ask(client('AddUser', user))
    t.match(await ask(client('GetUsers', { application_id: 1, user_id })), { result: [{ user_name: 'margaret', user_active: true }] })
  })

  t.test(`keeps every byte of a file that the ${name} client sends`, async t => {
    const { ask } = await start(t)
    const list = { rule_id: 1, priority: 1, max_simultaneous: 1, num_attempts: 2, name: 'Winter' }
    t.match(await ask(client('CreateCallList', list, { name: 'file_content', bytes: csv })), { result: true, count: 2, list_id: Number })
  })
}

t.test('answers the secret that was made as a list of one, as the reference types it', async t => {
  const { ask } = await start(t)
  const response = await ask(python('AddSecret', { application_id: 1, secret_name: 'TOKEN', secret_value: 'x' }))
  t.match(response, { result: [{ secret_id: Number }] })
  t.ok(Array.isArray(response.result))
})

t.test('reads an empty text as a parameter that was left out, as PHP writes false', async t => {
  const { ask } = await start(t)
  t.match(await ask(php('GetUsers', { application_id: 1, with_skills: false })), { result: [{ user_id: Number }] })
})

t.test('refuses a multipart body that ends in the middle of a part', async t => {
  const { sandbox } = await start(t)
  const response = await sandbox.inject({
    method: 'POST',
    url: '/platform_api/GetUsers',
    headers: { 'content-type': 'multipart/form-data; boundary=b0' },
    payload: '--b0\r\nContent-Disposition: form-data; name="application_id"\r\n\r\n1'
  })
  t.ok(response.json().error)
})
