import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { operations } from '../src/app.ts'
import { buildSandbox, type SandboxOptions } from '../src/sandbox/server.ts'

/** The sandbox as any client of the real API meets it: raw requests, written by hand from the upstream's documentation. */

const pair = (bits = 2048) =>
  generateKeyPairSync('rsa', {
    modulusLength: bits,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' }
  })
const own = pair()
const foreign = pair()
const now = () => Math.floor(Date.now() / 1000)

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const token = ({ key = own.privateKey, head = {}, claims = {} }: { key?: string; head?: object; claims?: object } = {}) => {
  const body = `${part({ alg: 'RS256', typ: 'JWT', kid: 'k1', ...head })}.${part({ iss: 7, iat: now(), exp: now() + 600, ...claims })}`
  return `${body}.${sign('sha256', Buffer.from(body), key).toString('base64url')}`
}

async function start(t: Test, options: Partial<SandboxOptions> = {}) {
  const sandbox = await buildSandbox({
    operations,
    accounts: [
      { accountId: 7, name: 'acme', keys: { k1: createPublicKey(own.publicKey) }, apiKey: 'legacy', children: [8] },
      { accountId: 8, name: 'child', keys: {} },
      { accountId: 9, name: 'other', keys: { k9: createPublicKey(foreign.publicKey) } }
    ],
    demo: true,
    ...options
  })
  t.teardown(() => sandbox.close())
  const origin = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  return {
    sandbox,
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
    async ask(path: string, init: RequestInit = {}, bearer = token()): Promise<any> {
      const answer = await fetch(`${origin}${path}`, {
        ...init,
        headers: { ...(bearer ? { authorization: `Bearer ${bearer}` } : {}), ...init.headers }
      })
      t.equal(answer.status, 200, 'errors too come in HTTP 200')
      return answer.json()
    }
  }
}

t.test('every way to ask', async t => {
  const { ask } = await start(t)
  const want = {
    total_count: 3,
    count: 3,
    result: [
      {
        application_id: 1,
        application_name: 'support.acme.n1.voximplant.com',
        modified: '2026-01-15 09:30:00',
        secure_record_storage: false
      }
    ]
  }
  const form = new FormData()
  form.set('cmd', 'GetApplications')
  t.match(await ask('/platform_api', { method: 'POST', body: new URLSearchParams({ cmd: 'GetApplications' }) }), want, 'a urlencoded form')
  t.match(await ask('/platform_api', { method: 'POST', body: form }), want, 'a multipart form')
  t.match(await ask('/platform_api?cmd=GetApplications'), want, 'the query')
  t.match(await ask('/platform_api/GetApplications'), want, 'the method in the path')
  t.match(await ask('/platform_api/GetApplications/', { method: 'POST' }), want, 'with a slash')
  t.match(await ask('/platform_api/GetApplications?account_id=7&api_key=legacy', {}, ''), want, 'an API key')
  t.match(await ask('/platform_api/GetApplications?account_name=acme&api_key=legacy', {}, ''), want)
  t.match(
    await ask('/platform_api/GetApplications', {}, token({ claims: { iss: 8 } })),
    { result: [{ application_name: /\.child\./ }] },
    "a child account with its parent's key"
  )
  t.match(await ask('/platform_api/GetApplications?count=1&offset=1'), { total_count: 3, count: 1, result: [{ application_id: 2 }] })
  t.match(await ask('/platform_api/GetApplications?application_name=SALE'), { total_count: 1 }, 'a part of a name')
})

t.test('who is not let in', async t => {
  const { ask, sandbox } = await start(t)
  const cases: [number, string | undefined, string?][] = [
    [447, 'nonsense'],
    [447, 'a.b.c'],
    [447, token({ head: { alg: 'HS256' } })],
    [447, token({ head: { alg: 'none' } })],
    [447, token({ head: { kid: undefined } })],
    [447, token({ claims: { iss: 'seven' } })],
    [447, token({ claims: { iss: true } })],
    [100, token({ head: { kid: 'k2' } })],
    [100, token({ key: foreign.privateKey })],
    [100, token({ claims: { iss: 9 } })],
    [100, token({ claims: { iss: 12345 } })],
    [100, `${token().split('.').slice(0, 2).join('.')}.${token({ claims: { iat: 1 } }).split('.')[2]}`],
    [454, token({ claims: { exp: now() + 3602 } })],
    [454, token({ claims: { exp: undefined } })],
    [455, token({ claims: { iat: now() + 300, exp: now() + 600 } })],
    [456, token({ claims: { iat: now() - 600, exp: now() - 1 } })],
    [100, '', '?account_id=7&api_key=wrong'],
    [100, '', '?account_id=9&api_key=legacy'],
    [100, '']
  ]
  for (const [code, bearer, query = ''] of cases) t.equal((await ask(`/platform_api/GetApplications${query}`, {}, bearer)).error.code, code)
  t.equal(sandbox.sandbox.seen.length, 0, 'no refused call counts as seen')
  t.equal(sandbox.sandbox.requests, cases.length, 'but each is counted')
  t.equal((await ask('/platform_api', { method: 'POST' })).error.code, 102, 'no method')
  t.equal((await ask('/platform_api/Nothing')).error.code, 103, 'an unknown one')
  t.equal((await ask('/platform_api/constructor')).error.code, 103)
})

t.test("refusals are the upstream's", async t => {
  const { ask } = await start(t)
  const cases: [string, number, string?][] = [
    ['GetUsers', 134, 'application_id'],
    ['GetUsers?application_id=99', 116, 'application_id'],
    ['GetUsers?application_id=x', 101, 'application_id'],
    ['AddApplication?application_name=Bad', 107, 'application_name'],
    ['AddApplication?application_name=support', 129, 'application_name'],
    ['AddUser?application_id=1&user_name=ada&user_display_name=A&user_password=Passw0rd!', 118, 'user_name'],
    ['AddUser?application_id=1&user_name=A&user_display_name=A&user_password=Passw0rd!', 122, 'user_name'],
    ['AddUser?application_id=1&user_name=abc&user_display_name=A&user_password=short', 112, 'user_password'],
    ['AddUser?application_id=1&user_name=abc&user_display_name=A&user_password=longenoughbutweak', 523, 'user_password'],
    ['AddUser?application_id=1&user_name=abc&user_display_name=A', 134, 'user_password'],
    ['SetUserInfo?user_id=4711&user_active=false', 117, 'user_id'],
    ['SetUserInfo?user_name=ada&user_active=false', 134, 'application_id'],
    ['SetUserInfo?user_id=1001&application_id=2', 393, 'user_id'],
    ['SetUserInfo?user_id=1001&user_active=perhaps', 101, 'user_active'],
    ['AddQueue?application_id=1&acd_queue_name=first-line', 219, 'acd_queue_name'],
    ['AddQueue?application_id=1&acd_queue_name=q&service_probability=0.1', 214, 'service_probability'],
    ['DelQueue?acd_queue_id=4711', 218, 'acd_queue_id'],
    ['AddSkill?skill_name=billing', 221, 'skill_name'],
    ['SetSkillInfo?skill_id=4711&new_skill_name=x', 222, 'skill_id'],
    ['BindSkill?skill_id=301', 134, 'user_id'],
    ['GetCurrencyRate?currency=USD&date=yesterday', 111, 'date'],
    ['GetCurrencyRate?currency=ABC', 210, 'currency']
  ]
  for (const [call, code, field] of cases)
    t.match((await ask(`/platform_api/${call}`)).error, { code, field_name: field, msg: String }, call)
  t.match(await ask('/platform_api/DelUser?application_id=1&user_id=all'), { result: 1 })
  t.match(await ask('/platform_api/GetUsers?application_id=1'), { total_count: 0 })
  t.match(await ask('/platform_api/GetUsers?application_id=2'), { total_count: 1 }, '`all` is all of the application')
  t.match(await ask('/platform_api/DelApplication?application_name=support;sales'), { result: 1 }, 'several names')
})

t.test('a state that outlives the process', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-sandbox-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const stateFile = join(dir, 'state.json')
  const first = await start(t, { stateFile })
  const { skill_id } = await first.ask('/platform_api/AddSkill?skill_name=kept')
  await first.sandbox.close()
  t.ok(JSON.parse(readFileSync(stateFile, 'utf8')))
  const second = await start(t, { stateFile })
  t.match(await second.ask('/platform_api/GetSkills?skill_name=kept'), { result: [{ skill_id }] })
  t.equal((await second.ask('/platform_api/AddSkill?skill_name=next')).skill_id, skill_id + 1, 'ids go on')
})
