import t from 'tap'
import { file, id, idOrName, idsOrNames, maybe, paging, strict, text } from '../../../schemas/common.ts'
import { compileForm } from '../../../src/voximplant/wire/form.ts'

t.test('a form knows its parameters and the fields that send them', async t => {
  const form = compileForm('Method', strict({ userId: idOrName('x', 'y'), ...paging, content: file('x') }), {
    fixed: { output: 'json', bind: true }
  })
  t.strictSame(form.params, [
    { wire: 'user_id', kind: 'number' },
    { wire: 'user_name', kind: 'text' },
    { wire: 'count', kind: 'number' },
    { wire: 'offset', kind: 'number' },
    { wire: 'content', kind: 'file' },
    { wire: 'output', kind: 'text' },
    { wire: 'bind', kind: 'boolean' }
  ])
  t.equal(form.fieldOf.get('user_name'), 'userId')
  t.equal(form.wireOf('limit'), 'count')
  t.throws(() => form.wireOf('nothing'), { message: 'nothing is not a field of the input' })
})

t.test('the word `all` is sent for a field that is left out, where the declaration says so', async t => {
  const form = compileForm('Method', strict({ userId: maybe(idsOrNames('x', 'y')) }), { everyWhenAbsent: ['userId'] })
  t.equal(form.encode({}), 'cmd=Method&user_id=all')
  t.equal(form.encode({ userId: [1] }), 'cmd=Method&user_id=1')
})

t.test('a field that has to be given cannot stand for everything when it is left out', async t => {
  for (const everyWhenAbsent of [['userId'], ['other']])
    t.throws(() => compileForm('Method', strict({ userId: id('x') }), { everyWhenAbsent }), { message: /which is no optional field/ })
})

t.test('a rename can be of a field, and of its names alone', async t => {
  const form = compileForm('Method', strict({ userId: idOrName('x', 'y'), note: text('x') }), {
    rename: { '~userId': 'requiredUserName', note: 'newNote' }
  })
  t.equal(form.encode({ userId: '~ada', note: 'a' }), 'cmd=Method&required_user_name=ada&new_note=a')
})
