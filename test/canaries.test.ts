import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { operations } from '../src/app.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import { onEveryDatabase, type TestDatabase } from './databases.ts'
import { allScopes, createCredential, sandboxAccount } from './support.ts'

/**
 * Secrets that must never be met again: planted where they belong, then looked for in everything the service says, logs and stores. The service
 * is a process of its own, as in production; tenants are made with the command line and the admin API.
 */

interface Secret {
  name: string
  bytes: Buffer
}

/** A secret in every spelling in which it could turn up. Needles are short enough to be found across line breaks of PEM and base64. */
function spellingsOf({ name, bytes }: Secret): { spelling: string; needle: Buffer }[] {
  const text = bytes.toString('latin1')
  const found: [string, string | Buffer][] = [
    ['raw', bytes],
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ['URL', encodeURIComponent(text)],
    ['form', new URLSearchParams([['', text]]).toString().slice(1)],
    ['JSON', JSON.stringify(text).slice(1, -1)],
    ['JSON twice', JSON.stringify(JSON.stringify(text)).slice(3, -3)]
  ]
  // Base64 of a text that holds the secret somewhere: at each of three places among the groups of three bytes, without the edges.
  for (const shift of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const inner = encoded.slice(shift === 0 ? 0 : 4, Math.floor((bytes.length + shift) / 3) * 4)
    found.push([`base64 +${shift}`, inner], [`base64url +${shift}`, inner.replaceAll('+', '-').replaceAll('/', '_')])
  }
  return found.map(([spelling, needle]) => ({ spelling: `${name}, ${spelling}`, needle: Buffer.from(needle as string) }))
}

/** Where which secrets stand in a text. */
function findIn(where: string, hay: Buffer, secrets: readonly Secret[]): string[] {
  return secrets.flatMap(secret =>
    spellingsOf(secret)
      .filter(({ needle }) => hay.includes(needle))
      .map(({ spelling }) => `${where}: ${spelling}`)
  )
}

const random = (label: string) => `${label}-${randomBytes(12).toString('hex')}`

t.test('the scanner finds what is planted', async t => {
  const pem = createCredential(1).privateKey
  const secrets: Secret[] = [
    { name: 'password', bytes: Buffer.from(`Canary "${random('pw')}" &/ü!`) },
    { name: 'key', bytes: randomBytes(32) },
    ...pemSecrets('pem', pem)
  ]
  let planted = 0
  let missed = 0
  const noise = randomBytes(1000)
  for (const secret of secrets) {
    for (const { needle } of spellingsOf(secret)) {
      planted++
      if (findIn('hay', Buffer.concat([noise, needle, noise]), [secret]).length === 0) missed++
    }
    for (const lead of [0, 1, 2, 3]) {
      planted++
      const whole = Buffer.concat([randomBytes(lead), secret.bytes, randomBytes(5)])
      if (findIn('hay', Buffer.from(whole.toString('base64')), [secret]).length === 0) missed++
    }
  }
  const whole = pemSecrets('pem', pem)
  for (const text of [pem, JSON.stringify({ pem }), encodeURIComponent(pem), Buffer.from(pem).toString('base64')]) {
    planted++
    if (findIn('hay', Buffer.from(text), whole).length === 0) missed++
  }
  t.equal(missed, 0)
  t.strictSame(findIn('hay', noise, secrets), [], 'and nothing where nothing is')
  t.comment(`${planted} planted, ${missed} missed`)
})

/** A private key as it could turn up: a line of its PEM, and the bytes behind it. */
function pemSecrets(name: string, pem: string): Secret[] {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  // The part behind the modulus, which is public.
  return [
    { name: `${name}, a line`, bytes: Buffer.from(pem.split('\n')[12]!) },
    { name: `${name}, bytes`, bytes: der.subarray(700, 748) }
  ]
}

const starter = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const run = promisify(execFile)

/** How the upstream behaves just now. */
type Mood = 'well' | 'fault' | 'break' | 'garbage' | 'echo'

async function plant(t: Test, database: TestDatabase): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-canaries-'))
  const DATA_DIR = database.env.DATA_DIR ?? join(dir, 'data')
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))

  const keyed = createCredential(700_001)
  const legacy = { accountId: 700_002, apiKey: random('canary-api-key') }
  const masterKey = randomBytes(32)
  const adminToken = randomBytes(24).toString('hex')
  const metricsToken = randomBytes(24).toString('hex')
  const password = `Canary-${randomBytes(9).toString('hex')}!1`
  const weak = `canary-weak-${randomBytes(9).toString('hex')}`
  const value = random('canary-secret-value')
  const secrets: Secret[] = [
    ...pemSecrets('private key', keyed.privateKey),
    ...Object.entries({
      api_key: legacy.apiKey,
      'admin token': adminToken,
      'metrics token': metricsToken,
      password,
      'refused password': weak,
      'secret value': value
    }).map(([name, text]) => ({ name, bytes: Buffer.from(text) })),
    { name: 'master key', bytes: masterKey },
    { name: 'master key as given', bytes: Buffer.from(masterKey.toString('base64')) }
  ]

  // The upstream keeps the tokens it sees: they are secrets too.
  let mood: Mood = 'well'
  const tokens = new Set<string>()
  const sandbox = await buildSandbox({
    operations,
    accounts: [sandboxAccount(keyed), { accountId: legacy.accountId, name: 'legacy', keys: {}, apiKey: legacy.apiKey }],
    demo: true
  })
  sandbox.addHook('onRequest', async request => {
    const token = request.headers.authorization?.slice('Bearer '.length)
    if (token) tokens.add(token)
  })
  sandbox.addHook('preHandler', async (request, reply) => {
    if (mood === 'well') return
    if (mood === 'break') return void request.raw.socket.destroy()
    if (mood === 'fault') return reply.code(500).send(`{"error": "${request.headers.authorization}`)
    if (mood === 'garbage') return reply.code(200).send(`<html>${request.headers.authorization} ${request.body}`)
    // An upstream that echoes everything it receives.
    return reply.code(200).send({ error: { code: 100, msg: `no: ${request.headers.authorization} ${request.body}` } })
  })
  const origin = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())

  const env = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    DATA_DIR,
    ...database.env,
    MASTER_KEY: masterKey.toString('base64'),
    ADMIN_TOKEN: `canary:${adminToken}`,
    METRICS_TOKEN: metricsToken,
    VOXIMPLANT_API: origin,
    LOG_LEVEL: 'trace',
    PORT: '0',
    UPSTREAM_RETRY_BASE_DELAY: '1',
    BREAKER_FAILURE_THRESHOLD: '1000000'
  }
  /** Everything the service and its command line say. */
  const said: [string, Buffer][] = []
  const voxgate = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await run(process.execPath, [starter, 'src/cli/main.ts', ...args], { env }).catch(
      error => error as { stdout: string; stderr: string }
    )
    said.push([`voxgate ${args.slice(0, 2).join(' ')}`, Buffer.from(`${args[0] === 'keys' ? '' : stdout}\n${stderr}`)])
    return stdout
  }
  const fileOf = (name: string, content: string) => {
    const path = join(dir, name)
    writeFileSync(path, content)
    return path
  }
  const credentials = (pem: string) => JSON.stringify({ account_id: keyed.accountId, key_id: keyed.keyId, private_key: pem })
  await voxgate('tenants', 'create', 'keyed', '--name', 'Keyed', '--account', String(keyed.accountId))
  await voxgate('tenants', 'create', 'legacy', '--name', 'Legacy', '--account', String(legacy.accountId))
  await voxgate('credentials', 'put', 'keyed', '--file', fileOf('short.json', credentials(keyed.privateKey).slice(0, -40)))
  await voxgate('credentials', 'put', 'keyed', '--file', fileOf('broken.json', credentials(keyed.privateKey.replace(/.$/m, '!'))))
  await voxgate('credentials', 'put', 'legacy', '--file', fileOf('other.json', credentials(keyed.privateKey)))
  await voxgate('credentials', 'put', 'keyed', '--file', fileOf('credentials.json', credentials(keyed.privateKey)))
  await voxgate('credentials', 'put', 'legacy', '--file', fileOf('legacy.json', JSON.stringify(legacy)))
  const keys: string[] = []
  for (const tenant of ['keyed', 'legacy']) {
    const scopes = allScopes.flatMap(scope => ['--scope', scope])
    keys.push((await voxgate('keys', 'create', tenant, '--name', 'canary', ...scopes)).trim().split('\n')[0]!)
  }
  for (const key of keys) secrets.push({ name: 'API key', bytes: Buffer.from(key.split('_')[2]!) })

  const child: ChildProcess = spawn(process.execPath, [starter, 'src/server.ts'], { env })
  t.teardown(() => child.kill('SIGKILL'))
  const log: Buffer[] = []
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => log.push(chunk))
  const output = () => Buffer.concat(log)
  let address = ''

  while (!address) {
    if (child.exitCode !== null) throw new Error(output().toString())
    await new Promise(resolve => setTimeout(resolve, 25))
    address = /is running: (http:\/\/localhost:\d+)/.exec(output().toString())?.[1] ?? ''
  }

  const statuses = new Map<number, number>()
  /** A call; what is answered is kept, unless it is an answer that holds the secret on purpose. */
  const call = async (method: string, path: string, { key = keys[0]!, body, raw, headers = {} }: CallOptions = {}): Promise<Response> => {
    const answer = await fetch(`${address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined && raw === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'POST' ? { 'idempotency-key': random('idem') } : {}),
        ...headers
      },
      ...(body === undefined && raw === undefined ? {} : { body: raw ?? JSON.stringify(body) })
    })
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    const text = await answer.clone().text()
    if (answer.status >= 400 || !path.startsWith('/secret'))
      said.push([`${method} ${path.split('?')[0]} ${mood}`, Buffer.from(`${text}\n${JSON.stringify([...answer.headers])}`)])
    return answer
  }

  const user = (userPassword: string) => ({ userName: `u${randomBytes(4).toString('hex')}`, userDisplayName: 'Canary', userPassword })
  for (mood of ['well', 'fault', 'garbage', 'echo', 'break'] as const) {
    for (const key of keys) {
      await call('POST', '/applications/1/users', { key, body: user(password) })
      await call('POST', '/applications/1/users', { key, body: user(weak) })
      await call('POST', '/applications/1/users', { key, body: { ...user(password), surplus: value } })
      await call('POST', '/applications/1/users', { key, body: { ...user(password), userActive: value } })
      await call('POST', '/applications/1/users', { key, raw: JSON.stringify(user(password)).slice(0, -1) })
      await call('POST', '/applications/1/secrets', { key, body: { secretName: `C${randomBytes(4).toString('hex')}`, secretValue: value } })
      await call('PATCH', '/applications/1/users/~ada', { key, body: { userPassword: password } })
      await call('GET', `/applications/1/users?userPassword=${password}`, { key })
      await call('GET', '/applications/1/users', { key })
      await call('GET', '/account', { key })
      await call('GET', '/applications/987654321', { key })
      await call('POST', '/admin-users', { key, body: { adminUserName: 'canary', adminUserDisplayName: 'C', adminUserPassword: password } })
      await call('POST', '/conferences', { key, body: { conferenceName: 'canary', ruleId: 1, scriptCustomData: 'x' } })
      await call('POST', '/applications', { key, raw: `{"applicationName": "${value}` })
      await call('GET', '/applications', { key: `${key}x` })
      await call('GET', '/applications', { key, headers: { authorization: `Basic ${key}` } })
      await call('GET', '/applications/1/%zz', { key })
    }
  }
  const admin = { authorization: `Bearer ${adminToken}` }
  for (mood of ['fault', 'garbage', 'echo', 'break', 'well'] as const) {
    await call('PUT', '/admin/tenants/legacy/credentials', { headers: admin, body: { ...legacy, apiKey: `${legacy.apiKey}x` } })
    await call('PUT', '/admin/tenants/keyed/credentials', {
      headers: admin,
      body: { account_id: keyed.accountId, key_id: 'wrong', private_key: keyed.privateKey }
    })
  }
  for (const path of [
    '/admin/tenants',
    '/admin/tenants/keyed',
    '/admin/tenants/keyed/credentials',
    '/admin/tenants/keyed/keys',
    '/admin/audit-log?limit=200'
  ])
    t.equal((await call('GET', path, { headers: admin })).status, 200, path)
  await call('GET', '/admin/tenants')
  await call('GET', '/admin/tenants', { headers: { authorization: `Bearer ${adminToken}x` } })
  const metrics = await call('GET', '/metrics', { headers: { authorization: `Bearer ${metricsToken}` } })
  t.match(await metrics.text(), /voxgate_requests|voxgate_http/, 'metrics were looked at')
  for (const path of ['/openapi.json', '/docs', '/metrics', '/health/ready', '/problems']) await call('GET', path)
  await voxgate('tenants', 'list')
  await voxgate('audit', 'list')

  child.kill('SIGTERM')
  await once(child, 'exit')
  said.push(['the log', output()])
  said.push(['the database', Buffer.from(await database.dump(), 'latin1')])
  const files = readdirSync(DATA_DIR, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  for (const file of files) said.push([`file ${file.name}`, readFileSync(join(file.parentPath, file.name))])

  for (const token of tokens) secrets.push({ name: 'token', bytes: Buffer.from(token.split('.')[2]!.slice(0, 60)) })
  t.ok(tokens.size > 0, 'the upstream has seen tokens')
  t.ok(output().includes('/applications/:applicationId/users'), 'the log is there')
  t.ok(
    said.some(([where, text]) => where === 'the database' && text.includes('keyed')),
    'the dump is of the right database'
  )
  for (const status of [200, 201, 400, 401, 404, 424, 502, 504]) t.ok(statuses.has(status), `answers of status ${status} were looked at`)
  const found = said.flatMap(([where, text]) => findIn(where, text, secrets))
  t.strictSame([...new Set(found)], [])
  const bytes = said.reduce((sum, [, text]) => sum + text.length, 0)
  t.comment(
    `${secrets.length} secrets in ${spellingsOf(secrets[0]!).length} spellings, ${said.length} places of ${bytes} bytes, ${found.length} found; statuses ${JSON.stringify(Object.fromEntries(statuses))}`
  )
}

interface CallOptions {
  key?: string
  body?: unknown
  raw?: string
  headers?: Record<string, string>
}

onEveryDatabase(t, 'nothing secret in what is said, logged and stored', plant)
