import { idOrName, maybe, paging, ref, strict, text } from '../schemas/common.ts'
import { WhatsappNumber } from '../schemas/whatsapp-number.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { first, page } from '../src/api/replies.ts'

const tag = 'WhatsApp numbers'

export default {
  listWhatsappNumbers: endpoint({
    http: 'GET /whatsapp-numbers',
    rpc: 'GetWABPhoneNumbers',
    summary: 'List WhatsApp numbers',
    tag,
    input: strict({
      wabPhoneNumber: maybe(text('Only this number.', { minLength: 1, examples: ['14155550100'] })),
      countryCode: maybe(
        text('Only numbers of this country (ISO 3166-1 alpha-2).', {
          pattern: '^[A-Za-z]{2}$',
          expects: 'a country code of two letters (ISO 3166-1), such as US',
          examples: ['US']
        })
      ),
      applicationId: maybe(idOrName('Only numbers that this application serves', 'support')),
      ...paging
    }),
    reply: page(ref(WhatsappNumber))
  }),
  getWhatsappNumber: endpoint({
    http: 'GET /whatsapp-numbers/:wabPhoneNumber',
    rpc: 'GetWABPhoneNumbers',
    summary: 'Get a WhatsApp number',
    tag,
    input: strict({
      wabPhoneNumber: text('The phone number: digits only, country code first.', {
        pattern: '^[0-9]{1,20}$',
        expects: '1 to 20 digits with the country code, without a plus sign',
        examples: ['14155550100']
      })
    }),
    reply: first(ref(WhatsappNumber), 'wabPhoneNumber')
  })
}
