import t, { type Test } from 'tap'
import { operations } from '../../routes/catalogue.ts'
import { catalogue } from '../../routes/index.ts'
import { type Call, createCalls } from '../../src/api/call.ts'
import { endpoint } from '../../src/api/endpoint.ts'
import type { UpstreamResponse } from '../../src/api/reply.ts'
import { buildSandbox } from '../../src/sandbox/server.ts'

const { users, skills, callerIds } = catalogue

/** Whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Typed calls of a sandbox, past the service. */
async function startCalls(t: Test): Promise<Call> {
  const sandbox = await buildSandbox({
    operations,
    accounts: [{ accountId: 7, name: 'acme', keys: {}, apiKey: 'legacy', children: [] }],
    demo: true
  })
  t.teardown(() => sandbox.close())
  return createCalls(operations)(async (operation, input) => {
    const response = await sandbox.inject({
      method: 'POST',
      url: '/platform_api/',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `${operation.form.encode(input)}&account_id=7&api_key=legacy`
    })
    return operation.decode(response.json(), { unknown: () => {}, unreadable: () => {} }) as UpstreamResponse
  })
}

t.test('an item that is called by its name is returned with the fields of its noun', async t => {
  const call = await startCalls(t)
  const { skillId, skillName } = await call(skills.getSkill, { skillId: '~billing' })
  const known: Same<typeof skillName, string | undefined> = true
  t.ok(known)
  t.same(await call(skills.getSkill, { skillId }), { skillId, skillName: 'billing' })
})

t.test('a page is returned with its items and their number', async t => {
  const call = await startCalls(t)
  const { items, total } = await call(users.listUsers, { applicationId: 1, limit: 2 })
  const names: (string | undefined)[] = items.map(user => user.userName)
  const known: Same<typeof total, number | undefined> = true
  t.ok(known)
  t.equal(names.length, 2)
  t.ok(total !== undefined && total > 2)
})

t.test('a creation returns the ids of what it created, and a change nothing', async t => {
  const call = await startCalls(t)
  const { skillId } = await call(skills.createSkill, { skillName: 'typed' })
  const isNumber: Same<typeof skillId, number> = true
  t.ok(isNumber)
  const nothing: undefined = await call(skills.updateSkill, { skillId, skillName: 'retyped' })
  t.equal(nothing, undefined)
  t.match(await call(skills.getSkill, { skillId: '~retyped' }), { skillId })
})

t.test('a call that does not fit its endpoint does not compile', async t => {
  const sent: unknown[] = []
  const call = createCalls(operations)(async (_, input) => {
    sent.push(input)
    return { result: [{ userId: 1 }] }
  })
  await call(users.getUser, { applicationId: 1, userId: '~ada' }).catch(() => {})
  // @ts-expect-error: an unknown field
  await call(users.getUser, { applicationId: 1, userId: 1, userID: 2 })
  // @ts-expect-error: a wrong kind
  await call(users.getUser, { applicationId: true, userId: 1 })
  // @ts-expect-error: a missing field
  await call(users.getUser, { userId: 1 })
  // @ts-expect-error: a word that the field does not have
  await call(users.listUsers, { applicationId: 1, orderBy: 'user_age' })
  // @ts-expect-error: a field that the body does not have
  void (await call(users.getUser, { applicationId: 1, userId: 1 })).userIdentity
  t.equal(sent.length, 6)
})

t.test('an endpoint that is not in the catalogue is not called', async t => {
  const call = createCalls(operations)(async () => ({}))
  await t.rejects(call(endpoint({ ...callerIds.listCallerIds }), {}), { message: 'GET /caller-ids is not in the catalogue' })
})
