import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Setting, settings } from '../src/config/settings.ts'

/** The service as a person starts it: its own process, an empty folder, the text it prints. */

const starter = fileURLToPath(new URL('../bin/run.js', import.meta.url))

interface Run {
  child: ChildProcess
  output(): string
  /** Waits until the output matches. */
  says(pattern: RegExp): Promise<RegExpMatchArray>
  /** Waits for the end: the exit status. */
  ended(): Promise<number | null>
}

function run(t: Test, env: Record<string, string>, file = 'src/server.ts'): Run {
  // The files' rights have to be right whatever the umask.
  const child = spawn('sh', ['-c', 'umask 0; exec "$0" "$@"', process.execPath, starter, file], {
    env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'warn', PORT: '0', ...env }
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += chunk
    })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(() => child.kill('SIGKILL'))
  return {
    child,
    output: () => output,
    ended: () => ended,
    async says(pattern) {
      for (;;) {
        const match = output.match(pattern)
        if (match) return match
        if (child.exitCode !== null) throw new Error(`it ended before it said ${pattern}:\n${output}`)
        await new Promise(resolve => setTimeout(resolve, 25))
      }
    }
  }
}

const folder = (t: Test): string => {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-start-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'data')
}

t.test('with no configuration it runs against the sandbox, twice', async t => {
  const DATA_DIR = folder(t)
  const first = run(t, { DATA_DIR })
  const [, docs = '', key = ''] = await first.says(/Swagger UI\s+(\S+)\s+API key\s+(\S+)/)
  const [, auth = '', url = ''] = await first.says(/curl -H '([^']+)' (\S+)/)
  t.match(first.output(), /embedded sandbox/)
  t.match(first.output(), /A development master key was created/)
  t.match(first.output(), /Admin token +in \S+admin\.token/)
  const token = readFileSync(join(DATA_DIR, 'admin.token'), 'utf8').trim()
  t.notOk(first.output().includes(token), 'the file is named, the token is not')
  t.equal((await fetch(`${new URL(url).origin}/admin/tenants`, { headers: { authorization: `Bearer ${token}` } })).status, 200)
  const headers = { authorization: auth.replace('Authorization: ', '') }
  t.equal(headers.authorization, `Bearer ${key}`)

  const users = await fetch(url, { headers })
  t.equal(users.status, 200, 'the printed curl line works')
  const { items } = (await users.json()) as { items: { userName: string }[] }
  t.same(
    items.map(item => item.userName),
    ['ada', 'grace', 'linus']
  )
  const made = await fetch(`${new URL(url).origin}/applications/~support/users`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ userName: 'bob', userDisplayName: 'Bob', userPassword: 'Passw0rd!' })
  })
  t.equal(made.status, 201)
  const location = made.headers.get('location')!
  t.match(
    await (await fetch(new URL(location, url), { headers })).json(),
    { userName: 'bob', userDisplayName: 'Bob' },
    'Location leads to it'
  )
  t.equal((await fetch(docs)).status, 200)
  t.equal((await fetch(`${new URL(url).origin}/health/live`)).status, 200)
  t.match(await (await fetch(`${new URL(url).origin}/health/ready`)).json(), { status: 'ok', store: 'ok' })

  const modes = () => readdirSync(DATA_DIR).map(file => `${file} ${(statSync(join(DATA_DIR, file)).mode & 0o777).toString(8)}`)
  // The sandbox writes its state a moment after a change.
  for (let tries = 0; modes().length < 7 && tries < 100; tries++) await new Promise(resolve => setTimeout(resolve, 50))
  t.ok(modes().length >= 7, 'the database with its log, the keys and the state')
  for (const mode of modes()) t.match(mode, / 600$/, 'it is for its owner only')
  first.child.kill('SIGTERM')
  t.equal(await first.ended(), 0, 'SIGTERM ends it well')

  for (const file of readdirSync(DATA_DIR)) chmodSync(join(DATA_DIR, file), 0o644)
  const second = run(t, { DATA_DIR })
  const [, , keyAgain] = await second.says(/Swagger UI\s+(\S+)\s+API key\s+(\S+)/)
  const [, , urlAgain = ''] = await second.says(/curl -H '([^']+)' (\S+)/)
  t.equal(keyAgain, key, 'a second start knows the same key')
  for (const mode of modes()) t.match(mode, / 600$/, 'wider rights are removed at the start')
  const still = (await (await fetch(urlAgain, { headers })).json()) as { items: { userName: string }[] }
  t.ok(
    still.items.some(item => item.userName === 'bob'),
    'and what was made before'
  )
  t.notMatch(second.output(), /master key was created/)
  second.child.kill('SIGINT')
  t.equal(await second.ended(), 0)
})

t.test('what is wrong is said, all of it, and nothing starts', async t => {
  const many = run(t, {
    DATA_DIR: folder(t),
    PORT: 'http',
    LOG_LEVEL: 'loud',
    UPSTREAM_TIMEOUT: '0',
    VOXIMPLANT_API: 'api.voximplant.com',
    BASE_PATH: 'x'
  })
  t.equal(await many.ended(), 1)
  for (const name of ['PORT', 'LOG_LEVEL', 'UPSTREAM_TIMEOUT', 'VOXIMPLANT_API', 'BASE_PATH'])
    t.match(many.output(), new RegExp(`- ${name} `))
  t.notMatch(many.output(), /\n\s+at /, 'without a stack')

  const production = run(t, { DATA_DIR: folder(t), NODE_ENV: 'production' })
  t.equal(await production.ended(), 1)
  t.match(production.output(), /VOXIMPLANT_API is required in production/)
  t.match(production.output(), /MASTER_KEY or MASTER_KEY_FILE is required in production/)

  const short = run(t, { DATA_DIR: folder(t), MASTER_KEY: 'c2hvcnQ=', VOXIMPLANT_API: 'sandbox' })
  t.equal(await short.ended(), 1)
  t.match(short.output(), /the master key must be 32 bytes/)
  t.notMatch(short.output(), /c2hvcnQ/, 'the key is not shown')

  const DATA_DIR = folder(t)
  const first = run(t, { DATA_DIR })
  await first.says(/curl/)
  first.child.kill('SIGTERM')
  await first.ended()
  const other = run(t, { DATA_DIR, MASTER_KEY: Buffer.alloc(32, 7).toString('base64'), VOXIMPLANT_API: 'sandbox' })
  t.equal(await other.ended(), 1)
  t.match(other.output(), /not the one this database was sealed with/)

  const busy = createServer()
  await new Promise<void>(resolve => busy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => busy.close())
  const taken = run(t, { DATA_DIR, PORT: String((busy.address() as { port: number }).port) })
  t.equal(await taken.ended(), 1)
  t.match(taken.output(), /EADDRINUSE/)

  writeFileSync(join(DATA_DIR, 'sandbox.json'), '{')
  const broken = run(t, { DATA_DIR })
  t.equal(await broken.ended(), 1)
  t.match(broken.output(), /delete the file to start anew/)
})

t.test('a base path', async t => {
  const service = run(t, { DATA_DIR: folder(t), BASE_PATH: '/voximplant' })
  const [, auth = '', url = ''] = await service.says(/curl -H '([^']+)' (\S+)/)
  const headers = { authorization: auth.replace('Authorization: ', ''), 'content-type': 'application/json' }
  t.match(url, /\/voximplant\/applications/)
  const { origin } = new URL(url)
  const made = await fetch(`${origin}/voximplant/skills`, { method: 'POST', headers, body: '{"skillName":"x1"}' })
  t.match(made.headers.get('location'), /^\/voximplant\/skills\/\d+$/)
  const page = await fetch(`${origin}/voximplant/skills?limit=1`, { headers })
  t.match(page.headers.get('link'), /^<\/voximplant\/skills\?limit=1&offset=1>; rel="next"$/)
  const problem = (await (await fetch(`${origin}/voximplant/skills/99999`, { headers })).json()) as { type: string }
  t.equal(problem.type, '/voximplant/problems/not-found')
  t.equal((await fetch(`${origin}${problem.type}`)).status, 200, "the problem's page is there")
  t.equal((await fetch(`${origin}/voximplant/docs`)).status, 200)
  const document = (await (await fetch(`${origin}/voximplant/openapi.json`)).json()) as { servers: { url: string }[]; paths: object }
  t.equal(document.servers[0]!.url, '/voximplant')
  t.ok('/skills' in document.paths)
})

t.test('METRICS_HOST is the address that METRICS_PORT listens on', async t => {
  const free = createServer()
  await new Promise<void>(resolve => free.listen(0, '127.0.0.1', resolve))
  const { port } = free.address() as { port: number }
  await new Promise(resolve => free.close(resolve))
  const service = run(t, { DATA_DIR: folder(t), METRICS_PORT: String(port), METRICS_HOST: '127.0.0.2' })
  await service.says(/curl/)
  t.match(await (await fetch(`http://127.0.0.2:${port}/metrics`)).text(), /^voxgate_build_info\{/m)
  await t.rejects(fetch(`http://127.0.0.1:${port}/metrics`), 'no other address has it')
})

t.test('the sandbox alone', async t => {
  const dir = folder(t)
  const sandbox = run(t, { SANDBOX_PORT: '0', SANDBOX_CREDENTIALS: join(dir, 'credentials.json') }, 'src/sandbox/main.ts')
  const [, address = ''] = await sandbox.says(/running: (\S+)\n/)
  const answer = await fetch(`${address}?cmd=GetApplications&account_id=100001&api_key=sandbox-api-key`)
  t.match(await answer.json(), { total_count: 3, result: [{ application_name: /^support/ }] })
  t.match(JSON.parse(readFileSync(join(dir, 'credentials.json'), 'utf8')), { account_id: 100_001, private_key: /BEGIN PRIVATE KEY/ })
  sandbox.child.kill('SIGTERM')
  t.equal(await sandbox.ended(), 0)
})

t.test('the README has a row for every setting, with its default and meaning', async t => {
  const rows = new Set(readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n'))
  for (const group of Object.values(settings))
    for (const { variable, schema } of Object.values<Setting<unknown>>(group)) {
      const fallback = variable === 'VOXIMPLANT_API' ? 'sandbox' : schema.default
      const row = `| \`${variable}\` | ${fallback === '' ? '' : `\`${fallback}\``} | ${schema.description} |`
      t.ok(rows.has(row), row)
    }
})
