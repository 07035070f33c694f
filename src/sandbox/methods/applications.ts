import type { Application } from '../../../schemas/application.ts'
import type { SandboxAccount } from '../auth.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing, now, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { applications, deleteApplications, rules, selectApplications } from '../tables.ts'

const shortName = /^[a-z][a-z0-9-]{1,64}$/
/** A new name may be longer. */
const newShortName = /^[a-z][a-z0-9-]{1,79}$/
const suffix = 'n1.voximplant.com'

const fullNameOf = (name: string, { accountId, name: accountName = `account-${accountId}` }: SandboxAccount): string =>
  `${name}.${accountName}.${suffix}`

function checkName(account: AccountState, name: string, caller: SandboxAccount, self?: Application): string {
  if (!(self ? newShortName : shortName).test(name)) reject('INVALID_APPLICATION_NAME', 'applicationName')
  const applicationName = fullNameOf(name, caller)
  if (applications.where(account, { applicationName }).some(row => row !== self)) reject('APPLICATION_NAME_ISNT_UNIQUE', 'applicationName')
  return applicationName
}

export const methods: Methods = {
  AddApplication(params, account, { caller }) {
    const { applicationId, applicationName, secureRecordStorage } = applications.add(account, {
      applicationName: checkName(account, params.required('applicationName'), caller),
      created: now(),
      modified: now(),
      secureRecordStorage: params.flag('secureRecordStorage') ?? false
    })
    return { result: 1, applicationId, applicationName, secureRecordStorage }
  },

  GetApplications(params, account) {
    const rows = applications.where(account, {
      applicationId: params.id('applicationId'),
      applicationName: containing(params.texts('applicationName')?.[0])
    })
    const withScenarios = params.flag('withScenarios') === true
    const withRules = withScenarios || params.flag('withRules') === true
    const page = pageOf(rows, params)
    return {
      ...page,
      result: page.result.map(row => ({
        ...row,
        ...(withRules && {
          rules: rules
            .where(account, { applicationId: row.applicationId })
            .map(({ scenarios, ...rule }) => (withScenarios ? { ...rule, scenarios } : rule))
        })
      }))
    }
  },

  SetApplicationInfo(params, account, { caller }) {
    const row =
      selectApplications(account, params, 'applicationId', 'requiredApplicationName')?.[0] ?? reject('REQUIRED_IS_EMPTY', 'applicationId')
    const name = params.text('applicationName')
    if (name !== undefined) row.applicationName = checkName(account, name, caller, row)
    row.secureRecordStorage = params.flag('secureRecordStorage') ?? row.secureRecordStorage
    row.modified = now()
    return { result: 1, applicationName: row.applicationName, secureRecordStorage: row.secureRecordStorage }
  },

  DelApplication(params, account) {
    deleteApplications(account, selectApplications(account, params) ?? reject('REQUIRED_IS_EMPTY', 'applicationId'))
  }
}

export function seed(account: AccountState, caller: SandboxAccount): void {
  for (const name of ['support', 'sales', 'notifications']) {
    applications.add(account, {
      applicationName: fullNameOf(name, caller),
      created: '2026-01-15T09:30:00Z',
      modified: '2026-01-15T09:30:00Z',
      secureRecordStorage: false
    })
  }
}
