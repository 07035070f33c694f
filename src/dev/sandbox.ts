import { createPublicKey } from 'node:crypto'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { operations } from '../../routes/catalogue.ts'
import type { SandboxAccount } from '../sandbox/auth.ts'
import { buildSandbox } from '../sandbox/server.ts'
import type { Store } from '../tenants/store.ts'

/** A tenant's account as the sandbox has to know it, drawn from the stored credential. */
async function accountOf(store: Store, tenantId: string): Promise<SandboxAccount | undefined> {
  const credential = await store.credential(tenantId)
  if (!credential) return undefined
  const { accountId } = credential
  return credential.kind === 'key'
    ? { accountId, name: tenantId, keys: { [credential.keyId]: createPublicKey(credential.privateKey) } }
    : { accountId, name: tenantId, keys: {}, apiKey: credential.apiKey }
}

/** Starts the sandbox on a port of its own for every tenant of the store. Returns it with its origin. */
export async function startEmbeddedSandbox(store: Store, dataDir: string): Promise<{ sandbox: FastifyInstance; origin: string }> {
  const found = await Promise.all((await store.tenants()).map(({ tenantId }) => accountOf(store, tenantId)))
  const accounts = found.filter(account => account !== undefined)
  const sandbox = await buildSandbox({ operations, accounts, demo: true, stateFile: join(dataDir, 'sandbox.json') })
  // Credentials that are put later, unseen (`verify=false`), are known from then on.
  store.onChange(({ tenantId, keyId }) => {
    if (tenantId === undefined || keyId !== undefined) return
    void accountOf(store, tenantId).then(
      account => account && sandbox.sandbox.addAccount(account),
      () => {}
    )
  })
  return { sandbox, origin: await sandbox.listen({ host: '127.0.0.1', port: 0 }) }
}
