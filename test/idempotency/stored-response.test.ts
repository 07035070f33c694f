import t from 'tap'
import { openAnswer, sealAnswer } from '../../src/idempotency/stored-response.ts'
import { open, seal } from '../../src/vault/vault.ts'

const key = Buffer.alloc(32, 7)
/** A store that seals with one key for each tenant. */
const store = {
  async seal(tenantId: string, plain: Buffer, context: Parameters<typeof seal>[3]) {
    return seal(key, tenantId, plain, context)
  },
  async open(tenantId: string, sealed: string, context: Parameters<typeof open>[3]) {
    return open(key, tenantId, sealed, context)
  }
}
const row = { tenant_id: 'acme', id: 'record-1', slot: 'slot-1', fingerprint: 'print-1' }
const answer = { status: 201, headers: { location: '/skills/7' }, body: '{"skillId":7}' }

t.test('a stored response opens as it was sealed', async t => {
  t.same(await openAnswer(store, { ...row, sealed: await sealAnswer(store, row, answer) }), answer)
})

t.test('a response is sealed for its record and its request, in this order', async t => {
  const sealed = await sealAnswer(store, row, answer)
  t.same(JSON.parse(open(key, 'acme', sealed, ['idempotency', 'acme', 'record-1', 'slot-1', 'print-1']).toString()), answer)
})

t.test('a response without a fingerprint has an empty part in its place', async t => {
  const sealed = await sealAnswer(store, { ...row, fingerprint: null }, answer)
  t.same(JSON.parse(open(key, 'acme', sealed, ['idempotency', 'acme', 'record-1', 'slot-1', '']).toString()), answer)
})

for (const change of [{ tenant_id: 'other' }, { id: 'record-2' }, { slot: 'slot-2' }, { fingerprint: 'print-2' }, { sealed: null }])
  t.test(`a response does not open with another ${Object.keys(change)[0]}`, async t => {
    await t.rejects(openAnswer(store, { ...row, sealed: await sealAnswer(store, row, answer), ...change }), { name: 'SealError' })
  })
