import { type Static, Type } from '@sinclair/typebox'
import { day, flag, id, integer, maybe, text, timestamp, unixTime } from './common.ts'

export const SipRegistration = Type.Object(
  {
    sipRegistrationId: id('The id of the SIP registration.'),
    sipUsername: maybe(text('The user name that Voximplant registers with.', { examples: ['acme-trunk'] })),
    proxy: maybe(text('The SIP server that Voximplant registers at.', { examples: ['sip.example.com'] })),
    authUser: maybe(text('The user name for authentication, where it is another one.', { examples: ['acme-auth'] })),
    outboundProxy: maybe(text('The server through which requests are sent.', { examples: ['outbound.example.com'] })),
    isPersistent: maybe(flag('Whether the registration is always kept up; false: only while the bound user is logged in.')),
    successful: maybe(flag('Whether the SIP server has accepted the registration.')),
    statusCode: maybe(integer("The SIP server's last status code.", { examples: [200] })),
    errorMessage: maybe(text("The SIP server's words, where it refused.", { examples: ['Forbidden'] })),
    deactivated: maybe(flag('Whether the registration is frozen, its subscription being deactivated.', { examples: [false] })),
    subscriptionPrice: maybe(text('What the registration costs a month.', { examples: ['1.5'] })),
    purchaseDate: maybe(timestamp('When the registration was bought.')),
    nextSubscriptionRenewal: maybe(day('The day on which the next month is charged.', { examples: ['2026-02-15'] })),
    applicationId: maybe(id('The application the registration is bound to.')),
    applicationName: maybe(text('The name of that application.', { examples: ['support.acme.n1.voximplant.com'] })),
    ruleId: maybe(id('The rule the registration is bound to.')),
    ruleName: maybe(text('The name of that rule.', { examples: ['incoming'] })),
    userId: maybe(id('The user the registration is bound to.')),
    userName: maybe(text('The login of that user.', { examples: ['ada'] })),
    lastUpdated: maybe(unixTime('When the state of the registration last changed.'))
  },
  { $id: 'SipRegistration', description: 'A registration of Voximplant, as a user, at a SIP server of somebody else.' }
)
export type SipRegistration = Static<typeof SipRegistration>
