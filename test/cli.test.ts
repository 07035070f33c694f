import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { operations } from '../src/app.ts'
import { commandLine } from '../src/cli/run.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import { parseKey } from '../src/tenants/api-keys.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { onEveryDatabase, type TestDatabase } from './databases.ts'
import { createCredential, sandboxAccount } from './support.ts'

/** The command line, as an operator types it: its own process, its own database. */

const starter = fileURLToPath(new URL('../bin/voxgate.js', import.meta.url))

interface Run {
  out: string
  err: string
  code: number
}

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-cli-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const words = (command: string | string[]) => (typeof command === 'string' ? command.split(' ').filter(Boolean) : command)

/** A shell: `voxgate('tenants list')`, with words split at blanks, or given one by one. Runs in this process, which takes a tenth of the time. */
function shell(env: Record<string, string>) {
  return async (command: string | string[], input = ''): Promise<Run> => {
    let out = ''
    let err = ''
    const code = await commandLine(words(command), env, {
      read: file => (file === '-' ? input : readFileSync(file, 'utf8')),
      out(line) {
        out += `${line}\n`
      },
      err(line) {
        err += `${line}\n`
      }
    })
    return { out, err, code }
  }
}

/** The same as a process of its own. */
function processShell(env: Record<string, string>) {
  return async (command: string | string[], input = ''): Promise<Run> => {
    const child = spawn(process.execPath, [starter, ...words(command)], { env: { PATH: process.env.PATH ?? '', ...env } })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const [out, err, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<number>(resolve => child.on('close', code => resolve(code ?? -1)))
    ])
    return { out, err, code }
  }
}

const masterKey = randomBytes(32)
const settings = (database: TestDatabase, origin: string) => ({
  NODE_ENV: 'production',
  VOXIMPLANT_API: origin,
  MASTER_KEY: masterKey.toString('base64'),
  DATA_DIR: tmpdir(),
  ...database.env
})

onEveryDatabase(t, 'a tenant from its first day to its last', async (t, database) => {
  const credential = createCredential(1234567)
  const sandbox = await buildSandbox({ operations, accounts: [sandboxAccount(credential)] })
  const origin = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  const voxgate = shell(settings(database, origin))
  const dir = folder(t)
  const layout = { account_id: 1234567, key_id: credential.keyId, private_key: credential.privateKey }
  const file = join(dir, 'credentials.json')
  writeFileSync(file, JSON.stringify(layout))

  t.match(await voxgate(['tenants', 'create', 'acme', '--name', 'Acme Inc.', '--account', '1234567']), {
    code: 0,
    out: /tenantId +acme\nname +Acme Inc/
  })
  t.match(await voxgate('tenants create acme --account 1'), { code: 1, err: 'There is a tenant acme already.\n' })
  t.match(await voxgate('credentials put acme --file -', JSON.stringify({ result: layout })), {
    code: 0,
    out: /Version 1 is in use: key key-1234567, SHA256:\S+, verified at the upstream\./
  })
  t.match(await voxgate(`credentials put acme --file ${file} --json`), { code: 0, out: /"version": 2/ })
  const status = await voxgate('credentials status acme --json')
  t.match(JSON.parse(status.out), { version: 2, kind: 'key', keyId: 'key-1234567', verifiedAt: String })
  t.notMatch(status.out, /PRIVATE/)

  const made = await voxgate(
    'keys create acme --name ci --scope users:read --scope spend --expires 2999-01-01T00:00:00Z --allow 10.0.0.0/8 --child-account 5'
  )
  t.equal(made.code, 0)
  const parsed = parseKey(made.out.trim())!
  t.ok(parsed, 'the key stands alone on standard output')
  t.match(made.err, /only time/)
  const rotated = JSON.parse((await voxgate(`keys rotate ${parsed.keyId} --grace 60 --json`)).out)
  t.match(rotated, { key: /^vg_/, scopes: ['users:read', 'spend'], allowedCidrs: ['10.0.0.0/8'], childAccounts: [5], state: 'active' })
  const keys = await voxgate('keys list acme')
  t.match(keys.out, /^KEY +STATE +EXPIRES +LAST USED +NAME +SCOPES\n/)
  t.ok(keys.out.includes(parsed.keyId) && keys.out.includes(rotated.keyId))
  t.notMatch(keys.out, /vg_/)
  t.match(await voxgate(`keys revoke ${parsed.keyId}`), { code: 0, out: /is revoked/ })
  t.match(await voxgate(`keys rotate ${parsed.keyId}`), { code: 1, err: /revoked, rotated or expired already/ })

  t.match(
    await voxgate(
      'tenants update acme --settings - --name Acme --api-host api-ru.voximplant.com',
      '{"concurrency": 7, "rateLimit": {"perSecond": 5, "burst": 9}}'
    ),
    {
      code: 0,
      out: /\{"concurrency":7/
    }
  )
  t.match(JSON.parse((await voxgate('tenants update acme --settings - --api-host none --json', '{"concurrency": null}')).out), {
    name: 'Acme',
    settings: { rateLimit: { perSecond: 5, burst: 9 } }
  })
  t.match(await voxgate('tenants disable acme'), { code: 0, out: /disabled/ })
  t.match(await voxgate('tenants list'), {
    code: 0,
    out: /^TENANT +ACCOUNT +STATE +CREDENTIALS +NAME\nacme +1234567 +disabled +2 +Acme\n$/
  })
  t.match(await voxgate('tenants enable acme'), { code: 0 })
  t.match(JSON.parse((await voxgate('tenants show acme --json')).out), { tenantId: 'acme', enabled: true })

  const log = JSON.parse((await voxgate('audit list --tenant acme --limit 4 --json')).out)
  t.equal(log.items.length, 4)
  t.match(log.items[0], { actor: { kind: 'cli' }, action: 'tenant.update', outcome: 'done' })
  const older = await voxgate(`audit list --tenant acme --limit 100 --before ${log.next}`)
  t.match(older.out, /credential\.put/)
  t.notMatch(older.out, new RegExp(log.items[0].id))
  t.match(await voxgate('audit list --action key.revoke'), { code: 0, out: new RegExp(`key\\.revoke +acme +${parsed.keyId} +done`) })

  t.match(await voxgate('credentials delete acme'), { code: 0 })
  t.match(await voxgate('credentials status acme'), { code: 1, err: /No credentials are stored/ })
  t.match(await voxgate('tenants delete acme'), { code: 2, err: /--yes is missing/ })
  t.match(await voxgate('tenants delete acme --yes'), { code: 0 })
  t.match(await voxgate('tenants show acme'), { code: 1, err: 'There is no tenant acme.\n' })
})

onEveryDatabase(t, 'another master key', async (t, database) => {
  const env = settings(database, 'http://127.0.0.1:1')
  const before = shell(env)
  for (const name of ['a', 'b', 'c']) t.equal((await before(`tenants create ${name} --account 1`)).code, 0)
  const fresh = randomBytes(32)
  const wrong = await shell({ ...env, MASTER_KEY: fresh.toString('base64') })('tenants list')
  t.match(wrong, { code: 1, err: /master key is not the one/ })
  const both = shell({ ...env, MASTER_KEY: fresh.toString('base64'), MASTER_KEY_PREVIOUS: masterKey.toString('base64') })
  t.match(await both('rotate-master-key'), {
    code: 0,
    err: /3 of 3 data keys/,
    out: /3 data keys are now wrapped by [0-9a-f]+\. None is left/
  })
  t.match(JSON.parse((await both('rotate-master-key --json')).out), { state: 'done', rewrapped: 0, left: 0 })
  t.equal((await before('tenants list')).code, 1, 'the old key alone does not open it any more')
  const store = await openStore(database.dialect(), createVault(fresh))
  t.equal((await store.tenants()).length, 3, 'the new one does')
  await store.close()
})

t.test('what is wrong', async t => {
  const dir = folder(t)
  const env = {
    NODE_ENV: 'production',
    VOXIMPLANT_API: 'http://127.0.0.1:1',
    DATA_DIR: join(dir, 'data'),
    MASTER_KEY: masterKey.toString('base64')
  }
  const voxgate = shell(env)
  await voxgate('tenants create acme --account 1234567')
  const credential = createCredential(1234567)
  const layout = { account_id: 1234567, key_id: 'abc', private_key: credential.privateKey }
  const pem = { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } } as const
  const small = generateKeyPairSync('rsa', { modulusLength: 1024, ...pem }).privateKey
  const cases: [command: string, input: string, code: number, complaint: RegExp][] = [
    ['', '', 2, /Usage/],
    ['tenants', '', 2, /There is no such command/],
    ['tenants steal acme', '', 2, /There is no such command/],
    ['constructor', '', 2, /There is no such command/],
    ['tenants show', '', 2, /The tenant is missing/],
    ['tenants show a b', '', 2, /too much: b/],
    ['tenants show acme --wrong', '', 2, /--wrong/],
    ['tenants show nobody', '', 1, /There is no tenant nobody/],
    ['tenants create Bad --account 1', '', 2, /<tenant> must be lower-case/],
    ['tenants create other', '', 2, /--account is required/],
    ['tenants create other --account x', '', 2, /--account must be a positive integer/],
    ['tenants update acme', '', 2, /needs at least one of/],
    ['tenants update acme --settings -', '{', 2, /--settings is not JSON/],
    ['tenants update acme --settings -', '{"allowedCidrs": ["10/8"]}', 2, /--settings\/allowedCidrs\/0 must be a network/],
    ['tenants update acme --settings -', '{"limit": 5}', 2, /--settings\/limit is not a field/],
    ['keys create acme --name ci', '', 2, /--scope is required/],
    ['keys create acme --scope *', '', 2, /--name is required/],
    ['keys create acme --name ci --scope users:raed', '', 2, /--scope\/0 is no scope; there are \*/],
    ['keys create acme --name ci --scope * --expires tomorrow', '', 2, /--expires/],
    ['keys create acme --name ci --scope * --expires 2001-01-01T00:00:00Z', '', 2, /--expires must lie in the future/],
    ['keys create acme --name ci --scope * --allow 1.2.3', '', 2, /--allow\/0 must be a network/],
    ['keys create nobody --name ci --scope *', '', 1, /There is no tenant nobody/],
    ['keys revoke nothing', '', 1, /There is no key nothing/],
    ['keys rotate nothing --grace soon', '', 2, /--grace/],
    ['audit list --limit 0', '', 2, /--limit/],
    ['audit list --since yesterday', '', 2, /--since/],
    ['credentials put acme', '', 2, /--file is missing/],
    [`credentials put acme --file ${join(dir, 'nothing')}`, '', 1, /ENOENT/],
    ['credentials put acme --file -', JSON.stringify(layout).slice(0, 100), 1, /not JSON, or cut short/],
    ['credentials put acme --file -', 'null', 2, /must be an object/],
    ['credentials put acme --file -', '{"account_id":"x"}', 2, /account_id is required/],
    ['credentials put acme --file -', JSON.stringify({ ...layout, private_key: '-----BEGIN' }), 1, /not a private key in PEM form/],
    ['credentials put acme --file -', JSON.stringify({ ...layout, private_key: small }), 1, /1024 bits; it needs 2048/],
    [
      'credentials put acme --file -',
      JSON.stringify({ ...layout, account_id: 7 }),
      1,
      /of account 7, and the tenant acme is account 1234567/
    ],
    ['credentials put acme --file -', JSON.stringify(layout), 1, /could not be asked/]
  ]
  for (const [command, input, code, complaint] of cases) {
    const run = await voxgate(command, input)
    t.equal(run.code, code, command)
    t.match(run.err, complaint, command)
    t.equal(run.out, '', 'what is wrong is said on standard error')
    t.notMatch(run.err, /\n\s+at |BEGIN/, 'a line, without a stack or a part of the key')
  }
  t.match(await voxgate('credentials put acme --file - --no-verify', JSON.stringify(layout)), { code: 0, out: /not verified/ })
  t.match(await shell({ ...env, MASTER_KEY: '' })('tenants list'), { code: 1, err: /MASTER_KEY or MASTER_KEY_FILE is required/ })
  t.comment(`${cases.length} mistakes`)
})

t.test('help', async t => {
  const voxgate = shell({})
  const all = await voxgate('--help')
  t.equal(all.code, 0)
  const names = [...all.out.matchAll(/^ {2}((?:[a-z]+ [a-z]+|rotate-master-key))/gm)].map(([, name]) => name!)
  t.equal(names.length, 17)
  for (const name of names) {
    const { code, out } = await voxgate(`${name} --help`)
    t.equal(code, 0)
    t.match(out, new RegExp(`^Usage: npx voxgate ${name}.*\n\n.+\\.\n\n  npx voxgate ${name}`), name)
  }
  t.match(
    JSON.parse(
      (await shell({ DATA_DIR: folder(t), MASTER_KEY: masterKey.toString('base64'), VOXIMPLANT_API: 'sandbox' })('scopes list --json')).out
    ).items,
    Array
  )
  t.same(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).bin, { voxgate: 'bin/voxgate.js' })
})

t.test('as a process', async t => {
  const dir = folder(t)
  const env = {
    NODE_ENV: 'production',
    VOXIMPLANT_API: 'http://127.0.0.1:1',
    DATA_DIR: join(dir, 'data'),
    MASTER_KEY: masterKey.toString('base64')
  }
  const voxgate = processShell(env)
  const { privateKey } = createCredential(5)
  t.match(await voxgate(['tenants', 'create', 'acme', '--name', 'Acme Inc.', '--account', '5']), { code: 0, out: /Acme Inc/, err: '' })
  t.match(
    await voxgate('credentials put acme --file - --no-verify', JSON.stringify({ account_id: 5, key_id: 'k', private_key: privateKey })),
    {
      code: 0,
      out: /Version 1/
    }
  )
  const made = await voxgate('keys create acme --name ci --scope *')
  t.ok(parseKey(made.out.trim()))
  t.match(await voxgate('tenants show nobody'), { code: 1, out: '', err: 'There is no tenant nobody.\n' })
  t.match(await voxgate('tenants show'), { code: 2, out: '', err: /The tenant is missing/ })
  t.match(await voxgate('--help'), { code: 0, out: /tenants create/ })
})
