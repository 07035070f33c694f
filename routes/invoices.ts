import { maybe, paging, ref, strict, text } from '../schemas/common.ts'
import { Invoice } from '../schemas/invoice.ts'
import { endpoint } from '../src/endpoint.ts'
import { page } from '../src/reply.ts'

const tag = 'Invoices'

export default {
  listInvoices: endpoint({
    http: 'GET /invoices',
    rpc: 'GetAccountInvoices',
    summary: 'List invoices',
    description: 'The invoices of an account in USD or EUR.',
    tag,
    input: strict({
      status: maybe(text('Only invoices in this state, named as in the `status` of an invoice.', { minLength: 1, examples: ['paid'] })),
      ...paging
    }),
    reply: page(ref(Invoice))
  })
}
