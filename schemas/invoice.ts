import { type Static, Type } from '@sinclair/typebox'
import { day, decimal, id, maybe, ref, text } from './common.ts'

const currency = maybe(text('The currency of the amounts.', { examples: ['USD'] }))

export const InvoiceAmount = Type.Object(
  {
    amountToPay: maybe(decimal('What is to be paid, the discount taken off.', { examples: [108] })),
    totalAmount: maybe(decimal('The sum with taxes.', { examples: [118] })),
    taxAmount: maybe(decimal('The sum of the taxes.', { examples: [18] })),
    discountAmount: maybe(decimal('The discount.', { examples: [10] })),
    currency
  },
  { $id: 'InvoiceAmount', description: 'A sum of an invoice, and what it is made of.' }
)
export type InvoiceAmount = Static<typeof InvoiceAmount>

export const InvoiceTax = Type.Object(
  {
    name: maybe(text('The name of the tax.', { examples: ['State sales tax'] })),
    category: maybe(text('The category of the tax.', { examples: ['SALES AND USE TAXES'] })),
    level: maybe(text('Who takes it: Federal, State, County, City or Unincorporated.', { examples: ['State'] })),
    rate: maybe(decimal('The rate of the tax.', { examples: [0.18] })),
    taxableMeasure: maybe(decimal('The sum that is taxed.', { examples: [100] })),
    amount: maybe(decimal('The tax.', { examples: [18] })),
    currency
  },
  { $id: 'InvoiceTax', description: 'A tax on a row of an invoice.' }
)
export type InvoiceTax = Static<typeof InvoiceTax>

export const InvoiceRow = Type.Object(
  {
    serviceName: maybe(text('What was paid for.', { examples: ['Outgoing calls'] })),
    amount: maybe(ref(InvoiceAmount)),
    taxes: maybe(Type.Array(ref(InvoiceTax), { description: 'The taxes on it.' }))
  },
  { $id: 'InvoiceRow', description: 'One service on an invoice.' }
)
export type InvoiceRow = Static<typeof InvoiceRow>

export const Invoice = Type.Object(
  {
    invoiceId: id('The id of the invoice.', 501),
    invoiceNumber: maybe(text('The number on the invoice.', { examples: ['2026-01-0501'] })),
    invoiceDate: maybe(day('The day of the invoice.', { examples: ['2026-02-01'] })),
    status: maybe(text('The state of the invoice.', { examples: ['paid'] })),
    period: maybe(
      Type.Object(
        {
          from: maybe(day('The first day.', { examples: ['2026-01-01'] })),
          to: maybe(day('The last day.', { examples: ['2026-01-31'] }))
        },
        { description: 'The days the invoice is for.' }
      )
    ),
    amount: maybe(ref(InvoiceAmount)),
    rows: maybe(Type.Array(ref(InvoiceRow), { description: 'The services that were used.' }))
  },
  { $id: 'Invoice', description: 'An invoice of the account.' }
)
export type Invoice = Static<typeof Invoice>
