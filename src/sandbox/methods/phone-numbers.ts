import type { PhoneNumber } from '../../../schemas/phone-number.ts'
import type { UpstreamErrorName } from '../../voximplant/error-codes.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { between, type Filters, flagged, now, pageOf, present, where } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, bindingNames, onDelete, rules, selectApplications, selectRules, unbindApplications } from '../tables.ts'

/** A rented number without the names of what it is bound to, which are looked up for each response. */
interface Row extends Omit<PhoneNumber, 'applicationName' | 'extendedApplicationName' | 'ruleName'> {
  phoneNumber: string
  /** A number of the upstream's own sandbox, which reaches no network. */
  sandbox: boolean
  /** The child account that rents it; absent: the account itself. */
  childAccountId?: number
}

export const phoneNumbers = table<Row, 'phoneId'>('phoneNumbers', 'phoneId')

onDelete('applications', (account, ids) => unbindApplications(phoneNumbers.rows(account), ids))

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

/** Sorts by a field, ascending; rows without it come last. */
const by =
  (field: keyof Row) =>
  (a: Row, b: Row): number => {
    const [x, y] = [a[field], b[field]]
    if (x === y) return 0
    if (x === undefined || y === undefined) return x === undefined ? 1 : -1
    return x < y ? -1 : 1
  }
const descending =
  (order: (a: Row, b: Row) => number) =>
  (a: Row, b: Row): number =>
    order(b, a)

const orders: Record<string, (a: Row, b: Row) => number> = {
  phone_number: by('phoneNumber'),
  phone_price: by('phonePrice'),
  phone_country_code: by('phoneCountryCode'),
  deactivated: descending(by('deactivated')),
  purchase_date: descending(by('phonePurchaseDate')),
  phone_next_renewal: by('phoneNextRenewal'),
  verification_status: by('verificationStatus'),
  unverified_hold_until: by('unverifiedHoldUntil'),
  verification_name: by('requiredVerification')
}

const digits = (number: string): string => number.replace(/^\+/, '')

/** The values of a parameter, which have to be among those allowed. */
function valuesOf(params: Params, name: string, allowed: readonly string[], error: UpstreamErrorName): string[] | undefined {
  const values = params.texts(name)
  return values?.some(value => !allowed.includes(value)) ? reject(error, name) : values
}

/** The filter of `from…` and `to…`, both included. Days and instants compare as text. */
function rangeOf(params: Params, name: string, error: UpstreamErrorName) {
  const from = params.text(`from${name}`)
  const to = params.text(`to${name}`)
  if (from !== undefined && to !== undefined && to < from) reject(error, `to${name}`)
  return between(from, to)
}

function countriesOf(params: Params): string[] | undefined {
  const codes = params.texts('countryCode')?.map(code => code.toUpperCase())
  return codes?.some(code => !/^[A-Z]{2}$/.test(code)) ? reject('INVALID_COUNTRY_CODE', 'countryCode') : codes
}

/** The filter of the account's own numbers, or of those of its child accounts. */
function ownerFilter(account: AccountState, params: Params, children: readonly number[]): Filters<Row>['childAccountId'] {
  const ids = params.ids('childAccountId')
  if (ids === undefined) return present(params.flag('childrenPhonesOnly') ?? false)
  const all = [...children, ...phoneNumbers.rows(account).map(row => row.childAccountId)]
  return ids !== 'all' && ids.some(id => !all.includes(id)) ? reject('INVALID_CHILD_ACCOUNT_ID', 'childAccountId') : ids
}

function sandboxFilter(params: Params): boolean | undefined {
  const text = params.text('sandbox') ?? 'all'
  if (!['all', 'true', 'false'].includes(text)) reject('INVALID_ARGUMENTS', 'sandbox')
  return text === 'all' ? undefined : text === 'true'
}

const findOwn = (account: AccountState, number: string): Row | undefined =>
  phoneNumbers.where(account, { phoneNumber: digits(number), childAccountId: present(false) })[0]

export const methods: Methods = {
  GetPhoneNumbers(params, account, { caller }) {
    const phoneCountryCode = countriesOf(params)
    if (params.has('ruleName') && !params.has('applicationId', 'applicationName')) reject('REQUIRED_IS_EMPTY', 'applicationId')
    const template = params.text('phoneTemplate')
    const matching = phoneNumbers.where(account, {
      phoneId: params.ids('phoneId'),
      phoneNumber: params.texts('phoneNumber')?.map(digits),
      phoneCountryCode,
      applicationId: selectApplications(account, params)?.[0]?.applicationId,
      ruleId: selectRules(account, params)?.map(row => row.ruleId),
      childAccountId: ownerFilter(account, params, caller.children ?? []),
      sandbox: sandboxFilter(params),
      categoryName: valuesOf(params, 'phoneCategoryName', categories, 'INVALID_PHONE_CATEGORY_NAME'),
      phoneRegionName: params.texts('phoneRegionName'),
      activationStatus: valuesOf(params, 'activationStatus', activationStatuses, 'INVALID_STATUS'),
      verificationStatus: valuesOf(params, 'verificationStatus', verificationStatuses, 'INVALID_VERIFICATION_STATUS'),
      requiredVerification: params.texts('verificationName'),
      isSmsSupported: flagged(params.flag('smsSupported')),
      autoCharge: flagged(params.flag('autoCharge')),
      deactivated: flagged(params.flag('deactivated')),
      canceled: flagged(params.flag('canceled')),
      canBeUsed: flagged(params.flag('canBeUsed')),
      phoneNextRenewal: rangeOf(params, 'PhoneNextRenewal', 'INVALID_TO_PHONE_NEXT_RENEWAL'),
      phonePurchaseDate: rangeOf(params, 'PhonePurchaseDate', 'INVALID_TO_PURCHASE_DATE'),
      unverifiedHoldUntil: rangeOf(params, 'UnverifiedHoldUntil', 'INVALID_TO_UNVERIFIED_HOLD_UNTIL')
    })
    const rows = where(matching, {
      applicationId: present(params.flag('isBoundToApplication')),
      ruleId: present(params.flag('isBoundToRule')),
      phoneNumber: template === undefined ? undefined : number => number.startsWith(digits(template))
    })
    const order = params.text('orderBy')
    if (order !== undefined) rows.sort(orders[order] ?? reject('INVALID_ARGUMENTS', 'orderBy'))
    const page = pageOf(rows, params)
    return { ...page, result: page.result.map((row): PhoneNumber => ({ ...row, ...bindingNames(account, row) })) }
  },

  ControlSms(params, account) {
    const row = findOwn(account, params.required('phoneNumber')) ?? reject('INVALID_PHONE_NUMBER', 'phoneNumber')
    const command = params.required('command')
    if (!['enable', 'disable'].includes(command)) reject('INVALID_ARGUMENTS', 'command')
    if (!row.isSmsSupported) reject('NOT_SUPPORT_SMS', 'phoneNumber')
    row.isSmsEnabled = command === 'enable'
    row.modified = now()
  },

  IsAccountPhoneNumber: (params, account) => ({ result: findOwn(account, params.required('phoneNumber')) !== undefined })
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
