import t from 'tap'
import { credentialsIn, parseCredentials } from '../../src/tenants/credentials.ts'
import { createCredential } from '../support.ts'

const { accountId, keyId, privateKey } = createCredential(700_001)
const file = { account_id: accountId, key_id: keyId, private_key: privateKey }

t.test('reads a credentials file that begins with a byte order mark', async t => {
  t.match(credentialsIn(parseCredentials(`\ufeff${JSON.stringify(file)}`)), { kind: 'key', accountId, keyId })
})

t.test('reads a private key whose line breaks are escaped', async t => {
  const plain = credentialsIn(file)
  for (const lineBreak of ['\\n', '\\r\\n'])
    t.same(credentialsIn({ ...file, private_key: privateKey.replace(/\r?\n/g, lineBreak) }), plain, lineBreak)
})

t.test('reads a private key with line breaks of Windows', async t => {
  t.same(credentialsIn({ ...file, private_key: privateKey.replace(/\r?\n/g, '\r\n') }), credentialsIn(file))
})
