import { Type } from '@sinclair/typebox'
import t from 'tap'
import { hiding, id, ref, text } from '../../schemas/common.ts'
import { done, value } from '../../src/api/replies.ts'
import { grants, scopesOf, scopeTable, standaloneScopes } from '../../src/api/scopes.ts'

const Open = Type.Object({ thingId: id('x') }, { $id: 'ScopesOpen' })
const Hidden = hiding(Type.Object({ thingId: id('x'), name: text('x') }, { $id: 'ScopesHidden' }), 'password')

t.test('the section and whether a call changes anything give its scope', async t => {
  t.same(scopesOf('Users', { safe: true, retry: 'any' }, done), ['users:read'])
  t.same(scopesOf('Smart queues & more', { retry: 'unsent' }, done), ['smart-queues-more:write'])
})

t.test('money, secrets and rights in the account need scopes of their own', async t => {
  t.same(scopesOf('Users', { retry: 'unsent', costsMoney: true, privileged: true, returnsSecret: true }, value(ref(Open))), [
    'users:write',
    'spend',
    'secrets',
    'privileged'
  ])
})

t.test('a secret that never leaves the service needs no scope', async t => {
  t.same(scopesOf('Users', { retry: 'unsent', returnsSecret: true }, value(ref(Hidden))), ['users:write'])
})

t.test('a secret beside the result needs the scope', async t => {
  const reply = { ...done, response: Type.Object({ secret: Type.String() }) }
  t.same(scopesOf('Users', { safe: true, retry: 'any', returnsSecret: true }, reply), ['users:read', 'secrets'])
})

t.test('a scope grants itself and nothing else', async t => {
  t.equal(grants(['users:read'], 'users:read'), true)
  t.equal(grants(['users:read'], 'users:write'), false)
  t.equal(grants(['users:read'], 'queues:read'), false)
  t.equal(grants([], 'users:read'), false)
})

t.test('write grants read in its section', async t => {
  t.equal(grants(['users:write'], 'users:read'), true)
  t.equal(grants(['users:write'], 'queues:read'), false)
})

t.test('`*` grants every section, `*:read` only reading', async t => {
  t.same([grants(['*'], 'users:read'), grants(['*'], 'users:write')], [true, true])
  t.same([grants(['*:read'], 'users:read'), grants(['*:read'], 'users:write')], [true, false])
})

t.test('no wildcard grants a scope that stands alone', async t => {
  for (const scope of Object.keys(standaloneScopes)) {
    t.equal(grants(['*', '*:read', 'users:write'], scope), false, scope)
    t.equal(grants([scope], scope), true, scope)
  }
})

t.test('the table has wildcards first, then sections in order, then what stands alone, each with its operations', async t => {
  const table = scopeTable([
    { id: 'setUser', scopes: ['users:write', 'privileged'], endpoint: { tag: 'Users' } },
    { id: 'listUsers', scopes: ['users:read'], endpoint: { tag: 'Users' } },
    { id: 'callUsers', scopes: ['users:write', 'spend'], endpoint: { tag: 'Users', all: {} } },
    { id: 'listCalls', scopes: ['calls:read'], endpoint: { tag: 'Calls' }, withhold: {} }
  ])
  t.same(
    table.map(({ scope, operations }) => [scope, operations]),
    [
      ['*', []],
      ['*:read', []],
      ['calls:read', ['listCalls']],
      ['users:read', ['listUsers']],
      ['users:write', ['setUser', 'callUsers']],
      ['bulk', ['callUsers']],
      ['privileged', ['setUser']],
      ['secrets', ['listCalls']],
      ['spend', ['callUsers']]
    ]
  )
})

t.test('each scope of the table is described', async t => {
  const table = scopeTable([
    { id: 'listUsers', scopes: ['users:read', 'users:write', 'spend'], endpoint: { tag: 'Users', all: {} }, withhold: {} }
  ])
  const described = Object.fromEntries(table.map(({ scope, description }) => [scope, description]))
  t.equal(described['users:read'], 'Users: calls that only read.')
  t.equal(described['users:write'], 'Users: every call.')
  t.equal(described.bulk, standaloneScopes.bulk)
  t.equal(described.spend, standaloneScopes.spend)
  t.equal(described.secrets, standaloneScopes.secrets)
  t.match(described['*'], /`bulk`, `spend`, `secrets`, `privileged`/)
  t.match(described['*:read'], /only reads/)
})
