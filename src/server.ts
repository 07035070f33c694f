import type { AddressInfo } from 'node:net'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { adminTokensOf, developmentAdminToken } from './admin/tokens.ts'
import { type AppOptions, build, buildAdmin } from './app.ts'
import { readConfig } from './config.ts'
import { demoTenant } from './dev/demo-tenant.ts'
import { startEmbeddedSandbox } from './dev/sandbox.ts'
import { messageOf } from './problems/operator-error.ts'
import { listenForMetrics } from './telemetry/metrics-server.ts'
import { openStoreOf } from './tenants/open.ts'
import { upstreamCa } from './voximplant/upstream-ca.ts'

/** Maximum time for the requests that were accepted before a shutdown, in milliseconds. */
const drainTimeoutMs = 25_000

const print = (line = '') => process.stdout.write(`${line}\n`)

async function start(): Promise<void> {
  const config = readConfig(process.env)
  const { server, admin: adminConfig, metrics, database } = config

  // Checks what an administrator configures before anything is opened.
  const configuredTokens = adminTokensOf(adminConfig)
  const generated =
    configuredTokens.length === 0 && server.environment !== 'production' ? developmentAdminToken(database.dataDir) : undefined
  const adminTokens = generated?.tokens ?? configuredTokens
  const store = await openStoreOf(config, { print, createsKey: true })
  const sandboxed = config.upstream.url === 'sandbox'
  const demo = sandboxed ? await demoTenant(store, database.dataDir) : undefined
  const embedded = sandboxed ? await startEmbeddedSandbox(store, database.dataDir) : undefined
  const options: AppOptions = {
    config,
    store,
    origin: embedded?.origin ?? config.upstream.url.replace(/\/$/, ''),
    ca: upstreamCa(config.upstream),
    adminTokens
  }
  const app = await build(options)
  const admin = adminConfig.port !== 0 && adminTokens.length > 0 ? await buildAdmin(options) : undefined
  const metricsServer = metrics.port === 0 ? undefined : await listenForMetrics(app.metrics, metrics.host, metrics.port)

  // A second signal ends the process immediately.
  closeWithGrace({ delay: server.drainDelayMs + drainTimeoutMs }, async ({ err }) => {
    if (err) app.log.error({ err }, 'stopping after an unexpected error')
    else await app.drain(server.drainDelayMs)
    metricsServer?.close()
    // Before the service, which closes the store that both use.
    await admin?.close()
    await app.close()
    await embedded?.sandbox.close()
  })
  await admin?.listen({ host: adminConfig.host, port: adminConfig.port })
  await app.listen({ host: server.host, port: server.port })

  const address = addressOf(app, server.basePath)
  if (demo && embedded) {
    print()
    print(`Voxgate is running against an embedded sandbox of the upstream (${embedded.origin}/platform_api); nothing leaves this machine.`)
    print()
    print(`  Swagger UI   ${address}/docs`)
    print(`  API key      ${demo.key}`)
    if (admin) print(`  Admin API    ${addressOf(admin, server.basePath)}/docs`)
    if (generated) print(`  Admin token  in ${generated.file}`)
    print()
    print(`  curl -H 'Authorization: Bearer ${demo.key}' ${address}/applications/~support/users`)
    print()
  } else {
    const page = server.docs ? '/docs' : ''
    print(`Voxgate is running: ${address}${page}`)
    if (admin) print(`The admin API: ${addressOf(admin, server.basePath)}${page}`)
    if (generated) print(`The admin token is in ${generated.file}.`)
  }
}

const addressOf = ({ server }: FastifyInstance, basePath: string): string =>
  `http://localhost:${(server.address() as AddressInfo).port}${basePath}`

try {
  await start()
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exit(1)
}
