import t from 'tap'
import { grants, standaloneScopes } from '../src/api/scopes.ts'
import { operations } from '../src/app.ts'
import { emptyList, startStub } from './stub.ts'
import { allScopes, startService } from './support.ts'

/** What no wildcard allows: rights in the account past Voxgate, money, secrets. */

const without = (scope: string) => allScopes.filter(held => held !== scope)

/** A path with some value for each of its parameters. */
const urlOf = (url: string) =>
  url.replace(/:(\w+)/g, (_, name: string) => (name === 'sqStatusName' ? 'ONLINE' : name === 'phoneNumber' ? '14155550100' : '1'))

t.test('every change of who may act in the account needs `privileged`, which `*` does not hold', async t => {
  const service = await startService({ scopes: without('privileged') })
  t.teardown(() => service.close())
  const privileged = operations.filter(({ traits: { privileged } }) => privileged)
  t.same(
    privileged.map(({ id }) => id).sort(),
    operations
      .filter(({ traits: { safe }, endpoint: { tag } }) => !safe && ['Admin users', 'Admin roles', 'Authorized IPs'].includes(tag))
      .map(({ id }) => id)
      .sort(),
    'the traits of the methods say which'
  )
  t.equal(privileged.length, 14)
  for (const { id, method, url, scopes } of privileged) {
    t.ok(scopes.includes('privileged'), id)
    const refused = await service.call(method, urlOf(url), method === 'DELETE' ? undefined : {})
    t.match(
      refused,
      {
        status: 403,
        body: { code: 'scope-missing', detail: /lacks the scope `privileged`/ },
        headers: { 'www-authenticate': /privileged/ }
      },
      id
    )
  }
  t.equal(service.upstreamRequests(), 0, 'nothing reached the upstream')
  for (const section of ['admin-users', 'admin-roles', 'authorized-ips'])
    t.equal((await service.call('GET', `/${section}`)).status, 200, `${section} can still be looked at`)
})

t.test('a key with `privileged` changes who may act in the account', async t => {
  const service = await startService({ demo: true, scopes: ['authorized-ips:write', 'privileged'] })
  t.teardown(() => service.close())
  t.equal((await service.call('POST', '/authorized-ips', { authorizedIp: '192.0.2.7', allowed: true })).status, 201)
  t.match(await service.call('PATCH', '/admin-users/1', { adminUserActive: false }), { status: 403, body: { code: 'scope-missing' } })
})

t.test('scopes that stand apart are held by nothing but themselves', async t => {
  for (const scope of Object.keys(standaloneScopes)) {
    t.notOk(grants(['*', '*:read', ...without(scope)], scope), scope)
    t.ok(grants([scope], scope))
  }
})

t.test('whatever has calls made needs `spend`', async t => {
  const service = await startService({ demo: true, scopes: without('spend') })
  t.teardown(() => service.close())
  for (const id of ['createCallList', 'appendCallListTasks', 'updateCallList', 'startConference', 'callOutboundTestNumber', 'sendSms'])
    t.ok(operations.find(operation => operation.id === id)!.scopes.includes('spend'), id)
  for (const change of [{ numAttempts: 5 }, { startAt: '2027-01-01T00:00:00Z' }, { maxSimultaneous: 100 }])
    t.match(await service.call('PATCH', '/call-lists/1', change), { status: 403, body: { detail: /`spend`/ } }, JSON.stringify(change))
})

const session = {
  call_session_history_id: 7001,
  log_file_url: 'https://storage.example.com/logs/7001',
  secure_log_url: 'https://storage.example.com/secure/7001',
  custom_data: 'order',
  calls: [{ call_id: 1, record_url: 'https://storage.example.com/records/1.mp3', successful: true }],
  records: [
    {
      record_id: 2,
      record_url: 'https://storage.example.com/records/2.mp3',
      transcription_url: 'https://storage.example.com/t/2',
      duration: 29
    }
  ]
}

t.test('addresses of recordings, transcriptions and logs are answered to keys with `secrets` only', async t => {
  const stub = await startStub(t, ({ response }) =>
    response.end(JSON.stringify({ result: [session], total_count: 1, count: 1, timezone: 'Etc/GMT' }))
  )
  const url = '/call-sessions?withCalls=true&withRecords=true'
  const plain = await startService({ origin: stub.origin, scopes: ['history:read'] })
  t.teardown(() => plain.close())
  const answer = await plain.call('GET', url)
  t.match(answer, {
    status: 200,
    body: {
      items: [
        {
          callSessionHistoryId: 7001,
          customData: 'order',
          calls: [{ callId: 1, successful: true }],
          records: [{ recordId: 2, duration: 29 }]
        }
      ],
      total: 1
    }
  })
  t.notMatch(
    answer.text,
    /storage\.example\.com/,
    'the history can be read, without what opens its recordings; nor fields that are new upstream'
  )

  const trusted = await startService({ origin: stub.origin, scopes: ['history:read', 'secrets'] })
  t.teardown(() => trusted.close())
  const [item] = (await trusted.call('GET', url)).body.items
  t.match(item, {
    logFileUrl: session.log_file_url,
    calls: [{ recordUrl: session.calls[0]!.record_url }],
    records: [{ recordUrl: session.records[0]!.record_url, transcriptionUrl: session.records[0]!.transcription_url }]
  })
})

t.test('a long list, whose rows are written as they come, withholds the same addresses', async t => {
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ ...session, call_session_history_id: 7001 + i }))
  const text = JSON.stringify({ result: rows, total_count: rows.length, count: rows.length, timezone: 'Etc/GMT' })
  const stub = await startStub(t, ({ response }) => response.end(text))
  const plain = await startService({ origin: stub.origin, scopes: ['history:read'] })
  t.teardown(() => plain.close())
  const answer = await plain.call('GET', '/call-sessions?withCalls=true&withRecords=true')
  t.equal(answer.status, 200)
  t.equal(answer.body.items.length, rows.length)
  t.match(answer.body.items.at(-1), { callSessionHistoryId: 27_000, records: [{ recordId: 2, duration: 29 }] })
  t.notOk(answer.text.includes('storage.example.com'))
  const trusted = await startService({ origin: stub.origin, scopes: ['history:read', 'secrets'] })
  t.teardown(() => trusted.close())
  t.ok((await trusted.call('GET', '/call-sessions?withCalls=true&withRecords=true')).text.includes('storage.example.com'))
})

t.test('the file of a report, which may hold such addresses, needs `secrets`', async t => {
  const service = await startService({ demo: true, scopes: ['history-reports:write'] })
  t.teardown(() => service.close())
  t.match(await service.call('GET', '/history-reports/1/content'), { status: 403, body: { detail: /`secrets`/ } })
  t.equal((await service.call('GET', '/history-reports')).status, 200)
})

t.test('no cache keeps an answer that may hold a secret, nor a 401', async t => {
  const stub = await startStub(t, ({ response }) => response.end(emptyList))
  const service = await startService({ origin: stub.origin, env: { ADMIN_TOKEN: 'ops:Zk2Lm7Vb4Nc8Tr1Wy6Gd3HfPa5Xq9Rs0T' } })
  t.teardown(() => service.close())
  let confidential = 0
  for (const { id, method, url, scopes, withhold } of operations.filter(({ upload }) => !upload)) {
    const answer = await service.call(method, urlOf(url), method === 'GET' || method === 'DELETE' ? undefined : {})
    const expected = scopes.includes('secrets') || withhold ? 'no-store' : undefined
    if (expected) confidential++
    t.equal(answer.headers['cache-control'], expected, `${id} ${answer.status}`)
  }
  t.ok(confidential >= 5, `${confidential} operations`)
  for (const [url, authorization] of [
    ['/skills', 'Bearer nothing'],
    ['/skills', undefined],
    ['/admin/tenants', 'Bearer nothing'],
    ['/admin/tenants', undefined]
  ] as const)
    t.match(await service.call('GET', url, undefined, { headers: { authorization } }), {
      status: 401,
      headers: { 'cache-control': 'no-store' }
    })
  const admin = { authorization: 'Bearer Zk2Lm7Vb4Nc8Tr1Wy6Gd3HfPa5Xq9Rs0T' }
  t.match(await service.call('GET', '/admin/tenants', undefined, { headers: admin }), {
    status: 200,
    headers: { 'cache-control': 'no-store' }
  })
})

t.test('pages promise no TLS for the domain: that is the proxy’s', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  for (const url of ['/docs', '/problems', '/problems/not-found', '/openapi.json', '/skills']) {
    const answer = await service.call('GET', url)
    t.equal(answer.headers['strict-transport-security'], undefined, url)
  }
  t.ok((await service.call('GET', '/problems')).headers['content-security-policy'], 'what protects the pages themselves stays')
})
