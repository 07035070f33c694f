import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { file } from '../schemas/common.ts'
import type { Endpoint } from '../src/api/endpoint.ts'
import { compile } from '../src/api/operation.ts'
import { done } from '../src/api/replies.ts'
import { startService } from './support.ts'

/** What the reference says of single operations, and what callers sent in good faith. */

async function start(t: Test) {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  return service
}

t.test('refuses the name of a rule without its application, where the upstream would ignore it', async t => {
  const { call } = await start(t)
  for (const [method, url, body] of [
    ['GET', '/call-sessions?ruleName=nonexistent', undefined],
    ['POST', '/history-reports/calls', { fromDate: '2026-01-15T09:30:00Z', toDate: '2026-01-16T09:30:00Z', ruleName: 'nonexistent' }]
  ] as const)
    t.match(await call(method, url, body), {
      status: 400,
      body: { errors: [{ in: method === 'GET' ? 'query' : 'body', pointer: '/applicationId', detail: /is required with `ruleName`/ }] }
    })
})

t.test('asks for the application of a user that is named', async t => {
  const { call } = await start(t)
  t.match(await call('PUT', '/skills/~spanish/users/~ada'), { status: 400, body: { errors: [{ in: 'body', pointer: '/applicationId' }] } })
  t.match(await call('DELETE', '/skills/~spanish/users/~ada'), {
    status: 400,
    body: { errors: [{ in: 'query', pointer: '/applicationId' }] }
  })
})

t.test('checks a network as well as an address', async t => {
  const { call } = await start(t)
  t.match(await call('GET', '/authorized-ips/check?authorizedIp=192.0.2.0/25'), {
    status: 200,
    body: { allowed: true, authorizedIp: '192.0.2.0/24' }
  })
  t.match(await call('GET', '/authorized-ips/check?authorizedIp=198.51.100.0/24'), { status: 200, body: { allowed: false } })
})

t.test('shows the states of all smart queues when none is named', async t => {
  const { call } = await start(t)
  const { body, status } = await call('GET', '/applications/1/smart-queues-state')
  t.equal(status, 200)
  t.equal(body.items.length, (await call('GET', '/applications/1/smart-queues')).body.total)
})

t.test("keeps to the reference's limits", async t => {
  const { call } = await start(t)
  const list = { ruleId: 1, priority: 1, maxSimultaneous: 1, numAttempts: 9, name: 'Winter', tasks: [{ phone: '1' }] }
  t.match(await call('POST', '/call-lists', list, { headers: { 'idempotency-key': 'limits' } }), {
    status: 400,
    body: { errors: [{ pointer: '/numAttempts' }] }
  })
  t.equal((await call('PATCH', '/applications/1', { applicationName: `a${'b'.repeat(79)}` })).status, 204)
  t.equal((await call('PATCH', '/applications/2', { applicationName: `a${'b'.repeat(80)}` })).status, 400)
  t.equal((await call('PATCH', '/queues/201', { acdQueuePriority: 200 })).status, 204)
})

t.test('answers changed priorities of tasks as items in camelCase', async t => {
  const { call } = await start(t)
  const { items } = (await call('GET', '/call-lists')).body
  const answers = await Promise.all(
    items.map(({ listId }: { listId: number }) =>
      call('PATCH', `/call-lists/${listId}/tasks`, { tasks: [{ taskUuid: 'nobody', taskPriority: 1 }] })
    )
  )
  t.match(answers[0], { status: 200, body: { items: [{ taskUuid: 'nobody', result: false, errorMsg: String }] } })
})

t.test('serves nothing at an address with an empty segment', async t => {
  const { call } = await start(t)
  for (const url of ['/applications/', '/applications//users', '/queues/'])
    t.match(await call('GET', url), { status: 404, body: { code: 'not-found' } })
})

t.test('does not compile a file field that nothing says how to send', async t => {
  const endpoint: Endpoint = {
    http: 'POST /things',
    rpc: 'AddSkill',
    summary: 'x',
    tag: 'Skills',
    input: Type.Object({ skillName: Type.String(), fileContent: file('A file.') }),
    reply: done
  }
  t.throws(() => compile('createThing', endpoint), { message: /fileContent is a file/ })
})
