import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TSchema } from '@sinclair/typebox'
import voximplant from '@voximplant/apiclient-nodejs'
import t, { type Test } from 'tap'
import { makeCertificate } from '../chaos/certificate.ts'
import type { Operation } from '../src/api/operation.ts'
import { operations } from '../src/app.ts'
import { buildSandbox } from '../src/sandbox/server.ts'
import type { FormField } from '../src/voximplant/wire/form.ts'
import { marked } from '../src/voximplant/wire/marks.ts'
import { toSnake } from '../src/voximplant/wire/names.ts'
import type { Param } from '../src/voximplant/wire/params.ts'
import catalogue from './fixtures/catalogue.json' with { type: 'json' }
import { type Field, fieldsOf, type Input, inputOf, isReference, isReferences, isValid, sample, target } from './generate.ts'
import { createCredential, sandboxAccount } from './support.ts'

/**
 * The vendor's own Node client as an oracle. It shares no code with the service: what it sends for an input is what the service has to
 * send, and a sandbox that it can work with speaks the upstream's dialect.
 */

/** Where the client departs from the upstream's reference, and what the comparison does about it. */
interface Bug {
  reason: string
  /** The value to hand to the client, in place of the one that its own types ask for. */
  give?: (value: unknown) => unknown
  /** What the client sends, in place of the text that is right. */
  sends?: (text: string) => string
  /** Hand the value over under the upstream's name: names that it does not know the client passes on as they are. */
  unnamed?: true
  /** Where: method -> the upstream's names of the parameters. */
  params: Record<string, string>
}

const joined = (value: unknown): unknown => (Array.isArray(value) ? value.join(';') : value)

const bugs: Bug[] = [
  {
    reason: 'lists of text are never joined: its types take an array, its form throws on one',
    give: joined,
    params: {
      GetCurrencyRate: 'currency',
      DelApplication: 'application_name',
      GetUsers: 'acd_status',
      DelUser: 'user_name',
      DelSecret: 'secret_name',
      GetCallLists: 'application_name rule_name',
      CancelCallListTask: 'tasks_uuids',
      GetCallHistory: 'local_number remote_number',
      GetTransactionHistory: 'transaction_type subscription_name resource_type price_group_name',
      GetPhoneNumbers: 'phone_number country_code phone_region_name activation_status rule_name verification_status',
      GetSipRegistrations: 'proxy application_name rule_name',
      DelQueue: 'acd_queue_name',
      BindUserToQueue: 'acd_queue_name user_name',
      BindSkill: 'skill_name user_name acd_queue_name',
      SQ_GetQueues: 'sq_queue_name',
      SQ_DelQueue: 'sq_queue_name',
      SQ_BindAgent: 'user_name',
      SQ_UnbindAgent: 'sq_queue_name user_name',
      GetSQState: 'sq_queue_name',
      SQ_GetSkills: 'sq_skill_name user_name',
      SQ_DelSkill: 'sq_skill_name',
      SQ_GetAgents: 'user_name sq_queue_name',
      SQ_SetAgentInfo: 'user_name',
      SQ_BindSkill: 'user_name',
      SQ_UnbindSkill: 'user_name sq_skill_name',
      GetSmartQueueRealtimeMetrics: 'sq_queue_name report_type user_name',
      GetSmartQueueDayHistory: 'sq_queue_name report_type user_name',
      A2PSendSms: 'dst_numbers',
      GetRecordStorages: 'record_storage_name',
      GetCallHistoryAsync: 'local_number remote_number',
      GetBriefCallHistory: 'local_number remote_number',
      GetTransactionHistoryAsync: 'transaction_type subscription_name resource_type price_group_name',
      RequestSmartQueueHistory: 'report_type sq_queue_name user_name',
      GetHistoryReports: 'history_type application_name',
      GetPhoneNumberReports: 'report_type'
    }
  },
  {
    reason: 'it has a single text where the reference has a list, in words or in kind: its form throws on an array',
    give: joined,
    params: {
      CancelCallListBatch: 'batch_ids',
      SQ_BindAgent: 'sq_queue_id sq_queue_name'
    }
  },
  {
    reason: 'it has a moment where the reference has a day: the time of day is sent along',
    sends: day => `${day} 00:00:00`,
    params: {
      GetCurrencyRate: 'date',
      GetPhoneNumbers: 'from_phone_next_renewal to_phone_next_renewal from_unverified_hold_until to_unverified_hold_until'
    }
  },
  {
    reason: 'it does not know the parameter, which the reference has',
    unnamed: true,
    give: value => (typeof value === 'boolean' ? String(value) : joined(value)),
    params: {
      AddUser: 'mobile_phone',
      SetUserInfo: 'mobile_phone',
      CancelCallListBatch: 'list_name',
      GetCallHistory: 'timezone',
      GetTransactionHistory: 'payment_reference timezone',
      GetAccountInvoices: 'status',
      GetPhoneNumbers: 'sms_supported',
      GetSipRegistrations: 'user_name',
      SQ_AddQueue: 'fallback_agent_selection',
      SQ_SetQueueInfo: 'fallback_agent_selection',
      GetSmsHistory: 'timezone',
      GetRecordStorages: 'with_private',
      CreateCallList: 'reference_ip',
      AppendToCallList: 'list_name',
      GetCallHistoryAsync: 'timezone',
      GetBriefCallHistory: 'timezone',
      GetTransactionHistoryAsync: 'payment_reference timezone'
    }
  }
]
const excepted = bugs.flatMap(bug =>
  Object.entries(bug.params).flatMap(([method, params]) => params.split(' ').map(wire => [`${method} ${wire}`, bug] as const))
)

// The client would let the environment overrule what the code says.
delete process.env.VOXIMPLANT_CREDENTIALS
process.env.no_proxy = '127.0.0.1'

const tls = makeCertificate()
// The client takes neither a certificate nor an agent, but uses the process's own.
https.globalAgent.options.ca = tls.cert

// ----------------------------------------------------------------------------------------------------------------- the client

type Answer = Record<string, unknown> & { error?: { code: number; msg: string } }
type Method = (request: Record<string, unknown>) => Promise<Answer>
type Client = InstanceType<typeof voximplant.default>

const credential = createCredential(500_001)

/** A client that talks to a port of this machine. Its key is read from a file, and then it says that it is ready. */
async function connect(pathToCredentials: string, port: number): Promise<Client> {
  const client = new voximplant.default({ pathToCredentials, host: `127.0.0.1:${port}` })
  await new Promise(resolve => {
    client.onReady = resolve
  })
  return client
}

const credentialsFile = (t: Test, { accountId, keyId, privateKey } = credential): string =>
  `${t.testdir({ 'credentials.json': JSON.stringify({ account_id: accountId, key_id: keyId, private_key: privateKey }) })}/credentials.json`

interface ClientMethod {
  call: Method
  /** The parameters it knows by name: the upstream's name -> its own. */
  names: Map<string, string>
}

/** Every method of the client by the upstream's name, with the names of the parameters: read from the client itself, which sends nothing meanwhile. */
function methodsOf(client: Client): Map<string, ClientMethod> {
  const methods = new Map<string, ClientMethod>()
  const hollow = client as unknown as {
    makeRequest?: (cmd: string, request: object, mappers: [{ rawName: string; name: string }[], unknown]) => void
  } & Record<string, Record<string, Method>>
  for (const call of Object.values(hollow).flatMap(section =>
    typeof section === 'object' && section !== null ? Object.values(section) : []
  )) {
    if (typeof call !== 'function') continue
    hollow.makeRequest = (cmd, _, [params]) => {
      methods.set(cmd, { call, names: new Map(params.map(({ rawName, name }) => [rawName, name])) })
    }
    call({})
  }
  // From here on the prototype's own is found again.
  delete hollow.makeRequest
  return methods
}

// --------------------------------------------------------------------------------------------------------------- forms are equal

/** A server of the upstream's address that takes any form and remembers the latest. */
async function startCapture() {
  let latest: [string, string][] = []
  const server = https.createServer(tls, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const form = await new Response(Buffer.concat(chunks), {
      headers: { 'content-type': request.headers['content-type'] ?? '' }
    }).formData()
    latest = [...form].map(([name, value]) => [name, String(value)])
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    /** What a call of the client sends: all that it sends. */
    async sentBy(call: () => Promise<unknown>): Promise<[string, string][]> {
      latest = []
      await call()
      return latest
    },
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}

interface Variant {
  name: string
  input: Input
}

const oddTexts = ['Zoë — “50 % & + = ?” #1 / \\ \' 😀\r\n"second" line\n', "Zoë — “50 % & + = ?” #1 / \\ ' 😀"]
const firstValid = (schema: TSchema, values: unknown[]): unknown => values.find(value => isValid(schema, value))

/** A list of at least two, where the schema lets there be two: one item alone needs no joining. */
function several(schema: TSchema, name: string): unknown[] {
  const items = sample(schema, name) as unknown[]
  if (items.length > 1) return items
  const [first] = items
  const others = [...(target(schema.items).enum ?? []), typeof first === 'number' ? first + 1 : `${first}2`]
  return (firstValid(
    schema,
    others.map(other => [first, other])
  ) ?? items) as unknown[]
}

/** Values from the document's examples; references by id, or by name where `byName` says so. */
const plainly =
  (byName: (field: Field) => boolean) =>
  (field: Field): unknown => {
    const { name, schema } = field
    if (isReference(schema)) return byName(field) ? sample(schema.anyOf[1], name) : sample(schema.anyOf[0], name)
    if (isReferences(schema)) {
      // The example call shows one of the two kinds.
      const kind = byName(field) ? 1 : 0
      const [one] = schema.examples.length > 1 ? schema.examples[kind] : (sample(schema.anyOf[kind], name) as unknown[])
      return byName(field) ? [one, `${one}-2`] : [one, Number(one) + 1]
    }
    const isList = target(schema).type === 'array' && schema.contentMediaType === undefined
    return isList ? several(target(schema), name) : undefined
  }

/** What encoders trip over: other alphabets, characters that forms reserve, line breaks, offsets and fractions, `false`. */
function oddly({ schema: given, name }: Field): unknown {
  const schema = target(given)
  if (isReference(schema))
    return firstValid(
      schema,
      oddTexts.map(text => `~${text}`)
    )
  if (isReferences(schema))
    return firstValid(
      schema,
      oddTexts.map(text => [`~${text}`, `~${text}2`])
    )
  if (schema.contentMediaType !== undefined) return undefined
  if (schema.type === 'boolean') return false
  if (schema.format === 'date-time') return '2026-01-15T00:30:45.678+03:00'
  if (schema.type === 'string') return firstValid(schema, oddTexts)
  if (schema.type === 'number') return firstValid(schema, [0.75, 1.5])
  return schema.type === 'array'
    ? (firstValid(
        schema,
        oddTexts.map(text => [text, `${text}2`])
      ) ?? several(schema, name))
    : undefined
}

function variantsOf(operation: Operation): Variant[] {
  const byId = plainly(() => false)
  const references = fieldsOf(operation).filter(({ schema }) => isReference(schema) || isReferences(schema))
  const full = inputOf(operation, 'full', byId)
  const [choice, ...otherChoices] = operation.endpoint.exactlyOne ?? []
  const { [choice ?? '']: _, ...unchosen } = full
  return [
    { name: 'every field, by ids', input: full },
    ...references.map(({ name: reference }) => ({
      name: `every field, ${reference} by name`,
      input: inputOf(
        operation,
        'full',
        plainly(field => field.name === reference)
      )
    })),
    ...fieldsOf(operation)
      .filter(field => otherChoices.includes(field.name))
      .map(field => ({
        name: `every field, ${field.name} for ${choice}`,
        input: { ...unchosen, [field.name]: byId(field) ?? sample(field.schema, field.name) }
      })),
    { name: 'every field, odd values', input: inputOf(operation, 'full', oddly) },
    { name: 'required fields, by ids', input: inputOf(operation, 'minimal', byId) },
    ...(references.some(({ required }) => required)
      ? [
          {
            name: 'required fields, by names',
            input: inputOf(
              operation,
              'minimal',
              plainly(() => true)
            )
          }
        ]
      : [])
  ]
}

const snakeKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(snakeKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`), snakeKeys(inner)])
  )
}

/** A field's value as a user of the client would write it, by the client's own types, and the parameter it is for. */
function asArgument({ params }: FormField, schema: TSchema, value: unknown): { wire: string; value: unknown } {
  const [{ wire, kind }, twin] = params as [Param, Param]
  const words = marked(schema, 'words') as [string, string] | undefined
  if (isReference(schema)) return typeof value === 'string' ? { wire: twin.wire, value: value.slice(1) } : { wire, value }
  if (isReferences(schema)) {
    const items = value as (number | string)[]
    return typeof items[0] === 'string' ? { wire: twin.wire, value: items.map(item => String(item).slice(1)) } : { wire, value }
  }
  if (words) return { wire, value: words[value ? 1 : 0] }
  if (marked(schema, 'kind') === 'unix') return { wire, value: Math.floor(Date.parse(value as string) / 1000) }
  if (kind === 'timestamp' || kind === 'date') return { wire, value: new Date(value as string) }
  if (kind === 'json-text') return { wire, value: JSON.stringify(snakeKeys(value)) }
  return { wire, value }
}

/** A form as names and values. JSON is compared as what it says: the order of its keys says nothing. */
const comparable = (form: [string, string][], params: Param[]): Record<string, unknown> =>
  Object.fromEntries(
    form.map(([name, text]) => [name, params.some(param => param.wire === name && param.kind === 'json-text') ? JSON.parse(text) : text])
  )

t.test('the service sends what the official client sends', async t => {
  const capture = await startCapture()
  t.teardown(() => capture.close())
  const client = await connect(credentialsFile(t), capture.port)
  const methods = methodsOf(client)
  const inCatalogue = Object.entries(catalogue as Record<string, { inOfficialClient: boolean }>).filter(
    ([, method]) => method.inOfficialClient
  )
  t.strictSame([...methods.keys()].sort(), inCatalogue.map(([name]) => name).sort(), 'the client has the methods that the catalogue says')

  const bugOf = new Map<string, Bug>(excepted)
  const served = operations.flatMap(operation => {
    const method = methods.get(operation.endpoint.rpc)
    return method ? [{ operation, method }] : []
  })
  const comparedMethods = new Set<string>()
  const comparedParams = new Set<string>()
  const unknown = new Set<string>()
  /** Where each exception was called for: to ask whether it is needed. */
  const met = new Map<string, { method: ClientMethod; wire: string; value: unknown; right: string | undefined }>()
  let forms = 0
  let files = 0

  for (const { operation, method } of served) {
    const { id, endpoint, form } = operation
    const schemaOf = new Map<string, TSchema>(fieldsOf(operation).map(({ name, schema }) => [name, schema]))
    for (const { name, input } of variantsOf(operation)) {
      // Absent, these are sent as `all`, which has to be given to the client.
      if (endpoint.everyWhenAbsent?.some(field => input[field] === undefined)) continue
      // A file is no part of the form that `encode` makes: it is streamed behind it.
      for (const field of form.fields.filter(field => field.params[0]!.kind === 'file' && input[field.name] !== undefined)) {
        delete input[field.name]
        files++
      }
      const right = [...new URLSearchParams(form.encode(input))]
      const expected = right.map(([wire, text]): [string, string] => [wire, bugOf.get(`${endpoint.rpc} ${wire}`)?.sends?.(text) ?? text])
      const label = `${id} (${endpoint.rpc}): ${name}`

      const args = [
        ...form.fields
          .filter(field => input[field.name] !== undefined)
          .map(field => asArgument(field, schemaOf.get(field.name)!, input[field.name])),
        ...Object.entries(endpoint.fixed ?? {}).map(([fixed, value]) => ({ wire: toSnake(fixed), value }))
      ]
      const request: Record<string, unknown> = {}
      for (const { wire, value } of args) {
        const param = `${endpoint.rpc} ${wire}`
        const bug = bugOf.get(param)
        if (!method.names.has(wire) && !bug?.unnamed) unknown.add(param)
        const given = bug?.give ? bug.give(value) : value
        if (bug && (given !== value || bug.sends || bug.unnamed))
          met.set(param, { method, wire, value, right: right.find(([name]) => name === wire)?.[1] })
        request[method.names.get(wire) ?? wire] = given
      }
      try {
        const sent = await capture.sentBy(() => method.call(request))
        t.strictSame(comparable(sent, form.params), comparable(expected, form.params), label)
        t.equal(sent.length, right.length, `${label}: nothing is sent twice`)
      } catch (error) {
        t.fail(`${label}: the client throws: ${(error as Error).message}`, { request })
        continue
      }
      comparedMethods.add(endpoint.rpc)
      for (const { wire } of args) comparedParams.add(`${endpoint.rpc} ${wire}`)
      forms++
    }
  }

  t.strictSame([...unknown], [], 'the client knows every parameter')
  t.strictSame(
    [...new Set(served.map(({ operation }) => operation.endpoint.rpc))].filter(rpc => !comparedMethods.has(rpc)),
    [],
    'every method that both have was compared'
  )
  t.strictSame(
    served.flatMap(({ operation: { id, endpoint, form } }) =>
      form.params
        .filter(({ wire, kind }) => kind !== 'file' && !comparedParams.has(`${endpoint.rpc} ${wire}`))
        .map(({ wire }) => `${id}: ${endpoint.rpc} ${wire}`)
    ),
    [],
    'every parameter was compared'
  )

  const stale: string[] = []
  for (const [param, bug] of bugOf) {
    const meeting = met.get(param)
    if (!meeting) {
      stale.push(`${param}: no operation calls for it`)
      continue
    }
    // Without the exception: as the client's types have it, alone.
    const { method, wire, value, right } = meeting
    const known = method.names.get(wire)
    const sent = known === undefined ? undefined : await capture.sentBy(() => method.call({ [known]: value })).catch(() => [])
    if (bug.unnamed ? known !== undefined : sent?.some(([name, text]) => name === wire && text === right))
      stale.push(`${param}: ${bug.reason}: not so`)
  }
  t.strictSame(stale, [], 'every exception is needed')
  t.equal(bugOf.size, excepted.length, 'no exception is listed twice')
  t.comment(
    `${comparedMethods.size} of the client's ${methods.size} methods, ${served.length} operations, ${forms} forms, ${comparedParams.size} parameters; ` +
      `${bugOf.size} parameters excepted for ${bugs.length} bugs, ${files} files left out`
  )
})

// ------------------------------------------------------------------------------------------------------- client and sandbox

/** Whether a text is a time as the upstream writes it, which the client leaves as it is. */
const isTime = (text: unknown): boolean => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(String(text)) && !Number.isNaN(Date.parse(`${text}Z`))

t.test('the official client works with the sandbox', async t => {
  const sandbox = await buildSandbox({ operations, accounts: [sandboxAccount(credential)], demo: true, https: tls })
  t.teardown(() => sandbox.close())
  await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const { port } = sandbox.server.address() as AddressInfo
  const client = await connect(credentialsFile(t), port)
  // Its types ask for the id and the name of an application, where the upstream takes either.
  const getUsers = client.Users.getUsers as (request: object) => ReturnType<typeof client.Users.getUsers>

  await t.test('account and currency rates', async t => {
    const { result, apiAddress } = await client.Accounts.getAccountInfo({ returnLiveBalance: true })
    t.equal(result.accountId, credential.accountId)
    t.equal(result.accountName, sandboxAccount(credential).name)
    t.ok(isTime(result.created), `created: ${result.created}`)
    t.type(result.balance, 'number')
    t.equal(result.active, true)
    t.notOk(result.apiKey, 'the API key is not for callers with a token')
    t.match(apiAddress, /^[a-z0-9.-]+$/, 'a bare host name')
    const rates = await client.Accounts.getCurrencyRate({ currency: 'USD;EUR' })
    t.strictSame(Object.keys(rates.result).sort(), ['EUR', 'USD'])
    t.equal(rates.result.USD, 1)
    t.ok(rates.result.EUR! > 0)
  })

  await t.test('an application, from its making to its end', async t => {
    const { totalCount: before } = await client.Applications.getApplications({})
    t.ok(before > 0, 'the demonstration world has applications')
    const added = await client.Applications.addApplication({ applicationName: 'oracle', secureRecordStorage: true })
    const { applicationId } = added
    t.ok(Number.isSafeInteger(applicationId), 'ids are numbers')
    t.match(added, { result: 1, applicationName: /^oracle\.account-500001\.[a-z0-9]+\.voximplant\.com$/, secureRecordStorage: true })

    t.match(await client.Applications.setApplicationInfo({ applicationId, applicationName: 'delphi', secureRecordStorage: false }), {
      result: 1
    })
    const found = await client.Applications.getApplications({ applicationId })
    t.match(found, { count: 1, totalCount: 1, result: [{ applicationId, applicationName: /^delphi\./, secureRecordStorage: false }] })
    t.ok(isTime(found.result[0]!.modified), `modified: ${found.result[0]!.modified}`)
    const page = await client.Applications.getApplications({ count: 1, offset: 1 })
    t.match(page, { count: 1, totalCount: before + 1 })
    t.equal(page.result.length, 1)

    t.match(await client.Applications.delApplication({ applicationId }), { result: 1 })
    t.match(await client.Applications.getApplications({ applicationId }), { result: [], totalCount: 0 })
    t.equal((await client.Applications.getApplications({})).totalCount, before)
  })

  await t.test('a user, a queue and a skill, bound to one another and freed', async t => {
    const { applicationId } = await client.Applications.addApplication({ applicationName: 'switchboard' })
    const userName = 'hedy'
    const { userId } = await client.Users.addUser({
      applicationId,
      userName,
      userDisplayName: 'Hedy — “50 % & +”',
      userPassword: 'Frequency-1942',
      userActive: false,
      parentAccounting: false
    })
    const { acdQueueId } = await client.Queues.addQueue({
      applicationId,
      acdQueueName: 'operators',
      serviceProbability: 0.75,
      autoBinding: false
    })
    const { skillId } = await client.Skills.addSkill({ skillName: 'torpedoes' })
    for (const id of [userId, acdQueueId, skillId]) t.ok(Number.isSafeInteger(id), 'ids are numbers')

    t.match(await client.Queues.bindUserToQueue({ bind: true, applicationId, userId: [userId], acdQueueId: [acdQueueId] }), { result: 1 })
    t.match(await client.Skills.bindSkill({ skillId: [skillId], userId: [userId], applicationId, bind: true }), { result: 1 })
    t.match(await client.Skills.bindSkill({ skillName: 'torpedoes', acdQueueName: 'operators', applicationId, bind: true }), { result: 1 })

    const { result: users, totalCount } = await getUsers({ applicationId, withSkills: true, withQueues: true })
    t.equal(totalCount, 1)
    // What stands inside of rows the client leaves in the upstream's names.
    t.match(users[0], {
      userId,
      userName,
      userDisplayName: 'Hedy — “50 % & +”',
      userActive: false,
      parentAccounting: false,
      skills: [{ skill_id: skillId, skill_name: 'torpedoes' }],
      acdQueues: [{ acd_queue_id: acdQueueId, acd_queue_name: 'operators' }]
    })
    t.ok(isTime(users[0]!.created) && isTime(users[0]!.modified) && isTime(users[0]!.acdStatusChangeTime), 'times are times')
    const { result: queues } = await client.Queues.getQueues({ applicationId, withSkills: true, withOperatorcount: true })
    t.equal(queues.length, 1)
    t.match(queues[0], {
      acdQueueId,
      acdQueueName: 'operators',
      applicationId,
      serviceProbability: 0.75,
      autoBinding: false,
      operatorcount: 1,
      skills: [{ skill_id: skillId }]
    })
    t.ok(isTime(queues[0]!.created), `created: ${queues[0]!.created}`)
    const { result: state } = await client.Queues.getACDState({ acdQueueId: [acdQueueId] })
    t.match(state, { acdQueues: [{ acd_queue_id: acdQueueId }] })

    t.match(await client.Users.setUserInfo({ applicationId, userName, newUserName: 'lamarr', userActive: true }), { result: 1 })
    t.match(await client.Queues.setQueueInfo({ acdQueueName: 'operators', newAcdQueueName: 'spectrum', maxQueueSize: 7 }), { result: 1 })
    t.match(await client.Skills.setSkillInfo({ skillId, newSkillName: 'hopping' }), { result: 1 })
    t.match((await getUsers({ applicationId, userId })).result, [{ userName: 'lamarr', userActive: true }])
    t.match((await client.Queues.getQueues({ acdQueueId })).result, [{ acdQueueName: 'spectrum', maxQueueSize: 7 }])
    t.match((await client.Skills.getSkills({ skillName: 'hopping' })).result, [{ skillId, skillName: 'hopping' }])

    await client.Queues.bindUserToQueue({ bind: false, applicationId, userId: 'any', acdQueueId })
    await client.Skills.bindSkill({ skillId, userId, applicationId, bind: false })
    const [freed] = (await getUsers({ applicationId, withSkills: true, withQueues: true })).result
    t.strictSame([freed!.skills, freed!.acdQueues], [[], []])

    t.match(await client.Skills.delSkill({ skillId }), { result: 1 })
    t.match(await client.Queues.delQueue({ acdQueueId: [acdQueueId] }), { result: 1 })
    t.match(await client.Users.delUser({ applicationId, userName: 'lamarr' }), { result: 1 })
    t.equal((await getUsers({ applicationId })).totalCount, 0)
    t.equal((await client.Queues.getQueues({ acdQueueId })).totalCount, 0)
    t.equal((await client.Skills.getSkills({ skillId })).totalCount, 0)
  })

  await t.test('a secret, whose id comes in a list of one', async t => {
    const { applicationId } = (await client.Applications.getApplications({ count: 1 })).result[0]!
    const added = await client.Secrets.addSecret({ applicationId, secretName: 'ORACLE', secretValue: 'x' } as never)
    t.match(added.result, [{ secretId: Number }])
  })

  await t.test('errors come back as the upstream words them', async t => {
    const unknown = 999_999_999
    const user = { userName: 'twin', userDisplayName: 'Twin', userPassword: 'Mirror-image-2' }
    const { result } = await client.Applications.getApplications({ count: 1 })
    const { applicationId } = result[0]!
    await client.Users.addUser({ applicationId, ...user })
    const calls: [string, number, () => Promise<{ error?: { code: number; msg: string } }>][] = [
      ['an unknown application', 116, () => client.Applications.delApplication({ applicationId: unknown })],
      ['the users of an unknown application', 116, () => getUsers({ applicationId: unknown })],
      ['an unknown user', 117, () => client.Users.delUser({ applicationId, userId: unknown })],
      ['a second user of a name', 118, () => client.Users.addUser({ applicationId, ...user })],
      ['an unknown currency', 210, () => client.Accounts.getCurrencyRate({ currency: 'XXX' })],
      ['an unknown queue', 218, () => client.Queues.setQueueInfo({ acdQueueId: unknown, maxQueueSize: 1 })],
      ['an unknown skill', 222, () => client.Skills.delSkill({ skillId: unknown })]
    ]
    for (const [what, code, call] of calls) {
      // The client resolves, whatever the upstream says.
      const { error, ...rest } = await call()
      t.equal(error?.code, code, what)
      t.ok(error?.msg, `${what}: there are words for it`)
      t.strictSame(rest, {}, `${what}: and nothing else`)
    }
    const stranger = createCredential(credential.accountId)
    const refused = await (await connect(credentialsFile(t, stranger), port)).Accounts.getAccountInfo({})
    t.equal(refused.error?.code, 100, 'a key that the account does not have')
    t.notOk(refused.result)
  })
})
