import t from 'tap'
import { FairQueue } from '../../src/limits/fair-queue.ts'

const drain = <T>(queue: FairQueue<T>): T[] => {
  const items: T[] = []
  while (queue.size > 0) items.push(queue.shift() as T)
  return items
}

t.test('sources take turns, items of one source keep their order', async t => {
  const queue = new FairQueue<string>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item.slice(0, 1), item)
  t.same(drain(queue), ['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
  t.equal(queue.shift(), undefined)
})

t.test('sizes are those of all sources and of one', async t => {
  const queue = new FairQueue<number>()
  queue.push('a', 1)
  queue.push('a', 2)
  queue.push('b', 3)
  t.same([queue.size, queue.sizeOf('a'), queue.sizeOf('b'), queue.sizeOf('c')], [3, 2, 1, 0])
})

t.test('an item can be removed from the middle', async t => {
  const queue = new FairQueue<number>()
  for (const item of [1, 2, 3]) queue.push('a', item)
  queue.remove('a', 2)
  queue.remove('a', 9)
  queue.remove('b', 1)
  t.equal(queue.size, 2)
  t.same(drain(queue), [1, 3])
})
