import t from 'tap'
import { Bulkhead } from '../../src/voximplant/bulkhead.ts'
import { rejection, thrown } from './calls.ts'

const create = (options: Partial<ConstructorParameters<typeof Bulkhead>[0]> = {}) =>
  new Bulkhead({ maxProcessConcurrency: 10, maxQueueLength: 2, queueTimeoutMs: 50, ...options })

t.test('as many calls as the limit are admitted immediately, the next one waits', async t => {
  const bulkhead = create()
  const partition = bulkhead.partition('a')
  t.equal(bulkhead.acquire(partition, 2), undefined)
  t.equal(bulkhead.acquire(partition, 2), undefined)
  const third = bulkhead.acquire(partition, 2)
  t.ok(third instanceof Promise)
  t.same([bulkhead.active, bulkhead.queued], [2, 1])
  bulkhead.release(partition)
  await third
  t.same([bulkhead.active, bulkhead.queued, bulkhead.finished], [2, 0, 1])
})

t.test('partitions do not share their limits', async t => {
  const bulkhead = create()
  t.equal(bulkhead.acquire(bulkhead.partition('a'), 1), undefined)
  t.equal(bulkhead.acquire(bulkhead.partition('b'), 1), undefined)
})

t.test('a call that finds the queue full is rejected', async t => {
  const bulkhead = create({ maxQueueLength: 0 })
  const partition = bulkhead.partition('a')
  bulkhead.acquire(partition, 1)
  t.match(
    thrown(() => bulkhead.acquire(partition, 1)),
    { type: 'concurrency-limited', headers: { 'retry-after': '1' } }
  )
  t.same(bulkhead.rejected, { partition: 1, process: 0 })
})

t.test('a call that gets no slot in time is rejected, and leaves the queue', async t => {
  const bulkhead = create()
  const partition = bulkhead.partition('a')
  bulkhead.acquire(partition, 1)
  t.match(await rejection(bulkhead.acquire(partition, 1) ?? Promise.resolve()), { type: 'concurrency-limited' })
  t.equal(bulkhead.queued, 0)
  bulkhead.release(partition)
  t.equal(bulkhead.active, 0)
})

t.test('the process has a limit of its own, of which the problem says so', async t => {
  const bulkhead = create({ maxProcessConcurrency: 1, maxQueueLength: 0 })
  bulkhead.acquire(bulkhead.partition('a'), 5)
  t.match(
    thrown(() => bulkhead.acquire(bulkhead.partition('b'), 5)),
    { type: 'service-unavailable' }
  )
  t.same(bulkhead.rejected, { partition: 0, process: 1 })
})

t.test('partitions take turns for the slots of the process', async t => {
  const bulkhead = create({ maxProcessConcurrency: 1 })
  const [a, b] = [bulkhead.partition('a'), bulkhead.partition('b')]
  const order: string[] = []
  bulkhead.acquire(a, 5)
  const waits = [
    bulkhead.acquire(a, 5)?.then(() => order.push('a1')),
    bulkhead.acquire(a, 5)?.then(() => order.push('a2')),
    bulkhead.acquire(b, 5)?.then(() => order.push('b1'))
  ]
  for (let i = 0; i < 3; i++) {
    bulkhead.release(a)
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(waits)
  t.same(order, ['a1', 'b1', 'a2'])
})

t.test('a call does not overtake those that wait', async t => {
  const bulkhead = create()
  const partition = bulkhead.partition('a')
  bulkhead.acquire(partition, 1)
  const waiting = bulkhead.acquire(partition, 1)
  t.ok(bulkhead.acquire(partition, 2) instanceof Promise, 'also when its limit has grown')
  bulkhead.release(partition)
  await waiting
})
