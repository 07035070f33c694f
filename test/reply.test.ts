import { randomUUID } from 'node:crypto'
import t from 'tap'
import { operations } from '../src/app.ts'
import { inputOf, requestOf } from './generate.ts'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

/** What becomes of answers that say that a change was made, but not what it made. */

t.setTimeout(300_000)

const makers = operations.filter(({ endpoint }) => endpoint.reply.kind === 'created' || endpoint.reply.kind === 'accepted')
// Documented responses of some lack the id.
const hasId = ({ endpoint }: (typeof operations)[number]) => (endpoint.reply.body?.required ?? []).length > 0

t.test('a creation whose answer lacks its id is outcome-unknown, for every operation that creates something', async t => {
  let calls = 0
  let answer: unknown
  const { origin } = await startStub(t, ({ response }) => {
    calls++
    response.end(JSON.stringify(answer))
  })
  const service = await startService({ origin })
  t.teardown(() => service.close())
  let lacking = 0
  for (const operation of makers) {
    const { method, url, body } = requestOf(operation, inputOf(operation, 'minimal'))
    for (answer of [{ result: 1 }, { result: {} }, { result: [] }, { result: null }, { result: 1, user_id: null }]) {
      const headers = { 'idempotency-key': randomUUID() }
      const what = `${operation.id} answered ${JSON.stringify(answer)}`
      // Some answer the id as `result`.
      if (operation.endpoint.reply.kind === 'accepted' && (answer as { result: unknown }).result === 1) {
        const named = operation.endpoint.reply.response.properties.result === Object.values(operation.endpoint.reply.body!.properties)[0]
        if (named) continue
      }
      const before = calls
      const first = await service.call(method, url, body, { headers })
      if (!hasId(operation)) {
        t.equal(first.status, 201, `${what} need not have an id`)
        t.notMatch(String(first.headers.location ?? ''), /undefined/)
        continue
      }
      lacking++
      t.match(first, { status: 504, body: { code: 'outcome-unknown', settle: { id: String } } }, what)
      t.equal(first.headers.location, undefined)
      const again = await service.call(method, url, body, { headers })
      t.match(again, { status: 504, headers: { 'idempotency-replayed': 'true' }, body: { code: 'outcome-unknown' } }, `${what}, again`)
      t.equal(calls - before, 1, 'it is sent once')
    }
  }
  t.ok(makers.length >= 15 && lacking >= 60)
  t.comment(`${makers.length} operations, ${lacking} answers without an id`)
})

t.test('a change whose answer lacks the result that it has is outcome-unknown', async t => {
  const { origin } = await startStub(t, ({ response }) => response.end('{"result":1}'))
  const service = await startService({ origin })
  t.teardown(() => service.close())
  for (const id of ['setKeyValue', 'sendA2pMessages']) {
    const operation = operations.find(operation => operation.id === id)!
    const { method, url, body } = requestOf(operation, inputOf(operation, 'minimal'))
    const input = id === 'setKeyValue' ? { value: 'x', ttl: 60 } : body
    t.match(await service.call(method, url, input), { status: 504, body: { code: 'outcome-unknown' } }, id)
  }
})
