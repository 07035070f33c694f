import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { Problem } from '../../../src/problems/problem.ts'
import type { Account } from '../../../src/voximplant/account.ts'
import { TransportError } from '../../../src/voximplant/errors.ts'
import { readmitted } from '../../../src/voximplant/stages/readmitted.ts'
import { createTokens } from '../../../src/voximplant/token.ts'
import { account, createCall, createTargets, notCalled, rejection, transports } from '../calls.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signer: Account = { ...account, headers: { 'x-team': 'a' }, credential: { kind: 'key', accountId: 7, keyId: 'k', privateKey } }
const revoked = new TransportError('not-permitted', 'unsent')

const create = (targets = createTargets()) => ({ targets, stage: readmitted(targets, createTokens()) })

t.test('a call is signed with the account as it is now', async t => {
  const { stage, targets } = create()
  const call = createCall({ permit: { account: () => signer, holds: () => true } }, targets)
  await stage(call, async next => {
    t.equal(next.account, signer)
    t.match(next.headers, { authorization: /^Bearer ey/, 'x-team': 'a' })
    t.same(next.params, [])
    return {}
  })
})

t.test('an API key goes into the parameters, and into no header', async t => {
  const { stage } = create()
  await stage(createCall(), async next => {
    t.same(next.headers, {})
    t.same(next.params, [
      ['account_id', '7'],
      ['api_key', 'secret']
    ])
    return {}
  })
})

t.test('a method that takes the account id gets it beside a token', async t => {
  const { stage, targets } = create()
  const call = createCall({ ownAccount: true, permit: { account: async () => signer, holds: () => true } }, targets)
  await stage(call, async next => {
    t.same(next.params, [['account_id', '7']])
    return {}
  })
})

for (const [kind, { content, result }] of Object.entries(transports))
  t.test(`the permit of a call with a ${kind} is asked for before each attempt, and a caller that lost it calls no more`, async t => {
    const { stage } = create()
    let admitted = true
    const permit = {
      account() {
        if (!admitted) throw new Problem('key-revoked', 'revoked')
        return account
      },
      holds: () => true
    }
    const call = createCall({ permit, content })
    await stage(call, async () => result())
    admitted = false
    t.match(await rejection(stage(call, notCalled)), { type: 'key-revoked' })
  })

t.test('a permit that ends before the first byte is asked for again, and nothing counts as sent', async t => {
  const { stage, targets } = create()
  const accounts = [account, signer]
  const used: Account[] = []
  const call = createCall({ permit: { account: () => accounts.shift() ?? signer, holds: () => true } }, targets)
  await stage(call, async next => {
    used.push(next.account)
    if (used.length === 1) throw revoked
    return {}
  })
  t.same(used, [account, signer])
  t.equal(call.sends, 0)
})

t.test('a permit that keeps ending is asked for until the deadline', async t => {
  const { stage } = create()
  const call = createCall()
  call.deadline = performance.now() + 20
  await t.rejects(
    stage(call, async () => {
      await new Promise(resolve => setTimeout(resolve, 5))
      throw revoked
    }),
    revoked
  )
})

t.test('a read whose caller has disconnected is not sent, nor a change of which nothing was sent', async t => {
  const { stage } = create()
  const signal = AbortSignal.abort()
  for (const safe of [true, false]) t.match(await rejection(stage(createCall({ signal, safe }), notCalled)), { type: 'caller-gone' })
})

t.test('a change that was sent once is sent again although its caller has disconnected', async t => {
  const { stage } = create()
  const call = createCall({ signal: AbortSignal.abort(), safe: false })
  call.sends = 1
  t.same(await stage(call, async () => ({ result: 1 })), { result: 1 })
})

t.test('the response of an earlier attempt is forgotten', async t => {
  const { stage } = create()
  const call = createCall()
  call.response = { status: 500, headers: {} }
  await stage(call, async next => {
    t.equal(next.response, undefined)
    return {}
  })
})
