import { flag, id, idOrName, idsOrNames, integer, list, maybe, paging, ref, strict, timestamp } from '../schemas/common.ts'
import { HistoryReport, HistoryReportKind } from '../schemas/history-report.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { accepted, file, page, report } from '../src/api/replies.ts'
import { marks } from '../src/voximplant/wire/marks.ts'
import { briefCallFilters, callFilters, datesOfSessions, datesOfTransactions, ruleWithApplication, transactionFilters } from './history.ts'
import { measured } from './smart-queues.ts'

const tag = 'History reports'
const historyReportId = id('The report.', 601)
const ordered = accepted({ historyReportId: id('The id of the report that was ordered.', 601) }, '/history-reports/:historyReportId')
const flow =
  'The report is made in the background: its resource tells when it is complete, and its `content` is the file, a CSV with times in UTC.'
const inUtc = { timezone: 'Etc/GMT' }
// A file without the names of its columns is of no use to anybody.
const asCsv = { ...inUtc, output: 'csv', withHeader: true }
const order = { descOrder: maybe(flag('Whether the newest come first.')) }
// A report is no page: it may have any number of rows.
const part = {
  limit: maybe({ ...integer('How many rows the report has at most.', { minimum: 1, examples: [10000] }), ...marks({ name: 'count' }) }),
  offset: maybe(integer('How many rows are skipped.', { minimum: 0, examples: [0] }))
}

export default {
  createCallsReport: endpoint({
    http: 'POST /history-reports/calls',
    rpc: 'GetCallHistoryAsync',
    summary: 'Order a report on call sessions',
    description: `What the list of call sessions answers, in any number. ${flow}`,
    tag,
    input: strict({ ...datesOfSessions, ...callFilters, ...order, ...part }),
    requires: ruleWithApplication,
    fixed: asCsv,
    reply: ordered
  }),
  createBriefCallsReport: endpoint({
    http: 'POST /history-reports/brief-calls',
    rpc: 'GetBriefCallHistory',
    summary: 'Order a brief report on call sessions',
    description: `One row for each call session, without what belongs to it. ${flow}`,
    tag,
    input: strict({ ...datesOfSessions, ...briefCallFilters, ...order }),
    requires: ruleWithApplication,
    fixed: asCsv,
    reply: ordered
  }),
  createTransactionsReport: endpoint({
    http: 'POST /history-reports/transactions',
    rpc: 'GetTransactionHistoryAsync',
    summary: 'Order a report on transactions',
    description: `What the list of transactions answers, in any number. ${flow}`,
    tag,
    input: strict({ ...datesOfTransactions, ...transactionFilters, ...order, ...part }),
    fixed: asCsv,
    reply: ordered
  }),
  createSmartQueuesReport: endpoint({
    http: 'POST /history-reports/smart-queues',
    rpc: 'RequestSmartQueueHistory',
    summary: 'Order a report on smart queues',
    description: `Measures smart queues over any time. Smart queues must be named for all measures but those of agents alone. ${flow}`,
    tag,
    input: strict({
      applicationId: idOrName('The application', 'support'),
      sqQueueId: maybe(idsOrNames('The smart queues that are measured', 'billing', { example: 401, max: 5 })),
      ...measured('a day', 'a day')
    }),
    fixed: inUtc,
    example: { reportType: ['service_level'], sqQueueId: [401], maxWaitingSec: 20 },
    reply: ordered
  }),
  listHistoryReports: endpoint({
    http: 'GET /history-reports',
    rpc: 'GetHistoryReports',
    summary: 'List reports',
    tag,
    input: strict({
      historyType: maybe(list(HistoryReportKind, 'Only reports of these kinds.', { examples: [['calls', 'transactions']] })),
      createdFrom: maybe(timestamp('Only reports ordered at this instant or later.')),
      createdTo: maybe(timestamp('Only reports ordered at this instant or earlier.', { examples: ['2026-02-15T09:30:00Z'] })),
      isCompleted: maybe(flag('Only reports that are complete, or only the others.')),
      applicationId: maybe(idsOrNames('Only reports on these applications', 'support')),
      ...order,
      ...paging
    }),
    reply: page(ref(HistoryReport))
  }),
  getHistoryReport: endpoint({
    http: 'GET /history-reports/:historyReportId',
    rpc: 'GetHistoryReports',
    summary: 'Get a report',
    description: 'The report is complete once it has `completed`; until then, `Retry-After` tells when to look again.',
    tag,
    input: strict({ historyReportId }),
    reply: report(ref(HistoryReport), 'historyReportId')
  }),
  downloadHistoryReport: endpoint({
    http: 'GET /history-reports/:historyReportId/content',
    rpc: 'DownloadHistoryReport',
    summary: 'Download a report',
    description: 'The file of a complete report, as the upstream sends it: mostly compressed with gzip, which `Content-Encoding` tells.',
    tag,
    input: strict({ historyReportId }),
    reply: file('The file.', {
      types: ['text/csv', 'application/octet-stream'],
      name: 'history-report-:historyReportId.csv',
      problems: ['report-not-ready']
    })
  })
}
