import t from 'tap'
import { compose } from '../../src/voximplant/compose.ts'

t.test('the first stage is the outermost', async t => {
  const stage = (name: string) => (input: string, next: (input: string) => string) => `${name}(${next(`${input}${name}`)})`
  t.equal(compose(stage('a'), stage('b'))((input: string) => input)('x'), 'a(b(xab))')
})

t.test('a stage may call the next one again, or not at all', async t => {
  const twice = (input: number, next: (input: number) => number) => next(input) + next(input)
  const never = () => 0
  t.equal(compose(twice)((input: number) => input)(2), 4)
  t.equal(compose(never, twice)((input: number) => input)(2), 0)
})
