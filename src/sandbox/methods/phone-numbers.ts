import type { PhoneNumber } from '../../../schemas/phone-number.ts'
import type { UpstreamErrorName } from '../../voximplant/error-codes.ts'
import { type Params, refuse } from '../codec.ts'
import { now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenApplications, chosenRules, rules, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

/** A rented number as it is kept: the names of what it is bound to are looked up when it is shown. */
interface Row extends Omit<PhoneNumber, 'applicationName' | 'extendedApplicationName' | 'ruleName'> {
  phoneNumber: string
  /** A number of the upstream's own sandbox, which reaches no network. */
  sandbox: boolean
  /** The child account that rents it; none: the account itself. */
  childAccountId?: number
}

export const phoneNumbers = table<Row>('phoneNumbers', 'phoneId')

whenDeleted('applications', (account, ids) => {
  for (const row of phoneNumbers.rows(account))
    if (ids.includes(row.applicationId ?? 0)) Object.assign(row, { applicationId: undefined, ruleId: undefined })
})

const categories = ['MOBILE', 'GEOGRAPHIC', 'TOLLFREE', 'MOSCOW495']
const verificationStatuses = ['REQUIRED', 'IN_PROGRESS', 'VERIFIED']
const activationStatuses = [
  'ACTIVE',
  'ACTIVATING',
  'DEACTIVATED',
  'PROVISIONING',
  'AWAITING_BUSINESS_PHONE_NUMBER_CONFIGURATION',
  'LEGAL_OWNERSHIP_LIMIT_REACHED',
  'GOSUSLUGI_DECLINED',
  'SELF_BAN_ENABLED'
]

/** Orders a list by a field, upwards; rows without it come last. */
const by =
  (field: keyof Row) =>
  (a: Row, b: Row): number => {
    const [x, y] = [a[field], b[field]]
    if (x === y) return 0
    if (x === undefined || y === undefined) return x === undefined ? 1 : -1
    return x < y ? -1 : 1
  }
const downwards =
  (order: (a: Row, b: Row) => number) =>
  (a: Row, b: Row): number =>
    order(b, a)

const orders: Record<string, (a: Row, b: Row) => number> = {
  phone_number: by('phoneNumber'),
  phone_price: by('phonePrice'),
  phone_country_code: by('phoneCountryCode'),
  deactivated: downwards(by('deactivated')),
  purchase_date: downwards(by('phonePurchaseDate')),
  phone_next_renewal: by('phoneNextRenewal'),
  verification_status: by('verificationStatus'),
  unverified_hold_until: by('unverifiedHoldUntil'),
  verification_name: by('requiredVerification')
}

/** Whether a row passes one filter. */
type Filter = (row: Row) => boolean

const digits = (number: string): string => number.replace(/^\+/, '')

/** The filter that a list of words makes. */
function oneOf(params: Params, name: string, field: keyof Row, words?: string[], error: UpstreamErrorName = 'INVALID_ARGUMENTS'): Filter {
  const wanted = params.texts(name)
  if (wanted === undefined) return () => true
  if (words && wanted.some(word => !words.includes(word))) refuse(error, name)
  return row => wanted.includes(String(row[field]))
}

function same(params: Params, name: string, field: keyof Row): Filter {
  const wanted = params.flag(name)
  return row => wanted === undefined || (row[field] ?? false) === wanted
}

function bound(params: Params, name: string, field: 'applicationId' | 'ruleId'): Filter {
  const wanted = params.flag(name)
  return row => wanted === undefined || (row[field] !== undefined) === wanted
}

/** From and to, both included. Days and instants compare as they are written. */
function within(params: Params, name: string, field: keyof Row, error: UpstreamErrorName): Filter {
  const from = params.text(`from${name}`)
  const to = params.text(`to${name}`)
  if (from !== undefined && to !== undefined && to < from) refuse(error, `to${name}`)
  return row => {
    const value = row[field] as string | undefined
    if (value === undefined) return from === undefined && to === undefined
    return (from === undefined || value >= from) && (to === undefined || value <= to)
  }
}

function boundTo(account: AccountState, params: Params): Filter {
  if (params.has('ruleName') && !params.has('applicationId') && !params.has('applicationName')) refuse('REQUIRED_IS_EMPTY', 'applicationId')
  const application = chosenApplications(account, params)?.[0]?.applicationId
  const ofRules = chosenRules(account, params)?.map(row => row.ruleId)
  return row =>
    (application === undefined || row.applicationId === application) &&
    (ofRules === undefined || (row.ruleId !== undefined && ofRules.includes(row.ruleId)))
}

/** The account's own numbers, or those of its child accounts. */
function rentedBy(account: AccountState, params: Params, children: readonly number[]): Filter {
  const ids = params.ids('childAccountId')
  const known = [...children, ...phoneNumbers.rows(account).map(row => row.childAccountId)]
  if (ids === undefined) {
    const childrenOnly = params.flag('childrenPhonesOnly') ?? false
    return row => (row.childAccountId !== undefined) === childrenOnly
  }
  if (ids !== 'all' && ids.some(id => !known.includes(id))) refuse('INVALID_CHILD_ACCOUNT_ID', 'childAccountId')
  return row => row.childAccountId !== undefined && (ids === 'all' || ids.includes(row.childAccountId))
}

function inSandbox(params: Params): Filter {
  const which = params.text('sandbox') ?? 'all'
  if (!['all', 'true', 'false'].includes(which)) refuse('INVALID_ARGUMENTS', 'sandbox')
  return row => which === 'all' || String(row.sandbox) === which
}

function identified(params: Params): Filter {
  const ids = params.ids('phoneId')
  const numbers = params.texts('phoneNumber')?.map(digits)
  const template = params.text('phoneTemplate')
  return row =>
    (ids === undefined || ids === 'all' || ids.includes(row.phoneId)) &&
    (numbers === undefined || numbers.includes(row.phoneNumber)) &&
    (template === undefined || row.phoneNumber.startsWith(digits(template)))
}

function inCountries(params: Params): Filter {
  const codes = params.texts('countryCode')?.map(code => code.toUpperCase())
  if (codes?.some(code => !/^[A-Z]{2}$/.test(code))) refuse('INVALID_COUNTRY_CODE', 'countryCode')
  return row => codes === undefined || codes.includes(row.phoneCountryCode ?? '')
}

function asShown(account: AccountState, row: Row): PhoneNumber {
  const full = row.applicationId === undefined ? undefined : applications.find(account, row.applicationId)?.applicationName
  return {
    ...row,
    applicationName: full?.split('.', 1)[0],
    extendedApplicationName: full,
    ruleName: row.ruleId === undefined ? undefined : rules.find(account, row.ruleId)?.ruleName
  }
}

const own = (account: AccountState, number: string): Row | undefined =>
  phoneNumbers.rows(account).find(row => row.phoneNumber === digits(number) && row.childAccountId === undefined)

export const methods: Record<string, Method> = {
  GetPhoneNumbers(params, account, { known }) {
    const filters = [
      identified(params),
      inCountries(params),
      boundTo(account, params),
      rentedBy(account, params, known.children ?? []),
      inSandbox(params),
      oneOf(params, 'phoneCategoryName', 'categoryName', categories, 'INVALID_PHONE_CATEGORY_NAME'),
      oneOf(params, 'phoneRegionName', 'phoneRegionName'),
      oneOf(params, 'activationStatus', 'activationStatus', activationStatuses, 'INVALID_STATUS'),
      oneOf(params, 'verificationStatus', 'verificationStatus', verificationStatuses, 'INVALID_VERIFICATION_STATUS'),
      oneOf(params, 'verificationName', 'requiredVerification'),
      bound(params, 'isBoundToApplication', 'applicationId'),
      bound(params, 'isBoundToRule', 'ruleId'),
      same(params, 'smsSupported', 'isSmsSupported'),
      same(params, 'autoCharge', 'autoCharge'),
      same(params, 'deactivated', 'deactivated'),
      same(params, 'canceled', 'canceled'),
      same(params, 'canBeUsed', 'canBeUsed'),
      within(params, 'PhoneNextRenewal', 'phoneNextRenewal', 'INVALID_TO_PHONE_NEXT_RENEWAL'),
      within(params, 'PhonePurchaseDate', 'phonePurchaseDate', 'INVALID_TO_PURCHASE_DATE'),
      within(params, 'UnverifiedHoldUntil', 'unverifiedHoldUntil', 'INVALID_TO_UNVERIFIED_HOLD_UNTIL')
    ]
    const order = params.text('orderBy')
    const rows = phoneNumbers.rows(account).filter(row => filters.every(passes => passes(row)))
    if (order !== undefined) rows.sort(orders[order] ?? refuse('INVALID_ARGUMENTS', 'orderBy'))
    const page = pageOf(rows, params)
    return { ...page, result: page.result.map(row => asShown(account, row)) }
  },

  ControlSms(params, account) {
    const row = own(account, params.need('phoneNumber', params.text('phoneNumber'))) ?? refuse('INVALID_PHONE_NUMBER', 'phoneNumber')
    const command = params.need('command', params.text('command'))
    if (!['enable', 'disable'].includes(command)) refuse('INVALID_ARGUMENTS', 'command')
    if (!row.isSmsSupported) refuse('NOT_SUPPORT_SMS', 'phoneNumber')
    row.isSmsEnabled = command === 'enable'
    row.modified = now()
    return { result: 1 }
  },

  IsAccountPhoneNumber(params, account) {
    return { result: own(account, params.need('phoneNumber', params.text('phoneNumber'))) !== undefined }
  }
}

export function seed(account: AccountState): void {
  const [support, sales] = applications.rows(account).map(row => row.applicationId)
  const incoming = rules.rows(account).find(row => row.applicationId === support && row.ruleName === 'incoming')?.ruleId
  const usual: Omit<Row, 'phoneId' | 'phoneNumber'> = {
    phoneCountryCode: 'US',
    categoryName: 'GEOGRAPHIC',
    activationStatus: 'ACTIVE',
    phonePrice: 1.5,
    autoCharge: true,
    deactivated: false,
    canceled: false,
    isSmsSupported: false,
    isSmsEnabled: false,
    emergencyCallsEnabled: false,
    emergencyCallsToBeEnabled: false,
    canBeUsed: true,
    sandbox: false
  }
  const rented: (Partial<Row> & { phoneNumber: string; phonePurchaseDate: string; phoneNextRenewal: string })[] = [
    {
      phoneNumber: '14155550100',
      phoneRegionName: 'California',
      applicationId: support,
      ruleId: incoming,
      isSmsSupported: true,
      isSmsEnabled: true,
      incomingSmsCallbackUrl: 'https://example.com/voximplant/sms',
      phonePurchaseDate: '2025-03-01T10:00:00Z',
      phoneNextRenewal: '2026-02-01'
    },
    {
      phoneNumber: '14155550101',
      phoneRegionName: 'California',
      applicationId: sales,
      isSmsSupported: true,
      phonePurchaseDate: '2025-06-15T12:30:00Z',
      phoneNextRenewal: '2026-02-15'
    },
    {
      phoneNumber: '18005550142',
      categoryName: 'TOLLFREE',
      phonePrice: 3,
      emergencyCallsToBeEnabled: true,
      phonePurchaseDate: '2025-06-20T08:00:00Z',
      phoneNextRenewal: '2026-02-20'
    },
    {
      phoneNumber: '4930901820',
      phoneCountryCode: 'DE',
      phoneRegionName: 'Berlin',
      activationStatus: 'ACTIVATING',
      phonePrice: 2,
      requiredVerification: 'Germany',
      verificationStatus: 'IN_PROGRESS',
      unverifiedHoldUntil: '2026-02-15',
      canBeUsed: false,
      phonePurchaseDate: '2026-01-10T14:45:00Z',
      phoneNextRenewal: '2026-02-10'
    },
    {
      phoneNumber: '442079460018',
      phoneCountryCode: 'GB',
      phoneRegionName: 'London',
      activationStatus: 'DEACTIVATED',
      phonePrice: 2.5,
      autoCharge: false,
      deactivated: true,
      isSmsSupported: true,
      phonePurchaseDate: '2024-11-05T09:00:00Z',
      phoneNextRenewal: '2026-01-05'
    },
    {
      phoneNumber: '33199001234',
      phoneCountryCode: 'FR',
      phoneRegionName: 'Paris',
      phonePrice: 2.2,
      autoCharge: false,
      canceled: true,
      requiredVerification: 'Business',
      verificationStatus: 'REQUIRED',
      unverifiedHoldUntil: '2026-03-01',
      canBeUsed: false,
      phonePurchaseDate: '2025-12-24T16:20:00Z',
      phoneNextRenewal: '2026-01-24'
    },
    {
      phoneNumber: '74951234567',
      phoneCountryCode: 'RU',
      phoneRegionName: 'Moscow',
      categoryName: 'MOSCOW495',
      phonePrice: 4,
      requiredVerification: 'Business',
      verificationStatus: 'VERIFIED',
      phonePurchaseDate: '2025-01-31T07:15:00Z',
      phoneNextRenewal: '2026-01-31'
    },
    {
      phoneNumber: '14155550177',
      phoneRegionName: 'California',
      phonePrice: 0,
      sandbox: true,
      phonePurchaseDate: '2024-03-01T08:00:00Z',
      phoneNextRenewal: '2026-02-01'
    },
    {
      phoneNumber: '14155550150',
      phoneRegionName: 'California',
      childAccountId: account.accountId + 1,
      phonePurchaseDate: '2025-09-09T09:09:00Z',
      phoneNextRenewal: '2026-02-09'
    }
  ]
  for (const [i, row] of rented.entries())
    phoneNumbers.add(account, { ...usual, ...row, subscriptionId: 501 + i, modified: row.phonePurchaseDate })
}
