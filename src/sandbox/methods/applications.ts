import type { Application } from '../../../schemas/application.ts'
import { refuse } from '../codec.ts'
import { holdsPart, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { applications, chosenApplications, deleteApplications, rules } from '../tables.ts'
import type { Method } from './index.ts'

const shortName = /^[a-z][a-z0-9-]{1,64}$/
/** A rename takes a longer name. */
const newShortName = /^[a-z][a-z0-9-]{1,79}$/
const suffix = 'n1.voximplant.com'

function checkName(account: AccountState, name: string, accountName: string, self?: Application): string {
  if (!(self ? newShortName : shortName).test(name)) refuse('INVALID_APPLICATION_NAME', 'applicationName')
  const full = `${name}.${accountName}.${suffix}`
  if (applications.rows(account).some(row => row !== self && row.applicationName === full))
    refuse('APPLICATION_NAME_ISNT_UNIQUE', 'applicationName')
  return full
}

export const methods: Record<string, Method> = {
  AddApplication(params, account, { known }) {
    const name = params.need('applicationName', params.text('applicationName'))
    const row = applications.add(account, {
      applicationName: checkName(account, name, known.name ?? `account-${account.accountId}`),
      created: now(),
      modified: now(),
      secureRecordStorage: params.flag('secureRecordStorage') ?? false
    })
    return {
      result: 1,
      applicationId: row.applicationId,
      applicationName: row.applicationName,
      secureRecordStorage: row.secureRecordStorage
    }
  },

  GetApplications(params, account) {
    const id = params.ids('applicationId')?.[0]
    const name = params.texts('applicationName')?.[0]
    const rows = applications
      .rows(account)
      .filter(row => (id === undefined || row.applicationId === id) && holdsPart(row.applicationName, name))
    const withScenarios = params.flag('withScenarios') === true
    const withRules = withScenarios || params.flag('withRules') === true
    const page = pageOf(rows, params)
    return {
      ...page,
      result: page.result.map(row => ({
        ...row,
        ...(withRules
          ? {
              rules: rules
                .rows(account)
                .filter(rule => rule.applicationId === row.applicationId)
                .map(({ scenarios, ...rule }) => (withScenarios ? { ...rule, scenarios } : rule))
            }
          : {})
      }))
    }
  },

  SetApplicationInfo(params, account, { known }) {
    const row =
      chosenApplications(account, params, 'applicationId', 'requiredApplicationName')?.[0] ?? refuse('REQUIRED_IS_EMPTY', 'applicationId')
    const name = params.text('applicationName')
    if (name !== undefined) row.applicationName = checkName(account, name, known.name ?? `account-${account.accountId}`, row)
    row.secureRecordStorage = params.flag('secureRecordStorage') ?? row.secureRecordStorage
    row.modified = now()
    return { result: 1, applicationName: row.applicationName, secureRecordStorage: row.secureRecordStorage }
  },

  DelApplication(params, account) {
    const chosen = chosenApplications(account, params) ?? refuse('REQUIRED_IS_EMPTY', 'applicationId')
    deleteApplications(
      account,
      chosen.map(row => row.applicationId)
    )
    return { result: 1 }
  }
}

export function seed(account: AccountState, known: { name?: string }): void {
  for (const name of ['support', 'sales', 'notifications']) {
    applications.add(account, {
      applicationName: `${name}.${known.name ?? `account-${account.accountId}`}.${suffix}`,
      created: '2026-01-15T09:30:00Z',
      modified: '2026-01-15T09:30:00Z',
      secureRecordStorage: false
    })
  }
}
