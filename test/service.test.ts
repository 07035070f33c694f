import t from 'tap'
import { startService } from './support.ts'

/** What callers are promised beyond single endpoints: addresses, pages, names, several resources, everything. */

const person = (userName: string) => ({ userName, userDisplayName: userName.toUpperCase(), userPassword: 'Passw0rd!' })

t.test('the life of a user', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const { call } = service
  const application = await call('POST', '/applications', { applicationName: 'support' })
  t.equal(application.status, 201)
  t.equal(application.headers.location, `/applications/${application.body.applicationId}`)
  t.match(application.body, { applicationName: 'support.account-500001.n1.voximplant.com', secureRecordStorage: false })

  const made = await call('POST', '/applications/~support/users', {
    ...person('ada'),
    userCustomData: 'a;b\nall',
    mobilePhone: '14155550100'
  })
  t.equal(made.status, 201)
  t.equal(made.headers.location, `/applications/~support/users/${made.body.userId}`)
  const address = made.headers.location as string
  t.match(
    (await call('GET', address)).body,
    { userName: 'ada', userCustomData: 'a;b\nall', userActive: true, mobilePhone: '14155550100' },
    'free text keeps what names may not hold'
  )
  t.match((await call('GET', '/applications/~support/users/~ada')).body, { userId: made.body.userId })

  const changed = await call('PATCH', address, { userName: 'lady-ada', userActive: false })
  t.equal(changed.status, 204)
  t.equal(changed.text, '')
  t.match(
    (await call('GET', address)).body,
    { userName: 'lady-ada', userActive: false, userDisplayName: 'ADA' },
    'fields that were left out stay'
  )

  t.match(await call('POST', '/applications/~support/users', person('lady-ada')), {
    status: 409,
    body: { code: 'already-exists', upstream: { name: 'USER_NAME_ISNT_UNIQUE' }, errors: [{ in: 'body', pointer: '/userName' }] }
  })
  t.match(await call('POST', '/applications/~support/users', { ...person('weak'), userPassword: 'passwordpassword' }), {
    status: 422,
    body: { upstream: { name: 'PASSWORD_TOO_WEAK' } }
  })
  t.equal((await call('DELETE', address)).status, 204)
  t.equal((await call('GET', address)).status, 404)
  t.match(await call('DELETE', address), { status: 404, body: { upstream: { name: 'INVALID_USER_ID' } } })
  t.equal((await call('POST', '/applications/~nobody/users', person('bob'))).status, 404)
  t.same(
    service.app.upstream.drift.unknownFields.size + service.app.upstream.drift.unreadableFields.size,
    0,
    'nothing unforeseen in the answers'
  )
})

t.test('pages', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  for (let i = 0; i < 7; i++) await service.call('POST', '/skills', { skillName: `skill ${i}` })
  const seen: number[] = []
  let url: string | undefined = '/skills?limit=3&skillName=skill%20'
  let pages = 0
  while (url) {
    const { status, body, headers } = await service.call('GET', url)
    t.equal(status, 200)
    t.equal(body.total, 7)
    seen.push(...body.items.map((item: { skillId: number }) => item.skillId))
    pages++
    url = /<([^>]+)>; rel="next"/.exec(String(headers.link ?? ''))?.[1]
    if (pages === 2) t.match(headers.link, /<\/skills\?skillName=skill%20&limit=3&offset=0>; rel="prev", <[^>]+offset=0>; rel="first"/)
  }
  t.equal(pages, 3)
  t.equal(new Set(seen).size, 7, 'each row once')
  t.equal((await service.call('GET', '/skills')).headers.link, undefined, 'a list on one page has no links')
  const beyond = await service.call('GET', '/skills?offset=100')
  t.same(beyond.body, { items: [], total: 7 })
  const odd = await service.call('GET', '/skills?limit=2&skillName=%3Cx%3E%22')
  t.equal(odd.status, 200)
})

t.test('names', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const { call } = service
  // 1,100 skills whose names hold the one that is looked for, which comes last.
  const many = Array.from({ length: 1100 }, (_, i) => `billing-${i}`)
  for (const skillName of [...many, 'billing']) await call('POST', '/skills', { skillName })
  const found = await call('GET', '/skills/~billing')
  t.equal(found.body?.skillName, 'billing', 'the name is found exactly, on whatever page')
  t.equal((await call('GET', '/skills/~bill')).status, 404, 'a part of a name is no name')
  t.equal((await call('PATCH', '/skills/~billing', { skillName: 'renamed' })).status, 204)
  t.equal((await call('GET', '/skills/~renamed')).body.skillId, found.body.skillId)
  await call('POST', '/applications', { applicationName: 'support' })
  await call('POST', '/applications', { applicationName: 'support-eu' })
  t.equal((await call('GET', '/applications/~support')).body.applicationId, 1)
  t.equal((await call('GET', '/applications/~support.account-500001.n1.voximplant.com')).body.applicationId, 1, 'the full name too')
  t.equal((await call('PATCH', '/applications/~support-eu', { applicationName: 'support-us' })).status, 204)
  t.equal((await call('GET', '/applications/~support-us')).body.applicationId, 2)
  const queue = await call('POST', '/applications/~support/queues', { acdQueueName: 'Erste Hilfe / ä' })
  t.equal(
    (await call('GET', `/queues/${encodeURIComponent('~Erste Hilfe / ä')}`)).body.acdQueueId,
    queue.body.acdQueueId,
    'a name with a slash'
  )
})

t.test('a call can select several resources, or everything', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const { call } = service
  await call('POST', '/applications', { applicationName: 'support' })
  const ids: number[] = []
  for (let i = 0; i < 6; i++) ids.push((await call('POST', '/applications/1/users', person(`user-${i}`))).body.userId)
  const names = async () =>
    (await call('GET', '/applications/1/users?limit=100')).body.items.map((user: { userName: string }) => user.userName)

  t.equal((await call('DELETE', `/applications/1/users?userId=${ids[0]}&userId=${ids[1]}`)).status, 204)
  t.equal((await call('DELETE', '/applications/1/users?userId=~user-2')).status, 204)
  t.same(await names(), ['user-3', 'user-4', 'user-5'])
  const mixed = await call('DELETE', `/applications/1/users?userId=~user-3&userId=${ids[4]}`)
  t.match(mixed, { status: 400, body: { errors: [{ in: 'query', pointer: '/userId', detail: /cannot be mixed/ }] } })
  t.match(
    await call('DELETE', '/applications/1/users'),
    { status: 400, body: { errors: [{ pointer: '/userId', detail: /is required, unless `all`/ }] } },
    'no selector'
  )
  t.match(await call('DELETE', '/applications/1/users?all=true'), { status: 400, body: { errors: [{ pointer: '/expectedCount' }] } })
  t.match(await call('DELETE', '/applications/1/users?expectedCount=3'), { status: 400 })
  t.match(await call('DELETE', `/applications/1/users?all=true&expectedCount=3&userId=${ids[3]}`), {
    status: 400,
    body: { errors: [{ pointer: '/userId' }] }
  })
  t.match(await call('DELETE', '/applications/1/users?all=false&expectedCount=3'), { status: 400 })
  const before = await names()
  t.match(await call('DELETE', '/applications/1/users?all=true&expectedCount=2'), {
    status: 412,
    body: { code: 'count-differs', detail: /There are 3 now, not 2/ }
  })
  t.same(await names(), before, 'and nothing was deleted')
  t.equal((await call('DELETE', '/applications/1/users?all=true&expectedCount=3')).status, 204)
  t.same(await names(), [])
  t.match(
    await call('DELETE', '/applications/1', { anything: 1 }),
    { status: 400, body: { errors: [{ in: 'body', detail: /not read/ }] } },
    'a body that is not read is refused'
  )
  const sent = service.sandbox.sandbox.seen.findLast(seen => seen.method === 'DelUser')!
  t.match(sent.params, { user_id: 'all', application_id: '1' })
})

t.test('bindings', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const { call } = service
  for (const applicationName of ['support', 'sales']) await call('POST', '/applications', { applicationName })
  const [ada, bob] = [
    (await call('POST', '/applications/1/users', person('ada'))).body.userId,
    (await call('POST', '/applications/1/users', person('bob'))).body.userId
  ]
  const stranger = (await call('POST', '/applications/2/users', person('eve'))).body.userId
  const queue = (await call('POST', '/applications/1/queues', { acdQueueName: 'line', maxQueueSize: 5, serviceProbability: 0.75 })).body
    .acdQueueId
  const skill = (await call('POST', '/skills', { skillName: 'english' })).body.skillId
  const members = async () => (await call('GET', `/queues/${queue}?withOperatorcount=true&withSkills=true`)).body

  t.equal((await call('PUT', `/applications/1/queues/${queue}/users/${ada}`)).status, 204)
  t.equal((await call('PUT', `/applications/1/queues/${queue}/users/${ada}`)).status, 204, 'again: the same')
  t.match(await members(), { users: [{ userId: ada }], operatorcount: 1, serviceProbability: 0.75 })
  t.match(
    await call('PUT', `/applications/1/queues/${queue}/users/${stranger}`),
    { status: 409, body: { upstream: { name: 'USER_NOT_BOUND_TO_THE_APPLICATION' } } },
    "another application's user"
  )
  t.equal((await call('PUT', '/applications/~support/queue-members', { acdQueueId: ['~line'], userId: ['~ada', '~bob'] })).status, 204)
  t.match((await members()).users, [{ userId: ada }, { userId: bob }])
  t.match(await call('GET', '/queues-state'), { status: 200, body: { acdQueues: [{ acdQueueId: queue, readyOperatorsCount: 0 }] } })
  t.equal(
    (await call('DELETE', '/applications/1/queue-members?all=userId&expectedCount=2&acdQueueId=~line')).status,
    204,
    'everything of one of two selectors'
  )
  t.same((await members()).users, [])

  t.equal((await call('PUT', `/skills/${skill}/users/${ada}`)).status, 204)
  t.equal((await call('PUT', `/skills/~english/queues/~line`)).status, 204)
  t.match((await members()).skills, [{ skillId: skill, skillName: 'english' }])
  t.match((await call('GET', `/applications/1/users?skillId=${skill}&withSkills=true`)).body, {
    total: 1,
    items: [{ userId: ada, skills: [{ skillName: 'english' }] }]
  })
  t.equal(
    (await call('PUT', '/skill-bindings', { skillId: [skill], userId: ['~bob'], applicationId: '~support', acdQueueId: [queue] })).status,
    204
  )
  t.equal((await call('GET', `/applications/1/users?skillId=${skill}`)).body.total, 2)
  t.equal((await call('DELETE', `/skill-bindings?skillId=${skill}&userId=${ada}&userId=${bob}`)).status, 204)
  t.equal((await call('GET', `/applications/1/users?skillId=${skill}`)).body.total, 0)
  t.equal((await call('DELETE', '/applications/1')).status, 204)
  t.equal((await call('GET', `/queues/${queue}`)).status, 404, 'what hangs on an application goes with it')
})

t.test('accounts and rates', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const account = await service.call('GET', '/account?returnLiveBalance=true')
  t.match(account.body, {
    accountId: 500_001,
    apiAddress: 'api.voximplant.com',
    created: '2024-03-01T08:00:00Z',
    billingLimits: { bankCard: { minAmount: 10 } }
  })
  t.notMatch(account.text, /apiKey|api_key|salt/i, 'secrets of the account stay inside')
  t.same((await service.call('GET', '/currency-rates?currency=USD&currency=EUR&date=2026-01-15')).body, { USD: 1, EUR: 0.92 })
  t.match(await service.call('GET', '/currency-rates?currency=XXX'), { status: 422, body: { upstream: { name: 'INVALID_CURRENCY' } } })
})

t.test('every request has an id of its own', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const own = await service.call('GET', '/skills/5', undefined, { headers: { 'x-request-id': 'my-request-0001' } })
  t.equal(own.headers['x-request-id'], 'my-request-0001')
  t.equal(own.body.instance, 'urn:request:my-request-0001')
  for (const bad of ['short', 'has spaces in it', 'x'.repeat(200), 'quote"quote"quote']) {
    const other = await service.call('GET', '/skills/5', undefined, { headers: { 'x-request-id': bad } })
    t.match(other.headers['x-request-id'], /^[0-9a-f-]{36}$/, 'what could break a log line is not taken over')
  }
})
