import t from 'tap'
import { Params, SandboxError } from '../../src/sandbox/codec.ts'
import { between, containing, defined, flagged, including, matches, present, select, where } from '../../src/sandbox/query.ts'

const rows: { id: number; name?: string; tags: number[]; active?: boolean }[] = [
  { id: 1, name: 'Ada', tags: [1], active: true },
  { id: 2, name: 'Grace', tags: [1, 2] },
  { id: 3, tags: [] }
]
const ids = (selected: { id: number }[]) => selected.map(row => row.id)

t.test('a filter that is undefined lets every row pass', async t => {
  t.same(ids(where(rows, { id: undefined, name: undefined })), [1, 2, 3])
})

t.test('a row has to pass every filter', async t => {
  t.same(ids(where(rows, { tags: including(1), name: 'Grace' })), [2])
})

t.test('a list selects the rows that have one of its values', async t => {
  t.same(ids(where(rows, { id: [1, 3, 99] })), [1, 3])
})

t.test('`all` selects every number, but is a text like others for texts', async t => {
  t.same(ids(where(rows, { id: 'all' })), [1, 2, 3])
  t.same(ids(where(rows, { name: 'all' })), [])
  t.equal(matches('all', undefined), false)
})

t.test('part of a text matches in any case, and never where the text is absent', async t => {
  t.same(ids(where(rows, { name: containing('AD') })), [1])
  t.same(ids(where(rows, { name: containing('') })), [1, 2])
})

t.test('a range includes both of its ends, and no absent value', async t => {
  t.same(ids(where(rows, { id: between<number>(2, undefined) })), [2, 3])
  t.same(ids(where(rows, { id: between<number>(1, 2) })), [1, 2])
  t.equal(matches(between('a', undefined), undefined), false)
})

t.test('a flag that is absent counts as false', async t => {
  t.same(ids(where(rows, { active: flagged(false) })), [2, 3])
  t.same(ids(where(rows, { active: flagged(true) })), [1])
})

t.test('presence is a filter in both directions', async t => {
  t.same(ids(where(rows, { name: present(true) })), [1, 2])
  t.same(ids(where(rows, { name: present(false) })), [3])
})

t.test('a list can be required not to include a value', async t => {
  t.same(ids(where(rows, { tags: including(2, false) })), [1, 3])
})

t.test('fields without a value are left out, false and zero stay', async t => {
  t.same(Object.keys(defined({ a: undefined, b: false, c: 0, d: '' })), ['b', 'c', 'd'])
})

const params = (values: Record<string, unknown>) =>
  new Params(
    'GetThings',
    new Map([
      ['id', 'id-list'],
      ['name', 'text-list']
    ]),
    new Map(Object.entries(values))
  )
const selector = { id: 'id', name: 'name', unknownId: 'INVALID_USER_ID', unknownName: 'INVALID_APPLICATION_NAME' } as const

t.test('ids count for more than names, and rows come in the order of the call', async t => {
  t.same(ids(select(rows, params({ id: [3, 1], name: ['Grace'] }), selector)), [3, 1])
  t.same(ids(select(rows, params({ name: ['Grace', 'Ada'] }), selector)), [2, 1])
})

t.test('an id or a name that does not exist, and a call that names no row, are rejected with errors of their own', async t => {
  const codeOf = (values: Record<string, unknown>): number | undefined => {
    try {
      select(rows, params(values), selector)
    } catch (error) {
      if (error instanceof SandboxError) return error.code
      throw error
    }
  }
  t.equal(codeOf({ id: [1, 99] }), 117)
  t.equal(codeOf({ name: ['Nobody'] }), 107)
  t.equal(codeOf({}), 134)
})
