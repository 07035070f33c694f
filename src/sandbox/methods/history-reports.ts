import { gzipSync } from 'node:zlib'
import type { TObject, TSchema } from '@sinclair/typebox'
import { CallSession } from '../../../schemas/call-session.ts'
import type { HistoryReport, HistoryReportSummary, PhoneNumberReport } from '../../../schemas/history-report.ts'
import { PhoneNumber } from '../../../schemas/phone-number.ts'
import { seeded } from '../../../schemas/seeded.ts'
import type { SmartQueueMetric } from '../../../schemas/smart-queue.ts'
import { Transaction } from '../../../schemas/transaction.ts'
import { compileEncoder } from '../../voximplant/wire/codecs.ts'
import { Params, refuse } from '../codec.ts'
import { FileAnswer } from '../file-response.ts'
import { now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenApplications } from '../tables.ts'
import { shownSession, soughtSessions, soughtTransactions } from './history.ts'
import type { Method } from './index.ts'
import { invoiceFile, invoices } from './invoices.ts'
import { phoneNumbers } from './phone-numbers.ts'
import { smartQueueMetrics } from './smart-queues.ts'

/** How long a report is in the making, in milliseconds. */
const making = 1000
const keptDays = 30

interface Made {
  /** Milliseconds since 1970. */
  readyAt: number
  applicationId?: number
  /** The file. */
  csv: string
}

type HistoryReportRow = HistoryReport & Made & { historyType: string; created: string }
type PhoneNumberReportRow = PhoneNumberReport & Made & { type: string; created: string }

const historyReports = table<HistoryReportRow>('historyReports', 'historyReportId', seeded.historyReport.id)
const phoneNumberReports = table<PhoneNumberReportRow>('phoneNumberReports', 'reportId', seeded.phoneNumberReport.id)

// --------------------------------------------------------------------------------------------------------------------- the CSV

const cell = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[";\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Rows as a CSV of some columns, which are named by the upstream's words. */
const csvOf = (columns: readonly string[], rows: readonly Record<string, unknown>[], params: Params): string => {
  const lines = rows.map(row => columns.map(column => cell(row[column])))
  return [...(params.flag('withHeader') ? [columns] : []), ...lines].map(line => `${line.join(';')}\r\n`).join('')
}

/** Writes rows of a noun as the upstream's JSON has them, for a CSV. */
const writerOf = (noun: TObject) => {
  const toWire = compileEncoder(noun as TSchema) as (row: object) => Record<string, unknown>
  const columns = Object.keys(
    toWire(Object.fromEntries(Object.keys(noun.properties).map(name => [name, sampleOf(noun.properties[name]!)])))
  )
  return { toWire, columns }
}

/** Something that can be written for a field: only its name is wanted. */
const sampleOf = (field: TSchema): unknown => (field.type === 'array' ? [] : field.format === 'date-time' ? '2026-01-01T00:00:00Z' : '')

const sessionWriter = writerOf(CallSession)
const transactionWriter = writerOf(Transaction)
const numberWriter = writerOf(PhoneNumber)

const partsOfSessions = { calls: 'withCalls', records: 'withRecords', other_resource_usage: 'withOtherResources' } as const

const briefColumns = [
  'call_session_history_id',
  'start_date',
  'duration',
  'application_name',
  'rule_name',
  'local_number',
  'remote_number',
  'incoming',
  'successful',
  'finish_reason',
  'custom_data'
]

// ----------------------------------------------------------------------------------------------------------------- the ordering

/** The order that a call's dates stand in. Both are needed. */
function checkSpan(params: Params): void {
  params.need('fromDate', params.text('fromDate'))
  params.need('toDate', params.text('toDate'))
  if ((params.text('output') ?? 'csv') !== 'csv') refuse('INVALID_ARGUMENTS', 'output')
}

/** The rows of a report: in the order that is asked for, and the part of them. */
function partOf<Row>(rows: Row[], params: Params): Row[] {
  const ordered = params.flag('descOrder') ? rows.toReversed() : rows
  const offset = params.number('offset') ?? 0
  return ordered.slice(offset, offset + (params.number('count') ?? ordered.length))
}

/** What the two kinds of report have in common when they are ordered. */
function madeOf(params: Params, account: AccountState, name: string, csv: string) {
  const created = now()
  const size = Buffer.byteLength(csv)
  return {
    created,
    format: 'csv',
    fileName: `${name}_${created.slice(0, 10)}.csv`,
    fileSize: size,
    downloadSize: gzipSync(csv).length,
    downloadCount: 0,
    storeUntil: new Date(Date.parse(created) + keptDays * 86_400_000).toISOString().slice(0, 10),
    filters: params.sent as Record<string, unknown>,
    applicationId: chosenApplications(account, params)?.[0]?.applicationId,
    readyAt: Date.now() + making,
    csv
  }
}

function order(
  params: Params,
  account: AccountState,
  historyType: string,
  csv: string,
  calculatedData?: HistoryReportSummary
): Record<string, unknown> {
  const { historyReportId } = historyReports.add(account, {
    historyType,
    ...madeOf(params, account, historyType, csv),
    ...(calculatedData ? { calculatedData: { ...calculatedData, timezone: 'Etc/GMT' } } : {})
  })
  return { result: 1, historyReportId }
}

function orderSessions(params: Params, account: AccountState, historyType: 'calls' | 'calls_brief') {
  const sought = soughtSessions(params, account)
  const sessions = partOf(sought, params)
  const asked = sessionWriter.columns.filter(column => {
    const part = partsOfSessions[column as keyof typeof partsOfSessions]
    return part === undefined || params.flag(part)
  })
  const rows =
    historyType === 'calls'
      ? sessions.map(session => sessionWriter.toWire(shownSession(session, params)))
      : sessions.map(session => {
          const { localNumber, remoteNumber, incoming, successful } = session.calls[0] ?? {}
          const call = { local_number: localNumber, remote_number: remoteNumber, incoming, successful }
          return { ...sessionWriter.toWire(shownSession(session, params)), ...call }
        })
  const csv = csvOf(historyType === 'calls' ? asked : briefColumns, rows, params)
  return order(params, account, historyType, csv, { sessionCount: sessions.length, totalSessionCount: sought.length })
}

// ------------------------------------------------------------------------------------------------------------------ the looking

const isReady = (row: Made): boolean => Date.now() >= row.readyAt

/** A report as it is shown: what only a complete one has is left out until then. */
function shown<Row extends Made & Partial<HistoryReport>>({ readyAt, applicationId, csv, ...row }: Row) {
  if (isReady({ readyAt, csv })) return { ...row, completed: new Date(readyAt).toISOString().replace(/\.\d+Z$/, 'Z') }
  const { fileName, fileSize, downloadSize, downloadCount, storeUntil, calculatedData, ...ordered } = row
  return ordered
}

/** The reports that a call looks for. */
function sought<Row extends Made & { created: string }>(rows: Row[], params: Params): Row[] {
  const from = params.text('createdFrom')
  const to = params.text('createdTo')
  const complete = params.flag('isCompleted')
  const found = rows.filter(
    row =>
      (from === undefined || row.created >= from) &&
      (to === undefined || row.created <= to) &&
      (complete === undefined || isReady(row) === complete)
  )
  return params.flag('descOrder') ? found.toReversed() : found
}

const among = <T>(wanted: readonly T[] | undefined, value: T): boolean => wanted === undefined || wanted.includes(value)

export const methods: Record<string, Method> = {
  GetCallHistoryAsync(params, account) {
    checkSpan(params)
    return orderSessions(params, account, 'calls')
  },

  GetBriefCallHistory(params, account) {
    checkSpan(params)
    params.need('output', params.text('output'))
    return orderSessions(params.shared(), account, 'calls_brief')
  },

  GetTransactionHistoryAsync(params, account) {
    checkSpan(params)
    const sought = soughtTransactions(params, account)
    const transactions = partOf(sought, params)
    const rows = transactions.map(transaction => transactionWriter.toWire(transaction))
    return order(
      params,
      account,
      params.flag('isUncommitted') ? 'transactions_on_hold' : 'transactions',
      csvOf(transactionWriter.columns, rows, params),
      { transactionCount: transactions.length, totalTransactionCount: sought.length }
    )
  },

  RequestSmartQueueHistory(params, account) {
    const year = 366 * 86_400
    const { result } = smartQueueMetrics(params, account, { usual: 86_400, longest: year, interval: '0-0-1 0:0:0' })
    const columns = ['report_type', 'sq_queue_id', 'sq_queue_name', 'user_id', 'user_name', 'from_date', 'to_date', 'value']
    const time = (instant: string | undefined) => instant?.replace('T', ' ').replace('Z', '')
    const rows = (result as SmartQueueMetric[]).flatMap(({ reportType, groups = [] }) =>
      groups.flatMap(({ sqQueueId, sqQueueName, userId, userName, values = [] }) =>
        values.map(({ fromDate, toDate, value }) => ({
          report_type: reportType,
          sq_queue_id: sqQueueId,
          sq_queue_name: sqQueueName,
          user_id: userId,
          user_name: userName,
          from_date: time(fromDate),
          to_date: time(toDate),
          value
        }))
      )
    )
    return order(params, account, 'smart_queue', `${columns.join(';')}\r\n${csvOf(columns, rows, params.shared())}`)
  },

  GetHistoryReports(params, account) {
    const id = params.number('historyReportId')
    const types = params.texts('historyType')
    const ids = chosenApplications(account, params)?.map(row => row.applicationId as number | undefined)
    const rows = sought(historyReports.rows(account), params).filter(
      row =>
        (id === undefined || row.historyReportId === id) &&
        (types?.[0] === 'all' || among(types, row.historyType)) &&
        among(ids, row.applicationId)
    )
    const page = pageOf(rows, params)
    return { ...page, result: page.result.map(shown) }
  },

  DownloadHistoryReport(params, account) {
    const row =
      historyReports.find(account, params.need('historyReportId', params.number('historyReportId'))) ??
      refuse('INVALID_CALL_HISTORY_REPORT_ID', 'historyReportId')
    if (!isReady(row)) refuse('CALL_HISTORY_REPORT_IN_PROGRESS', 'historyReportId')
    Object.assign(row, { downloadCount: (row.downloadCount ?? 0) + 1, lastDownloaded: now() })
    return new FileAnswer(gzipSync(row.csv), { type: 'text/csv; charset=utf-8', name: row.fileName ?? 'report.csv', gzipped: true })
  },

  DownloadInvoice(params, account) {
    const id = params.need('invoiceId', params.number('invoiceId'))
    const bytes = invoiceFile(account, id)
    return new FileAnswer(bytes, { type: 'application/pdf', name: `invoice-${invoices.find(account, id)?.invoiceNumber}.pdf` })
  },

  GetPhoneNumbersAsync(params, account) {
    const rows = phoneNumbers.rows(account).map(row => numberWriter.toWire(row))
    const { reportId } = phoneNumberReports.add(account, {
      type: 'phone_numbers',
      ...madeOf(params.shared(), account, 'phone_numbers', csvOf(numberWriter.columns, rows, params)),
      calculatedData: { phone_count: rows.length }
    })
    return { result: reportId }
  },

  GetPhoneNumberReports(params, account) {
    const id = params.number('reportId')
    const types = params.texts('reportType')
    const rows = sought(phoneNumberReports.rows(account), params).filter(
      row => (id === undefined || row.reportId === id) && among(types, row.type)
    )
    const page = pageOf(rows, params)
    return { ...page, result: page.result.map(shown) }
  }
}

export function seed(account: AccountState): void {
  if (applications.rows(account).length === 0) return
  const kinds = new Map([['withHeader', 'boolean'] as const])
  const params = new Params('GetCallHistoryAsync', kinds, new Map([['withHeader', true]]), {
    from_date: '2026-01-01 00:00:00',
    to_date: '2026-02-01 00:00:00'
  })
  orderSessions(params.shared(), account, 'calls')
  const ordered = '2026-02-01T06:00:00Z'
  Object.assign(historyReports.rows(account)[0]!, {
    created: ordered,
    readyAt: Date.parse(ordered) + making,
    fileName: 'calls_2026-02-01.csv',
    storeUntil: '2026-03-03'
  })
  methods.GetPhoneNumbersAsync!(params, account, undefined as never)
  Object.assign(phoneNumberReports.rows(account)[0]!, { created: ordered, readyAt: Date.parse(ordered) + making, storeUntil: '2026-03-03' })
}
