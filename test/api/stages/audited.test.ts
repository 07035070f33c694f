import t from 'tap'
import { audited } from '../../../src/api/stages/audited.ts'
import { Problem } from '../../../src/problems/problem.ts'
import type { CallAudit } from '../../../src/tenants/call-audit.ts'
import { operationOf, requestThrough } from '../requests.ts'

/** An audit log in memory: what was written, in order. */
function createAudit() {
  const written: unknown[] = []
  const audit: Pick<CallAudit, 'begin' | 'end'> = {
    async begin(tenantId, { action, actor, detail }) {
      written.push({ tenantId, action, actor, detail })
      return 'entry-1'
    },
    end(entry, outcome) {
      written.push({ entry, outcome })
    }
  }
  return { audit, written }
}

t.test('a call that destroys is written before it is made, and its outcome afterwards', async t => {
  const { audit, written } = createAudit()
  const next = () => {
    written.push('called')
    return { done: true }
  }
  const { body } = await requestThrough(audited(audit), next, operationOf('deleteSkill'))
  t.same(body, { done: true })
  t.same(written, [
    {
      tenantId: 'acme',
      action: 'call.deleteSkill',
      actor: { kind: 'key', id: 'key-1', address: '192.0.2.1', requestId: 'request-1' },
      detail: { method: 'DelSkill', selectors: { skillId: '7' } }
    },
    'called',
    { entry: 'entry-1', outcome: 'done' }
  ])
})

t.test('the outcome of a call that fails is the type of its problem', async t => {
  const { audit, written } = createAudit()
  const next = () => Promise.reject(new Problem('not-found', 'no such skill'))
  t.match(await requestThrough(audited(audit), next, operationOf('deleteSkill')), { status: 404 })
  t.same(written.at(-1), { entry: 'entry-1', outcome: 'not-found' })
})

t.test('a call that cannot be written is not made', async t => {
  const audit = {
    begin: () => Promise.reject(new Problem('audit-unavailable', 'the disk is full')),
    end: () => t.fail('an outcome without a call')
  }
  const response = await requestThrough(audited(audit), () => t.fail('called'), operationOf('deleteSkill'))
  t.match(response, { status: 503, body: { code: 'audit-unavailable' } })
})

t.test('a read is not written, unless it is made for a child account', async t => {
  const { audit, written } = createAudit()
  await requestThrough(audited(audit), () => ({}), operationOf('listSkills'))
  t.same(written, [])
  await requestThrough(audited(audit), () => ({}), operationOf('listSkills'), { childAccount: 12 })
  t.match(written[0], { action: 'call.listSkills', detail: { childAccount: 12 } })
})

t.test('of the fields only those of the path and ids are written', async t => {
  const { audit, written } = createAudit()
  const payload = { adminUserName: 'eve', adminUserPassword: 'Canary-1', otherId: 3 }
  await requestThrough(audited(audit), () => ({}), operationOf('createAdminUser'), { payload })
  t.match(written[0], { detail: { selectors: { otherId: 3 } } })
  t.notMatch(JSON.stringify(written), /Canary|eve/)
})
