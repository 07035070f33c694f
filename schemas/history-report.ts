import { type Static, Type } from '@sinclair/typebox'
import { anything, day, id, integer, json, maybe, oneOf, ref, text, timestamp } from './common.ts'

/** What a report is of. */
export const HistoryReportKind = oneOf(['calls', 'calls_brief', 'transactions', 'audit', 'call_list', 'transactions_on_hold'])

/** What a report about phone numbers is of. */
export const PhoneNumberReportKind = oneOf(['phone_numbers', 'phone_numbers_awaiting_configuration'])

export const HistoryReportSummary = Type.Object(
  {
    sessionCount: maybe(integer('How many call sessions the report has.', { examples: [120] })),
    totalSessionCount: maybe(integer('How many call sessions there are in all.', { examples: [120] })),
    transactionCount: maybe(integer('How many transactions the report has.', { examples: [310] })),
    totalTransactionCount: maybe(integer('How many transactions there are in all.', { examples: [310] })),
    startBalance: maybe(text('The balance at the start, with its currency.', { examples: ['2.3 USD'] })),
    endBalance: maybe(text('The balance at the end, with its currency.', { examples: ['12.5 USD'] })),
    accountId: maybe(id('The account whose balance that is.', 100001)),
    userId: maybe(id('The user whose balance that is.', 1001)),
    userName: maybe(text('The login of that user.', { examples: ['ada'] })),
    timezone: maybe(text('The time zone of the times in the report; `Etc/GMT` for reports ordered here.', { examples: ['Etc/GMT'] }))
  },
  { $id: 'HistoryReportSummary', description: 'What a report holds, in numbers: which, depends on what it is of.' }
)
export type HistoryReportSummary = Static<typeof HistoryReportSummary>

const filters = json(
  Type.Record(Type.String(), anything('The value it was given.'), {
    description: 'The parameters the report was ordered with, under their names at the upstream.',
    examples: [{ from_date: '2026-01-01 00:00:00', to_date: '2026-02-01 00:00:00' }]
  })
)

/** What every report tells about its making and its file. */
const making = {
  created: maybe(timestamp('When the report was ordered.')),
  completed: maybe(timestamp('When it was complete. Left out as long as it is not.', { examples: ['2026-01-15T09:31:00Z'] })),
  format: maybe(text('The format of the file.', { examples: ['csv'] })),
  fileName: maybe(text('The name of the file.', { examples: ['calls_2026-01-15.csv'] })),
  fileSize: maybe(integer('The size of the file, in bytes.', { examples: [48210] })),
  downloadSize: maybe(integer('The size of the file as it is downloaded: compressed with gzip, in bytes.', { examples: [9120] })),
  downloadCount: maybe(integer('How many times it has been downloaded.', { examples: [1] })),
  lastDownloaded: maybe(timestamp('When it was last downloaded.', { examples: ['2026-01-15T09:35:00Z'] })),
  storeUntil: maybe(day('Until when the file is kept.', { examples: ['2026-02-15'] })),
  filters: maybe(filters)
}

export const HistoryReport = Type.Object(
  {
    historyReportId: id('The id of the report.', 601),
    historyType: maybe(text('What the report is of: `calls`, `transactions`, `audit` or `call_list`, say.', { examples: ['calls'] })),
    ...making,
    calculatedData: maybe(json(ref(HistoryReportSummary, 'What the report holds, in numbers.')))
  },
  { $id: 'HistoryReport', description: 'A report on the past, made in the background and downloaded as a file.' }
)
export type HistoryReport = Static<typeof HistoryReport>

export const PhoneNumberReport = Type.Object(
  {
    reportId: id('The id of the report.', 701),
    type: maybe(
      text('What the report is of: `phone_numbers` or `phone_numbers_awaiting_configuration`, say.', { examples: ['phone_numbers'] })
    ),
    ...making,
    calculatedData: maybe(
      json(
        Type.Record(Type.String(), anything('A number, or what else the upstream has computed.'), {
          description: 'What the report holds, in numbers. The upstream does not document what that is.',
          examples: [{ phone_count: 3 }]
        })
      )
    )
  },
  { $id: 'PhoneNumberReport', description: 'A report on phone numbers, made in the background.' }
)
export type PhoneNumberReport = Static<typeof PhoneNumberReport>
