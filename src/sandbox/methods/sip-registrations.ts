import type { SipRegistration } from '../../../schemas/sip-registration.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { flagged, matches, pageOf, present, where } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import {
  applications,
  onDelete,
  rules,
  selectApplicationIds,
  selectApplications,
  selectRules,
  selectUsers,
  unbindApplications,
  users
} from '../tables.ts'

/** A registration without the names of what it is bound to, which are looked up for each response. */
interface Row extends Omit<SipRegistration, 'applicationName' | 'ruleName' | 'userName'> {
  inProgress: boolean
}

const registrations = table<Row, 'sipRegistrationId'>('sipRegistrations', 'sipRegistrationId')

onDelete('applications', (account, ids) => unbindApplications(registrations.rows(account), ids))
onDelete('users', (account, ids) => unbindUsers(registrations.where(account, { userId: ids })))

function unbindUsers(rows: Row[]): void {
  for (const row of rows) row.userId = undefined
}

/** The status codes that `403;500:599` names, as ranges. */
function statusRanges(text: string): [number, number][] {
  return text.split(';').map(part => {
    const [from, to = from] = /^(\d{3})(?::(\d{3}))?$/.exec(part)?.slice(1) ?? reject('INVALID_ARGUMENTS', 'statusCode')
    return [Number(from), Number(to)]
  })
}

/** The users that a filter names; by name in any application, unless the call names some. */
function userFilter(account: AccountState, params: Params): number[] | undefined {
  const applicationId = selectApplicationIds(account, params)
  const ids = params.ids('userId')
  if (ids !== undefined && ids !== 'all') return ids.map(id => (users.find(account, id) ? id : reject('INVALID_USER_ID', 'userId')))
  const userName = params.texts('userName')
  return ids === undefined && userName === undefined ? undefined : users.where(account, { applicationId, userName }).map(row => row.userId)
}

const toRegistration = (account: AccountState, row: Row): SipRegistration => ({
  ...row,
  applicationName: applications.find(account, row.applicationId)?.applicationName,
  ruleName: rules.find(account, row.ruleId)?.ruleName,
  userName: users.find(account, row.userId)?.userName
})

export const methods: Methods = {
  GetSipRegistrations(params, account) {
    const applicationId = selectApplicationIds(account, params)
    const ruleId = selectRules(account, params)?.map(row => row.ruleId)
    const userId = userFilter(account, params)
    const isBound = present(params.flag('isBoundToApplication'))
    const status = params.text('statusCode')
    const ranges = status === undefined ? undefined : statusRanges(status)
    const rows = registrations
      .where(account, {
        sipRegistrationId: params.number('sipRegistrationId'),
        sipUsername: params.text('sipUsername'),
        proxy: params.texts('proxy'),
        applicationId,
        ruleId,
        userId,
        isPersistent: flagged(params.flag('isPersistent')),
        deactivated: flagged(params.flag('deactivated')),
        successful: flagged(params.flag('successful')),
        inProgress: flagged(params.flag('inProgress')),
        statusCode: ranges && (code => code !== undefined && ranges.some(([from, to]) => from <= code && code <= to))
      })
      .filter(row => matches(isBound, row.applicationId))
    // This list returns no total.
    const { result, count } = pageOf(rows, params)
    return { result: result.map(row => toRegistration(account, row)), count }
  },

  BindSipRegistration(params, account) {
    const bind = params.flag('bind') ?? true
    const id = params.number('sipRegistrationId')
    const byUser = params.has('userId', 'userName')
    const byRule = params.has('ruleId', 'ruleName')
    const application = selectApplications(account, params)?.[0]
    if (!application && (byUser || params.has('ruleName') || !byRule)) reject('REQUIRED_IS_EMPTY', 'applicationId')
    const rule = selectRules(account, params)?.[0]
    const user = byUser ? selectUsers(account, params)[0] : undefined
    if (id === undefined && (bind || !user)) reject('REQUIRED_IS_EMPTY', 'sipRegistrationId')
    const row = id === undefined ? undefined : (registrations.find(account, id) ?? reject('INVALID_REGISTRATION_ID', 'sipRegistrationId'))
    if (bind && row) {
      // A user has one registration: an earlier one is unbound.
      if (user) unbindUsers(registrations.where(account, { userId: user.userId }))
      const applicationId = application?.applicationId ?? rule?.applicationId
      // A rule and a user belong to an application, so that they do not move to another one.
      const before = row.applicationId === applicationId ? row : undefined
      Object.assign(row, { applicationId, ruleId: rule?.ruleId ?? before?.ruleId, userId: user?.userId ?? before?.userId })
      return
    }
    const rows = row ? [row] : registrations.rows(account)
    if (user) unbindUsers(where(rows, { userId: user.userId }))
    else if (rule) for (const bound of where(rows, { ruleId: rule.ruleId })) bound.ruleId = undefined
    else if (application) unbindApplications(rows, [application.applicationId])
  }
}

export function seed(account: AccountState): void {
  const [support, sales] = applications.rows(account).map(row => row.applicationId)
  const incoming = rules.rows(account).find(row => row.applicationId === support && row.ruleName === 'incoming')?.ruleId
  const [ada] = users.rows(account).map(row => row.userId)
  const bought = { subscriptionPrice: '1.5', deactivated: false, inProgress: false }
  registrations.add(account, {
    ...bought,
    sipUsername: 'acme-trunk',
    proxy: 'sip.example.com',
    authUser: 'acme-auth',
    outboundProxy: 'outbound.example.com',
    isPersistent: true,
    successful: true,
    statusCode: 200,
    purchaseDate: '2025-05-02T08:00:00Z',
    nextSubscriptionRenewal: '2026-02-02',
    applicationId: support,
    ruleId: incoming,
    lastUpdated: '2026-01-15T09:30:00Z'
  })
  registrations.add(account, {
    ...bought,
    sipUsername: 'ada-desk',
    proxy: 'pbx.example.org',
    isPersistent: false,
    successful: true,
    statusCode: 200,
    purchaseDate: '2025-08-11T10:30:00Z',
    nextSubscriptionRenewal: '2026-02-11',
    applicationId: support,
    userId: ada,
    lastUpdated: '2026-01-15T08:05:00Z'
  })
  registrations.add(account, {
    ...bought,
    sipUsername: 'sales-trunk',
    proxy: 'sip.example.com',
    isPersistent: true,
    successful: false,
    statusCode: 403,
    errorMessage: 'Forbidden',
    purchaseDate: '2025-10-20T16:00:00Z',
    nextSubscriptionRenewal: '2026-02-20',
    applicationId: sales,
    lastUpdated: '2026-01-14T23:59:00Z'
  })
  registrations.add(account, {
    ...bought,
    sipUsername: 'old-trunk',
    proxy: 'sip.example.net',
    isPersistent: true,
    successful: false,
    statusCode: 503,
    errorMessage: 'Service Unavailable',
    deactivated: true,
    purchaseDate: '2024-12-01T12:00:00Z',
    nextSubscriptionRenewal: '2026-01-01',
    lastUpdated: '2026-01-01T00:00:10Z'
  })
  registrations.add(account, {
    ...bought,
    sipUsername: 'new-trunk',
    proxy: 'sip.example.net',
    isPersistent: true,
    inProgress: true,
    purchaseDate: '2026-01-15T09:29:30Z',
    nextSubscriptionRenewal: '2026-02-15'
  })
}
