import t from 'tap'
import { Problem } from '../../src/problems/problem.ts'
import { type Classification, classify } from '../../src/voximplant/classify.ts'
import { codeOf } from '../../src/voximplant/error-codes.ts'
import { TransportError, UpstreamError } from '../../src/voximplant/errors.ts'

/** What each failure of an attempt means to the metrics, to the circuit breaker and to retries. */

const unavailable = new UpstreamError(codeOf.TRY_LATER, 'try later')
const taken = new UpstreamError(118, 'taken')
const problem = new Problem('upstream-answer-invalid', 'no JSON')

const table: [
  what: string,
  failure: unknown,
  status: number | undefined,
  outcome: Classification['outcome'],
  breaker: Classification['breaker'],
  retry: Classification['retry'],
  sent: boolean
][] = [
  ['a caller that disconnected', new TransportError('aborted', 'sent'), undefined, 'cancelled', 'ignored', undefined, true],
  ['a permit that ended', new TransportError('not-permitted', 'unsent'), undefined, 'cancelled', 'ignored', undefined, false],
  ['a response that did not come in time', new TransportError('deadline', 'sent'), undefined, 'timeout', 'noResponse', 'transport', true],
  ['a connection that was not made in time', new TransportError('deadline', 'unsent'), undefined, 'timeout', 'noResponse', 'unsent', false],
  ['a file that was not taken in time', new TransportError('deadline', 'partial'), undefined, 'timeout', 'noResponse', 'unsent', false],
  ['a wait for memory', new TransportError('crowded', 'sent'), undefined, 'crowded', 'success', undefined, true],
  ['a response that is too long', new TransportError('oversized', 'sent'), undefined, 'oversized', 'success', undefined, true],
  ['a connection that broke', new TransportError('connection', 'sent'), undefined, 'lost', 'noResponse', 'transport', true],
  ['a connection that could not be made', new TransportError('connection', 'unsent'), undefined, 'unsent', 'noResponse', 'unsent', false],
  [
    'a connection that broke within a file',
    new TransportError('connection', 'partial'),
    undefined,
    'unsent',
    'noResponse',
    'unsent',
    false
  ],
  ['a rejection that stays one', taken, 200, 'refused', 'success', undefined, true],
  ['a rejection that will pass', unavailable, 200, 'refused', 'success', 'response', true],
  ['a rejection with HTTP 500', unavailable, 500, 'refused', 'serverError', 'response', true],
  ['HTTP 500', new Problem('upstream-fault', 'HTTP 500'), 500, 'fault', 'serverError', 'response', true],
  ['HTTP 499', problem, 499, 'invalid', 'success', 'response', true],
  ['HTTP 429', new Problem('rate-limited', 'HTTP 429'), 429, 'rate-limited', 'success', 'response', true],
  ['a response that is none of the API', problem, 200, 'invalid', 'success', 'response', true],
  ['a change with such a response', new Problem('outcome-unknown', 'HTTP 200'), 200, 'invalid', 'success', undefined, true],
  ['a defect of ours', new TypeError('undefined'), 200, 'invalid', 'success', undefined, true],
  ['a failure before anything was sent', new Problem('store-unavailable', 'down'), undefined, 'cancelled', 'ignored', undefined, false],
  ['an upstream-fault that no response brought', new Problem('upstream-fault', '?'), undefined, 'cancelled', 'ignored', undefined, false]
]

for (const [what, failure, status, outcome, breaker, retry, sent] of table)
  t.test(`${what} is ${outcome}, ${breaker} and ${retry ? `retried as ${retry}` : 'not retried'}`, async t => {
    t.same(classify(failure, status), { outcome, breaker, retry, sent })
  })
