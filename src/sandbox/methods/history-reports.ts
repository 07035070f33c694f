import { gzipSync } from 'node:zlib'
import type { TObject, TSchema } from '@sinclair/typebox'
import { CallSession } from '../../../schemas/call-session.ts'
import type { HistoryReport, HistoryReportSummary, PhoneNumberReport } from '../../../schemas/history-report.ts'
import { PhoneNumber } from '../../../schemas/phone-number.ts'
import { seeded } from '../../../schemas/seeded.ts'
import { Transaction } from '../../../schemas/transaction.ts'
import { compileEncoder } from '../../voximplant/wire/codecs.ts'
import { Params, reject } from '../codec.ts'
import { FileResponse } from '../file-response.ts'
import type { Methods } from '../method.ts'
import { between, matches, now, pageOf, where } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, selectApplicationIds, selectApplications } from '../tables.ts'
import { findSessions, findTransactions, toSession } from './history.ts'
import { invoiceFile, invoices } from './invoices.ts'
import { phoneNumbers } from './phone-numbers.ts'
import { smartQueueMetrics } from './smart-queues/metrics.ts'

/** How long the creation of a report takes. */
const creationMs = 1000
const retentionDays = 30

interface ReportFile {
  /** Milliseconds since 1970. */
  readyAt: number
  applicationId?: number
  /** The file. */
  csv: string
}

type HistoryReportRow = HistoryReport & ReportFile & { historyType: string; created: string }
type PhoneNumberReportRow = PhoneNumberReport & ReportFile & { type: string; created: string }

const historyReports = table<HistoryReportRow, 'historyReportId'>('historyReports', 'historyReportId', seeded.historyReport.id)
const phoneNumberReports = table<PhoneNumberReportRow, 'reportId'>('phoneNumberReports', 'reportId', seeded.phoneNumberReport.id)

// --------------------------------------------------------------------------------------------------------------------- the CSV

const cell = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[";\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Rows as a CSV of some columns, under the upstream's names. */
const csvOf = (columns: readonly string[], rows: readonly Record<string, unknown>[], params: Params): string => {
  const lines = rows.map(row => columns.map(column => cell(row[column])))
  return [...(params.flag('withHeader') ? [columns] : []), ...lines].map(line => `${line.join(';')}\r\n`).join('')
}

/** Writes rows of a schema as in the upstream's JSON, for a CSV. */
const writerOf = (noun: TObject) => {
  const toWire = compileEncoder(noun) as (row: object) => Record<string, unknown>
  const columns = Object.keys(toWire(Object.fromEntries(Object.entries(noun.properties).map(([name, field]) => [name, sampleOf(field)]))))
  return { toWire, columns }
}

/** A value that can be written for a field, to learn its name. */
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

// ----------------------------------------------------------------------------------------------------------------- requesting

/** Checks that a call gives both ends of its time, and a format that exists. */
function checkRequest(params: Params): void {
  params.required('fromDate')
  params.required('toDate')
  if ((params.text('output') ?? 'csv') !== 'csv') reject('INVALID_ARGUMENTS', 'output')
}

/** The rows of a report, in the order and the range that the call requests. */
function partOf<Row>(rows: Row[], params: Params): Row[] {
  const ordered = params.flag('descOrder') ? rows.toReversed() : rows
  const offset = params.number('offset') ?? 0
  return ordered.slice(offset, offset + (params.number('count') ?? ordered.length))
}

/** The fields that both kinds of report have when they are requested. */
function reportOf(params: Params, account: AccountState, name: string, csv: string) {
  const created = now()
  const size = Buffer.byteLength(csv)
  return {
    created,
    format: 'csv',
    fileName: `${name}_${created.slice(0, 10)}.csv`,
    fileSize: size,
    downloadSize: gzipSync(csv).length,
    downloadCount: 0,
    storeUntil: new Date(Date.parse(created) + retentionDays * 86_400_000).toISOString().slice(0, 10),
    filters: { ...params.sent },
    applicationId: selectApplications(account, params)?.[0]?.applicationId,
    readyAt: Date.now() + creationMs,
    csv
  }
}

function request(
  params: Params,
  account: AccountState,
  historyType: string,
  csv: string,
  calculatedData?: HistoryReportSummary
): HistoryReportRow {
  return historyReports.add(account, {
    historyType,
    ...reportOf(params, account, historyType, csv),
    ...(calculatedData ? { calculatedData: { ...calculatedData, timezone: 'Etc/GMT' } } : {})
  })
}

const idOf = ({ historyReportId }: HistoryReportRow) => ({ result: 1, historyReportId })

function requestSessions(params: Params, account: AccountState, historyType: 'calls' | 'calls_brief') {
  const all = findSessions(params, account)
  const sessions = partOf(all, params)
  const columns = sessionWriter.columns.filter(column => {
    const part = partsOfSessions[column as keyof typeof partsOfSessions]
    return part === undefined || params.flag(part)
  })
  const rows =
    historyType === 'calls'
      ? sessions.map(session => sessionWriter.toWire(toSession(session, params)))
      : sessions.map(session => {
          const { localNumber, remoteNumber, incoming, successful } = session.calls[0] ?? {}
          const call = { local_number: localNumber, remote_number: remoteNumber, incoming, successful }
          return { ...sessionWriter.toWire(toSession(session, params)), ...call }
        })
  const csv = csvOf(historyType === 'calls' ? columns : briefColumns, rows, params)
  return request(params, account, historyType, csv, { sessionCount: sessions.length, totalSessionCount: all.length })
}

function requestPhoneNumbers(params: Params, account: AccountState): PhoneNumberReportRow {
  const rows = phoneNumbers.rows(account).map(row => numberWriter.toWire(row))
  return phoneNumberReports.add(account, {
    type: 'phone_numbers',
    ...reportOf(params.shared(), account, 'phone_numbers', csvOf(numberWriter.columns, rows, params)),
    calculatedData: { phone_count: rows.length }
  })
}

// ------------------------------------------------------------------------------------------------------------------ reading

const isReady = (row: ReportFile): boolean => Date.now() >= row.readyAt

/** A report as the upstream returns it: only a complete one has the fields of its file. */
function toReport<Row extends ReportFile & Partial<HistoryReport>>({ readyAt, applicationId, csv, ...row }: Row) {
  if (isReady({ readyAt, csv })) return { ...row, completed: new Date(readyAt).toISOString().replace(/\.\d+Z$/, 'Z') }
  const { fileName, fileSize, downloadSize, downloadCount, storeUntil, calculatedData, ...requested } = row
  return requested
}

/** The reports that a call selects. */
function findReports<Row extends ReportFile & { created: string }>(rows: Row[], params: Params): Row[] {
  const created = between(params.text('createdFrom'), params.text('createdTo'))
  const complete = params.flag('isCompleted')
  const selected = rows.filter(row => matches(created, row.created) && matches(complete, isReady(row)))
  return params.flag('descOrder') ? selected.toReversed() : selected
}

export const methods: Methods = {
  GetCallHistoryAsync(params, account) {
    checkRequest(params)
    return idOf(requestSessions(params, account, 'calls'))
  },

  GetBriefCallHistory(params, account) {
    checkRequest(params)
    params.required('output')
    return idOf(requestSessions(params.shared(), account, 'calls_brief'))
  },

  GetTransactionHistoryAsync(params, account) {
    checkRequest(params)
    const all = findTransactions(params, account)
    const transactions = partOf(all, params)
    const rows = transactions.map(transaction => transactionWriter.toWire(transaction))
    return idOf(
      request(
        params,
        account,
        params.flag('isUncommitted') ? 'transactions_on_hold' : 'transactions',
        csvOf(transactionWriter.columns, rows, params),
        { transactionCount: transactions.length, totalTransactionCount: all.length }
      )
    )
  },

  RequestSmartQueueHistory(params, account) {
    const year = 366 * 86_400
    const { result } = smartQueueMetrics(params, account, { default: 86_400, max: year, interval: '0-0-1 0:0:0' })
    const columns = ['report_type', 'sq_queue_id', 'sq_queue_name', 'user_id', 'user_name', 'from_date', 'to_date', 'value']
    const time = (instant: string | undefined) => instant?.replace('T', ' ').replace('Z', '')
    const rows = result.flatMap(({ reportType, groups = [] }) =>
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
    return idOf(request(params, account, 'smart_queue', `${columns.join(';')}\r\n${csvOf(columns, rows, params.shared())}`))
  },

  GetHistoryReports(params, account) {
    const types = params.texts('historyType')
    const selected = where(findReports(historyReports.rows(account), params), {
      historyReportId: params.number('historyReportId'),
      historyType: types?.[0] === 'all' ? undefined : types,
      applicationId: selectApplicationIds(account, params)
    })
    const page = pageOf(selected, params)
    return { ...page, result: page.result.map(toReport) }
  },

  DownloadHistoryReport(params, account) {
    const row =
      historyReports.find(account, params.requiredNumber('historyReportId')) ?? reject('INVALID_CALL_HISTORY_REPORT_ID', 'historyReportId')
    if (!isReady(row)) reject('CALL_HISTORY_REPORT_IN_PROGRESS', 'historyReportId')
    Object.assign(row, { downloadCount: (row.downloadCount ?? 0) + 1, lastDownloaded: now() })
    return new FileResponse(gzipSync(row.csv), { type: 'text/csv; charset=utf-8', name: row.fileName ?? 'report.csv', gzipped: true })
  },

  DownloadInvoice(params, account) {
    const id = params.requiredNumber('invoiceId')
    const bytes = invoiceFile(account, id)
    return new FileResponse(bytes, { type: 'application/pdf', name: `invoice-${invoices.find(account, id)?.invoiceNumber}.pdf` })
  },

  GetPhoneNumbersAsync: (params, account) => ({ result: requestPhoneNumbers(params, account).reportId }),

  GetPhoneNumberReports(params, account) {
    const selected = where(findReports(phoneNumberReports.rows(account), params), {
      reportId: params.number('reportId'),
      type: params.texts('reportType')
    })
    const page = pageOf(selected, params)
    return { ...page, result: page.result.map(toReport) }
  }
}

export function seed(account: AccountState): void {
  if (applications.rows(account).length === 0) return
  const kinds = new Map([['withHeader', 'boolean'] as const])
  const params = new Params('GetCallHistoryAsync', kinds, new Map([['withHeader', true]]), {
    from_date: '2026-01-01 00:00:00',
    to_date: '2026-02-01 00:00:00'
  })
  const created = '2026-02-01T06:00:00Z'
  const times = { created, readyAt: Date.parse(created) + creationMs, storeUntil: '2026-03-03' }
  Object.assign(requestSessions(params.shared(), account, 'calls'), times, { fileName: 'calls_2026-02-01.csv' })
  Object.assign(requestPhoneNumbers(params, account), times)
}
