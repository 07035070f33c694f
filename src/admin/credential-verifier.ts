import type { TObject } from '@sinclair/typebox'
import { type Call, createCalls } from '../api/call.ts'
import type { Endpoint } from '../api/endpoint.ts'
import type { Operation } from '../api/operation.ts'
import { Problem } from '../problems/problem.ts'
import type { Account, Credential } from '../voximplant/account.ts'
import type { Permit } from '../voximplant/call.ts'
import { type Client, type ClientOptions, createClient } from '../voximplant/client.ts'
import { meaningOf } from '../voximplant/error-codes.ts'
import { UpstreamError } from '../voximplant/errors.ts'
import { redact } from '../voximplant/redact.ts'
import { isObject } from '../voximplant/wire/undeclared.ts'

/** What the upstream said of credentials that it accepts. */
export interface Verdict {
  verifiedAt: string
  /** Of a service account, where the upstream tells. */
  roles: string[] | undefined
}

/** Asks the upstream whether it accepts an account's credentials. Throws a Problem that says what an administrator can do. */
export type Check = (account: Account) => Promise<Verdict>

/** Codes by which the upstream says that it knows the caller, and does not let it do this: good credentials of an account that lacks something. */
const knowsThem: readonly string[] = ['upstream-permission-denied', 'upstream-account-state']
/** Codes that say nothing of the caller. */
const notThem: readonly string[] = ['upstream-fault', 'upstream-unavailable', 'rate-limited', 'egress-refused']

/** The endpoint that returns the account that the credentials belong to. */
export type AccountEndpoint = Endpoint<TObject, { accountId: number }>

/** A check with connections of its own, which are closed after each. `getAccount` is one of the operations. */
export function createCheck(operations: readonly Operation[], getAccount: AccountEndpoint, options: Omit<ClientOptions, 'drift'>): Check {
  const callWith = createCalls(operations)
  const ignore = () => {}
  return async account => {
    if (account.origin === 'sandbox')
      throw new Problem(
        'credentials-unverified',
        'The embedded sandbox is out of reach from here. Nothing was stored; store them unseen (`--no-verify`), or use the admin API.'
      )
    const client = createClient({ ...options, drift: { unknown: ignore, unreadable: ignore } })
    const common = { permit: permitFor(account), safe: true, timeoutMs: options.config.upstream.timeoutMs }
    const call = callWith((operation, input) =>
      client.call({
        ...common,
        method: operation.endpoint.rpc,
        content: client.form(operation.form.encode(input), { decode: operation.decode, resultFields: operation.resultFields }),
        retry: operation.traits.retry
      })
    )
    try {
      await checkAccount(call, getAccount, account.credential)
      return { verifiedAt: new Date().toISOString(), roles: await rolesOf(client, account, common) }
    } finally {
      await client.close()
    }
  }
}

/** What the calls of a check have in common. */
type CheckCall = { permit: Permit; safe: boolean; timeoutMs: number }

/** Nobody has to be admitted again: an administrator asks. */
const permitFor = (account: Account): Permit => ({ account: () => account, holds: () => true })

async function checkAccount(call: Call, getAccount: AccountEndpoint, credential: Credential): Promise<void> {
  const { accountId } = credential
  let returnedId: number
  try {
    returnedId = (await call(getAccount, {})).accountId
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw unverified(error)
    error.message = redact(error.message, credential.kind === 'api-key' ? [credential.apiKey] : [])
    const { type, name } = meaningOf(error.code)
    if (knowsThem.includes(type)) return
    if (notThem.includes(type)) throw unverified(error)
    throw new Problem(
      'credentials-refused',
      `The upstream does not accept these credentials for account ${accountId} (${name}); nothing was stored.`,
      {
        upstream: { method: getAccount.rpc, code: error.code, name, message: error.message },
        cause: error
      }
    )
  }
  if (returnedId !== accountId)
    throw new Problem(
      'credentials-of-another-account',
      `The upstream takes these credentials for those of account ${returnedId}, not of ${accountId}; nothing was stored.`
    )
}

/** One message for every way in which a connection fails: which it was tells what listens where, and goes to the log. */
const unverified = (cause: unknown) =>
  new Problem(
    'credentials-unverified',
    `The upstream could not be asked about these credentials${cause instanceof UpstreamError ? `: ${cause.message}` : '.'} Nothing was stored; try again, or store them unseen with \`verify=false\`.`,
    { cause }
  )

/** The names of a service account's roles. An upstream that does not tell is no reason to refuse its key. */
async function rolesOf(client: Client, account: Account, call: CheckCall): Promise<string[] | undefined> {
  const { credential } = account
  if (credential.kind !== 'key') return undefined
  try {
    const { result } = await client.call({
      ...call,
      method: 'GetKeyRoles',
      content: client.form(new URLSearchParams({ cmd: 'GetKeyRoles', key_id: credential.keyId }).toString(), {
        decode: response => response,
        resultFields: ['result']
      })
    })
    const names = (Array.isArray(result) ? result : [result]).map(role => (isObject(role) ? role.role_name : undefined))
    return names.filter(name => typeof name === 'string')
  } catch {
    return undefined
  }
}
