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

const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('a slot of the process that becomes free is not given to a partition at its limit', async t => {
  const bulkhead = create({ maxProcessConcurrency: 2 })
  const [a, b] = [bulkhead.partition('a'), bulkhead.partition('b')]
  bulkhead.acquire(a, 1)
  bulkhead.acquire(b, 5)
  let admitted = false
  const waiting = bulkhead.acquire(a, 1)?.then(() => {
    admitted = true
  })
  bulkhead.release(b)
  await turn()
  t.equal(admitted, false)
  t.same([bulkhead.active, bulkhead.queued, a.active], [1, 1, 1])
  bulkhead.release(a)
  await waiting
  t.same([bulkhead.active, bulkhead.queued, a.active], [1, 0, 1])
})

t.test('a slot that becomes free admits one call, not two', async t => {
  const bulkhead = create({ maxProcessConcurrency: 1 })
  const [a, b] = [bulkhead.partition('a'), bulkhead.partition('b')]
  bulkhead.acquire(a, 5)
  const waits = [bulkhead.acquire(a, 5), bulkhead.acquire(b, 5)]
  bulkhead.release(a)
  await turn()
  t.same([bulkhead.active, bulkhead.queued], [1, 1])
  bulkhead.release(a)
  await Promise.all(waits)
  t.same([bulkhead.active, bulkhead.queued], [1, 0])
})

t.test('a call whose wait is over leaves the others of its partition in the queue', async t => {
  const bulkhead = create()
  const partition = bulkhead.partition('a')
  bulkhead.acquire(partition, 1)
  const first = rejection(bulkhead.acquire(partition, 1) ?? Promise.resolve())
  await new Promise(resolve => setTimeout(resolve, 25))
  const second = bulkhead.acquire(partition, 1)
  t.match(await first, { type: 'concurrency-limited' })
  t.equal(bulkhead.queued, 1)
  bulkhead.release(partition)
  await second
  t.equal(partition.active, 1)
})

t.test('a limit that has grown admits all the calls that it has room for', async t => {
  const bulkhead = create()
  const partition = bulkhead.partition('a')
  bulkhead.acquire(partition, 1)
  const waits = [bulkhead.acquire(partition, 1), bulkhead.acquire(partition, 3)]
  bulkhead.release(partition)
  await Promise.all(waits)
  t.same([partition.active, bulkhead.active, bulkhead.queued], [2, 2, 0])
})

t.test('the problem of a full process says in how many seconds to come again, rounded up', async t => {
  const bulkhead = create({ maxProcessConcurrency: 0, maxQueueLength: 0, queueTimeoutMs: 1_001 })
  t.match(
    thrown(() => bulkhead.acquire(bulkhead.partition('a'), 5)),
    { type: 'service-unavailable', headers: { 'retry-after': '2' } }
  )
})

t.test('a partition is the same for the same key', async t => {
  const bulkhead = create()
  t.equal(bulkhead.partition('a'), bulkhead.partition('a'))
  t.not(bulkhead.partition('a'), bulkhead.partition('b'))
})

t.test('beyond 10,000 partitions the idle ones are dropped, those with calls stay', async t => {
  const bulkhead = create({ maxProcessConcurrency: 1 })
  const idle = bulkhead.partition('idle')
  const active = bulkhead.partition('active')
  const queued = bulkhead.partition('queued')
  bulkhead.acquire(active, 1)
  const waiting = [active, queued].map(partition => rejection(bulkhead.acquire(partition, 1) ?? Promise.resolve()))
  for (let i = 3; i < 10_000; i++) bulkhead.partition(`p${i}`)
  t.equal(bulkhead.partition('idle'), idle, '10,000 may stay')
  bulkhead.partition('one more')
  t.equal(bulkhead.partition('active'), active)
  t.equal(bulkhead.partition('queued'), queued)
  t.not(bulkhead.partition('idle'), idle)
  t.match(await Promise.all(waiting), [{ type: 'concurrency-limited' }, { type: 'service-unavailable' }])
})
