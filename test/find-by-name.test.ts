import t, { type Test } from 'tap'
import { startStub } from './stub.ts'
import { startService } from './support.ts'

/** Names in addresses: exactly one item bears them, whatever the upstream's filters match. */

async function start(t: Test) {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  const { call } = service
  const add = async (applicationName: string, users: string[]) => {
    const { applicationId } = (await call('POST', '/applications', { applicationName })).body
    for (const userName of users)
      await call('POST', `/applications/${applicationId}/users`, { userName, userDisplayName: userName, userPassword: 'Passw0rd!' })
    return applicationId as number
  }
  return { ...service, add }
}

t.test('lists what belongs to the one application of exactly this name', async t => {
  const { call, add } = await start(t)
  await add('sport', ['anna', 'boris'])
  await add('sport2', ['clara'])
  const { body } = await call('GET', '/applications/~sport/users')
  t.same(body.items.map((user: { userName: string }) => user.userName).sort(), ['anna', 'boris'])
  t.equal(body.total, 2)
})

t.test('answers 404 with the path field for a name that is only part of names', async t => {
  const { call, add } = await start(t)
  await add('sport', ['anna'])
  for (const path of ['users', 'secrets', 'smart-queues', 'agents', 'key-values?key=a', 'users/~anna'])
    t.match(await call('GET', `/applications/~spor/${path}`), {
      status: 404,
      body: { code: 'not-found', errors: [{ in: 'path', pointer: '/applicationId', detail: 'names nothing in this account' }] }
    })
})

t.test('counts for `all` what the exact application holds, and changes no other', async t => {
  const { call, add } = await start(t)
  const sport = await add('sport', ['anna', 'boris', 'carla'])
  const other = await add('sport2', ['dora'])
  t.match(await call('DELETE', '/applications/~sport/users?all=true&expectedCount=4'), {
    status: 412,
    body: { code: 'count-differs', detail: /There are 3 now/ }
  })
  t.equal((await call('DELETE', '/applications/~sport/users?all=true&expectedCount=3')).status, 204)
  t.equal((await call('GET', `/applications/${sport}/users`)).body.total, 0)
  t.equal((await call('GET', `/applications/${other}/users`)).body.total, 1)
})

t.test('refuses a filter by the name of nothing, and names it', async t => {
  const { call } = await start(t)
  t.match(await call('GET', '/call-sessions?applicationId=~nowhere'), {
    status: 422,
    body: { code: 'invalid-value', errors: [{ in: 'query', pointer: '/applicationId' }] }
  })
})

t.test('names the path field that a 404 of the upstream is about', async t => {
  const { call } = await start(t)
  t.match(await call('PUT', '/applications/1/smart-queues/999/agents/1001'), { status: 404, body: { errors: [{ pointer: '/sqQueueId' }] } })
  t.match(await call('PUT', '/applications/1/smart-queues/~nobody/agents/1001'), {
    status: 404,
    body: { errors: [{ in: 'path', pointer: '/sqQueueId' }] }
  })
  t.match(await call('GET', '/applications/1/users/99999'), { status: 404, body: { errors: [{ in: 'path', pointer: '/userId' }] } })
  t.match(await call('DELETE', '/skills/99999'), { status: 404, body: { errors: [{ in: 'path', pointer: '/skillId' }] } })
})

t.test('stops to look for a name after twenty thousand rows', async t => {
  let calls = 0
  const rows = Array.from({ length: 1000 }, (_, i) => ({ application_id: i + 1, application_name: `sport${i}.acme.n1.voximplant.com` }))
  const { origin } = await startStub(t, ({ response }) => {
    calls++
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ result: rows, count: 1000 }))
  })
  const service = await startService({ origin })
  t.teardown(() => service.close())
  t.match(await service.call('GET', '/applications/~sport'), { status: 422, body: { code: 'invalid-value', detail: /Use the id/ } })
  t.equal(calls, 20)
})

t.test('gives up counting what `all` selects once it is more than was expected', async t => {
  let calls = 0
  const rows = Array.from({ length: 1000 }, (_, i) => ({ skill_id: i + 1, skill_name: `skill ${i}` }))
  const { origin } = await startStub(t, ({ response }) => {
    calls++
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ result: rows }))
  })
  const service = await startService({ origin })
  t.teardown(() => service.close())
  t.match(await service.call('DELETE', '/applications?all=true&expectedCount=1500'), {
    status: 412,
    body: { detail: /more than 1500/ }
  })
  t.equal(calls, 2)
})

t.test('gives up a search at the deadline of a call', async t => {
  const rows = Array.from({ length: 1000 }, (_, i) => ({ application_id: i + 1, application_name: `sport${i}.acme` }))
  const { origin } = await startStub(t, ({ response }) => {
    setTimeout(() => response.setHeader('content-type', 'application/json').end(JSON.stringify({ result: rows })), 200)
  })
  const service = await startService({ origin, env: { UPSTREAM_TIMEOUT: '500' } })
  t.teardown(() => service.close())
  t.match(await service.call('GET', '/applications/~sport/users'), {
    status: 504,
    body: { code: 'upstream-timeout', detail: /Use the id/ }
  })
})

t.test('claims a next page only where there is one', async t => {
  const { call } = await start(t)
  const all = (await call('GET', '/sip-registrations')).body.items.length
  t.ok(all > 1)
  t.equal((await call('GET', '/sip-registrations')).headers.link, undefined, 'all of them without a limit')
  t.equal((await call('GET', `/sip-registrations?limit=${all}`)).headers.link, undefined, 'a full page that is the last')
  t.match((await call('GET', `/sip-registrations?limit=${all - 1}`)).headers.link, /rel="next"/)
  t.notMatch((await call('GET', `/sip-registrations?limit=1&offset=${all - 1}`)).headers.link, /rel="next"/)
})
