import type { FastifyRequest } from 'fastify'
import type { Config } from '../config.ts'
import { invalid } from '../problems/invalid-request.ts'
import { Problem } from '../problems/problem.ts'
import type { Caller } from '../tenants/caller.ts'
import { type Account, childOf } from '../voximplant/account.ts'
import type { CallInit, Permit } from '../voximplant/call.ts'
import type { Client } from '../voximplant/client.ts'
import type { Download } from '../voximplant/download.ts'
import { UpstreamError } from '../voximplant/errors.ts'
import type { FilePart } from '../voximplant/upload.ts'
import { Unencodable } from '../voximplant/wire/params.ts'
import { type CallerLookup, notAuthenticated, readmit } from './admission.ts'
import type { RequestContext } from './context.ts'
import type { Operation } from './operation.ts'
import type { UpstreamResponse } from './reply.ts'
import { problemOfUpstreamError } from './upstream-problem.ts'

/** A file with the fields that come with it. */
export interface UploadInput {
  /** The fields that are known before the file. */
  input: Record<string, unknown>
  /** Those that are known only after it; what it throws aborts the call, which then has no effect. */
  after?: () => Promise<Record<string, unknown>>
  file: Omit<FilePart, 'name'>
  /** Where the fields stand, for the problems that name them. */
  fieldLocations: Operation['fieldLocations']
}

/** Calls the upstream for a request, with the account of its tenant. All methods throw Problem. */
export interface Upstream {
  /** @param form the operation's form, where it is encoded already */
  call(context: RequestContext, operation: Operation, input: Record<string, unknown>, form?: string): Promise<UpstreamResponse>
  /** Passes a file on as it comes. */
  upload(context: RequestContext, upload: UploadInput): Promise<UpstreamResponse>
  download(context: RequestContext, input: Record<string, unknown>): Promise<Download>
}

/** The accounts that callers call with. */
export interface AccountLookup extends CallerLookup {
  /** The account that a caller's tenant calls with, from memory alone; undefined unless its key is valid and its tenant enabled. */
  standing(caller: Caller): Account | undefined
  /** The account of a tenant; undefined when it has no credentials. */
  account(tenantId: string): Account | undefined | Promise<Account | undefined>
}

export interface UpstreamOptions {
  client: Client
  accounts: AccountLookup
  config: Pick<Config, 'upstream' | 'bulkhead'>
  /** Processes that share the limit of calls which start a session, as far as is known now. */
  replicas(): number
}

export function createUpstream({ client, accounts, config, replicas }: UpstreamOptions): Upstream {
  const { timeoutMs, sessionTimeoutMs, downloadTimeoutMs } = config.upstream
  const { maxTenantConcurrency, maxSessionConcurrency } = config.bulkhead

  const slotsOf = ({ tenant }: FastifyRequest, { traits }: Operation): CallInit<object>['slots'] =>
    traits.startsSession
      ? { scope: 'account', limit: Math.ceil(maxSessionConcurrency / replicas()) }
      : { scope: 'tenant', limit: tenant.settings.concurrency ?? maxTenantConcurrency }

  const run = async <Result extends object>(
    { request, attempt }: RequestContext,
    operation: Operation,
    content: CallInit<Result>['content'],
    timeout: number,
    sent: string | URLSearchParams
  ): Promise<Result> => {
    const { traits, endpoint } = operation
    const { trace } = request
    const permit = new RequestPermit(request, accounts)
    try {
      return await client.call({
        method: endpoint.rpc,
        content,
        permit,
        safe: traits.safe === true,
        retry: traits.retry,
        ownAccount: traits.ownAccount,
        slots: slotsOf(request, operation),
        timeoutMs: timeout,
        signal: trace.disconnect,
        trace,
        stats: trace.upstream,
        beforeSend: traits.safe ? undefined : attempt?.beforeSend
      })
    } catch (error) {
      throw error instanceof UpstreamError && permit.latest
        ? problemOfUpstreamError(error, operation, permit.latest.credential, sent)
        : error
    }
  }

  return {
    async call(context, operation, input, encoded) {
      const form = encoded ?? encodeForm(operation, input)
      const { decode, decodeRows, decodeRowsWithheld, resultFields, partial, traits } = operation
      const seesSecrets = context.request.tenant.scopes.includes('secrets')
      const content = client.form(form, {
        decode,
        resultFields,
        partial,
        decodeRows: seesSecrets ? decodeRows : (decodeRowsWithheld ?? decodeRows)
      })
      return run(context, operation, content, traits.startsSession ? sessionTimeoutMs : timeoutMs, form)
    },
    async upload(context, { input, after, file, fieldLocations }) {
      const operation = { ...context.operation, fieldLocations }
      const before = textsOf(operation, input, operation.form.encode({}))
      const content = client.upload(
        {
          before,
          file: { ...file, name: operation.upload?.wire ?? '' },
          after: after && (async () => textsOf(operation, await after()))
        },
        { decode: operation.decode, resultFields: operation.resultFields }
      )
      return run(context, operation, content, timeoutMs, before)
    },
    async download(context, input) {
      const { operation, request } = context
      const form = encodeForm(operation, input)
      const acceptEncoding = request.headers['accept-encoding']
      const content = client.download(form, typeof acceptEncoding === 'string' ? acceptEncoding : undefined)
      return run(context, operation, content, downloadTimeoutMs, form)
    }
  }
}

/** A request's leave to call: its key, its tenant and its account are looked at again each time. */
class RequestPermit implements Permit {
  readonly #request: FastifyRequest
  readonly #accounts: AccountLookup
  /** The account that was given last. */
  latest: Account | undefined

  constructor(request: FastifyRequest, accounts: AccountLookup) {
    this.#request = request
    this.#accounts = accounts
  }

  account(): Account | Promise<Account> {
    const readmitted = readmit(this.#request, this.#accounts)
    return readmitted ? readmitted.then(() => this.#current()) : this.#current()
  }

  holds(account: Account): boolean {
    const standing = this.#accounts.standing(this.#request.tenant)
    return standing !== undefined && accountFor(this.#request, standing) === account
  }

  #current(): Account | Promise<Account> {
    const account = this.#accounts.account(this.#request.tenant.tenantId)
    return account instanceof Promise ? account.then(loaded => this.#take(loaded)) : this.#take(account)
  }

  #take(account: Account | undefined): Account {
    this.latest = accountFor(this.#request, account)
    return this.latest
  }
}

/** The account that a request calls with: the tenant's, or the child account that the caller names. */
function accountFor({ childAccount, tenant }: FastifyRequest, account: Account | undefined): Account {
  // The tenant that the caller was admitted for was deleted, and another one has its name.
  if (account && account.tenantUid !== tenant.tenantUid) throw notAuthenticated()
  if (!account) throw new Problem('credentials-missing', 'No Voximplant credentials are stored for this tenant.')
  return childAccount === undefined ? account : childOf(account, childAccount)
}

/** Fields as single parameters. @param prefix a form to begin with */
function textsOf({ form, fieldLocations }: Operation, input: Record<string, unknown>, prefix = ''): URLSearchParams {
  try {
    return new URLSearchParams(
      form.fields.reduce((text, { name, write }) => (input[name] === undefined ? text : text + write(input[name])), prefix)
    )
  } catch (error) {
    throw asViolation(error, fieldLocations)
  }
}

function encodeForm({ form, fieldLocations }: Operation, input: Record<string, unknown>): string {
  try {
    return form.encode(input)
  } catch (error) {
    throw asViolation(error, fieldLocations)
  }
}

/** A value that cannot be encoded, as the caller's mistake. */
const asViolation = (error: unknown, fieldLocations: Operation['fieldLocations']): unknown =>
  error instanceof Unencodable
    ? invalid([{ in: fieldLocations.get(error.field) ?? 'body', pointer: `/${error.field}`, detail: error.message }])
    : error
