import { randomBytes } from 'node:crypto'
import t from 'tap'
import { keyCheckName, type ProtectedRow, sealRow, verifyRow } from '../../src/vault/integrity-tag.ts'
import { open, SealError } from '../../src/vault/vault.ts'

const dataKey = randomBytes(32)
const row: ProtectedRow = {
  tenant_id: 'acme',
  account_id: 7,
  api_host: null,
  credential_version: 2,
  settings: '{"defaultHeaders":{"a":"1","b":"2"},"concurrency":3}'
}
const head = sealRow(dataKey, row)

t.test('a row verifies as it was sealed', async () => verifyRow(dataKey, { ...row, head }))

t.test('settings beside the default headers may change, and the order of the headers', async () =>
  verifyRow(dataKey, { ...row, settings: '{"defaultHeaders":{"b":"2","a":"1"}}', head })
)

const changes: [what: string, change: Partial<ProtectedRow>][] = [
  ['tenant', { tenant_id: 'other' }],
  ['account', { account_id: 8 }],
  ['host', { api_host: 'evil.example' }],
  ['version of the credential', { credential_version: 1 }],
  ['default header', { settings: '{"defaultHeaders":{"a":"1","b":"3"}}' }]
]
for (const [what, change] of changes)
  t.test(`a row with another ${what} does not verify`, async t => {
    t.throws(() => verifyRow(dataKey, { ...row, ...change, head }), SealError)
  })

t.test('settings that are no JSON do not verify', async t => {
  t.throws(() => verifyRow(dataKey, { ...row, settings: '{', head }), SealError)
})

t.test('the tag authenticates the row by its columns, in their order', async t => {
  const settings = '{"defaultHeaders":{"b":"2","a":"1","c":"3"}}'
  const tag = sealRow(dataKey, { ...row, api_host: 'api.example', settings })
  const columns = ['tenant', 'acme', 7, 'api.example', 2, '[["a","1"],["b","2"],["c","3"]]'] as const
  t.equal(open(dataKey, 'head', tag, columns).length, 0)
})

t.test('a row without host, credential and default headers has empty parts in their place', async t => {
  const tag = sealRow(dataKey, { ...row, credential_version: null, settings: '{}' })
  t.equal(open(dataKey, 'head', tag, ['tenant', 'acme', 7, '', 0, '[]']).length, 0)
})

t.test('the row of a key check value has the id of its master key', async t => {
  t.equal(keyCheckName('0123'), 'canary:0123')
})
