import { Type } from '@sinclair/typebox'
import { maxViolations, problemTypes } from '../src/problems/problem.ts'
import { flag, integer, maybe, oneOf, text } from './common.ts'

const codes = Object.keys(problemTypes)

export const Problem = Type.Object(
  {
    type: text("The address of the problem's page.", { format: 'uri-reference', examples: ['/problems/invalid-request'] }),
    title: text('The problem in a few words; the same for each of its kind.', { examples: [problemTypes['invalid-request'].title] }),
    status: integer('The HTTP status.', { examples: [400] }),
    detail: text('What went wrong this time, and what to do.', { examples: ['body /userName is required.'] }),
    instance: text('The request that failed, by its id.', {
      format: 'uri',
      examples: ['urn:request:0198c7b2-5a0e-7c34-9d62-3f1c1c4e9b11']
    }),
    code: oneOf(codes, 'The kind of problem, for programs.', { examples: ['invalid-request'] }),
    origin: oneOf(['caller', 'voxgate', 'upstream'], 'Who can mend it: you, the operators of Voxgate (or of the tenant), or the upstream.'),
    retryable: flag('Whether sending the same request again can help.', { examples: [false] }),
    errors: maybe(
      Type.Array(
        Type.Object({
          in: oneOf(['path', 'query', 'body', 'header'], 'The part of the request.', { examples: ['body'] }),
          pointer: text('The field, as a JSON Pointer within that part.', { examples: ['/userName'] }),
          detail: text('What is wrong with it.', { examples: ['is required'] })
        }),
        {
          maxItems: maxViolations,
          description: `The violations found, the first ${maxViolations} of them; \`detail\` tells when there are more. Texts that are too long end in \` ...\`.`
        }
      )
    ),
    upstream: maybe(
      Type.Object(
        {
          method: text("The upstream's method.", { examples: ['AddUser'] }),
          code: integer("The upstream's error code.", { examples: [118] }),
          name: text("The upstream's name of the error.", { examples: ['USER_NAME_ISNT_UNIQUE'] }),
          message: text("The upstream's own words.", { examples: ['The user name is not unique.'] })
        },
        { description: 'What the upstream said, when it was the upstream that refused.' }
      )
    ),
    settle: maybe(
      Type.Object(
        {
          id: text('The record of the Idempotency-Key, which an operator can settle.', {
            examples: ['0198c7b2-5a0e-7c34-9d62-3f1c1c4e9b11']
          }),
          method: maybe(text("The upstream's method that tells whether the request had its effect.", { examples: ['GetSmsHistory'] })),
          by: maybe(Type.Array(Type.String({ examples: ['sourceNumber'] }), { description: 'The fields to look for.' })),
          operationId: maybe(text('The operation of this service that calls it.', { examples: ['listSmsMessages'] }))
        },
        { description: 'How it can be found out whether a request with an Idempotency-Key had its effect.' }
      )
    )
  },
  { $id: 'Problem', description: 'A failure (RFC 9457).' }
)
