import t from 'tap'
import { Params, reject } from '../../src/sandbox/codec.ts'
import { resource } from '../../src/sandbox/resource.ts'
import { type AccountState, table } from '../../src/sandbox/state.ts'

interface Row {
  skillId: number
  skillName: string
  note?: string
}

const removed: number[][] = []
const skills = table<Row, 'skillId'>('skills', 'skillId', 10)
const accountSkills = resource({
  table: skills,
  id: 'skillId',
  name: 'skillName',
  notFound: 'INVALID_SKILL_ID',
  unique: 'DUPLICATE_SKILL_NAME',
  checkName: (name, param) => name.length > 5 && reject('SKILL_NAME_TOO_LONG', param),
  onRemove: (_, ids) => void removed.push(ids)
})

const kinds = new Map([
  ['skillId', 'id-list'],
  ['skillName', 'text'],
  ['newSkillName', 'text'],
  ['count', 'number'],
  ['offset', 'number']
] as const)
const params = (values: Record<string, unknown>) => new Params('Skills', kinds, new Map(Object.entries(values)))
const newAccount = (...names: string[]): AccountState => {
  const account: AccountState = { accountId: 1, tables: {}, nextIds: {} }
  for (const skillName of names) accountSkills.add(account, { skillName })
  return account
}

t.test('a row that is added gets the next id, which is the response', async t => {
  t.same(accountSkills.add(newAccount('a'), { skillName: 'b' }), { result: 1, skillId: 11 })
})

t.test('an id is not used again after its row is deleted', async t => {
  const account = newAccount('a')
  accountSkills.remove(params({ skillId: [10] }), account, { caller: { accountId: 1, keys: {} }, byApiKey: false })
  t.same(accountSkills.add(account, { skillName: 'b' }), { result: 1, skillId: 11 })
})

t.test('a name that another row has is rejected, the row may keep its own', async t => {
  const account = newAccount('a', 'b')
  const [row] = skills.rows(account)
  t.throws(() => accountSkills.requiredName(account, params({ skillName: 'b' }), 'skillName', row), /duplicate skill name \(skill_name\)/)
  t.equal(accountSkills.requiredName(account, params({ skillName: 'a' }), 'skillName', row), 'a')
})

t.test('a name is checked before it is compared', async t => {
  t.throws(() => accountSkills.newName(newAccount(), params({ newSkillName: 'too long' }), 'newSkillName'), /skill name too long/)
})

t.test('a new name that a call does not give is undefined, a required one is an error', async t => {
  t.equal(accountSkills.newName(newAccount(), params({}), 'newSkillName'), undefined)
  t.throws(() => accountSkills.requiredName(newAccount(), params({}), 'skillName'), /required is empty/)
})

t.test('an update keeps the fields that have no new value', async t => {
  const row: Row = { skillId: 1, skillName: 'a', note: 'kept' }
  accountSkills.update(row, { skillName: 'b', note: undefined })
  t.same(row, { skillId: 1, skillName: 'b', note: 'kept' })
})

t.test('rows are deleted by id or name, and references to them are removed by their ids', async t => {
  const account = newAccount('a', 'b', 'c')
  const context = { caller: { accountId: 1, keys: {} }, byApiKey: false }
  accountSkills.remove(params({ skillId: [10, 12] }), account, context)
  t.same(removed.at(-1), [10, 12])
  accountSkills.remove(params({ skillName: 'b' }), account, context)
  t.same(skills.rows(account), [])
})

t.test('a page has the rows that pass the filters, and their total', async t => {
  const page = accountSkills.page(newAccount('a', 'b', 'c'), params({ count: 1, offset: 1 }), { skillName: ['a', 'c'] })
  t.same(page, { result: [{ skillId: 12, skillName: 'c' }], count: 1, totalCount: 2 })
})
