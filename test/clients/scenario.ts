import assert from 'node:assert/strict'
import createClient from 'openapi-fetch'
import type { paths } from 'voxgate-api'

/**
 * A working day of somebody who knows Voxgate by its document only: `voxgate-api` are types generated from openapi.json, and the client takes
 * and answers nothing that does not fit them. The account is the sandbox's demonstration world.
 */

export interface ScenarioOptions {
  baseUrl: string
  key: string
  /** Sees every call go by. */
  fetch: (request: Request) => Promise<Response>
}

/** The body of an answer that must not be a failure. */
function good<T>({ data, error, response }: { data?: T; error?: unknown; response: Response }, status = 200): NonNullable<T> {
  assert.equal(response.status, status, `${response.url}: ${JSON.stringify(error)}`)
  assert.ok(data !== undefined && data !== null, `${response.url} has a body`)
  return data
}

/** An answer that has nothing to say. */
function done({ data, error, response }: { data?: unknown; error?: unknown; response: Response }): void {
  assert.equal(response.status, 204, `${response.url}: ${JSON.stringify(error)}`)
  assert.equal(data, undefined)
}

/** One field of every item. (A callback would be of type any where the generated types are not there.) */
const pluck = <L extends readonly unknown[], K extends keyof L[number]>(items: L, field: K): L[number][K][] =>
  items.map((item: L[number]) => item[field])

/** What costs money bears a name, so that it can be sent again. */
const once = () => ({ header: { 'Idempotency-Key': crypto.randomUUID() } })

/** Makes the calls and asserts what they answer. */
export async function scenario({ baseUrl, key, fetch }: ScenarioOptions): Promise<void> {
  const api = createClient<paths>({ baseUrl, fetch, headers: { authorization: `Bearer ${key}` } })

  // Account
  const account = good(await api.GET('/account', {}))
  assert.equal(account.currency, 'USD')
  assert.ok((account.balance ?? 0) > 0)
  const rates = good(await api.GET('/currency-rates', { params: { query: { currency: ['USD', 'EUR'] } } }))
  assert.ok(Object.values(rates).length > 0)

  // Applications
  const made = await api.POST('/applications', { body: { applicationName: 'typed', secureRecordStorage: true } })
  const { applicationId } = good(made, 201)
  assert.equal(made.response.headers.get('location'), `/applications/${applicationId}`)
  const again = await api.POST('/applications', { body: { applicationName: 'typed' } })
  assert.equal(again.response.status, 409)
  assert.equal(again.error?.code, 'already-exists')
  assert.equal(again.error?.errors?.[0]?.pointer, '/applicationName')
  const found = good(await api.GET('/applications/{applicationId}', { params: { path: { applicationId: '~typed' } } }))
  assert.equal(found.applicationId, applicationId)
  assert.equal(found.secureRecordStorage, true)
  done(await api.PATCH('/applications/{applicationId}', { params: { path: { applicationId } }, body: { applicationName: 'generated' } }))
  const applications = good(await api.GET('/applications', { params: { query: { limit: 2, offset: 2 } } }))
  assert.equal(applications.total, 4)
  assert.deepEqual(pluck(applications.items, 'applicationId'), [3, applicationId])

  // Users
  const inApplication = { path: { applicationId } }
  const person = { userName: 'barbara', userDisplayName: 'Barbara Liskov', userPassword: 'Passw0rd!', userCustomData: 'a;b\nü' }
  const { userId } = good(await api.POST('/applications/{applicationId}/users', { params: inApplication, body: person }), 201)
  const user = good(
    await api.GET('/applications/{applicationId}/users/{userId}', {
      params: { path: { applicationId, userId: '~barbara' }, query: { withSkills: true } }
    })
  )
  assert.equal(user.userId, userId)
  assert.equal(user.userCustomData, person.userCustomData)
  assert.ok(!Number.isNaN(Date.parse(user.created ?? '')))
  assert.deepEqual(user.skills, [])
  done(
    await api.PATCH('/applications/{applicationId}/users/{userId}', {
      params: { path: { applicationId, userId } },
      body: { userActive: false, mobilePhone: '14155550199' }
    })
  )
  const ready = good(
    await api.GET('/applications/{applicationId}/users', {
      params: { path: { applicationId: '~support' }, query: { acdStatus: ['READY', 'ONLINE'], orderBy: 'user_name', limit: 20 } }
    })
  )
  assert.deepEqual(pluck(ready.items, 'userName'), ['ada', 'grace'])
  assert.deepEqual(pluck(ready.items, 'acdStatus'), ['READY', 'ONLINE'])

  // Queues
  const { acdQueueId } = good(
    await api.POST('/applications/{applicationId}/queues', {
      params: inApplication,
      body: { acdQueueName: 'typed queue', acdQueuePriority: 2, serviceProbability: 0.9 }
    }),
    201
  )
  done(
    await api.PUT('/applications/{applicationId}/queues/{acdQueueId}/users/{userId}', {
      params: { path: { applicationId, acdQueueId, userId } }
    })
  )
  done(
    await api.DELETE('/applications/{applicationId}/queue-members', {
      params: { path: { applicationId }, query: { acdQueueId: [acdQueueId], userId: ['~barbara'] } }
    })
  )
  const queue = good(
    await api.GET('/queues/{acdQueueId}', { params: { path: { acdQueueId }, query: { withOperatorcount: true, withSkills: true } } })
  )
  assert.equal(queue.acdQueueName, 'typed queue')
  assert.equal(queue.serviceProbability, 0.9)
  good(await api.GET('/queues-state', { params: { query: { acdQueueId: [acdQueueId] } } }))

  // Skills
  const { skillId } = good(await api.POST('/skills', { body: { skillName: 'typed skill' } }), 201)
  done(
    await api.PUT('/skills/{skillId}/users/{userId}', {
      params: { path: { skillId, userId: '~barbara' } },
      body: { applicationId: '~generated' }
    })
  )
  done(await api.PUT('/skills/{skillId}/queues/{acdQueueId}', { params: { path: { skillId: '~typed skill', acdQueueId } } }))
  const skills = good(await api.GET('/skills', { params: { query: { skillName: 'typed' } } }))
  assert.deepEqual(skills, { items: [{ skillId, skillName: 'typed skill' }], total: 1 })
  done(await api.DELETE('/skills/{skillId}', { params: { path: { skillId } } }))

  // Secrets
  const { secretId } = good(
    await api.POST('/applications/{applicationId}/secrets', {
      params: inApplication,
      body: { secretName: 'CRM_KEY', secretValue: 'correct horse', description: 'Key of the CRM' }
    }),
    201
  )
  const secret = good(
    await api.GET('/applications/{applicationId}/secrets/{secretId}', { params: { path: { applicationId, secretId: '~CRM_KEY' } } })
  )
  assert.equal(secret.secretId, secretId)
  assert.equal(secret.secretValue, 'correct horse')
  done(
    await api.PATCH('/applications/{applicationId}/secrets/{secretId}', {
      params: { path: { applicationId, secretId } },
      body: { secretName: 'CRM_KEY_2' }
    })
  )
  const secrets = good(await api.GET('/applications/{applicationId}/secrets', { params: inApplication }))
  assert.deepEqual(pluck(secrets.items, 'secretName'), ['CRM_KEY_2'])

  // Key-value storage
  const item = { path: { applicationId, key: 'caller:+14155550101' } }
  const stored = good(await api.PUT('/applications/{applicationId}/key-values/{key}', { params: item, body: { value: 'gold', ttl: 3600 } }))
  assert.equal(stored.value, 'gold')
  assert.ok(Date.parse(stored.expiresAt ?? '') > Date.now())
  assert.equal(good(await api.GET('/applications/{applicationId}/key-values/{key}', { params: item })).value, 'gold')
  const keys = good(
    await api.GET('/applications/{applicationId}/key-value-keys', {
      params: { path: { applicationId }, query: { key: 'caller', limit: 50 } }
    })
  )
  assert.deepEqual(pluck(keys.items, 'key'), ['caller:+14155550101'])
  done(await api.DELETE('/applications/{applicationId}/key-values/{key}', { params: item }))
  const gone = await api.GET('/applications/{applicationId}/key-values/{key}', { params: item })
  assert.equal(gone.response.status, 404)
  assert.equal(gone.error?.code, 'not-found')
  assert.equal(gone.error?.retryable, false)

  // Smart queues
  const { sqQueueId } = good(
    await api.POST('/applications/{applicationId}/smart-queues', {
      params: inApplication,
      body: { sqQueueName: 'typed', callAgentSelection: 'MOST_QUALIFIED', callTaskSelection: 'MAX_PRIORITY', callMaxQueueSize: 20 }
    }),
    201
  )
  done(
    await api.PUT('/applications/{applicationId}/smart-queues/{sqQueueId}/agents/{userId}', {
      params: { path: { applicationId, sqQueueId, userId }, query: { bindMode: 'add' } }
    })
  )
  const { sqSkillId } = good(
    await api.POST('/applications/{applicationId}/smart-queue-skills', { params: inApplication, body: { sqSkillName: 'typed' } }),
    201
  )
  done(
    await api.PUT('/applications/{applicationId}/agents/{userId}/skills', {
      params: { path: { applicationId, userId } },
      body: { sqSkills: [{ sqSkillId, sqSkillLevel: 4 }] }
    })
  )
  // A parameter that is JSON is text to the types.
  const agents = good(
    await api.GET('/applications/{applicationId}/agents', {
      params: { path: { applicationId }, query: { sqSkills: JSON.stringify([{ sqSkillId, minSqSkillLevel: 3 }]), withSqSkills: true } }
    })
  )
  assert.deepEqual(pluck(agents.items, 'userId'), [userId])
  assert.equal(agents.items[0]?.sqSkills?.[0]?.sqSkillLevel, 4)
  const metrics = good(
    await api.GET('/applications/{applicationId}/smart-queue-metrics/realtime', {
      params: { path: { applicationId: '~support' }, query: { reportType: ['service_level'], sqQueueName: ['billing'], maxWaitingSec: 20 } }
    })
  )
  assert.ok(metrics.items.length > 0)
  const statuses = good(await api.GET('/applications/{applicationId}/agent-statuses', { params: inApplication }))
  assert.ok(pluck(statuses.items, 'sqStatusName').includes('READY'))

  // History
  const january = { fromDate: '2026-01-01T00:00:00+02:00', toDate: '2026-02-01T00:00:00Z' }
  const sessions = good(await api.GET('/call-sessions', { params: { query: { ...january, withCalls: true, limit: 5 } } }))
  assert.equal(sessions.items.length, 5)
  assert.ok(sessions.items[0]?.calls?.[0]?.remoteNumber)
  const transactions = good(
    await api.GET('/transactions', { params: { query: { ...january, transactionType: ['resource_charge'], limit: 3 } } })
  )
  assert.ok(transactions.items.length > 0)
  for (const transaction of transactions.items) assert.equal(transaction.transactionType, 'resource_charge')

  // Reports
  const { historyReportId } = good(await api.POST('/history-reports/calls', { body: { ...january, limit: 10 } }), 202)
  const reports = good(await api.GET('/history-reports', { params: { query: { historyType: ['calls'] } } }))
  assert.ok(pluck(reports.items, 'historyReportId').includes(historyReportId))
  const content = await api.GET('/history-reports/{historyReportId}/content', {
    params: { path: { historyReportId: 601 } },
    parseAs: 'text'
  })
  assert.match(good(content), /^\S+/)

  // Call lists
  const rows = good(
    await api.POST('/call-lists', {
      params: once(),
      body: {
        name: 'typed',
        ruleId: 1,
        priority: 0,
        maxSimultaneous: 5,
        numAttempts: 2,
        tasks: [{ phone: '14155550101', name: 'Ada;"x"' }]
      }
    }),
    201
  )
  const more = good(
    await api.POST('/call-lists/{listId}/tasks', {
      params: { ...once(), path: { listId: rows.listId } },
      body: { fileContent: 'phone;name\n14155550102;Grace\n14155550103;Linus\n', delimiter: ';' },
      bodySerializer(body) {
        const form = new FormData()
        assert.ok(typeof body === 'object' && 'fileContent' in body)
        for (const [name, value] of Object.entries(body)) if (name !== 'fileContent') form.append(name, String(value))
        form.append('fileContent', new Blob([body.fileContent]), 'tasks.csv')
        return form
      }
    }),
    201
  )
  assert.equal(more.count, 2)
  const lists = good(await api.GET('/call-lists', { params: { query: { name: 'typed', applicationId: ['~support'] } } }))
  assert.equal(lists.items[0]?.listId, rows.listId)

  // SMS
  const named = once()
  const table = { source: '14155550100', destination: '14155550101', smsBody: 'Your table is ready' }
  const sms = good(await api.POST('/sms-messages', { params: named, body: table }), 201)
  const same = await api.POST('/sms-messages', { params: named, body: table })
  assert.deepEqual(good(same, 201), sms)
  assert.equal(same.response.headers.get('idempotency-replayed'), 'true')
  const messages = good(await api.GET('/sms-messages', { params: { query: { messageId: [sms.messageId!], direction: 'OUT' } } }))
  assert.equal(messages.items[0]?.destinationNumber, '14155550101')
  const a2p = good(
    await api.POST('/a2p-messages', {
      params: once(),
      body: { srcNumber: 'ACME', dstNumbers: ['14155550101', '14155550102'], text: 'Ready', storeBody: true }
    })
  )
  assert.equal(a2p.sent.length, 2)

  // Phone numbers, caller ids, blacklist
  const phones = good(await api.GET('/phone-numbers', { params: { query: { limit: 3 } } }))
  assert.equal(phones.items.length, 3)
  done(await api.PUT('/phone-numbers/{phoneNumber}/sms', { params: { path: { phoneNumber: '14155550101' } }, body: { enabled: true } }))
  const callerId = good(await api.GET('/caller-ids/{calleridId}', { params: { path: { calleridId: '~14155550100' } } }))
  assert.equal(callerId.verifiedUntil, '2027-01-15')
  const usable = good(await api.GET('/caller-ids', { params: { query: { active: true, orderBy: 'caller_number' } } }))
  assert.equal(usable.total, 2)
  const { pstnBlacklistId } = good(await api.POST('/pstn-blacklist', { body: { pstnBlacklistPhone: '14155550142' } }), 201)
  done(
    await api.PUT('/pstn-blacklist/{pstnBlacklistId}', {
      params: { path: { pstnBlacklistId } },
      body: { pstnBlacklistPhone: '14155550143' }
    })
  )
  const blocked = good(await api.GET('/pstn-blacklist/{pstnBlacklistId}', { params: { path: { pstnBlacklistId } } }))
  assert.equal(blocked.pstnBlacklistPhone, '14155550143')
  done(await api.DELETE('/pstn-blacklist/{pstnBlacklistId}', { params: { path: { pstnBlacklistId } } }))

  // Admin roles and users
  const { adminRoleId } = good(
    await api.POST('/admin-roles', { body: { adminRoleName: 'typed', allowedEntries: ['GetUsers'], likeAdminRoleId: ['~read_only'] } }),
    201
  )
  const role = good(await api.GET('/admin-roles/{adminRoleId}', { params: { path: { adminRoleId }, query: { withEntries: true } } }))
  assert.ok(role.allowedEntries?.includes('GetUsers'))
  assert.ok(role.allowedEntries?.includes('GetCallHistory'))
  done(
    await api.PATCH('/admin-roles/{adminRoleId}', {
      params: { path: { adminRoleId } },
      body: { deniedEntries: ['DelUser'], entryModificationMode: 'add' }
    })
  )
  done(await api.DELETE('/admin-roles', { params: { query: { adminRoleId: [adminRoleId] } } }))

  // What a caller gets wrong in spite of the types.
  const refused = await api.DELETE('/applications/{applicationId}/users', {
    params: { path: { applicationId: 999_999 }, query: { userId: [1] } }
  })
  assert.equal(refused.response.status, 404)
  assert.equal(refused.error?.origin, 'caller')
  done(await api.DELETE('/applications/{applicationId}', { params: { path: { applicationId } } }))
}
