import t from 'tap'
import { type AcceptedSurvivor, type Mutant, mutantsIn, scoreOf } from '../../scripts/mutate.ts'

const mutant = (replacement: string, killed: boolean): Mutant => ({
  file: 'src/a.ts',
  lineNumber: 3,
  line: 'return a < b',
  original: 'a < b',
  replacement,
  killed
})
const entry: AcceptedSurvivor = { file: 'src/a.ts', line: 'return a < b', replacement: 'a <= b', reason: 'equal values do not occur' }

t.test('the score is the share of killed mutants in per cent', async t => {
  const { killed, total, score } = scoreOf(
    [mutant('true', true), mutant('false', true), mutant('a > b', true), mutant('a <= b', false)],
    []
  )
  t.same([killed, total, score], [3, 4, 75])
})

t.test('an accepted survivor has its reason, and still counts as a survivor', async t => {
  const { score, survivors } = scoreOf([mutant('true', true), mutant('a <= b', false)], [entry])
  t.equal(score, 50)
  t.match(survivors, [{ replacement: 'a <= b', reason: 'equal values do not occur' }])
})

t.test('an accepted survivor that is killed by now is stale', async t => {
  t.same(scoreOf([mutant('a <= b', true)], [entry]).stale, [entry])
  t.same(scoreOf([mutant('a <= b', false)], [entry]).stale, [])
})

t.test('entries of files that were not run are not stale', async t => {
  t.same(scoreOf([mutant('true', true)], [{ ...entry, file: 'src/b.ts' }]).stale, [])
})

t.test('a room without mutants has a score of 0', async t => {
  t.equal(scoreOf([], []).score, 0)
})

t.test('a mutant of a report has its line, and what changes into what', async t => {
  const source = 'function f() {\n  return a < b\n}\n'
  const at = (line: number, column: number, endLine: number, endColumn: number) => ({
    start: { line, column },
    end: { line: endLine, column: endColumn }
  })
  const mutants = [
    { location: at(2, 10, 2, 15), replacement: 'a <= b', status: 'Survived' },
    { location: at(1, 14, 3, 2), replacement: '{}', status: 'Timeout' },
    { location: at(2, 10, 2, 15), replacement: 'true', status: 'NoCoverage' },
    { location: at(2, 10, 2, 15), replacement: 'false', status: 'Ignored' }
  ]
  t.same(mutantsIn({ files: { 'src/a.ts': { source, mutants } } }), [
    { file: 'src/a.ts', lineNumber: 2, line: 'return a < b', original: 'a < b', replacement: 'a <= b', killed: false },
    { file: 'src/a.ts', lineNumber: 1, line: 'function f() {', original: '{ return a < b }', replacement: '{}', killed: true },
    { file: 'src/a.ts', lineNumber: 2, line: 'return a < b', original: 'a < b', replacement: 'true', killed: false }
  ])
})
