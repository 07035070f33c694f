import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Semaphore } from '../../src/limits/semaphore.ts'

/** A task that runs until it is ended. */
const openTask = (semaphore: Semaphore, started: string[], name: string) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const done = semaphore.run(() => {
    started.push(name)
    return promise
  })
  return { end: resolve, fail: reject, done }
}

t.test('no more tasks run concurrently than allowed, and the others in their order', async t => {
  const semaphore = new Semaphore(2)
  const started: string[] = []
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => openTask(semaphore, started, name)) as [
    ReturnType<typeof openTask>,
    ReturnType<typeof openTask>,
    ReturnType<typeof openTask>,
    ReturnType<typeof openTask>
  ]
  t.same(started, ['a', 'b'])
  t.equal(semaphore.queued, 2)
  b.end()
  await b.done
  await turn()
  t.same(started, ['a', 'b', 'c'])
  for (const task of [a, c, d]) task.end()
  await Promise.all([a.done, c.done, d.done])
  t.equal(semaphore.queued, 0)
})

t.test('a task that fails frees its place', async t => {
  const semaphore = new Semaphore(1)
  await t.rejects(
    semaphore.run(() => Promise.reject(new Error('failed'))),
    { message: 'failed' }
  )
  t.equal(await semaphore.run(async () => 1), 1)
})

t.test('a task that throws frees its place', async t => {
  const semaphore = new Semaphore(1)
  await t.rejects(
    semaphore.run(() => {
      throw new Error('thrown')
    }),
    { message: 'thrown' }
  )
  t.equal(await semaphore.run(async () => 1), 1)
})
