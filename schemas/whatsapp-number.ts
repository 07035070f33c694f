import { type Static, Type } from '@sinclair/typebox'
import { id, maybe, text, timestamp } from './common.ts'

export const WhatsappNumber = Type.Object(
  {
    wabPhoneNumber: text('The phone number.', { examples: ['14155550100'] }),
    countryCode: maybe(text('The country of the number (ISO 3166-1 alpha-2).', { examples: ['US'] })),
    description: maybe(text('A note on the number.', { examples: ['Help desk'] })),
    applicationId: maybe(id('The application that serves the number.')),
    applicationName: maybe(text('The short name of that application.', { examples: ['support'] })),
    extendedApplicationName: maybe(text('The full name of that application.', { examples: ['support.acme.n1.voximplant.com'] })),
    ruleId: maybe(id('The rule that the number starts.')),
    ruleName: maybe(text('The name of that rule.', { examples: ['incoming'] })),
    created: maybe(timestamp('When the number was added.')),
    modified: maybe(timestamp('When the number was last changed.'))
  },
  { $id: 'WhatsappNumber', description: 'A phone number of WhatsApp Business.' }
)
export type WhatsappNumber = Static<typeof WhatsappNumber>
