import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { aim, container, makeTenants, onStage, startReplica } from '../chaos/stage.ts'

/** The process's memory, as in a container of 512 MB; `npm run chaos:report -- abuse` has the full numbers. */

const upstreamFile = fileURLToPath(new URL('../chaos/abuse-upstream.ts', import.meta.url))

t.test('large responses, read and unread, leave the process within 512 MB', async t => {
  await onStage(async stage => {
    const upstream = fork(upstreamFile)
    stage.atEnd(() => upstream.kill('SIGKILL'))
    const [upstreamOrigin] = (await once(upstream, 'message')) as [string]
    const [{ key }] = (await makeTenants(stage, 1)) as unknown as [{ key: string }]
    const service = await startReplica(stage, upstreamOrigin, {
      ...container,
      TENANT_CONCURRENCY: '50',
      UPSTREAM_TIMEOUT: '90000'
    })
    let peak = 0
    const sampling = setInterval(() => {
      peak = Math.max(peak, service.memory())
    }, 20)
    stage.atEnd(() => clearInterval(sampling))

    const gun = aim(service.origin, 8)
    stage.atEnd(() => gun.close())
    const read = await Promise.all(
      Array.from({ length: 8 }, () => gun.fire({ path: '/applications/1/users?userName=bytes-31000000', key }))
    )
    t.strictSame([...new Set(read.map(({ status }) => status))], [200], 'each in its turn')
    t.ok(read.every(({ text }) => text.length > 25_000_000))
    t.ok(peak < 512, `read: ${peak.toFixed(0)} MB`)

    peak = 0
    const { port } = new URL(service.origin)
    for (let i = 0; i < 100; i++) {
      const socket = connect(Number(port), '127.0.0.1')
      stage.atEnd(() => socket.destroy())
      socket.on('error', () => {})
      socket.pause()
      socket.write(`GET /applications/1/users?userName=bytes-5000000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`)
    }
    await sleep(5_000)
    t.ok(peak > 100 && peak < 512, `unread: ${peak.toFixed(0)} MB`)
    t.equal((await fetch(`${service.origin}/health/live`)).status, 200)
  })
})
