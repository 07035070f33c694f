import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { notFoundIn } from '../src/api/find-by-name.ts'
import type { Operation } from '../src/api/operation.ts'
import type { UpstreamResponse } from '../src/api/reply.ts'
import { invalid } from '../src/api/validation.ts'
import type { Config } from '../src/config.ts'
import { Problem, type Violation } from '../src/problems/problem.ts'
import { findTracer } from '../src/telemetry/spans.ts'
import { type Account, childOf } from '../src/voximplant/account.ts'
import { createGate, type Gate, type Lane } from '../src/voximplant/bulkhead.ts'
import { type Client, type ClientCounts, Cut, createClient, type Permit, Refusal } from '../src/voximplant/client.ts'
import { clientOptions } from '../src/voximplant/client-options.ts'
import { type Download, download } from '../src/voximplant/download.ts'
import { meaningOf } from '../src/voximplant/error-codes.ts'
import { redact } from '../src/voximplant/redact.ts'
import { type FilePart, upload } from '../src/voximplant/upload.ts'
import { Unencodable } from '../src/voximplant/wire/params.ts'
import { refused } from './auth.ts'

export interface VoximplantOptions {
  config: Pick<Config, 'upstream' | 'retry' | 'circuitBreaker' | 'bulkhead' | 'uploads'>
  /** Additional certificate authorities (PEM). */
  ca?: string | undefined
}

/** A file with the fields that come with it. */
export interface UploadInput {
  /** The fields that are known before the file. */
  input: Record<string, unknown>
  /** Those that are known only after it; what it throws cuts the call, which then has no effect. */
  after?: () => Promise<Record<string, unknown>>
  file: Omit<FilePart, 'name'>
  /** Where the fields stand, for the problems that name them. */
  partOf: Operation['partOf']
}

/** Differences between the upstream's answers and what is declared: `<noun>.<field>` -> how often. Bounded in number and length: the names are the upstream's. */
export interface DriftCounts {
  unknown: ReadonlyMap<string, number>
  unreadable: ReadonlyMap<string, number>
}

const maxDriftNames = 1000
const maxDriftNameLength = 100

/** `request.voximplant(operation, input)`: one call of the upstream with the credentials of the request's tenant. */
export default fp(
  async (app: FastifyInstance, { config, ca }: VoximplantOptions) => {
    const { upstream, bulkhead, uploads } = config
    const options = clientOptions(config, ca)
    const unknown = new Map<string, number>()
    const unreadable = new Map<string, number>()
    const count = (counts: Map<string, number>, name: string) => {
      // A copy: a slice would keep the whole name in memory.
      const field = name.length > maxDriftNameLength ? structuredClone(name.slice(0, maxDriftNameLength)) : name
      const before = counts.get(field)
      if (before !== undefined || counts.size < maxDriftNames) counts.set(field, (before ?? 0) + 1)
    }
    const drift = { unknown: (field: string) => count(unknown, field), unreadable: (field: string) => count(unreadable, field) }
    const client: Client = createClient({
      ...options,
      budget: app.responses.budget,
      drift,
      tracer: findTracer(),
      onBreaker: ({ scope, open, origin, tenantId }) =>
        app.log[open ? 'warn' : 'info']({ breaker: scope, upstream: origin, tenant: tenantId }, open ? 'breaker opened' : 'breaker closed')
    })
    const { timeout: answerTimeout, headersTimeout: stallTimeout, maxAnswerBytes } = options
    const gate = createGate({ most: bulkhead.maxProcessConcurrency, queue: bulkhead.maxQueueLength, deadline: bulkhead.queueTimeoutMs })
    app.decorate('drift', { unknown, unreadable })
    app.decorate('gate', gate)
    app.decorate('upstream', client.counts)
    app.tenants.onForget(tenantId => client.forget(tenantId))
    app.addHook('onClose', () => client.close())

    /** A place for one call, which the caller leaves; at once where there is room. */
    const enter = (request: FastifyRequest, operation: Operation, account: Account): Lane | Promise<Lane> => {
      const { startsSession } = operation.traits
      const lane = gate.lane(startsSession ? `account ${account.credential.accountId}` : account.tenantId)
      const turn = gate.enter(
        lane,
        startsSession
          ? Math.ceil(bulkhead.maxSessionConcurrency / app.limits.limiter.replicas)
          : (request.tenant.settings.concurrency ?? bulkhead.maxTenantConcurrency)
      )
      return turn === undefined ? lane : turn.then(() => lane)
    }

    const found = (request: FastifyRequest): Account | Promise<Account> => {
      const account = app.tenants.account(request.tenant.tenantId)
      return account instanceof Promise ? account.then(now => calledFor(request, now)) : calledFor(request, account)
    }
    /** What a request calls with now. Throws Problem when its caller may not call any more. */
    const accountFor = (request: FastifyRequest): Account | Promise<Account> => {
      const readmitted = request.readmit()
      return readmitted ? readmitted.then(() => found(request)) : found(request)
    }
    /** @param using told of the account each time */
    const permitOf = (request: FastifyRequest, using: (account: Account) => void): Permit => {
      const tell = (account: Account) => {
        using(account)
        return account
      }
      return {
        account() {
          const account = accountFor(request)
          return account instanceof Promise ? account.then(tell) : tell(account)
        },
        holds(account) {
          const standing = app.tenants.standing(request.tenant)
          return standing !== undefined && calledFor(request, standing) === account
        }
      }
    }

    app.decorateRequest(
      'voximplant',
      async function (
        this: FastifyRequest,
        operation: Operation,
        input: Record<string, unknown>,
        encoded?: string
      ): Promise<UpstreamResponse> {
        const form = encoded ?? encode(operation, input)
        const found = accountFor(this)
        let account = found instanceof Promise ? await found : found
        const permit = permitOf(this, now => {
          account = now
        })
        const entered = enter(this, operation, account)
        const lane = entered instanceof Promise ? await entered : entered
        try {
          return (await client.call(account, {
            method: operation.endpoint.rpc,
            form,
            decode: operation.decode,
            decodeRows: this.tenant.scopes.includes('secrets')
              ? operation.decodeRows
              : (operation.decodeRowsWithheld ?? operation.decodeRows),
            answers: operation.answers,
            partial: operation.partial,
            ownAccount: operation.traits.ownAccount,
            safe: operation.traits.safe === true,
            retry: operation.traits.retry,
            timeout: operation.traits.startsSession ? upstream.sessionTimeoutMs : undefined,
            journey: this.journey,
            sending: operation.traits.safe ? undefined : this.attempt?.sending,
            permit
          })) as UpstreamResponse
        } catch (error) {
          throw error instanceof Refusal ? problemOfRefusal(error, operation, account, form) : error
        } finally {
          gate.leave(lane)
        }
      }
    )

    const connectionOf = (request: FastifyRequest, account: Account, { endpoint, traits }: Operation) =>
      client.connection(account, { method: endpoint.rpc, safe: traits.safe === true, journey: request.journey })
    app.decorateRequest(
      'upload',
      async function (this: FastifyRequest, declared: Operation, { input, after, file, partOf }: UploadInput, reply: FastifyReply) {
        const operation = { ...declared, partOf }
        const name = declared.upload!.wire
        const before = textsOf(operation, input, operation.form.encode({}))
        const call = {
          method: operation.endpoint.rpc,
          decode: operation.decode,
          answers: operation.answers,
          before,
          file: { ...file, name },
          after: after && (async () => textsOf(operation, await after())),
          sending: this.attempt?.sending,
          confirm: () => accountFor(this),
          gone: goneSignal(reply)
        }
        const lane = await enter(this, operation, await accountFor(this))
        let account: Account | undefined
        try {
          account = await accountFor(this)
          return (await upload(connectionOf(this, account, operation), call, {
            timeout: uploads.timeoutMs,
            stallTimeout,
            answerTimeout,
            maxAnswerBytes,
            hold: app.responses.budget.hold(account.tenantId),
            drift
          })) as UpstreamResponse
        } catch (error) {
          throw error instanceof Refusal && account ? problemOfRefusal(error, operation, account, before) : error
        } finally {
          gate.leave(lane)
        }
      }
    )
    app.decorateRequest(
      'download',
      async function (this: FastifyRequest, operation: Operation, input: Record<string, unknown>, reply: FastifyReply) {
        let account = await accountFor(this)
        const permit = permitOf(this, now => {
          account = now
        })
        const call = {
          method: operation.endpoint.rpc,
          form: encode(operation, input),
          acceptEncoding: this.headers['accept-encoding'] as string | undefined,
          permitted: () => permit.holds(account),
          gone: goneSignal(reply)
        }
        const fetch = async (): Promise<Download> => {
          await permit.account()
          try {
            return await download(connectionOf(this, account, operation), call, { timeout: upstream.downloadTimeoutMs })
          } catch (error) {
            if (error instanceof Cut && error.reason === 'permit') return fetch()
            throw error
          }
        }
        const lane = await enter(this, operation, account)
        try {
          const file = await fetch()
          // The place is taken until the file is through.
          file.stream.once('close', () => gate.leave(lane))
          return file
        } catch (error) {
          gate.leave(lane)
          throw error instanceof Refusal ? problemOfRefusal(error, operation, account, call.form) : error
        }
      }
    )
  },
  { name: 'voximplant', dependencies: ['tenants', 'limits', 'journey', 'responses'] }
)

/** Whom a request is for: the tenant's account, or the child account that the caller names. */
function calledFor({ childAccount, tenant }: FastifyRequest, account: Account | undefined): Account {
  // The tenant that the caller was admitted for is gone, and another one has its name.
  if (account && account.tenantUid !== tenant.tenantUid) throw refused()
  if (!account) throw new Problem('credentials-missing', 'No Voximplant credentials are stored for this tenant.')
  return childAccount === undefined ? account : childOf(account, childAccount)
}

/** Aborted when the caller leaves before the answer is out. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  if (reply.raw.destroyed) gone.abort()
  else reply.raw.once('close', () => reply.raw.writableFinished || gone.abort())
  return gone.signal
}

/** Fields as single parameters. `prefix`: a form to begin with. */
function textsOf({ form, partOf }: Operation, input: Record<string, unknown>, prefix = ''): URLSearchParams {
  try {
    return new URLSearchParams(
      form.fields.reduce((text, { name, write }) => (input[name] === undefined ? text : text + write(input[name])), prefix)
    )
  } catch (error) {
    throw inWords(error, partOf)
  }
}

function encode(operation: Operation, input: Record<string, unknown>): string {
  try {
    return operation.form.encode(input)
  } catch (error) {
    throw inWords(error, operation.partOf)
  }
}

/** A value that has no form on the wire, as the caller's mistake. */
const inWords = (error: unknown, partOf: Operation['partOf']): unknown =>
  error instanceof Unencodable
    ? invalid([{ in: partOf.get(error.field) ?? 'body', pointer: `/${error.field}`, detail: error.message }])
    : error

/** What a refusal means here: the field the upstream names, or that its code is about, is found among those that were sent. */
function problemOfRefusal(
  { code, message: said, fieldName, retryAfter }: Refusal,
  operation: Operation,
  { credential }: Account,
  sent: string | URLSearchParams
): Problem {
  const { endpoint, form, partOf, traits, upload } = operation
  const message = redact(said, operation, credential, sent)
  const about = fieldName ?? /^INVALID_(\w+)$/.exec(meaningOf(code).name)?.[1]?.toLowerCase()
  const field = about === undefined ? undefined : form.fieldOf.get(about)
  const part = field === undefined ? undefined : partOf.get(field)
  // The filter of a list refers to things; the selector of a change addresses them, as the path does; beside a file the query holds what a body would.
  const addressed = part === undefined ? undefined : part === 'path' || (part === 'query' && !traits.safe && !upload)
  const { name, type } = meaningOf(code, addressed)
  const errors: Violation[] | undefined =
    field !== undefined && part !== undefined ? [{ in: part, pointer: `/${field}`, detail: message || name }] : undefined
  const upstream = { method: endpoint.rpc, code, name, message }
  if (type === 'not-found') return notFoundIn(operation, field, upstream)
  return new Problem(type, `The upstream says: ${message || name}`, {
    errors,
    upstream,
    ...(type === 'rate-limited' || type === 'upstream-unavailable' ? { headers: { 'retry-after': retryAfter ?? '1' } } : {})
  })
}

declare module 'fastify' {
  interface FastifyInstance {
    drift: DriftCounts
    /** The places for calls of the upstream, to look at. */
    gate: Gate
    /** What became of calls of the upstream. */
    upstream: ClientCounts
  }
  interface FastifyRequest {
    /** Calls the upstream for the request's tenant: the operation's input, or its form already encoded. Throws Problem. */
    voximplant(operation: Operation, input: Record<string, unknown>, encoded?: string): Promise<UpstreamResponse>
    /** As `voximplant`, with a file that is passed on as it comes. */
    upload(operation: Operation, upload: UploadInput, reply: FastifyReply): Promise<UpstreamResponse>
    /** As `voximplant`, for a method that answers a file. */
    download(operation: Operation, input: Record<string, unknown>, reply: FastifyReply): Promise<Download>
  }
}
