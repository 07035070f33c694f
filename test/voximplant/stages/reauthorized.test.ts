import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import type { Account } from '../../../src/voximplant/account.ts'
import type { Call } from '../../../src/voximplant/call.ts'
import { CallCounters } from '../../../src/voximplant/counters.ts'
import { UpstreamError } from '../../../src/voximplant/errors.ts'
import { reauthorized } from '../../../src/voximplant/stages/reauthorized.ts'
import { retried } from '../../../src/voximplant/stages/retried.ts'
import { createTokens } from '../../../src/voximplant/token.ts'
import { account, createCall, transports } from '../calls.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signer: Account = { ...account, credential: { kind: 'key', accountId: 7, keyId: 'k', privateKey } }
const expired = new UpstreamError(456, 'token expired')
const refused = new UpstreamError(100, 'authorization failed')

/** A call of which each attempt fails with the next of these errors, then succeeds. */
async function run(errors: Error[], { date, call = createCall() }: { date?: string; call?: Call } = {}) {
  const tokens = createTokens()
  const counters = new CallCounters()
  let sent = 0
  const seen: string[] = []
  call.account = signer
  const outcome = await reauthorized(tokens, counters)(call, async next => {
    sent++
    if (signer.credential.kind === 'key') seen.push(tokens(signer.credential))
    next.response = { status: 200, headers: { date } }
    const error = errors.shift()
    if (error) throw error
    return { result: 1 }
  }).catch(error => error)
  return { outcome, sent, seen, counters }
}

t.test('a rejected token is renewed, and the call made once more', async t => {
  const { outcome, sent, counters } = await run([expired])
  t.same(outcome, { result: 1 })
  t.equal(sent, 2)
  t.same(counters.retries, { token: 1 })
})

t.test('the new token goes by the clock of the upstream', async t => {
  const { seen } = await run([expired], { date: new Date(Date.now() - 3_600_000).toUTCString() })
  const [first = 0, second = 0] = seen.map(header => JSON.parse(Buffer.from(header.split('.')[1] ?? '', 'base64url').toString()).iat)
  t.ok(Math.abs(first - second - 3600) <= 2, `${first - second} s earlier`)
})

t.test('a token that is rejected again is not renewed again', async t => {
  const { outcome, sent } = await run([expired, expired])
  t.equal(outcome, expired)
  t.equal(sent, 2)
})

t.test('a rejected credential is one, unless the clocks differ', async t => {
  t.equal((await run([refused], { date: new Date().toUTCString() })).sent, 1)
  t.equal((await run([refused], { date: new Date(Date.now() + 60_000).toUTCString() })).sent, 2)
})

t.test('any other error is no matter of the token', async t => {
  t.equal((await run([new UpstreamError(118, 'taken')])).sent, 1)
})

t.test('an account with an API key has no token to renew', async t => {
  const call = createCall()
  let sent = 0
  const stage = reauthorized(createTokens(), new CallCounters())(call, async next => {
    sent++
    next.response = { status: 200, headers: {} }
    throw expired
  })
  await t.rejects(stage, expired)
  t.equal(sent, 1)
})

t.test('an upload, which cannot be sent twice, is not made again', async t => {
  t.equal((await run([expired], { call: createCall({ content: transports.upload.content }) })).sent, 1)
})

t.test('a download is made again as a form is', async t => {
  t.equal((await run([expired], { call: createCall({ content: transports.download.content }) })).sent, 2)
})

t.test('a call that is signed again has all of its attempts again', async t => {
  const attempts: number[] = []
  const counters = new CallCounters()
  const retry = retried({ maxRetries: 1, baseDelayMs: 1, maxDelayMs: 1, budgetRatio: 1, budgetBurst: 10 }, counters)
  const unavailable = new UpstreamError(162, 'try later')
  const errors = [unavailable, expired, unavailable]
  const call = createCall()
  call.account = signer
  await reauthorized(createTokens(), counters)(call, toRetry =>
    retry(toRetry, async next => {
      attempts.push(next.attempt)
      next.response = { status: 200, headers: {} }
      const error = errors.shift()
      if (error) throw error
      return {}
    })
  )
  t.same(attempts, [1, 2, 1, 2])
})
