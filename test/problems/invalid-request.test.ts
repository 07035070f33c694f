import t from 'tap'
import { invalid } from '../../src/problems/invalid-request.ts'
import { maxViolations, type Violation } from '../../src/problems/problem.ts'

const violations = (count: number): Violation[] =>
  Array.from({ length: count }, (_, i) => ({ in: 'body', pointer: i === 0 ? '' : `/f${i}`, detail: 'is required' }))

t.test('up to three violations are named in the detail', async t => {
  const { type, message } = invalid(violations(3))
  t.same([type, message], ['invalid-request', 'body / is required; body /f1 is required; body /f2 is required.'])
})

t.test('more than three are counted', async t => {
  t.match(invalid(violations(5)).message, /f2 is required; and 2 more\.$/)
})

t.test('beyond the violations that are shown, their number is a lower bound', async t => {
  t.match(invalid(violations(maxViolations + 1)).message, /; and at least \d+ more\.$/)
})
