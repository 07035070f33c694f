import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { seeded } from '../../schemas/seeded.ts'
import { makePrivate, writePrivate } from '../database/private-files.ts'
import type { Store } from '../tenants/store.ts'

/** What the embedded default remembers between starts: the demo key cannot be read back from the store. */
interface DemoFile {
  tenantId: string
  accountId: number
  key: string
}

const tenantId = seeded.tenant.id
const accountId = 100_001
/** Everything, the scopes that `*` leaves out included: it is a sandbox. */
const scopes = ['*', 'bulk', 'spend', 'secrets', 'privileged']

/**
 * The demo tenant of the embedded default, made at the first start and found again at later ones. Its API key lies in the data directory in
 * plain text, which is why there is none where the upstream is real.
 */
export async function demoTenant(store: Store, dataDir: string): Promise<DemoFile> {
  const administration = store.by({ kind: 'service', id: 'demo' })
  const file = join(dataDir, 'demo.json')
  if (existsSync(file)) {
    makePrivate(file)
    const demo = JSON.parse(readFileSync(file, 'utf8')) as DemoFile
    if (await store.tenant(demo.tenantId)) return demo
  }
  if (!(await store.tenant(tenantId))) {
    await administration.createTenant({ tenantId, name: 'Demo', accountId })
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' }
    })
    await administration.putCredential(tenantId, { kind: 'key', accountId, keyId: 'demo-service-account', privateKey })
  }
  const { key } = await administration.createKey(tenantId, { name: 'demo', scopes })
  const demo: DemoFile = { tenantId, accountId, key }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  writePrivate(file, `${JSON.stringify(demo, null, 2)}\n`)
  return demo
}
