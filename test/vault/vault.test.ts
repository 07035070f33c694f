import { createDecipheriv, hash, randomBytes } from 'node:crypto'
import t from 'tap'
import { OperatorError } from '../../src/problems/operator-error.ts'
import { createVault, localKey, open, partsOf, readMasterKey, SealError, seal, toAad, UnknownMasterKey } from '../../src/vault/vault.ts'

const key = Buffer.alloc(32, 7)
const context = ['credential', 'acme', 2] as const

t.test('the associated data is JSON that keeps the parts of a context apart', async t => {
  t.equal(toAad(['credential', 'acme', 2]).toString(), '["voxgate","credential","acme",2]')
  t.notSame(toAad(['a', 'bc']), toAad(['ab', 'c']))
})

t.test('a sealed text opens with its key, its id and its context', async t => {
  t.equal(open(key, 'k1', seal(key, 'k1', Buffer.from('secret'), context), context).toString(), 'secret')
  t.equal(open(key, 'k1', seal(key, 'k1', Buffer.alloc(0), context), context).length, 0, 'an empty one, too')
})

t.test('an envelope is AES-256-GCM with a nonce of 12 bytes before and a tag of 16 bytes behind the text', async t => {
  const envelope = seal(key, 'k1', Buffer.from('secret'), context)
  t.match(envelope, /^v1\.k1\.[\w-]+$/)
  const { keyId, bytes } = partsOf(envelope)
  t.equal(keyId, 'k1')
  t.equal(bytes.length, 12 + 6 + 16)
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(Buffer.from('["voxgate","credential","acme",2]'))
  decipher.setAuthTag(bytes.subarray(18))
  t.equal(Buffer.concat([decipher.update(bytes.subarray(12, 18)), decipher.final()]).toString(), 'secret')
})

t.test('no nonce is used twice', async t => {
  t.not(seal(key, 'k1', Buffer.from('x'), context), seal(key, 'k1', Buffer.from('x'), context))
})

t.test('a sealed text does not open with another key, id or context', async t => {
  const envelope = seal(key, 'k1', Buffer.from('secret'), context)
  const error = { name: 'SealError', message: 'a sealed value does not open' }
  t.throws(() => open(randomBytes(32), 'k1', envelope, context), error)
  t.throws(() => open(key, 'k2', envelope, context), error)
  t.throws(() => open(key, 'k1', envelope, ['credential', 'acme', 3]), error)
  t.throws(() => open(key, 'k1', envelope, ['credential', 'acme']), error)
})

t.test('a text that is no envelope does not open', async t => {
  const envelope = seal(key, 'k1', Buffer.from('secret'), context)
  const payload = envelope.slice('v1.k1.'.length)
  for (const text of ['', payload, `v2.k1.${payload}`, `v1..${payload}`, `v1.k_1.${payload}`, 'v1.k1.', `x${envelope}`, `${envelope}.`])
    t.throws(() => partsOf(text), SealError, text)
  t.throws(() => partsOf(`v1.${'k'.repeat(65)}.${payload}`), SealError)
  t.equal(partsOf(`v1.${'k'.repeat(64)}.${payload}`).keyId.length, 64)
})

t.test('of the spellings of the same bytes only the canonical one opens', async t => {
  // One byte in two letters: the last four bits are not used.
  t.same([...partsOf('v1.k1.AA').bytes], [0])
  t.throws(() => partsOf('v1.k1.AB'), SealError)
})

t.test('an envelope without room for nonce and tag does not open', async t => {
  for (const length of [1, 12, 27])
    t.throws(() => open(key, 'k1', `v1.k1.${Buffer.alloc(length).toString('base64url')}`, context), { name: 'SealError' }, String(length))
})

t.test('the id of a master key follows from the key, and is no part of it', async t => {
  const id = hash('sha256', Buffer.concat([Buffer.from('voxgate master key id\n'), key]), 'hex').slice(0, 12)
  const provider = localKey(key)
  t.equal(await provider.current(), id)
  t.equal(provider.name, `master key ${id}`)
  t.same([provider.knows(id), provider.knows('other')], [true, false])
  t.match(await provider.wrap(Buffer.from('x'), context), new RegExp(`^v1\\.${id}\\.`))
})

t.test('a master key of another length than 32 bytes is rejected', async t => {
  for (const length of [0, 16, 31, 33]) t.throws(() => localKey(Buffer.alloc(length)), OperatorError, String(length))
})

t.test('a data key opens for its tenant only', async t => {
  const vault = createVault(key)
  const wrapped = await vault.createDataKey('acme')
  t.equal((await vault.openDataKey('acme', wrapped)).length, 32)
  await t.rejects(vault.openDataKey('other', wrapped), SealError)
  t.not(await vault.createDataKey('acme'), wrapped, 'and is a new one every time')
})

t.test('a data key of another length does not open', async t => {
  const wrapped = await localKey(key).wrap(Buffer.alloc(16), ['data-key', 'acme'])
  await t.rejects(createVault(key).openDataKey('acme', wrapped), SealError)
})

t.test('a vault opens what an earlier master key has wrapped, and wraps it again with the current one', async t => {
  const old = createVault(key)
  const wrapped = await old.createDataKey('acme')
  const vault = createVault(Buffer.alloc(32, 8), [key])
  t.same(await vault.openDataKey('acme', wrapped), await old.openDataKey('acme', wrapped))
  const again = await vault.rewrap('acme', wrapped)
  t.equal(partsOf(again).keyId, await vault.current())
  t.same(await vault.openDataKey('acme', again), await old.openDataKey('acme', wrapped))
  t.same([vault.knows(await old.current()), vault.knows(await vault.current()), vault.knows('other')], [true, true, false])
})

t.test('a data key of a master key that was not given is named as such', async t => {
  const wrapped = await createVault(key).createDataKey('acme')
  const { keyId } = partsOf(wrapped)
  const vault = createVault(Buffer.alloc(32, 8))
  for (const attempt of [vault.openDataKey('acme', wrapped), vault.rewrap('acme', wrapped)]) {
    const error = await attempt.catch((error: unknown) => error)
    if (!(error instanceof UnknownMasterKey)) return t.fail('not UnknownMasterKey')
    t.match(error, { name: 'UnknownMasterKey', keyId, message: new RegExp(keyId) })
    t.match(error.toProblem(), { type: 'store-unavailable', cause: error })
  }
})

t.test('a key check value opens with its master key, and reveals another', async t => {
  const vault = createVault(key)
  const check = await vault.createKeyCheck()
  await vault.verifyKeyCheck(check)
  await createVault(Buffer.alloc(32, 8), [key]).verifyKeyCheck(check)
  await t.rejects(createVault(Buffer.alloc(32, 8)).verifyKeyCheck(check), UnknownMasterKey)
  const other = seal(Buffer.alloc(32, 8), await vault.current(), Buffer.from('voxgate'), ['canary'])
  await t.rejects(vault.verifyKeyCheck(other), SealError, 'another key under the same id')
  t.equal(open(key, await vault.current(), check, ['canary']).toString(), 'voxgate')
})

t.test('a key check value with another text, or for another purpose, is rejected', async t => {
  const vault = createVault(key)
  await t.rejects(vault.verifyKeyCheck(await localKey(key).wrap(Buffer.from('else'), ['canary'])), SealError)
  await t.rejects(vault.verifyKeyCheck(await localKey(key).wrap(Buffer.from('voxgate'), ['data-key', 'acme'])), SealError)
})

t.test('closing a vault closes each of its providers', async t => {
  const closed: string[] = []
  const provider = (name: string) => ({
    ...localKey(key),
    async close() {
      closed.push(name)
    }
  })
  await createVault(provider('current'), [provider('previous')]).close()
  t.same(closed, ['current', 'previous'])
})

t.test('a master key is read in base64 or base64url, with white space around it', async t => {
  const bytes = Buffer.alloc(32, 0xfb)
  for (const text of [bytes.toString('base64'), bytes.toString('base64url'), ` ${bytes.toString('base64')}\n`])
    t.same(readMasterKey(text), bytes, text)
})

t.test('anything else is no master key, and the error does not show it', async t => {
  const base64 = Buffer.alloc(32, 0xfb).toString('base64')
  const wrong = ['', 'short', Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), `${base64}==`, `!${base64}`]
  for (const text of [...wrong, `${base64.slice(0, 8)} ${base64.slice(8)}`]) {
    t.throws(() => readMasterKey(text), { message: 'the master key must be 32 bytes in base64 (`openssl rand -base64 32`)' }, text)
  }
})
