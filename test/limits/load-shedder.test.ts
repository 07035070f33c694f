import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { LoadShedder } from '../../src/limits/load-shedder.ts'

/** A load shedder over a process with the given calls in flight. */
function createShedder(t: Test, { minInFlight = 2, queueTimeoutMs = 60 } = {}) {
  const process = { finished: 0, inFlight: 0, memoryFull: false }
  const shedder = new LoadShedder({ minInFlight, queueTimeoutMs, load: () => process, isMemoryFull: () => process.memoryFull })
  shedder.start()
  // The timers of the shedder keep no process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => {
    clearInterval(alive)
    shedder.stop()
  })
  return { process, shedder }
}

t.test('a request is admitted immediately while fewer calls than minInFlight are in flight', async t => {
  const { process, shedder } = createShedder(t)
  process.inFlight = 1
  t.equal(shedder.admit(), undefined)
  process.inFlight = 2
  t.type(shedder.admit(), Promise)
  t.equal(shedder.queued, 1)
})

t.test('a queued request is admitted once there is capacity', async t => {
  const { process, shedder } = createShedder(t, { queueTimeoutMs: 5_000 })
  process.inFlight = 2
  const admitted = shedder.admit()
  process.inFlight = 1
  await admitted
  t.equal(shedder.queued, 0)
  t.equal(shedder.rejected, 0)
})

t.test('a request is rejected with 503 after the queue timeout', async t => {
  const { process, shedder } = createShedder(t)
  process.inFlight = 2
  await t.rejects(shedder.admit() ?? Promise.resolve(), { message: 'The service is overloaded.' })
  t.equal(shedder.rejected, 1)
})

t.test('nobody overtakes a queued request', async t => {
  const { process, shedder } = createShedder(t, { queueTimeoutMs: 5_000 })
  process.inFlight = 2
  const order: number[] = []
  const first = shedder.admit()?.then(() => order.push(1))
  process.inFlight = 0
  const second = shedder.admit()?.then(() => order.push(2))
  await Promise.all([first, second])
  t.same(order, [1, 2])
})

t.test('more calls are admitted after the throughput has been measured', async t => {
  const { process, shedder } = createShedder(t, { queueTimeoutMs: 1_000 })
  process.finished = 1_000
  await sleep(400)
  process.inFlight = 500
  t.equal(shedder.admit(), undefined, '1,000 calls in 250 ms allow 2,000 within half a second')
})

t.test('while memory is full a tenth of it is admitted', async t => {
  const { process, shedder } = createShedder(t, { minInFlight: 20 })
  process.memoryFull = true
  process.inFlight = 1
  t.equal(shedder.admit(), undefined)
  process.inFlight = 2
  t.type(shedder.admit(), Promise)
})

t.test('a request is rejected immediately when 1,000 are queued', async t => {
  const { process, shedder } = createShedder(t, { queueTimeoutMs: 5_000 })
  process.inFlight = 2
  for (let i = 0; i < 1_000; i++) shedder.admit()?.catch(() => {})
  t.throws(() => shedder.admit(), { message: 'The service is overloaded.' })
  t.equal(shedder.rejected, 1)
})
