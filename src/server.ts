import { mkdirSync, readFileSync } from 'node:fs'
import closeWithGrace from 'close-with-grace'
import { build } from './app.ts'
import { ConfigError, readConfig } from './config.ts'
import { demoTenant } from './demo.ts'
import { developmentMasterKey, startEmbeddedSandbox } from './embedded.ts'
import { listenForMetrics } from './metrics-port.ts'
import { DatabaseAway } from './tenants/away.ts'
import { dialectOf } from './tenants/database.ts'
import { masterKeyText, vaultOf } from './tenants/master-keys.ts'
import { openStore, WrongMasterKey } from './tenants/store.ts'
import { KeyServerError } from './tenants/transit.ts'

/** How long a shutdown may take, in milliseconds: less than the 30 s that orchestrators give. */
const grace = 25_000

async function start(): Promise<void> {
  const config = readConfig(process.env)
  const say = (line = '') => process.stdout.write(`${line}\n`)
  const sandboxed = config.VOXIMPLANT_API === 'sandbox'

  mkdirSync(config.DATA_DIR, { recursive: true, mode: 0o700 })
  let masterKey = masterKeyText(config)
  if (!masterKey && config.MASTER_KEY_PROVIDER === 'local') {
    const development = developmentMasterKey(config.DATA_DIR)
    masterKey = development.text
    if (development.made) say(`A development master key was made: ${development.file}. In production set MASTER_KEY or MASTER_KEY_FILE.`)
  }
  const store = await openStore(dialectOf(config), vaultOf(config, masterKey))
  const demo = sandboxed ? await demoTenant(store, config.DATA_DIR) : undefined
  const embedded = sandboxed ? await startEmbeddedSandbox(store, config.DATA_DIR) : undefined
  const app = await build({
    config,
    store,
    origin: embedded?.origin ?? config.VOXIMPLANT_API.replace(/\/$/, ''),
    ca: config.UPSTREAM_CA_FILE ? readFileSync(config.UPSTREAM_CA_FILE, 'utf8') : undefined
  })

  const metricsServer = config.METRICS_PORT === 0 ? undefined : await listenForMetrics(app.metrics, config.HOST, config.METRICS_PORT)
  closeWithGrace({ delay: grace }, async ({ err }) => {
    if (err) app.log.error({ err }, 'stopping after an unexpected error')
    metricsServer?.close()
    await app.close()
    await embedded?.sandbox.close()
  })
  await app.listen({ host: config.HOST, port: config.PORT })

  const port = (app.server.address() as { port: number }).port
  const address = `http://localhost:${port}${config.BASE_PATH}`
  if (demo && embedded) {
    say()
    say(`Voxgate is running against an embedded sandbox of the upstream (${embedded.origin}/platform_api); nothing leaves this machine.`)
    say()
    say(`  Swagger UI   ${address}/docs`)
    say(`  API key      ${demo.key}`)
    say()
    say(`  curl -H 'Authorization: Bearer ${demo.key}' ${address}/applications/~support/users`)
    say()
  } else say(`Voxgate is running: ${address}${config.DOCS ? `/docs` : ''}`)
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
