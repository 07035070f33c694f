import { mkdirSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from './config.ts'
import { readCredentials } from './tenants/credentials.ts'
import { dialectOf } from './tenants/database.ts'
import { masterKeyText, vaultOf } from './tenants/master-keys.ts'
import { type Actor, openStore, type Store } from './tenants/store.ts'

const help = `Usage: npm run -s voxgate -- <command>     (in a container: node src/cli.ts <command>)

  tenants create <tenant> --name <name> --account <id> [--api-host <host>]
  tenants list
  tenants enable|disable <tenant>
  credentials put <tenant> --file <credentials.json>     "-" reads standard input
  keys create <tenant> --name <name> --scope <scope> [--scope ...] [--expires <RFC 3339>]
  keys revoke <key id>

It works on the database in DATABASE_URL, or in DATA_DIR, with the master key in MASTER_KEY or MASTER_KEY_FILE, as the service does.
A running service takes changes over within CACHE_TTL.`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string' },
    account: { type: 'string' },
    'api-host': { type: 'string' },
    file: { type: 'string' },
    scope: { type: 'string', multiple: true },
    expires: { type: 'string' },
    help: { type: 'boolean', short: 'h' }
  }
})

/** A mistake of the operator's: said in a line, exit status 2. */
class Usage extends Error {}

const need = (value: string | undefined, what: string): string => {
  if (!value) throw new Usage(`${what} is missing; --help tells more`)
  return value
}

const say = (line: string) => process.stdout.write(`${line}\n`)

/** In a container there may be none. */
function username(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}

/** In the audit log. */
const operator: Actor = { kind: 'cli', id: username() }

const slug = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** What each command does. */
const commands: Record<string, (store: Store, subject: string | undefined) => Promise<void>> = {
  async 'tenants create'(store, subject) {
    const tenantId = need(subject, 'the tenant')
    if (!slug.test(tenantId)) throw new Usage('a tenant is named by lower-case letters, digits and hyphens, at most 63 of them')
    const accountId = Number(need(values.account, '--account'))
    if (!Number.isSafeInteger(accountId) || accountId < 1) throw new Usage('--account is the positive number of the Voximplant account')
    if (await store.tenant(tenantId)) throw new Usage(`there is a tenant ${tenantId} already`)
    await store.by(operator).createTenant({ tenantId, name: values.name ?? tenantId, accountId, apiHost: values['api-host'] })
    say(`${tenantId} was made.`)
  },
  async 'tenants list'(store) {
    for (const { tenantId, name, accountId, enabled } of await store.tenants())
      say(`${tenantId}\t${accountId}\t${enabled ? 'enabled' : 'disabled'}\t${name}`)
  },
  'tenants enable': (store, subject) => setEnabled(store, subject, true),
  'tenants disable': (store, subject) => setEnabled(store, subject, false),
  async 'credentials put'(store, subject) {
    const tenant = await known(store, subject)
    const file = need(values.file, '--file')
    const credential = readCredentials(readFileSync(file === '-' ? 0 : file, 'utf8'))
    if (credential.accountId !== tenant.accountId)
      throw new Usage(`the file is of account ${credential.accountId}, the tenant of ${tenant.accountId}`)
    const { version, fingerprint } = await store.by(operator).putCredential(tenant.tenantId, credential)
    say(`Version ${version} is in use: key ${credential.keyId}, ${fingerprint}.`)
  },
  async 'keys create'(store, subject) {
    const { tenantId } = await known(store, subject)
    const scopes = values.scope ?? []
    if (scopes.length === 0) throw new Usage('--scope is missing; give at least one')
    if (values.expires && Number.isNaN(Date.parse(values.expires)))
      throw new Usage('--expires is an RFC 3339 instant, such as 2027-01-01T00:00:00Z')
    const { key } = await store.by(operator).createKey(tenantId, {
      name: need(values.name, '--name'),
      scopes,
      expiresAt: values.expires && new Date(values.expires).toISOString()
    })
    say(key)
    process.stderr.write('This is the only time the key is shown.\n')
  },
  async 'keys revoke'(store, subject) {
    const keyId = need(subject, 'the key id')
    if (!(await store.key(keyId))) throw new Usage(`there is no key ${keyId}`)
    await store.by(operator).revokeKey(keyId)
    say(`${keyId} is revoked.`)
  }
}

async function known(store: Store, subject: string | undefined) {
  return (await store.tenant(need(subject, 'the tenant'))) ?? Promise.reject(new Usage(`there is no tenant ${subject}`))
}

async function setEnabled(store: Store, subject: string | undefined, enabled: boolean): Promise<void> {
  const { tenantId } = await known(store, subject)
  await store.by(operator).updateTenant(tenantId, { enabled })
  say(`${tenantId} is ${enabled ? 'enabled' : 'disabled'}.`)
}

try {
  const command = commands[positionals.slice(0, 2).join(' ')]
  if (values.help || !command) {
    say(help)
    process.exitCode = values.help ? 0 : 2
  } else {
    const config = readConfig(process.env)
    const local = config.MASTER_KEY_PROVIDER === 'local'
    const masterKey = masterKeyText(config) || (local ? readFileSync(join(config.DATA_DIR, 'master.key'), 'utf8') : '')
    mkdirSync(config.DATA_DIR, { recursive: true, mode: 0o700 })
    const store = await openStore(dialectOf(config), vaultOf(config, masterKey))
    try {
      await command(store, positionals[2])
    } finally {
      await store.close()
    }
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = error instanceof Usage ? 2 : 1
}
