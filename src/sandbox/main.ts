import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import closeWithGrace from 'close-with-grace'
import { operations } from '../app.ts'
import { makePrivate, writePrivate } from '../database/private-files.ts'
import { buildSandbox } from './server.ts'

/**
 * The sandbox on its own (`npm run sandbox`), for any client of the real API. SANDBOX_CREDENTIALS names a credentials.json as the upstream's
 * control panel exports it; if the file does not exist, it is created. SANDBOX_CERT and SANDBOX_KEY (PEM files) enable https.
 */

const {
  SANDBOX_HOST = '127.0.0.1',
  SANDBOX_PORT = '8081',
  SANDBOX_CREDENTIALS = './data/sandbox-credentials.json',
  SANDBOX_API_KEY = 'sandbox-api-key',
  SANDBOX_STATE,
  SANDBOX_CERT,
  SANDBOX_KEY
} = process.env

interface Credentials {
  account_id: number
  key_id: string
  private_key: string
}

if (!existsSync(SANDBOX_CREDENTIALS)) {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' }
  })
  const credentials: Credentials = { account_id: 100_001, key_id: 'sandbox-service-account', private_key: privateKey }
  mkdirSync(dirname(SANDBOX_CREDENTIALS), { recursive: true, mode: 0o700 })
  writePrivate(SANDBOX_CREDENTIALS, `${JSON.stringify(credentials, null, 2)}\n`)
}
makePrivate(SANDBOX_CREDENTIALS)
const file: Credentials & { result?: Credentials } = JSON.parse(readFileSync(SANDBOX_CREDENTIALS, 'utf8'))
const { account_id: accountId, key_id: keyId, private_key: privateKey } = file.result ?? file

const sandbox = await buildSandbox({
  operations,
  accounts: [{ accountId, name: 'sandbox', keys: { [keyId]: createPublicKey(createPrivateKey(privateKey)) }, apiKey: SANDBOX_API_KEY }],
  demo: true,
  stateFile: SANDBOX_STATE,
  https: SANDBOX_CERT && SANDBOX_KEY ? { cert: readFileSync(SANDBOX_CERT, 'utf8'), key: readFileSync(SANDBOX_KEY, 'utf8') } : undefined
})
closeWithGrace({ delay: 5000 }, () => sandbox.close())
const address = await sandbox.listen({ host: SANDBOX_HOST, port: Number(SANDBOX_PORT) })
process.stdout.write(
  `The sandbox is running: ${address}/platform_api\n  credentials  ${SANDBOX_CREDENTIALS} (account ${accountId})\n  api_key      ${SANDBOX_API_KEY}\n`
)
