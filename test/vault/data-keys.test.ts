import t from 'tap'
import { createDataKeys } from '../../src/vault/data-keys.ts'
import { createVault, type Vault } from '../../src/vault/vault.ts'

/** A vault that counts how often it unwraps. */
async function create() {
  const vault = createVault(Buffer.alloc(32, 7))
  let unwrapped = 0
  const counting: Vault = {
    ...vault,
    openDataKey(tenantId, wrapped) {
      unwrapped++
      return vault.openDataKey(tenantId, wrapped)
    }
  }
  return { vault, keys: createDataKeys(counting), unwrapped: () => unwrapped, wrapped: await vault.createDataKey('acme') }
}

t.test('a data key is unwrapped once', async t => {
  const { vault, keys, unwrapped, wrapped } = await create()
  const key = await keys.open('acme', wrapped)
  t.same(key, await vault.openDataKey('acme', wrapped))
  t.equal(await keys.open('acme', wrapped), key)
  t.equal(unwrapped(), 1)
})

t.test('a data key that was wrapped again is unwrapped again', async t => {
  const { vault, keys, unwrapped, wrapped } = await create()
  await keys.open('acme', wrapped)
  const other = await vault.createDataKey('acme')
  t.same(await keys.open('acme', other), await vault.openDataKey('acme', other))
  t.equal(unwrapped(), 2)
})

t.test('a data key that was forgotten is unwrapped again', async t => {
  const { keys, unwrapped, wrapped } = await create()
  await keys.open('acme', wrapped)
  keys.forget('acme')
  await keys.open('acme', wrapped)
  t.equal(unwrapped(), 2)
})

t.test('a tenant does not get the data key of another', async t => {
  const { keys, wrapped } = await create()
  await keys.open('acme', wrapped)
  await t.rejects(keys.open('other', wrapped), { name: 'SealError' })
})
