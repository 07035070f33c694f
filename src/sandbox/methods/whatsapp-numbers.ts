import type { WhatsappNumber } from '../../../schemas/whatsapp-number.ts'
import { pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenApplications, rules, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

/** The names of what a number is bound to are looked up when it is shown. */
interface NumberRow extends Omit<WhatsappNumber, 'applicationName' | 'extendedApplicationName' | 'ruleName'> {
  rowId: number
}

const numbers = table<NumberRow>('whatsappNumbers', 'rowId')
whenDeleted('applications', (account, ids) => {
  for (const row of numbers.rows(account)) if (ids.includes(row.applicationId ?? 0)) row.applicationId = row.ruleId = undefined
})

export const methods: Record<string, Method> = {
  GetWABPhoneNumbers(params, account) {
    const number = params.text('wabPhoneNumber')
    const country = params.text('countryCode')?.toUpperCase()
    const application = chosenApplications(account, params)?.[0]
    const page = pageOf(
      numbers
        .rows(account)
        .filter(
          row =>
            (number === undefined || row.wabPhoneNumber === number) &&
            (country === undefined || row.countryCode === country) &&
            (application === undefined || row.applicationId === application.applicationId)
        ),
      params
    )
    return {
      ...page,
      result: page.result.map((row): WhatsappNumber => {
        const fullName = applications.find(account, row.applicationId)?.applicationName
        return {
          ...row,
          applicationName: fullName?.split('.', 1)[0],
          extendedApplicationName: fullName,
          ruleName: rules.find(account, row.ruleId)?.ruleName
        }
      })
    }
  }
}

export function seed(account: AccountState): void {
  const [support] = applications.rows(account)
  const time = '2026-01-15T09:30:00Z'
  numbers.add(account, {
    wabPhoneNumber: '14155550100',
    countryCode: 'US',
    description: 'Help desk',
    applicationId: support!.applicationId,
    ruleId: rules.rows(account).find(row => row.applicationId === support!.applicationId)?.ruleId,
    created: time,
    modified: time
  })
  numbers.add(account, { wabPhoneNumber: '493023125001', countryCode: 'DE', created: time, modified: time })
}
