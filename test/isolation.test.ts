import { createPublicKey, type KeyObject, randomUUID, verify } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Agent, request } from 'undici'
import type { Operation } from '../src/api/operation.ts'
import { operations } from '../src/app.ts'
import { type Choose, type Input, inputOf, isValid, target } from './generate.ts'
import { startService, type TestAnswer, type TestTenant } from './support.ts'
import { callerOf, chooseFrom, explore, freshTenant, type Pool, populate } from './world.ts'

/** No tenant ever sees, or acts for, another: by the ids it may have learnt, and whatever goes wrong around it. */

// ------------------------------------------------------------------------------------------------------------- by another's ids

/** Ids and names that nothing bears, of the same kind as those they stand for. */
const nothingOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(nothingOf)
  if (typeof value === 'number') return 987_654_321
  if (typeof value !== 'string') return value
  return value.startsWith('~') ? '~no-such-thing-987' : /^\d+$/.test(value) ? '987654321' : `${value}987`
}

t.test("another tenant's ids are answered as ids of nothing", async t => {
  const service = await startService({ tenants: 20 })
  t.teardown(() => service.close())
  // The victim's account holds one of everything; those of the twenty hold nothing.
  const victim = callerOf(service, await freshTenant(service, { demo: true }))
  const pool: Pool = await populate(victim, await explore(victim))

  /** An input with ids of the victim's, or with such as those are turned into; undefined when the operation takes none. */
  const inputWith = (operation: Operation, extent: 'minimal' | 'full', change: (value: unknown) => unknown): Input | undefined => {
    let given = 0
    const choose: Choose = field => {
      const found = chooseFrom(pool)(field)
      const changed = found === undefined ? undefined : change(found)
      if (changed === undefined || !isValid(target(field.schema), changed)) return undefined
      given++
      return changed
    }
    const input = inputOf(operation, extent, choose)
    return given > 0 ? input : undefined
  }
  // Storages of records are the upstream's own, the same for every account.
  const cases = operations
    .filter(({ id }) => id !== 'listRecordStorages')
    .flatMap(operation =>
      (['minimal', 'full'] as const).flatMap(extent => {
        const foreign = inputWith(operation, extent, value => value)
        const nothing = inputWith(operation, extent, nothingOf)
        return foreign && nothing ? [{ operation, extent, foreign, nothing }] : []
      })
    )
  type Case = (typeof cases)[number]
  /** An answer without what differs between any two calls: its id, and the ids that were asked for. */
  const said = ({ foreign, nothing }: Case, { status, text, headers }: TestAnswer): string => {
    const asked = [foreign, nothing].flatMap(input => Object.values(input).flat()).map(value => String(value).replace(/^~/, ''))
    const bare = `${status} ${text.replace(/"instance":"[^"]*"/, '')} ${headers.link} ${headers.location}`
    return asked.toSorted((a, b) => b.length - a.length).reduce((rest, value) => rest.replaceAll(value, 'X'), bare)
  }

  /** Everything the account holds, by its ids: other fields move by themselves, as those of a report that is being made. */
  const holdings = async () => [...(await explore(victim))].filter(([name]) => /Ids?$/.test(name))
  const before = await holdings()
  const differing: string[] = []
  let calls = 0
  for (const each of cases) {
    for (const tenant of service.tenants) {
      const call = callerOf(service, tenant)
      const one = said(each, await call(each.operation, each.foreign))
      const other = said(each, await call(each.operation, each.nothing))
      calls += 2
      if (one !== other) differing.push(`${tenant.tenantId} ${each.operation.id} ${each.extent}: ${one} is not ${other}`)
    }
  }
  t.strictSame(differing, [])
  t.strictSame(await holdings(), before, "and nothing in the other's account has changed")

  // To their owner these ids name something: reading first and deleting last, so that it is still there when it is asked for.
  const rank = ({ operation }: Case) => (operation.traits.safe ? 0 : operation.method === 'DELETE' ? 2 : 1)
  let known = 0
  for (const each of cases.toReversed().toSorted((a, b) => rank(a) - rank(b)))
    if (said(each, await victim(each.operation, each.foreign)) !== said(each, await victim(each.operation, each.nothing))) known++
  t.ok(known > cases.length * 0.6, 'their owner is answered otherwise')
  const ids = new Set(cases.map(({ operation }) => operation.id))
  t.comment(
    `${service.tenants.length} tenants, ${ids.size} of ${operations.length} operations take ids, ${calls} calls, ${differing.length} answers that differ; to the owner ${known} of ${cases.length} do`
  )
})

// --------------------------------------------------------------------------------------------------- while everything goes wrong

/** The number of calls, of tenants, and of concurrent calls. */
const load = { tenants: 50, calls: 10_000, atOnce: 200 }

/** Where a call says which tenant and which call it is: an application's name, which the upstream below answers with. */
const markOf = (tenant: number, call: number) => `t${tenant}c${call}x${randomUUID().slice(0, 8)}`

interface Judge {
  origin: string
  /** Calls whose token speaks for another account than that of the call's tenant, or does not verify. */
  strays: string[]
  taken: number
  faults: Record<string, number>
  close(): void
}

/** An upstream that judges every token it sees, and then answers, fails or breaks off at random. */
async function startJudge(tenants: readonly TestTenant[], keys: ReadonlyMap<number, KeyObject>): Promise<Judge> {
  const judge: Judge = { origin: '', strays: [], taken: 0, faults: {}, close: () => server.close() }
  const verified = new Map<string, number | undefined>()
  const issuer = (token: string): number | undefined => {
    if (!verified.has(token)) {
      const [head = '', body = '', signature = ''] = token.split('.')
      const { iss } = JSON.parse(Buffer.from(body, 'base64url').toString())
      const key = keys.get(iss)
      const genuine = key && verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
      verified.set(token, genuine ? iss : undefined)
    }
    return verified.get(token)
  }
  const answer = (name: string) => JSON.stringify({ result: [{ application_id: 1, application_name: name }], total_count: 1, count: 1 })
  const faults: Record<string, (response: ServerResponse, name: string) => void | Promise<void>> = {
    reset: response => void response.socket!.resetAndDestroy(),
    cut: (response, name) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer(name).length })
      response.write(answer(name).slice(0, 20))
      response.socket!.destroySoon()
    },
    fault: response => void response.writeHead(500).end('{}'),
    busy: response => void response.writeHead(503, { 'retry-after': '0' }).end('busy'),
    token: response => void response.end('{"error":{"code":456,"msg":"expired"}}'),
    slow: async (response, name) => {
      await sleep(Math.random() * 100)
      response.end(answer(name))
    },
    // What nobody has asked for comes right behind the answer, on the same connection.
    twice: (response, name) => {
      const body = answer(name)
      const stray = answer('stray')
      response.socket!.write(
        `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}HTTP/1.1 200 OK\r\ncontent-length: ${stray.length}\r\n\r\n${stray}`
      )
    }
  }
  const names = Object.keys(faults)
  const server = createServer(async (call: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of call) chunks.push(chunk)
    const name = new URLSearchParams(Buffer.concat(chunks).toString()).get('application_name') ?? ''
    const tenant = tenants[Number(/^t(\d+)c/.exec(name)?.[1])]
    const account = issuer(call.headers.authorization?.slice(7) ?? '')
    judge.taken++
    if (account === undefined || account !== tenant?.credential.accountId) judge.strays.push(`${name} came for account ${account}`)
    const fault = Math.random() < 0.25 ? names[Math.floor(Math.random() * names.length)]! : undefined
    if (!fault) return void response.end(answer(name))
    judge.faults[fault] = (judge.faults[fault] ?? 0) + 1
    await faults[fault]!(response, name)
  })
  server.on('connection', socket => socket.on('error', () => {}))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  judge.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return judge
}

t.test(
  '10,000 concurrent calls of 50 tenants, with callers that disconnect and an upstream that fails: no response and no token is misdelivered',
  async t => {
    let judge!: Judge
    const service = await startService({
      tenants: load.tenants,
      async origin(tenants) {
        const keys = new Map(tenants.map(({ credential }) => [credential.accountId, createPublicKey(credential.privateKey)]))
        judge = await startJudge(tenants, keys)
        return judge.origin
      },
      env: { UPSTREAM_MAX_RETRIES: '2', UPSTREAM_RETRY_BASE_DELAY: '1', UPSTREAM_MAX_CONNECTIONS: '4' }
    })
    const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
    const agent = new Agent({ connections: load.atOnce, pipelining: 1 })
    t.teardown(async () => {
      await agent.destroy()
      await service.close()
      judge.close()
    })

    const outcomes: Record<string, number> = {}
    const astray: string[] = []
    let next = 0
    const caller = async () => {
      for (let call = next++; call < load.calls; call = next++) {
        const tenant = Math.floor(Math.random() * load.tenants)
        const mark = markOf(tenant, call)
        const leaves = Math.random() < 0.1 ? AbortSignal.timeout(1 + Math.floor(Math.random() * 30)) : undefined
        try {
          const { statusCode, body } = await request(`${address}/applications/~${mark}`, {
            headers: { authorization: `Bearer ${service.tenants[tenant]!.key}` },
            dispatcher: agent,
            signal: leaves
          })
          const answer = (await body.json()) as { applicationName?: string; code?: string }
          outcomes[answer.code ?? statusCode] = (outcomes[answer.code ?? statusCode] ?? 0) + 1
          if (statusCode === 200 ? answer.applicationName !== mark : statusCode < 500) astray.push(`${mark}: ${JSON.stringify(answer)}`)
        } catch (error) {
          if (!leaves?.aborted) throw error
          outcomes.left = (outcomes.left ?? 0) + 1
        }
        if (call % 500 === 0) service.app.tenants.forget(service.tenants[tenant]!.tenantId)
      }
    }
    await Promise.all(Array.from({ length: load.atOnce }, caller))
    t.strictSame(astray, [], 'every answer is that of its call')
    t.strictSame(judge.strays, [], 'every token is that of the tenant that called')
    t.ok((outcomes[200] ?? 0) > load.calls / 2, 'most calls went well all the same')
    t.comment(
      `${load.calls} calls of ${load.tenants} tenants, ${judge.taken} taken by the upstream, 0 differ; faults ${JSON.stringify(judge.faults)}; outcomes ${JSON.stringify(outcomes)}`
    )
  }
)
