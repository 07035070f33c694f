import t from 'tap'
import { RequestTrace } from '../../../src/telemetry/request-trace.ts'
import { UpstreamStats } from '../../../src/telemetry/upstream-stats.ts'
import { CallCounters } from '../../../src/voximplant/counters.ts'
import { Download } from '../../../src/voximplant/download.ts'
import { TransportError } from '../../../src/voximplant/errors.ts'
import { traced } from '../../../src/voximplant/stages/traced.ts'
import { createCall, transports } from '../calls.ts'

const outcomes = (counters: CallCounters) => counters.method('GetUsers').outcomes

for (const kind of ['form', 'upload'] as const)
  t.test(`an attempt with a ${kind} is counted with its response`, async t => {
    const counters = new CallCounters()
    const stats = new UpstreamStats()
    const { content, result } = transports[kind]
    await traced(undefined, counters)(createCall({ content, stats }), async () => {
      await new Promise(resolve => setTimeout(resolve, 10))
      return result()
    })
    t.same(outcomes(counters), { ok: 1 })
    t.equal(stats.attempts, 1)
    t.ok(stats.ms >= 9)
  })

t.test('a download is counted when its stream ends, with what came of it', async t => {
  const counters = new CallCounters()
  const { content, result } = transports.download
  const stage = traced(undefined, counters)
  const [first, second] = [
    await stage(createCall({ content }), async () => result()),
    await stage(createCall({ content }), async () => result())
  ]
  t.same(outcomes(counters), {})
  if (!(first instanceof Download && second instanceof Download)) return t.fail('no downloads')
  first.end()
  second.end(new TransportError('connection', 'sent'))
  t.same(outcomes(counters), { ok: 1, lost: 1 })
})

for (const [kind, { content }] of Object.entries(transports))
  t.test(`a failed attempt with a ${kind} is counted with its outcome`, async t => {
    const counters = new CallCounters()
    const failure = new TransportError('deadline', 'sent')
    await t.rejects(
      traced(undefined, counters)(createCall({ content }), () => Promise.reject(failure)),
      failure
    )
    t.same(outcomes(counters), { timeout: 1 })
  })

t.test("each attempt goes on with the request's trace, under a span id of its own", async t => {
  const trace = new RequestTrace('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'vendor=1')
  const call = createCall({ trace })
  const seen: string[] = []
  for (let i = 0; i < 2; i++)
    await traced(undefined, new CallCounters())(call, async next => {
      seen.push(next.headers.traceparent ?? '')
      t.equal(next.headers.tracestate, 'vendor=1')
      return {}
    })
  for (const header of seen) t.match(header, /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
  t.equal(new Set(seen).size, 2)
})
