import type { SipRegistration } from '../../../schemas/sip-registration.ts'
import { type Params, refuse } from '../codec.ts'
import { pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenApplications, chosenRules, chosenUsers, rules, users, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

/** A registration as it is kept: the names of what it is bound to are looked up when it is shown. */
interface Row extends Omit<SipRegistration, 'applicationName' | 'ruleName' | 'userName'> {
  inProgress: boolean
}

const registrations = table<Row>('sipRegistrations', 'sipRegistrationId')

whenDeleted('applications', (account, ids) => {
  for (const row of registrations.rows(account))
    if (ids.includes(row.applicationId ?? 0)) Object.assign(row, { applicationId: undefined, ruleId: undefined })
})
whenDeleted('users', (account, ids) => {
  for (const row of registrations.rows(account)) if (ids.includes(row.userId ?? 0)) row.userId = undefined
})

/** The status codes that `403;500:599` names, as ranges. */
function statusRanges(text: string): [number, number][] {
  return text.split(';').map(part => {
    const [from, to = from] = /^(\d{3})(?::(\d{3}))?$/.exec(part)?.slice(1) ?? refuse('INVALID_ARGUMENTS', 'statusCode')
    return [Number(from), Number(to)]
  })
}

/** The users that a filter names; by name in any application, unless the call names some. */
function filteredUsers(account: AccountState, params: Params): number[] | undefined {
  const of = chosenApplications(account, params)?.map(row => row.applicationId)
  const ids = params.ids('userId')
  if (ids !== undefined && ids !== 'all') return ids.map(id => (users.find(account, id) ? id : refuse('INVALID_USER_ID', 'userId')))
  const names = params.texts('userName')
  if (ids === undefined && names === undefined) return undefined
  return users
    .rows(account)
    .filter(row => (of === undefined || of.includes(row.applicationId)) && (names === undefined || names.includes(row.userName ?? '')))
    .map(row => row.userId)
}

function asShown(account: AccountState, row: Row): SipRegistration {
  return {
    ...row,
    applicationName: row.applicationId === undefined ? undefined : applications.find(account, row.applicationId)?.applicationName,
    ruleName: row.ruleId === undefined ? undefined : rules.find(account, row.ruleId)?.ruleName,
    userName: row.userId === undefined ? undefined : users.find(account, row.userId)?.userName
  }
}

const given = (params: Params, ...names: string[]): boolean => names.some(name => params.has(name))

export const methods: Record<string, Method> = {
  GetSipRegistrations(params, account) {
    const id = params.number('sipRegistrationId')
    const username = params.text('sipUsername')
    const proxies = params.texts('proxy')
    const ofApplications = chosenApplications(account, params)?.map(row => row.applicationId)
    const ofRules = chosenRules(account, params)?.map(row => row.ruleId)
    const ofUsers = filteredUsers(account, params)
    const isBound = params.flag('isBoundToApplication')
    const status = params.text('statusCode')
    const ranges = status === undefined ? undefined : statusRanges(status)
    const flags = ['isPersistent', 'deactivated', 'successful', 'inProgress'] as const
    const wanted = flags.map(name => [name, params.flag(name)] as const).filter(([, flag]) => flag !== undefined)
    const among = (ids: number[] | undefined, value: number | undefined) =>
      ids === undefined || (value !== undefined && ids.includes(value))
    const rows = registrations
      .rows(account)
      .filter(
        row =>
          (id === undefined || row.sipRegistrationId === id) &&
          (username === undefined || row.sipUsername === username) &&
          (proxies === undefined || proxies.includes(row.proxy ?? '')) &&
          among(ofApplications, row.applicationId) &&
          among(ofRules, row.ruleId) &&
          among(ofUsers, row.userId) &&
          (isBound === undefined || (row.applicationId !== undefined) === isBound) &&
          wanted.every(([name, flag]) => (row[name] ?? false) === flag) &&
          (ranges === undefined ||
            ranges.some(([from, to]) => row.statusCode !== undefined && from <= row.statusCode && row.statusCode <= to))
      )
    // This list tells no total.
    const { result, count } = pageOf(rows, params)
    return { result: result.map(row => asShown(account, row)), count }
  },

  BindSipRegistration(params, account) {
    const bind = params.flag('bind') ?? true
    const id = params.number('sipRegistrationId')
    const byUser = given(params, 'userId', 'userName')
    const byRule = given(params, 'ruleId', 'ruleName')
    const application = chosenApplications(account, params)?.[0]
    if (!application && (byUser || params.has('ruleName') || !byRule)) refuse('REQUIRED_IS_EMPTY', 'applicationId')
    const rule = chosenRules(account, params)?.[0]
    const user = byUser ? chosenUsers(account, params)[0] : undefined
    if (id === undefined && (bind || !user)) refuse('REQUIRED_IS_EMPTY', 'sipRegistrationId')
    const row = id === undefined ? undefined : (registrations.find(account, id) ?? refuse('INVALID_REGISTRATION_ID', 'sipRegistrationId'))
    if (bind) {
      // One registration per user: an earlier one lets go.
      if (user) for (const other of registrations.rows(account)) if (other.userId === user.userId) other.userId = undefined
      const applicationId = application?.applicationId ?? rule?.applicationId
      // A rule and a user belong to an application: in another one they are left behind.
      const kept = row!.applicationId === applicationId ? row! : undefined
      Object.assign(row!, { applicationId, ruleId: rule?.ruleId ?? kept?.ruleId, userId: user?.userId ?? kept?.userId })
      return { result: 1 }
    }
    for (const bound of row ? [row] : registrations.rows(account)) {
      if (user) {
        if (bound.userId === user.userId) bound.userId = undefined
      } else if (rule) {
        if (bound.ruleId === rule.ruleId) bound.ruleId = undefined
      } else if (bound.applicationId === application?.applicationId) Object.assign(bound, { applicationId: undefined, ruleId: undefined })
    }
    return { result: 1 }
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
