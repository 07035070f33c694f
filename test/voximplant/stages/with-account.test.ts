import t from 'tap'
import { Problem } from '../../../src/problems/problem.ts'
import { withAccount } from '../../../src/voximplant/stages/with-account.ts'
import { account, createCall, createTargets, notCalled, rejection } from '../calls.ts'

const other = { ...account, tenantId: 'other' }

t.test('the call goes on with the account of its permit, and the target of that', async t => {
  const targets = createTargets()
  const call = createCall({ permit: { account: () => other, holds: () => true } }, targets)
  await withAccount(targets)(call, async next => {
    t.equal(next.account, other)
    t.equal(next.target, targets.get(other))
    return {}
  })
})

t.test('an account that has to be loaded is waited for', async t => {
  const targets = createTargets()
  const call = createCall({ permit: { account: async () => other, holds: () => true } }, targets)
  await withAccount(targets)(call, async next => {
    t.equal(next.account, other)
    return {}
  })
})

t.test('a caller that may not call gets no further', async t => {
  const targets = createTargets()
  const account = () => {
    throw new Problem('credentials-missing', 'none')
  }
  const stage = withAccount(targets)(createCall({ permit: { account, holds: () => true } }, targets), notCalled)
  t.match(await rejection(stage), { type: 'credentials-missing' })
})
