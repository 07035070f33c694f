import {
  day,
  flag,
  flagAs,
  formattedName,
  id,
  idList,
  idOrName,
  idsOrNames,
  list,
  listItem,
  maybe,
  name,
  oneOf,
  paging,
  ref,
  strict,
  text,
  timestamp
} from '../schemas/common.ts'
import { PhoneNumberReport, PhoneNumberReportKind } from '../schemas/history-report.ts'
import { ActivationStatus, bearsPhoneNumber, PhoneNumber, VerificationStatus } from '../schemas/phone-number.ts'
import { seeded } from '../schemas/seeded.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { accepted, done, fields, first, page, report } from '../src/api/replies.ts'

const tag = 'Phone numbers'
const phoneId = { ...idOrName('The rented number', '14155550100'), description: 'The rented number: its id, or the number after a tilde.' }
const phoneNumber = formattedName('The telephone number.', '[0-9]{3,20}', 'Digits with the country code, without a plus sign.', {
  examples: ['14155550100']
})

export default {
  listPhoneNumbers: endpoint({
    http: 'GET /phone-numbers',
    rpc: 'GetPhoneNumbers',
    summary: 'List rented numbers',
    tag,
    input: strict({
      phoneId: maybe(idList('Only the rented numbers with these ids.')),
      phoneNumber: maybe(
        list(listItem({ pattern: '^\\+?[0-9]{3,20}$' }), 'Only these numbers; in place of `phoneId`.', { examples: [['14155550100']] })
      ),
      phoneTemplate: maybe(text('Only numbers that begin with these digits.', { minLength: 1, maxLength: 50, examples: ['1415'] })),
      countryCode: maybe(
        list(
          listItem({ pattern: '^[A-Za-z]{2}$', maxLength: 2, expects: 'a country code of two letters (ISO 3166-1), such as US' }),
          'Only numbers of these countries (ISO 3166-1 alpha-2).',
          {
            examples: [['US', 'DE']]
          }
        )
      ),
      phoneCategoryName: maybe(name('Only numbers of this category, such as `GEOGRAPHIC`.', { examples: ['GEOGRAPHIC'] })),
      phoneRegionName: maybe(list(listItem(), 'Only numbers of these regions, by name.', { examples: [['California']] })),
      activationStatus: maybe(list(ActivationStatus, 'Only numbers whose rental has come this far.', { examples: [['ACTIVE']] })),
      applicationId: maybe(idOrName('Only numbers bound to this application', 'support')),
      ruleId: maybe(idsOrNames('Only numbers bound to these rules; names need `applicationId`', 'incoming')),
      isBoundToApplication: maybe(flag('Only numbers bound to some application, or only those bound to none.')),
      isBoundToRule: maybe(flag('Only numbers bound to some rule, or only those bound to none.')),
      smsSupported: maybe(flag('Only numbers that can do SMS, or only those that cannot.')),
      autoCharge: maybe(flag('Only numbers whose next month is paid without asking, or only the others.')),
      deactivated: maybe(flag('Only numbers whose subscription is frozen, or only the others.')),
      canceled: maybe(flag('Only numbers whose subscription has been cancelled, or only the others.')),
      canBeUsed: maybe(flag('Only numbers that can be used without verification of the account, or only the others.')),
      verificationName: maybe(
        text('Only numbers that ask for this verification of the account.', { minLength: 1, maxLength: 255, examples: ['Business'] })
      ),
      verificationStatus: maybe(
        list(VerificationStatus, 'Only numbers for which the verification of the account has come this far.', { examples: [['VERIFIED']] })
      ),
      fromPhoneNextRenewal: maybe(day('Only numbers whose next month is charged on this day or later.')),
      toPhoneNextRenewal: maybe(day('Only numbers whose next month is charged on this day or earlier.', { examples: ['2026-02-15'] })),
      fromPhonePurchaseDate: maybe(timestamp('Only numbers rented at this time or later.')),
      toPhonePurchaseDate: maybe(timestamp('Only numbers rented at this time or earlier.', { examples: ['2026-02-15T09:30:00Z'] })),
      fromUnverifiedHoldUntil: maybe(day('Only numbers that are held for an unverified account until this day or later.')),
      toUnverifiedHoldUntil: maybe(
        day('Only numbers that are held for an unverified account until this day or earlier.', { examples: ['2026-02-15'] })
      ),
      sandbox: maybe(
        oneOf(['all', 'true', 'false'], "Which numbers: all, those of the upstream's own sandbox (`true`), or real ones (`false`).")
      ),
      childAccountId: maybe(idList('Only numbers of these child accounts.', { examples: [[100002]] })),
      childrenPhonesOnly: maybe(flag('Whether only numbers of child accounts are answered.')),
      orderBy: maybe(
        oneOf(
          [
            'phone_number',
            'phone_price',
            'phone_country_code',
            'deactivated',
            'purchase_date',
            'phone_next_renewal',
            'verification_status',
            'unverified_hold_until',
            'verification_name'
          ],
          'What the list is sorted by, upwards; by `deactivated` the frozen ones come first, by `purchase_date` the newest.'
        )
      ),
      ...paging
    }),
    reply: page(ref(PhoneNumber))
  }),
  getPhoneNumber: endpoint({
    http: 'GET /phone-numbers/:phoneId',
    rpc: 'GetPhoneNumbers',
    summary: 'Get a rented number',
    tag,
    input: strict({ phoneId }),
    rename: { '~phoneId': 'phoneNumber' },
    reply: first(ref(PhoneNumber), 'phoneId', bearsPhoneNumber)
  }),
  updatePhoneNumberSms: endpoint({
    http: 'PUT /phone-numbers/:phoneNumber/sms',
    rpc: 'ControlSms',
    summary: 'Switch SMS of a rented number on or off',
    description: 'Possible for numbers with `isSmsSupported`. Without it switched on, the number neither sends nor gets SMS.',
    tag,
    input: strict({ phoneNumber, enabled: flagAs('Whether SMS is switched on.', { false: 'disable', true: 'enable' }) }),
    rename: { enabled: 'command' },
    reply: done
  }),
  getPhoneNumberOwnership: endpoint({
    http: 'GET /phone-numbers/:phoneNumber/ownership',
    rpc: 'IsAccountPhoneNumber',
    summary: "Check whether a number is the account's",
    tag,
    input: strict({ phoneNumber }),
    reply: fields(
      { owned: flag('Whether the number belongs to the account.') },
      { result: 'owned', description: "Whether the number is the account's." }
    )
  }),
  createPhoneNumberReport: endpoint({
    http: 'POST /phone-number-reports',
    rpc: 'GetPhoneNumbersAsync',
    summary: 'Order a report on all rented numbers',
    description: 'The report is made in the background: its resource tells when it is complete.',
    tag,
    input: strict({}),
    fixed: { withHeader: true },
    reply: accepted(
      { reportId: id('The id of the report that was ordered.', seeded.phoneNumberReport.id) },
      '/phone-number-reports/:reportId',
      {
        inResult: true
      }
    )
  }),
  listPhoneNumberReports: endpoint({
    http: 'GET /phone-number-reports',
    rpc: 'GetPhoneNumberReports',
    summary: 'List reports on rented numbers',
    tag,
    input: strict({
      reportType: maybe(list(PhoneNumberReportKind, 'Only reports of these kinds.', { examples: [['phone_numbers']] })),
      createdFrom: maybe(timestamp('Only reports ordered at this instant or later.')),
      createdTo: maybe(timestamp('Only reports ordered at this instant or earlier.', { examples: ['2026-02-15T09:30:00Z'] })),
      isCompleted: maybe(flag('Only reports that are complete, or only the others.')),
      descOrder: maybe(flag('Whether the newest come first.')),
      ...paging
    }),
    reply: page(ref(PhoneNumberReport))
  }),
  getPhoneNumberReport: endpoint({
    http: 'GET /phone-number-reports/:reportId',
    rpc: 'GetPhoneNumberReports',
    summary: 'Get a report on rented numbers',
    description: 'The report is complete once it has `completed`; until then, `Retry-After` tells when to look again.',
    tag,
    input: strict({ reportId: id('The report.', seeded.phoneNumberReport.id) }),
    reply: report(ref(PhoneNumberReport), 'reportId')
  })
}
