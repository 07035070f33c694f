import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { atMostEvery, watchReachability } from '../../src/telemetry/probes.ts'

t.test('a check runs once per interval, and its outcome is shared', async t => {
  let runs = 0
  const check = atMostEvery(50, async () => {
    runs++
    if (runs === 1) throw new Error('unavailable')
  })
  const outcomes = await Promise.allSettled([check(), check()])
  t.same(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected']
  )
  await t.rejects(check(), { message: 'unavailable' })
  t.equal(runs, 1)
  await sleep(100)
  await check()
  t.equal(runs, 2)
})

/** Asks until the first check is over. */
const settled = async (reachability: () => string): Promise<string> => {
  while (reachability() === 'unknown') await sleep(5)
  return reachability()
}

t.test('a server that accepts connections is reachable, a closed port is not', async t => {
  const server = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const first = watchReachability(origin)
  t.equal(first(), 'unknown', 'nobody waits for the first check')
  t.equal(await settled(first), 'ok')
  server.close()
  await once(server, 'close')
  t.equal(first(), 'ok', 'a check holds for a while')
  t.equal(await settled(watchReachability(origin)), 'unreachable')
})
