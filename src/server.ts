import { mkdirSync, readFileSync } from 'node:fs'
import closeWithGrace from 'close-with-grace'
import { adminTokensOf, developmentAdminToken } from './admin/tokens.ts'
import { build, buildAdmin } from './app.ts'
import { ConfigError, readConfig } from './config.ts'
import { dialectOf } from './database/database.ts'
import { DatabaseAway } from './database/unavailable.ts'
import { demoTenant } from './dev/demo-tenant.ts'
import { developmentMasterKey, startEmbeddedSandbox } from './dev/sandbox.ts'
import { listenForMetrics } from './telemetry/metrics-server.ts'
import { openStore, WrongMasterKey } from './tenants/store.ts'
import { checkMasterKey, masterKeyText, vaultOf } from './vault/master-keys.ts'
import { KeyServerError } from './vault/transit.ts'

/** How long requests that were accepted may take until they are answered after all, in milliseconds. */
const grace = 25_000

async function start(): Promise<void> {
  const config = readConfig(process.env)
  const say = (line = '') => process.stdout.write(`${line}\n`)
  const sandboxed = config.VOXIMPLANT_API === 'sandbox'

  mkdirSync(config.DATA_DIR, { recursive: true, mode: 0o700 })
  // What an administrator has to know is checked before anything is opened.
  const given = adminTokensOf(config)
  const madeUp = given.length === 0 && config.NODE_ENV !== 'production' ? developmentAdminToken(config.DATA_DIR) : undefined
  const adminTokens = madeUp?.tokens ?? given
  let masterKey = masterKeyText(config)
  if (!masterKey && config.MASTER_KEY_PROVIDER === 'local') {
    const development = developmentMasterKey(config.DATA_DIR)
    masterKey = development.text
    if (development.made) say(`A development master key was made: ${development.file}. In production set MASTER_KEY or MASTER_KEY_FILE.`)
  }
  const weakness = checkMasterKey(config, masterKey)
  if (weakness) say(`Warning: ${weakness}.`)
  const store = await openStore(dialectOf(config), vaultOf(config, masterKey))
  const demo = sandboxed ? await demoTenant(store, config.DATA_DIR) : undefined
  const embedded = sandboxed ? await startEmbeddedSandbox(store, config.DATA_DIR) : undefined
  const options = {
    config,
    store,
    origin: embedded?.origin ?? config.VOXIMPLANT_API.replace(/\/$/, ''),
    ca: config.UPSTREAM_CA_FILE ? readFileSync(config.UPSTREAM_CA_FILE, 'utf8') : undefined,
    adminTokens
  }
  const app = await build(options)
  const admin = config.ADMIN_PORT !== 0 && adminTokens.length > 0 ? await buildAdmin(options) : undefined

  const metricsServer =
    config.METRICS_PORT === 0 ? undefined : await listenForMetrics(app.metrics, config.METRICS_HOST, config.METRICS_PORT)
  // A second signal ends it at once.
  closeWithGrace({ delay: config.DRAIN_DELAY + grace }, async ({ err }) => {
    if (err) app.log.error({ err }, 'stopping after an unexpected error')
    else await app.drain(config.DRAIN_DELAY)
    metricsServer?.close()
    // The store is the service's, and so is open until the last of both has ended.
    await admin?.close()
    await app.close()
    await embedded?.sandbox.close()
  })
  await admin?.listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT })
  await app.listen({ host: config.HOST, port: config.PORT })

  const addressOf = ({ server }: typeof app) => `http://localhost:${(server.address() as { port: number }).port}${config.BASE_PATH}`
  const address = addressOf(app)
  if (demo && embedded) {
    say()
    say(`Voxgate is running against an embedded sandbox of the upstream (${embedded.origin}/platform_api); nothing leaves this machine.`)
    say()
    say(`  Swagger UI   ${address}/docs`)
    say(`  API key      ${demo.key}`)
    if (admin) say(`  Admin API    ${addressOf(admin)}/docs`)
    if (madeUp) say(`  Admin token  in ${madeUp.file}`)
    say()
    say(`  curl -H 'Authorization: Bearer ${demo.key}' ${address}/applications/~support/users`)
    say()
  } else {
    const page = config.DOCS ? '/docs' : ''
    say(`Voxgate is running: ${address}${page}`)
    if (admin) say(`The admin API: ${addressOf(admin)}${page}`)
    if (madeUp) say(`The admin token is in ${madeUp.file}.`)
  }
}

try {
  await start()
} catch (error) {
  // What an operator can mend is said in a line, without a stack.
  const known =
    error instanceof ConfigError ||
    error instanceof WrongMasterKey ||
    error instanceof DatabaseAway ||
    error instanceof KeyServerError ||
    (error as { code?: string }).code === 'EADDRINUSE' ||
    (error as Error).message?.startsWith('the master key')
  process.stderr.write(`${known ? (error as Error).message : ((error as Error).stack ?? error)}\n`)
  process.exit(1)
}
