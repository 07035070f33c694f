import t from 'tap'
import { allScopes, startService, tester } from '../support.ts'

t.test('an API key and the one that it is rotated to share one rate limit', async t => {
  const service = await startService({ env: { KEY_RATE: '1', KEY_BURST: '10' } })
  t.teardown(() => service.close())
  const administration = service.store.by(tester)
  const create = () => administration.createKey('tenant-1', { name: 'test', scopes: allScopes })
  const old = await create()
  const other = await create()
  const rotated = await administration.rotateKey(old.keyId, { graceSeconds: 60 })
  const again = await administration.rotateKey(rotated.keyId, { graceSeconds: 60 })
  const allowed = async (keys: string[]) => {
    const calls = Array.from({ length: 45 }, (_, i) =>
      service.call('GET', '/skills', undefined, { headers: { authorization: `Bearer ${keys[i % keys.length]}` } })
    )
    return (await Promise.all(calls)).filter(({ status }) => status === 200).length
  }
  const began = performance.now()
  const shared = await allowed([old.key, rotated.key, again.key])
  const seconds = Math.ceil((performance.now() - began) / 1000)
  t.ok(shared >= 10 && shared <= 10 + seconds, `${shared} of 45 requests with three keys of one lineage`)
  t.ok((await allowed([other.key])) >= 10, 'another key has its own')
})
