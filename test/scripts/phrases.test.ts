import t from 'tap'
import { findPhrases } from '../../scripts/phrases.ts'

t.test('a phrase is found in any case, with its line', async t => {
  t.same(findPhrases('// fine\n// Whoever calls', ['whoever']), [{ line: 2, phrase: 'whoever', text: '// Whoever calls' }])
})

t.test('a phrase is found across the lines of a comment', async t => {
  t.match(findPhrases('/**\n * calls at\n * once\n */', ['at once']), [{ line: 2, phrase: 'at once' }])
  t.match(findPhrases('// so\n// many', ['so many']), [{ line: 1, phrase: 'so many' }])
})

t.test('a phrase inside a longer word is none', async t => {
  t.same(findPhrases('awayness, faraway, told-you', ['away']), [])
})
