import { Readable } from 'node:stream'
import type { Account } from '../../src/voximplant/account.ts'
import { Call, type CallInit, type Content } from '../../src/voximplant/call.ts'
import { CallCounters } from '../../src/voximplant/counters.ts'
import { Download } from '../../src/voximplant/download.ts'
import { Targets } from '../../src/voximplant/targets.ts'

/** Calls for the tests of single stages: a form, an upload and a file download, none of which is sent. */

export const account: Account = {
  tenantId: 'acme',
  tenantUid: 'uid-1',
  origin: 'http://127.0.0.1:1',
  credential: { kind: 'api-key', accountId: 7, apiKey: 'secret' }
}

const never = () => Promise.reject(new Error('a stage has sent the call itself'))
const content = (repeatable: boolean): Content<object> => ({ repeatable, send: never })

/** What each transport is to a stage. */
export const transports: Record<'form' | 'upload' | 'download', { content: Content<object>; result: () => object }> = {
  form: { content: content(true), result: () => ({ result: 1 }) },
  upload: { content: content(false), result: () => ({ result: 1 }) },
  download: { content: content(true), result: () => new Download({}, new Readable({ read() {} })) }
}

export const createTargets = (counters = new CallCounters()): Targets =>
  new Targets({
    pool: {
      maxConnections: 1,
      connectionCooldownMs: 0,
      quarantineCooldownMs: 0,
      maxRequestsPerConnection: 0,
      connectTimeoutMs: 1000,
      headersTimeoutMs: 1000,
      keepAliveTimeoutMs: 1000
    },
    breaker: { failureThreshold: 2, hostFailureThreshold: 100, minHostTenants: 3, probeIntervalMs: 1000, probeTimeoutMs: 100 },
    retry: { budgetRatio: 0, budgetBurst: 10 },
    counters
  })

/** A read with an account and a target. */
export function createCall(init: Partial<CallInit<object>> = {}, targets = createTargets()): Call {
  const call = new Call({
    method: 'GetUsers',
    content: transports.form.content,
    permit: { account: () => account, holds: () => true },
    safe: true,
    retry: 'any',
    timeoutMs: 1000,
    ...init
  })
  call.account = account
  call.target = targets.get(account)
  return call
}

/** What a function throws. */
export function thrown(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

/** What a promise rejects with. */
export const rejection = (promise: Promise<unknown> | undefined): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => undefined,
    error => error
  )

/** A next stage that must not be called. */
export const notCalled = (): Promise<never> => Promise.reject(new Error('the next stage was called'))
