import { once } from 'node:events'
import t from 'tap'
import { Bulkhead } from '../../../src/voximplant/bulkhead.ts'
import { Download } from '../../../src/voximplant/download.ts'
import { withSlot } from '../../../src/voximplant/stages/with-slot.ts'
import { createCall, notCalled, rejection, transports } from '../calls.ts'

const create = () => new Bulkhead({ maxProcessConcurrency: 10, maxQueueLength: 0, queueTimeoutMs: 10 })
const slots = { scope: 'tenant', limit: 1 } as const

for (const kind of ['form', 'upload'] as const)
  t.test(`a call with a ${kind} holds its slot until its response is there`, async t => {
    const bulkhead = create()
    const { content, result } = transports[kind]
    await withSlot(bulkhead)(createCall({ content, slots }), async () => {
      t.equal(bulkhead.active, 1)
      return result()
    })
    t.equal(bulkhead.active, 0)
  })

t.test('a download holds its slot until its stream is closed', async t => {
  const bulkhead = create()
  const { content, result } = transports.download
  const download = await withSlot(bulkhead)(createCall({ content, slots }), async () => result())
  t.equal(bulkhead.active, 1)
  if (!(download instanceof Download)) return t.fail('no download')
  download.stream.destroy()
  await once(download.stream, 'close')
  t.equal(bulkhead.active, 0)
})

t.test('a download whose stream is closed already holds no slot', async t => {
  const bulkhead = create()
  const { content, result } = transports.download
  await withSlot(bulkhead)(createCall({ content, slots }), async () => {
    const download = result() as Download
    download.stream.destroy()
    await once(download.stream, 'close')
    return download
  })
  t.equal(bulkhead.active, 0)
})

for (const kind of ['form', 'upload', 'download'] as const)
  t.test(`a call with a ${kind} that fails gives its slot back`, async t => {
    const bulkhead = create()
    const { content } = transports[kind]
    const failure = new Error('failed')
    await t.rejects(
      withSlot(bulkhead)(createCall({ content, slots }), () => Promise.reject(failure)),
      failure
    )
    t.equal(bulkhead.active, 0)
  })

t.test('a call that gets no slot is not made', async t => {
  const bulkhead = create()
  bulkhead.acquire(bulkhead.partition('acme'), 1)
  t.match(await rejection(withSlot(bulkhead)(createCall({ slots }), notCalled)), { type: 'concurrency-limited' })
})

t.test('calls that start a session share the slots of their account, not those of their tenant', async t => {
  const bulkhead = create()
  await withSlot(bulkhead)(createCall({ slots: { scope: 'account', limit: 1 } }), async () => {
    t.same([bulkhead.partition('acme').active, bulkhead.partition('account 7').active], [0, 1])
    return {}
  })
})

t.test('a call without slots passes', async t => {
  const bulkhead = create()
  await withSlot(bulkhead)(createCall(), async () => {
    t.equal(bulkhead.active, 0)
    return {}
  })
})

t.test("the call's deadline runs from when it has its slot", async t => {
  const call = createCall({ slots })
  call.deadline = 0
  await withSlot(create())(call, async () => ({}))
  t.ok(call.deadline > performance.now() + 900)
})
