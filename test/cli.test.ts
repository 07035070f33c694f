import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parseKey } from '../src/tenants/keys.ts'
import { sqliteDialect } from '../src/tenants/sqlite.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/tenants/vault.ts'
import { createCredential } from './support.ts'

/** The command line, as an operator types it: its own process, its own database. */

const starter = fileURLToPath(new URL('../bin/run.js', import.meta.url))

t.test('from nothing to a key', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-cli-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const masterKey = Buffer.alloc(32, 3)
  const env = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    VOXIMPLANT_API: 'https://api.voximplant.com',
    DATA_DIR: join(dir, 'data'),
    MASTER_KEY: masterKey.toString('base64')
  }
  const voxgate = async (args: string[], { input = '', without = '' } = {}) => {
    const child = spawn(process.execPath, [starter, 'src/cli.ts', ...args], {
      env: Object.fromEntries(Object.entries(env).filter(([name]) => name !== without))
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise(resolve => child.on('close', resolve))])
    return { out, err, code }
  }
  const credential = createCredential(1234567)
  const file = join(dir, 'credentials.json')
  const layout = { account_id: 1234567, key_id: 'abc', private_key: credential.privateKey }
  writeFileSync(file, JSON.stringify(layout))

  t.match(await voxgate(['--help']), { code: 0, out: /tenants create/ })
  t.match(await voxgate([]), { code: 2, out: /Usage/ })
  t.match(await voxgate(['tenants', 'create', 'acme', '--name', 'Acme Inc.', '--account', '1234567']), { code: 0, out: /acme was made/ })
  t.match(await voxgate(['tenants', 'create', 'acme', '--account', '1']), { code: 2, err: /there is a tenant acme already/ })
  t.match(await voxgate(['tenants', 'create', 'Bad Name', '--account', '1']), { code: 2, err: /lower-case/ })
  t.match(await voxgate(['tenants', 'create', 'other', '--account', 'x']), { code: 2, err: /--account/ })
  t.match(await voxgate(['credentials', 'put', 'acme', '--file', file]), { code: 0, out: /Version 1 is in use: key abc, SHA256:/ })
  t.match(
    await voxgate(['credentials', 'put', 'acme', '--file', '-'], { input: JSON.stringify({ result: layout }) }),
    { code: 0, out: /Version 2/ },
    'the older layout, from standard input'
  )

  const small = generateKeyPairSync('rsa', {
    modulusLength: 1024,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' }
  }).privateKey
  const curve = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' }
  }).privateKey
  for (const [input, complaint] of [
    [JSON.stringify(layout).slice(0, 100), /not JSON, or cut short/],
    ['null', /lack account_id/],
    ['{"account_id":"x"}', /lack account_id/],
    ['{"account_id":1}', /lack key_id/],
    ['{"account_id":1,"key_id":"a"}', /lack private_key/],
    ['{"account_id":1,"key_id":"a","private_key":"-----BEGIN"}', /not a private key in PEM form/],
    [JSON.stringify({ ...layout, private_key: small }), /1024 bits; it needs 2048/],
    [JSON.stringify({ ...layout, private_key: curve }), /takes RSA/],
    [JSON.stringify({ ...layout, account_id: 7 }), /of account 7, the tenant of 1234567/]
  ] as const) {
    const { code, err } = await voxgate(['credentials', 'put', 'acme', '--file', '-'], { input })
    t.not(code, 0)
    t.match(err, complaint)
    t.notMatch(err, /\n\s+at |BEGIN/, 'a line, without a stack or a part of the key')
  }

  const made = await voxgate(['keys', 'create', 'acme', '--name', 'ci', '--scope', 'users:read', '--scope', 'spend'])
  t.equal(made.code, 0)
  const parsed = parseKey(made.out.trim())
  t.ok(parsed, 'the key stands alone on standard output')
  t.match(await voxgate(['keys', 'create', 'acme', '--name', 'ci']), { code: 2, err: /--scope is missing/ })
  t.match(await voxgate(['keys', 'create', 'nobody', '--name', 'ci', '--scope', '*']), { code: 2, err: /there is no tenant nobody/ })
  t.match(await voxgate(['keys', 'revoke', parsed!.keyId]), { code: 0, out: /is revoked/ })
  t.match(await voxgate(['keys', 'revoke', 'nothing']), { code: 2, err: /there is no key/ })
  t.match(await voxgate(['tenants', 'disable', 'acme']), { code: 0 })
  t.match(await voxgate(['tenants', 'list']), { code: 0, out: 'acme\t1234567\tdisabled\tAcme Inc.\n' })
  t.match(await voxgate(['tenants', 'list'], { without: 'MASTER_KEY' }), { code: 1, err: /MASTER_KEY or MASTER_KEY_FILE is required/ })

  const store = await openStore(sqliteDialect(join(env.DATA_DIR, 'voxgate.db')), createVault(masterKey))
  t.match(await store.key(parsed!.keyId), { name: 'ci', scopes: ['users:read', 'spend'], revokedAt: String })
  t.match(await store.credential('acme'), { kind: 'key', keyId: 'abc', accountId: 1234567 })
  await store.close()
})
