import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'
import { openStore, WrongMasterKey } from '../src/tenants/store.ts'
import { vaultOf } from '../src/vault/master-keys.ts'
import { KeyServerError, transitKey } from '../src/vault/transit.ts'
import { createVault, partsOf, SealError } from '../src/vault/vault.ts'
import { onEveryDatabase } from './databases.ts'
import { createCredential, tester } from './support.ts'

/**
 * The transit engine as a master key. There was no Vault or OpenBao to test against: this is a stand-in for its API over a real socket, written
 * from its documentation and source (paths, `X-Vault-Token`, base64, `vault:v<n>:`, `associated_data`, statuses and texts of errors). It has not
 * been compared with a real server.
 */
class StandIn {
  readonly keys: Buffer[] = [randomBytes(32)]
  token = 'first-token'
  /** What the next requests get instead of an answer. */
  faults: ((request: IncomingMessage, response: ServerResponse) => void)[] = []
  /** As servers before the parameter do. */
  ignoresAssociatedData = false
  oldest = 1
  requests: string[] = []
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response))

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  rotate(): void {
    this.keys.push(randomBytes(32))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`)
    const say = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const refuse = (status: number, ...errors: string[]) => say(status, { errors })
    const fault = this.faults.shift()
    if (fault) return fault(request, response)
    const body = (await json(request)) as Record<string, string>
    const [, mount, verb, key] = /^\/v1\/(.+)\/(encrypt|decrypt)\/([^/]+)$/.exec(request.url ?? '') ?? []
    if (mount !== 'kms/transit') return void refuse(404, `no handler for route "${request.url?.slice(4)}". route entry not found.`)
    if (request.headers['x-vault-token'] !== this.token) return void refuse(403, 'permission denied')
    if (request.method !== 'POST' && request.method !== 'PUT') return void refuse(405, 'unsupported operation')
    if (key !== 'voxgate') return void refuse(400, 'encryption key not found')
    const aad = Buffer.from(this.ignoresAssociatedData ? '' : (body.associated_data ?? ''), 'base64')
    if (verb === 'encrypt') {
      const version = this.keys.length
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', this.keys[version - 1]!, nonce, { authTagLength: 16 }).setAAD(aad)
      const sealed = Buffer.concat([nonce, cipher.update(body.plaintext!, 'base64'), cipher.final(), cipher.getAuthTag()])
      return void say(200, { data: { ciphertext: `vault:v${version}:${sealed.toString('base64')}`, key_version: version } })
    }
    const [, version = '', text = ''] = /^vault:v(\d+):(.+)$/.exec(body.ciphertext ?? '') ?? []
    if (!version) return void refuse(400, 'invalid ciphertext: no prefix')
    if (Number(version) < this.oldest) return void refuse(400, 'ciphertext or signature version is disallowed by policy (too old)')
    const bytes = Buffer.from(text, 'base64')
    if (!this.keys[Number(version) - 1] || bytes.length < 28) return void refuse(400, 'invalid ciphertext: no such version')
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.keys[Number(version) - 1]!, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAAD(aad).setAuthTag(bytes.subarray(-16))
      const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
      say(200, { data: { plaintext: plain.toString('base64') } })
    } catch {
      refuse(400, 'cipher: message authentication failed')
    }
  }
}

async function standIn(t: Test) {
  const server = new StandIn()
  const address = await server.start()
  t.teardown(() => server.stop())
  const options = { address, mount: 'kms/transit', key: 'voxgate', token: 'first-token' }
  const provider = (changed: Partial<Parameters<typeof transitKey>[0]> = {}) => {
    const made = transitKey({ ...options, ...changed })
    t.teardown(() => made.close())
    return made
  }
  return { server, address, options, provider }
}

onEveryDatabase(t, 'a store whose master key is in the transit engine', async (t, { dialect }) => {
  const { server, options } = await standIn(t)
  const fresh = () => transitKey(options)
  const local = randomBytes(32)
  const credential = createCredential(1)
  const before = await openStore(dialect(), createVault(local))
  for (let i = 0; i < 5; i++) {
    await before.by(tester).createTenant({ tenantId: `tenant-${i}`, name: 'x', accountId: 1 })
    await before.by(tester).putCredential(`tenant-${i}`, credential)
  }
  await before.close()
  await t.rejects(openStore(dialect(), createVault(fresh())), WrongMasterKey, 'what the local key wraps is not opened by another')

  const moving = await openStore(dialect(), createVault(fresh(), [local]))
  t.match(await moving.by(tester).rotateMasterKey(), { rewrapped: 5, left: 0 }, 'from a local key to the engine')
  const { current, counts } = await moving.masterKeys()
  t.match(current, /^transit-[0-9a-f]{8}-v1$/)
  t.same(counts, { [current]: 5 })
  await moving.close()
  await t.rejects(openStore(dialect(), createVault(local)), WrongMasterKey)

  const store = await openStore(dialect(), createVault(fresh()))
  const asked = server.requests.length
  for (let round = 0; round < 3; round++) for (let i = 0; i < 5; i++) t.ok(await store.credential(`tenant-${i}`))
  t.equal(server.requests.length - asked, 5, 'data keys are asked for once')
  server.rotate()
  t.match(await store.by(tester).rotateMasterKey(), { rewrapped: 5, left: 0 }, 'a new version of the key is another master key')
  t.same((await store.masterKeys()).counts, { [current.replace('v1', 'v2')]: 5 })
  server.oldest = 2
  await store.close()
  const after = await openStore(dialect(), createVault(fresh()))
  for (let i = 0; i < 5; i++) t.ok(await after.credential(`tenant-${i}`), 'the old version is not needed any more')
  // Back to a local key, as when the engine is to be left.
  await after.close()
  const back = await openStore(dialect(), createVault(local, [fresh()]))
  t.match(await back.by(tester).rotateMasterKey(), { rewrapped: 5, left: 0 })
  await back.close()
  const alone = await openStore(dialect(), createVault(local))
  t.ok(await alone.credential('tenant-3'))
  await alone.close()
})

t.test('envelopes of the engine', async t => {
  const { provider } = await standIn(t)
  const vault = createVault(provider())
  const wrapped = await vault.createDataKey('acme')
  t.equal((await vault.openDataKey('acme', wrapped)).length, 32)
  await t.rejects(vault.openDataKey('other', wrapped), SealError, 'of another tenant')
  const { keyId, bytes } = partsOf(wrapped)
  let opened = 0
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes)
    changed[i]! ^= 1
    try {
      await vault.openDataKey('acme', `v1.${keyId}.${changed.toString('base64url')}`)
      opened++
    } catch (error) {
      if (!(error instanceof SealError)) t.fail(`${error}`)
    }
  }
  t.equal(opened, 0, 'changed')
  t.comment(`${bytes.length} changed envelopes, ${opened} opened`)
  await t.rejects(vault.openDataKey('acme', wrapped.replace('-v1.', '-v2.')), SealError, 'of another version')
})

t.test('what can be wrong with the engine', async t => {
  const { server, provider, address } = await standIn(t)
  const place = ['data-key', 'acme'] as const
  const plain = randomBytes(32)
  const works = provider()
  const envelope = await works.wrap(plain, place)

  server.ignoresAssociatedData = true
  await t.rejects(provider().current(), /ignores associated_data/, 'one that would let rows be moved is refused')
  server.ignoresAssociatedData = false
  t.match(await provider().current(), /-v1$/)

  await t.rejects(provider({ token: 'wrong' }).wrap(plain, place), /403 to encrypt: permission denied \(the token is not valid/)
  await t.rejects(provider({ mount: 'transit' }).wrap(plain, place), /404.*no transit engine at this mount/)
  await t.rejects(provider({ key: 'other' }).wrap(plain, place), /400 to encrypt: encryption key not found/)
  server.oldest = 2
  await t.rejects(works.unwrap(envelope, place), /too old/, 'a retired version is no broken envelope')
  server.oldest = 1

  const once = (status: number, body: string) => (_: IncomingMessage, response: ServerResponse) => void response.writeHead(status).end(body)
  server.faults = [once(503, '{"errors":["Vault is sealed"]}')]
  t.same(await works.unwrap(envelope, place), plain, 'a passing fault is asked again')
  server.faults = [once(503, '{"errors":["Vault is sealed"]}'), once(503, '{"errors":["Vault is sealed"]}')]
  await t.rejects(works.unwrap(envelope, place), /503 to decrypt: Vault is sealed \(the server is sealed/)
  server.faults = [request => void request.destroy(), request => void request.destroy()]
  await t.rejects(works.unwrap(envelope, place), /cannot be reached/)
  server.faults = [once(307, ''), once(307, '')]
  await t.rejects(works.unwrap(envelope, place), /307.*standby/, 'the token follows no redirect')
  for (const nonsense of ['', 'null', '[]', '{"data":{}}', '{"data":{"ciphertext":"vault:v1"}}', '<html>']) {
    server.faults = [once(200, nonsense)]
    await t.rejects(works.wrap(plain, place), KeyServerError, `an answer ${nonsense}`)
  }
  server.faults = []
  await t.rejects(provider({ address: 'http://127.0.0.1:1' }).wrap(plain, place), /cannot be reached.*ECONNREFUSED/)
  for (const error of await Promise.all([
    provider({ token: 'wrong' }).wrap(plain, place).catch(String),
    provider({ key: 'other' })
      .unwrap(envelope.replace(/transit-[0-9a-f]{8}/, 'transit-00000000'), place)
      .catch(String)
  ]))
    t.notMatch(error, /wrong|first-token|data-key/, 'no token and no secret in a message')

  // A token that an agent renews in its file.
  const dir = mkdtempSync(join(tmpdir(), 'voxgate-token-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const tokenFile = join(dir, 'token')
  writeFileSync(tokenFile, 'first-token\n')
  const renewing = provider({ token: undefined, tokenFile })
  t.same(await renewing.unwrap(envelope, place), plain)
  server.token = 'second-token'
  await t.rejects(renewing.unwrap(envelope, place), /403/, 'not renewed yet')
  writeFileSync(tokenFile, 'second-token\n')
  t.same(await renewing.unwrap(envelope, place), plain, 'the file is read again')

  server.token = 'first-token'
  const config = readConfig({
    VOXIMPLANT_API: 'sandbox',
    MASTER_KEY_PROVIDER: 'transit',
    TRANSIT_ADDRESS: address,
    TRANSIT_TOKEN: 'first-token',
    TRANSIT_MOUNT: 'kms/transit'
  })
  const vault = vaultOf(config, '')
  t.equal((await vault.openDataKey('acme', await vault.createDataKey('acme'))).length, 32, 'as configured')
  await vault.close()
  for (const [env, complaint] of [
    [{ VOXIMPLANT_API: 'sandbox', MASTER_KEY_PROVIDER: 'transit' }, /TRANSIT_ADDRESS is required/],
    [{ TRANSIT_ADDRESS: address }, /TRANSIT_TOKEN or TRANSIT_TOKEN_FILE is required/],
    [{ TRANSIT_ADDRESS: 'vault:8200', TRANSIT_TOKEN: 'x' }, /TRANSIT_ADDRESS must match/],
    [{ TRANSIT_ADDRESS: address, TRANSIT_TOKEN: 'x', TRANSIT_TOKEN_FILE: 'y' }, /both set/]
  ] as const) {
    try {
      readConfig(env)
      t.fail('taken')
    } catch (error) {
      t.ok(error instanceof ConfigError)
      t.match((error as Error).message, complaint)
    }
  }
})
