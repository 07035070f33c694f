import t from 'tap'
import { ByteBudget, type Hold } from '../../src/limits/byte-budget.ts'

/** Asks for a permit, and notes its name once it is given. */
function ask(budget: ByteBudget, order: string[], key: string, bytes: number, name = key): Hold {
  const hold = budget.hold(key)
  hold.acquire(bytes, () => order.push(name))
  return hold
}

t.test('a permit is given immediately while there is room, and later once room has been given back', async t => {
  const budget = new ByteBudget({ max: 100, share: 100 })
  const order: string[] = []
  const first = ask(budget, order, 'a', 60, 'first')
  const second = ask(budget, order, 'a', 60, 'second')
  t.strictSame(order, ['first'])
  t.strictSame([budget.held, budget.permits, budget.waiting, budget.counts.waited], [60, 1, 1, 1])
  first.release()
  t.strictSame(order, ['first', 'second'])
  second.release()
  t.strictSame([budget.held, budget.permits, budget.waiting], [0, 0, 0])
})

t.test('a key beyond its share waits, and keeps nobody else waiting', async t => {
  const budget = new ByteBudget({ max: 100, share: 50 })
  const order: string[] = []
  ask(budget, order, 'a', 40, 'a1')
  ask(budget, order, 'a', 40, 'a2')
  ask(budget, order, 'b', 40, 'b1')
  t.strictSame(order, ['a1', 'b1'])
})

t.test('keys take turns, whatever the length of their queues', async t => {
  const budget = new ByteBudget({ max: 10, share: 10 })
  const order: string[] = []
  const open = [ask(budget, order, 'a', 10, 'a1')]
  for (const name of ['a2', 'a3', 'a4']) open.push(ask(budget, order, 'a', 10, name))
  open.push(ask(budget, order, 'b', 10, 'b1'))
  for (const name of ['a1', 'a2', 'b1', 'a3', 'a4']) open[['a1', 'a2', 'a3', 'a4', 'b1'].indexOf(name)]!.release()
  t.strictSame(order, ['a1', 'a2', 'b1', 'a3', 'a4'])
})

t.test('small amounts do not overtake a large one', async t => {
  const budget = new ByteBudget({ max: 100, share: 100 })
  const order: string[] = []
  const first = ask(budget, order, 'a', 30, 'first')
  const large = ask(budget, order, 'b', 90, 'large')
  ask(budget, order, 'c', 30, 'small')
  t.strictSame(order, ['first'])
  first.release()
  t.strictSame(order, ['first', 'large'])
  large.release()
  t.strictSame(order, ['first', 'large', 'small'])
})

t.test('an amount beyond the budget is permitted alone', async t => {
  const budget = new ByteBudget({ max: 100, share: 50 })
  const order: string[] = []
  const first = ask(budget, order, 'a', 10, 'first')
  ask(budget, order, 'b', 500, 'huge')
  t.strictSame(order, ['first'])
  first.release()
  t.strictSame(order, ['first', 'huge'])
  t.equal(budget.held, 500)
})

t.test('bytes that are only counted never wait, and leave less for permits', async t => {
  const budget = new ByteBudget({ max: 100, share: 100 })
  const order: string[] = []
  const counted = budget.hold('a')
  counted.set(95)
  const first = ask(budget, order, 'b', 4, 'first')
  ask(budget, order, 'b', 4, 'second')
  t.strictSame(order, ['first'], 'five were left')
  counted.set(0)
  first.release()
  t.strictSame(order, ['first', 'second'])
})

t.test('who gives up in the queue is never permitted, and the next one is', async t => {
  const budget = new ByteBudget({ max: 10, share: 10 })
  const order: string[] = []
  const first = ask(budget, order, 'a', 10, 'first')
  const given = ask(budget, order, 'a', 10, 'given up')
  ask(budget, order, 'a', 10, 'third')
  given.release()
  given.release()
  first.release()
  t.strictSame(order, ['first', 'third'])
  t.strictSame([budget.counts.abandoned, budget.permits, budget.held], [1, 1, 10])
})

t.test('what callers leave untaken uses up their share, and one key alone never fills the budget', async t => {
  const budget = new ByteBudget({ max: 100, share: 50 })
  const [a, b] = [budget.hold('a'), budget.hold('b')]
  a.set(80)
  t.notOk(budget.isShareUsed('a'), 'what is being read is no fault of the callers')
  a.hand(80)
  t.ok(budget.isShareUsed('a'))
  t.notOk(budget.isShareUsed('b'))
  t.notOk(budget.isFull)
  b.hand(50)
  t.ok(budget.isFull)
  a.set(40)
  t.notOk(budget.isFull, 'some of it was taken')
  a.release()
  b.release()
  t.notOk(budget.isShareUsed('a'))
  t.equal(budget.held, 0)
})
