import { id, maybe, pageLimit, paging, ref, strict, text } from '../schemas/common.ts'
import { Invoice } from '../schemas/invoice.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { file, page } from '../src/api/replies.ts'

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
      ...paging,
      limit: pageLimit(20)
    }),
    reply: page(ref(Invoice))
  }),
  downloadInvoice: endpoint({
    http: 'GET /invoices/:invoiceId/content',
    rpc: 'DownloadInvoice',
    summary: 'Download an invoice',
    description: 'The document itself, as the upstream sends it.',
    tag,
    input: strict({ invoiceId: id('The invoice.', 501) }),
    reply: file('The document.', { types: ['application/pdf', 'application/octet-stream'], name: 'invoice-:invoiceId.pdf' })
  })
}
