import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import closeWithGrace from 'close-with-grace'
import { operations } from '../src/app.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import { credentialsIn, parseCredentials } from '../src/tenants/credentials.ts'
import { startControl } from './control.ts'
import { faultKinds } from './faults.ts'
import { startChaos } from './upstream.ts'

/**
 * `npm run chaos`: the sandbox behind an upstream that misbehaves on demand. CHAOS_CREDENTIALS names a credentials.json as the upstream's
 * control panel gives it; when there is none, one is made. CHAOS_TLS=true makes it speak https, and writes its authority beside.
 */

const { CHAOS_PORT = '8082', CHAOS_CONTROL_PORT = '8083', CHAOS_CREDENTIALS = './data/chaos-credentials.json', CHAOS_TLS } = process.env

if (!existsSync(CHAOS_CREDENTIALS)) {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' }
  })
  mkdirSync(dirname(CHAOS_CREDENTIALS), { recursive: true })
  const made = { account_id: 100_002, key_id: 'chaos-service-account', private_key: privateKey }
  writeFileSync(CHAOS_CREDENTIALS, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 })
}
const credential = credentialsIn(parseCredentials(readFileSync(CHAOS_CREDENTIALS, 'utf8')))
if (credential.kind !== 'key') throw new Error(`${CHAOS_CREDENTIALS} holds no service account's key`)
const { accountId, keyId, privateKey } = credential

const sandbox = await buildSandbox({
  operations,
  accounts: [{ accountId, name: 'chaos', keys: { [keyId]: createPublicKey(privateKey) } }],
  demo: true
})
await sandbox.ready()
const upstream = await startChaos({ operations, sandbox, port: Number(CHAOS_PORT), tls: CHAOS_TLS === 'true' })
const control = await startControl(upstream, { port: Number(CHAOS_CONTROL_PORT) })
closeWithGrace({ delay: 5000 }, async () => {
  control.close()
  await upstream.close()
  await sandbox.close()
})

const authorityFile = `${CHAOS_CREDENTIALS}.ca.pem`
const say = (line = '') => process.stdout.write(`${line}\n`)
say(`An upstream that misbehaves on demand: ${upstream.origin}/platform_api`)
say(`  credentials  ${CHAOS_CREDENTIALS} (account ${accountId})`)
say(`  control      ${control.url}`)
if (upstream.ca) {
  writeFileSync(authorityFile, upstream.ca)
  say(`  authority    ${authorityFile}`)
}
say()
say('Point a service at it, and in a second shell give it a tenant of that account:')
say()
say(`  export DATA_DIR=./data/chaos VOXIMPLANT_API=${upstream.origin}${upstream.ca ? ` UPSTREAM_CA_FILE=${authorityFile}` : ''}`)
say('  npm start')
say()
say(`  npm run -s voxgate -- tenants create chaos --account ${accountId}`)
say(`  npm run -s voxgate -- credentials put chaos --file ${CHAOS_CREDENTIALS}`)
say("  KEY=$(npm run -s voxgate -- keys create chaos --name chaos --scope '*' --scope spend)")
say('  curl -i -H "Authorization: Bearer $KEY" http://localhost:8080/applications')
say()
say('Half of the reads fail; ten seconds of 503 in every minute; every SMS is sent and its answer lost:')
say()
for (const rule of [
  { fault: { kind: 'reset' }, calls: 'reads', probability: 0.5 },
  { fault: { kind: 'status', status: 503, retryAfter: 1 }, every: 60, during: 10 },
  { fault: { kind: 'reset' }, methods: ['SendSmsMessage'], when: 'after' }
])
  say(`  curl -X PUT ${control.url} -d '${JSON.stringify({ seed: 7, rules: [rule] })}'`)
say()
say('What it did, and how often; then all is well again, and the counts begin anew:')
say()
say(`  curl ${control.url}/effects`)
say(`  curl -X PUT ${control.url} -d '{"rules": []}' && curl -X POST ${control.url}/reset`)
say()
say(`The faults: ${faultKinds.map(({ kind }) => kind).join(', ')}; GET ${control.url} tells what each does.`)
