import t from 'tap'
import { differences, withoutTexts } from '../../scripts/openapi-compare.ts'

t.test('texts and x- fields are left out, properties and components of such a name stay', async t => {
  const document = {
    info: { title: 'An API', version: '1' },
    components: { schemas: { title: { description: 'A title.', type: 'string', 'x-kind': 'text' } } },
    paths: { '/description': { get: { summary: 'Reads it', responses: { 200: { description: 'OK' } } } } },
    schema: { properties: { description: { type: 'string', examples: ['a'] } }, default: { title: 'kept' } }
  }
  t.same(withoutTexts(document), {
    info: { version: '1' },
    components: { schemas: { title: { type: 'string' } } },
    paths: { '/description': { get: { responses: { 200: {} } } } },
    schema: { properties: { description: { type: 'string' } }, default: { title: 'kept' } }
  })
})

t.test('a difference is named by its JSON pointer, whatever the order of the keys', async t => {
  t.same(differences({ a: 1, b: { 'c/d': [1, 2] } }, { b: { 'c/d': [1, 3] }, a: 1 }), ['/b/c~1d/1: 2 -> 3'])
})

t.test('what one of the two lacks is a difference', async t => {
  t.same(differences({ a: 1 }, { a: 1, b: 'x' }), ['/b: nothing -> "x"'])
})
