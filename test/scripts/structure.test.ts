import t from 'tap'
import { cyclesOf, importsOutOfOrder, measure, placeOf, readSource } from '../../scripts/structure.ts'

t.test('imports, re-exports, dynamic imports and import types are imports; packages are not', async t => {
  const text = `import { readFileSync } from 'node:fs'
import type { A } from './a.ts'
export { b } from '../b.ts'
const c = await import('./c.ts')
type D = import('./d.ts').D`
  t.same(readSource('src/x/y.ts', text).imports, ['src/x/a.ts', 'src/b.ts', 'src/x/c.ts', 'src/x/d.ts'])
})

t.test('a cast counts once per `as`, and `as const` and `satisfies` do not count', async t => {
  const { casts } = readSource('src/a.ts', `const a = {} as unknown as string; const b = [1] as const; const c = 1 satisfies number`)
  t.equal(casts, 2)
})

t.test('a non-null assertion counts, a negation and a comparison do not', async t => {
  t.equal(readSource('src/a.ts', 'if (!a && a !== b) c!.d = e[0]!').nonNull, 2)
})

t.test('a file is placed by the longest entry that holds it', async t => {
  t.equal(placeOf('src/openapi/document.ts', ['src/openapi', 'plugins', 'src/openapi/document.ts']), 2)
  t.equal(placeOf('src/openapi/transform.ts', ['src/openapi', 'plugins', 'src/openapi/document.ts']), 0)
  t.equal(placeOf('src/openapi-other.ts', ['src/openapi']), -1)
})

t.test('an import of a later folder and a file without a place are out of order', async t => {
  const graph = new Map([
    ['a/1.ts', ['a/2.ts', 'b/1.ts']],
    ['b/1.ts', ['a/1.ts']],
    ['c/1.ts', []]
  ])
  t.same(importsOutOfOrder(graph, ['a', 'b']), ['a/1.ts -> b/1.ts', 'c/1.ts has no place in the order'])
})

t.test('files that import each other in a circle are one cycle', async t => {
  const graph = new Map([
    ['start', ['a', 'lone']],
    ['a', ['b', 'lone']],
    ['b', ['c']],
    ['c', ['a']],
    ['lone', []]
  ])
  t.same(cyclesOf(graph), [['a', 'b', 'c']])
})

t.test('tables of data may be long, other files are named with their lines', async t => {
  const long = '\n'.repeat(350)
  const figures = measure(
    new Map([
      ['src/api/table.ts', long],
      ['src/api/long.ts', long],
      ['src/api/short.ts', '\n'.repeat(349)]
    ]),
    { order: ['src/api'], tablesOfData: ['src/api/table.ts'] }
  )
  t.same(figures.find(({ name }) => name.startsWith('files of more'))?.details, ['350 src/api/long.ts'])
})
