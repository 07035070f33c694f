import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type ProtectedRow, sealRow, verifyRow } from '../../src/vault/integrity-tag.ts'
import { SealError } from '../../src/vault/vault.ts'

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
