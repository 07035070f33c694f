import type { Invoice, InvoiceAmount, InvoiceRow } from '../../../schemas/invoice.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'

export const invoices = table<Invoice, 'invoiceId'>('invoices', 'invoiceId', 501)

const currency = 'USD'
const taxes = [
  { name: 'State sales tax', category: 'SALES AND USE TAXES', level: 'State', rate: 0.06 },
  { name: 'County sales tax', category: 'SALES AND USE TAXES', level: 'County', rate: 0.0125 }
]

const cents = (amount: number): number => Number(amount.toFixed(2))
const sum = (amounts: (number | undefined)[]): number => cents(amounts.reduce<number>((total, amount) => total + (amount ?? 0), 0))

/** A service with its taxes. `net` is the amount before them, `discount` what is subtracted. */
function rowOf(serviceName: string, net: number, discount: number): InvoiceRow {
  const levied = taxes.map(tax => ({ ...tax, taxableMeasure: net, amount: cents(net * tax.rate), currency }))
  const taxAmount = sum(levied.map(tax => tax.amount))
  const totalAmount = cents(net + taxAmount)
  return {
    serviceName,
    amount: { amountToPay: cents(totalAmount - discount), totalAmount, taxAmount, discountAmount: discount, currency },
    taxes: levied
  }
}

const totalOf = (rows: InvoiceRow[]): InvoiceAmount => ({
  amountToPay: sum(rows.map(row => row.amount?.amountToPay)),
  totalAmount: sum(rows.map(row => row.amount?.totalAmount)),
  taxAmount: sum(rows.map(row => row.amount?.taxAmount)),
  discountAmount: sum(rows.map(row => row.amount?.discountAmount)),
  currency
})

const day = (year: number, month: number, date: number): string => new Date(Date.UTC(year, month, date)).toISOString().slice(0, 10)

export const methods: Methods = {
  GetAccountInvoices: (params, account) => pageOf(invoices.where(account, { status: params.text('status') }), params)
}

/** The file of an invoice: a PDF of one page. Throws SandboxError when the account has no such invoice. */
export function invoiceFile(account: AccountState, invoiceId: number): Buffer {
  const invoice = invoices.find(account, invoiceId) ?? reject('INVALID_RESOURCE_ID', 'invoiceId')
  const price = (amount: number | undefined) => `${(amount ?? 0).toFixed(2)} ${currency}`
  return pdfOf([
    `Invoice ${invoice.invoiceNumber}`,
    `Account ${account.accountId}`,
    `Date ${invoice.invoiceDate}`,
    `Period ${invoice.period?.from} to ${invoice.period?.to}`,
    '',
    ...(invoice.rows ?? []).flatMap(row => [
      `${row.serviceName}: ${price(row.amount?.totalAmount)}`,
      ...(row.taxes ?? []).map(tax => `    ${tax.name}: ${price(tax.amount)}`)
    ]),
    '',
    `Taxes: ${price(invoice.amount?.taxAmount)}`,
    `Discount: ${price(invoice.amount?.discountAmount)}`,
    `To pay: ${price(invoice.amount?.amountToPay)}`
  ])
}

/** Lines of ASCII text as a PDF of one A4 page. */
function pdfOf(lines: string[]): Buffer {
  const escaped = lines.map(line => `(${line.replace(/[\\()]/g, '\\$&')}) Tj T*`)
  const content = ['BT', '/F1 11 Tf', '16 TL', '56 780 Td', ...escaped, 'ET'].join('\n')
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'
  ]
  let text = '%PDF-1.4\n'
  // A reader finds each object by its offset in the file, which the table at the end lists.
  const places = objects.map((object, i) => {
    const place = text.length
    text += `${i + 1} 0 obj\n${object}\nendobj\n`
    return `${String(place).padStart(10, '0')} 00000 n \n`
  })
  const size = objects.length + 1
  const table = `xref\n0 ${size}\n0000000000 65535 f \n${places.join('')}`
  return Buffer.from(`${text}${table}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`, 'latin1')
}

export function seed(account: AccountState): void {
  for (let i = 0; i < 6; i++) {
    // From August 2025 to January 2026.
    const month = 7 + i
    const rows = [
      rowOf('Outgoing calls', 80 + i * 12.5, i % 2 === 0 ? 5 : 0),
      rowOf('Incoming calls', 22 + i * 3, 0),
      rowOf('Phone numbers', 6, 0),
      rowOf('Speech recognition', 9.4 + i * 1.1, 0)
    ]
    const period = { from: day(2025, month, 1), to: day(2025, month + 1, 0) }
    invoices.add(account, {
      invoiceNumber: `${period.from.slice(0, 7)}-${String(501 + i).padStart(4, '0')}`,
      invoiceDate: day(2025, month + 1, 1),
      status: i < 5 ? 'paid' : 'unpaid',
      period,
      amount: totalOf(rows),
      rows
    })
  }
}
