import { integer, ref, strict } from '../schemas/common.ts'
import { OutboundTestNumber, TestPhoneNumber, VerificationCode } from '../schemas/outbound-test-number.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, fields, first } from '../src/api/replies.ts'

const tag = 'Outbound test number'

export default {
  createOutboundTestNumber: endpoint({
    http: 'POST /outbound-test-number',
    rpc: 'AddOutboundTestPhoneNumber',
    summary: 'Set the test number',
    description: 'There is one test number at most: delete it to use another. It can be called once it is verified.',
    tag,
    input: strict({ phoneNumber: TestPhoneNumber }),
    reply: created({}, '/outbound-test-number')
  }),
  getOutboundTestNumber: endpoint({
    http: 'GET /outbound-test-number',
    rpc: 'GetOutboundTestPhoneNumbers',
    summary: 'Get the test number',
    tag,
    input: strict({}),
    reply: first(ref(OutboundTestNumber))
  }),
  deleteOutboundTestNumber: endpoint({
    http: 'DELETE /outbound-test-number',
    rpc: 'DelOutboundTestPhoneNumber',
    summary: 'Delete the test number',
    tag,
    input: strict({}),
    reply: done
  }),
  callOutboundTestNumber: endpoint({
    http: 'POST /outbound-test-number/verification-calls',
    rpc: 'VerifyOutboundTestPhoneNumber',
    summary: 'Have the test number called with a code',
    description:
      'The call tells the code that `POST /outbound-test-number/activation` takes. At most 5 calls a day and 100 in all, a minute apart. Costs money.',
    tag,
    input: strict({}),
    reply: {
      ...fields(
        {
          dailyAttemptsLeft: integer('How many more calls can be asked for today; counted anew at 00:00 UTC.', {
            minimum: 0,
            examples: [4]
          })
        },
        { description: 'The call is on its way.' }
      ),
      mayBeMissing: true
    }
  }),
  activateOutboundTestNumber: endpoint({
    http: 'POST /outbound-test-number/activation',
    rpc: 'ActivateOutboundTestPhoneNumber',
    summary: 'Verify the test number with a code',
    tag,
    input: strict({ verificationCode: VerificationCode }),
    reply: { ...done, mayBeMissing: true }
  })
}
