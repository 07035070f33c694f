import { flag, id, idOrName, idsOrNames, list, listItem, maybe, paging, ref, strict, text } from '../schemas/common.ts'
import { seeded } from '../schemas/seeded.ts'
import { SipRegistration } from '../schemas/sip-registration.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { done, first, page } from '../src/api/replies.ts'

const tag = 'SIP registrations'
const sipRegistrationId = id('The SIP registration.')
const binding = {
  sipRegistrationId,
  applicationId: maybe(idOrName('The application; needed with a user, and with a rule that is given by name', 'support')),
  ruleId: maybe(idOrName('The rule', 'incoming')),
  userId: maybe(idOrName('The user', seeded.user.name, seeded.user.id))
}

/** Users, and rules by their names, are found within an application. */
const ownerOf = { userId: 'applicationId', '~ruleId': 'applicationId' } as const

export default {
  listSipRegistrations: endpoint({
    http: 'GET /sip-registrations',
    rpc: 'GetSipRegistrations',
    summary: 'List SIP registrations',
    tag,
    input: strict({
      sipRegistrationId: maybe(id('Only the registration with this id.')),
      sipUsername: maybe(text('Only registrations with this SIP user name.', { minLength: 1, maxLength: 255, examples: ['acme-trunk'] })),
      proxy: maybe(list(listItem(), 'Only registrations at these SIP servers.', { examples: [['sip.example.com']] })),
      applicationId: maybe(idsOrNames('Only registrations bound to these applications', 'support')),
      ruleId: maybe(idsOrNames('Only registrations bound to these rules', 'incoming')),
      userId: maybe(idsOrNames('Only registrations bound to these users', seeded.user.name, { example: seeded.user.id })),
      isBoundToApplication: maybe(flag('Only registrations bound to some application, or only those bound to none.')),
      isPersistent: maybe(flag('Only registrations that are always kept up, or only those that last while their user is logged in.')),
      deactivated: maybe(flag('Only registrations that are frozen, or only those that are not.')),
      successful: maybe(flag('Only registrations that the SIP server has accepted, or only those it has not.')),
      inProgress: maybe(flag('Only registrations that are still being attempted, or only those that are not.')),
      statusCode: maybe(
        text(
          'Only registrations whose last SIP status is one of these: codes, and ranges of codes with a colon, separated by semicolons.',
          {
            pattern: '^[0-9]{3}(?::[0-9]{3})?(?:;[0-9]{3}(?::[0-9]{3})?)*$',
            maxLength: 255,
            expects: 'SIP status codes, or ranges with a colon, separated by semicolons, such as 403;500:599',
            examples: ['403;500:599']
          }
        )
      ),
      ...paging
    }),
    reply: page(ref(SipRegistration))
  }),
  getSipRegistration: endpoint({
    http: 'GET /sip-registrations/:sipRegistrationId',
    rpc: 'GetSipRegistrations',
    summary: 'Get a SIP registration',
    tag,
    input: strict({ sipRegistrationId }),
    reply: first(ref(SipRegistration), 'sipRegistrationId')
  }),
  bindSipRegistration: endpoint({
    http: 'PUT /sip-registrations/:sipRegistrationId/binding',
    rpc: 'BindSipRegistration',
    summary: 'Bind a SIP registration',
    description:
      'Binds the registration to an application, to one of its rules, or to one of its users. A user has one registration at most: an earlier one is unbound.',
    tag,
    input: strict(binding),
    requires: ownerOf,
    fixed: { bind: true },
    example: { applicationId: 1 },
    reply: done
  }),
  unbindSipRegistration: endpoint({
    http: 'DELETE /sip-registrations/:sipRegistrationId/binding',
    rpc: 'BindSipRegistration',
    summary: 'Unbind a SIP registration',
    description: 'Unbinds the registration from the application, the rule or the user that is named.',
    tag,
    input: strict(binding),
    requires: ownerOf,
    fixed: { bind: false },
    example: { applicationId: 1 },
    reply: done
  })
}
