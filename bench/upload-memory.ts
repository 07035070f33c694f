import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from '../src/app.ts'
import { sqliteDialect } from '../src/database/sqlite.ts'
import { openStore } from '../src/tenants/store.ts'
import { createVault } from '../src/vault/vault.ts'
import { createCredential, testConfig } from '../test/support.ts'

/**
 * `node bench/upload-memory.ts`: the memory of the service while a file goes through it, for files of 1, 64 and 256 MB. Each upload has a
 * process of its own; the peak is the kernel's figure for the whole life of that process, its start included.
 */

const sizes = [1, 64, 256]
const megabyte = 1_048_576

/** How the file comes, and how fast the upstream takes it. */
const ways = [
  { name: 'multipart', slow: false },
  { name: 'multipart, file first', slow: false },
  { name: 'text/csv', slow: false },
  { name: 'multipart, slow upstream', slow: true }
] as const

interface Measured {
  idle: number
  peak: number
}

// -------------------------------------------------------------------------------------------------------------- the service

async function serve(origin: string): Promise<void> {
  const store = await openStore(sqliteDialect(':memory:'), createVault(randomBytes(32)))
  const credential = createCredential(500_001)
  const administration = store.by({ kind: 'service', id: 'bench' })
  await administration.createTenant({ tenantId: 'bench', name: 'Bench', accountId: credential.accountId })
  await administration.putCredential('bench', credential)
  const { key } = await administration.createKey('bench', { name: 'bench', scopes: ['*', 'spend'] })
  const app = await build({ config: testConfig({ UPLOAD_LIMIT: String(512 * megabyte) }), store, origin })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  let idle = 0
  process.on('message', word => {
    if (word === 'idle') idle = process.memoryUsage.rss()
    process.send?.({ idle, peak: process.resourceUsage().maxRSS * 1024 } satisfies Measured)
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ address, key })
}

// -------------------------------------------------------------------------------------------------------------- the measuring

/** An upstream that takes what comes, slowly if need be: 64 KiB a millisecond. It checks that all of it came. */
async function startUpstream(slow: () => boolean) {
  let taken = 0
  const server = createServer(async (call, response) => {
    taken = 0
    for await (const chunk of call) {
      taken += chunk.length
      if (slow()) await sleep(1)
    }
    response.setHeader('content-type', 'application/json').end('{"result":true,"list_id":1,"count":1,"batch_id":"x"}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken: () => taken }
}

async function send(address: string, key: string, way: (typeof ways)[number]['name'], bytes: number): Promise<void> {
  const fields = { ruleId: '1', priority: '1', maxSimultaneous: '1', numAttempts: '1', name: 'bench' }
  const raw = way === 'text/csv'
  const texts = Object.entries(fields)
    .map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('')
  const file = '--b\r\nContent-Disposition: form-data; name="fileContent"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
  const [before, after] = raw ? ['', ''] : way.endsWith('first') ? [file, `\r\n${texts}--b--\r\n`] : [texts + file, '\r\n--b--\r\n']
  const call = request(`${address}/call-lists${raw ? `?${new URLSearchParams(fields)}` : ''}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'idempotency-key': randomUUID(),
      'content-type': raw ? 'text/csv' : 'multipart/form-data; boundary=b'
    }
  })
  const answered = once(call, 'response')
  call.write(before)
  const piece = Buffer.alloc(65_536, '14155550101;Ada\n')
  for (let left = bytes; left > 0; left -= piece.length) if (!call.write(piece.subarray(0, left))) await once(call, 'drain')
  call.end(after)
  const [answer] = await answered
  answer.resume()
  if (answer.statusCode !== 201) throw new Error(`answered ${answer.statusCode}`)
}

async function ask(child: ChildProcess, word: 'idle' | 'peak'): Promise<Measured> {
  child.send(word)
  const [measured] = (await once(child, 'message')) as [Measured]
  return measured
}

async function measure(): Promise<void> {
  let slow = false
  const upstream = await startUpstream(() => slow)
  const mb = (bytes: number) => (bytes / megabyte).toFixed(0).padStart(10)
  console.log(`${'memory of the service, MB'.padEnd(28)}${['file', 'idle', 'peak', 'seconds'].map(word => word.padStart(10)).join('')}`)
  for (const way of ways) {
    for (const size of sizes) {
      const child = fork(fileURLToPath(import.meta.url), [upstream.origin])
      const [{ address, key }] = (await once(child, 'message')) as [{ address: string; key: string }]
      slow = false
      await send(address, key, way.name, 65_536)
      await ask(child, 'idle')
      slow = way.slow
      const began = performance.now()
      await send(address, key, way.name, size * megabyte)
      const seconds = ((performance.now() - began) / 1000).toFixed(2).padStart(10)
      if (upstream.taken() < size * megabyte) throw new Error(`only ${upstream.taken()} bytes reached the upstream`)
      const { idle, peak } = await ask(child, 'peak')
      console.log(`${way.name.padEnd(28)}${mb(size * megabyte)}${mb(idle)}${mb(peak)}${seconds}`)
      child.disconnect()
      await once(child, 'exit')
    }
  }
  upstream.server.closeAllConnections()
  upstream.server.close()
}

const [origin] = process.argv.slice(2)
await (origin ? serve(origin) : measure())
