import t from 'tap'
import type { Dispatcher } from 'undici'
import { TransportError } from '../../src/voximplant/errors.ts'
import { type BodySink, type BodySource, Exchange, type ExchangeOptions } from '../../src/voximplant/transport.ts'
import { account, createCall } from './calls.ts'

/** An exchange that undici, played by the test, carries out: what its sink got, and whether the connection was destroyed. */
function create(options: Partial<ExchangeOptions> = {}) {
  const got: unknown[] = []
  const sink: BodySink = {
    start: ({ status }) => got.push(status),
    data: chunk => got.push(chunk.toString()),
    end() {
      got.push('end')
      exchange.complete()
    },
    fail: error => got.push(error)
  }
  const aborted: unknown[] = []
  const controller = { paused: false, aborted: false, reason: null, abort: (error: Error) => aborted.push(error), pause() {}, resume() {} }
  const exchange = new Exchange({ call: createCall(), body: 'cmd=GetUsers', sink, timeoutMs: 1000, cancellable: true, ...options })
  t.teardown(() => exchange.abort(new Error('the test is over')))
  return { exchange, got, aborted, controller: controller as unknown as Dispatcher.DispatchController }
}

const source = (late?: Error): BodySource & { stopped: boolean } => ({
  stopped: false,
  chunks: () => (async function* () {})(),
  lateError: () => late,
  stop() {
    this.stopped = true
  }
})
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

t.test('a response goes to the sink, and nothing after its end', async t => {
  const { exchange, got, controller } = create()
  exchange.onRequestStart(controller)
  exchange.onResponseStart(controller, 200, {})
  exchange.onResponseData(controller, Buffer.from('{}'))
  exchange.onResponseEnd()
  exchange.onResponseData(controller, Buffer.from('more'))
  exchange.onResponseError(controller, new Error('late'))
  t.same(got, [200, '{}', 'end'])
})

t.test('a permit that does not hold when the first byte is written keeps it here', async t => {
  const call = createCall({ permit: { account: () => account, holds: () => false } })
  const { exchange, got, aborted, controller } = create({ call })
  exchange.onRequestStart(controller)
  t.match(got, [{ reason: 'not-permitted', progress: 'unsent' }])
  t.equal(aborted.length, 1, 'the connection sends nothing')
})

t.test('a deadline before the connection is one of an unsent request, after it one of a lost response', async t => {
  const unsent = create({ timeoutMs: 5 })
  const sent = create({ timeoutMs: 5 })
  sent.exchange.onRequestStart(sent.controller)
  await pause(30)
  t.match(unsent.got, [{ reason: 'deadline', progress: 'unsent' }])
  t.match(sent.got, [{ reason: 'deadline', progress: 'sent' }])
  t.equal(sent.aborted.length, 1, 'its connection is destroyed')
})

t.test('a connection that comes after the deadline is not used', async t => {
  const { exchange, aborted, controller } = create({ timeoutMs: 5 })
  await pause(30)
  exchange.onRequestStart(controller)
  t.equal(aborted.length, 1)
})

t.test("the caller's disconnect ends what is cancellable, and nothing else", async t => {
  const disconnect = new AbortController()
  const call = createCall({ signal: disconnect.signal })
  const read = create({ call })
  const change = create({ call, cancellable: false })
  for (const { exchange, controller } of [read, change]) exchange.onRequestStart(controller)
  disconnect.abort()
  t.match(read.got, [{ reason: 'aborted' }])
  t.same(change.got, [])
})

t.test('a body from a source is cut by a disconnect until it is complete, without effect', async t => {
  const disconnect = new AbortController()
  const call = createCall({ signal: disconnect.signal, safe: false })
  const partial = create({ call, body: source(), cancellable: false })
  const complete = create({ call, body: source(), cancellable: false })
  for (const { exchange, controller } of [partial, complete]) exchange.onRequestStart(controller)
  complete.exchange.bodyComplete(1000)
  disconnect.abort()
  t.match(partial.got, [{ reason: 'aborted', progress: 'partial' }])
  t.same(complete.got, [])
  t.equal(complete.exchange.progress, 'sent')
})

t.test('a source says itself what it means that it is late', async t => {
  const late = new Error('the caller is slow')
  const { got } = create({ body: source(late), timeoutMs: 5 })
  const other = create({ body: source(), timeoutMs: 5 })
  await pause(30)
  t.same(got, [late])
  t.match(other.got, [{ reason: 'deadline', progress: 'partial' }])
})

t.test('the timeout of a complete body runs from its end', async t => {
  const { exchange, got, controller } = create({ body: source(), timeoutMs: 10_000 })
  exchange.onRequestStart(controller)
  exchange.bodyComplete(5)
  await pause(30)
  t.match(got, [{ reason: 'deadline', progress: 'sent' }])
})

t.test('a broken connection is reported with its cause, silence as a deadline', async t => {
  const cause = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
  const broken = create()
  broken.exchange.onRequestStart(broken.controller)
  broken.exchange.onResponseError(broken.controller, cause)
  t.match(broken.got, [{ reason: 'connection', progress: 'sent', cause }])
  const silent = create()
  silent.exchange.onResponseError(silent.controller, Object.assign(new Error('silent'), { code: 'UND_ERR_HEADERS_TIMEOUT' }))
  t.match(silent.got, [{ reason: 'deadline' }])
})

t.test('an exchange ends once, and stops its source', async t => {
  const body = source()
  const { exchange, got } = create({ body })
  exchange.abort(new TransportError('oversized', 'sent'))
  exchange.abort(new Error('again'))
  t.equal(got.length, 1)
  t.ok(exchange.over && body.stopped)
})
