import t from 'tap'
import { problemOfUpstreamError, secretsOf } from '../../src/api/upstream-problem.ts'
import { UpstreamError } from '../../src/voximplant/errors.ts'
import { operationOf } from './requests.ts'

const credential = { kind: 'api-key', accountId: 7, apiKey: 'k3y' } as const
const createUser = operationOf('createUser')

t.test('the secrets of a call are its fields that are only ever written, and the API key', async t => {
  t.same(secretsOf(createUser, credential, new URLSearchParams({ user_name: 'ada', user_password: 'pa ss' })), ['pa ss', 'k3y'])
})

t.test('a message of the upstream comes without them', async t => {
  const error = new UpstreamError(118, 'ada with pa%20ss by k3y is taken')
  t.equal(
    problemOfUpstreamError(error, createUser, credential, 'user_name=ada&user_password=pa+ss').upstream?.message,
    'ada with *** by *** is taken'
  )
})

t.test('the parameter that the upstream names is the field of the caller', async t => {
  t.match(problemOfUpstreamError(new UpstreamError(118, 'taken', 'user_name'), createUser, credential, ''), {
    errors: [{ in: 'body', pointer: '/userName', detail: 'taken' }]
  })
})

t.test('an upstream that is not available says when to come again', async t => {
  t.match(problemOfUpstreamError(new UpstreamError(162, 'later', undefined, '7'), createUser, credential, ''), {
    type: 'upstream-unavailable',
    headers: { 'retry-after': '7' }
  })
})
