import type { WhatsappNumber } from '../../../schemas/whatsapp-number.ts'
import type { Methods } from '../method.ts'
import { pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { bindingNames, demoApplicationId, onDelete, rules, selectApplications, unbindApplications } from '../tables.ts'

/** A number without the names of what it is bound to, which are looked up for each response. */
interface NumberRow extends Omit<WhatsappNumber, 'applicationName' | 'extendedApplicationName' | 'ruleName'> {
  rowId: number
}

const numbers = table<NumberRow, 'rowId'>('whatsappNumbers', 'rowId')
onDelete('applications', (account, ids) => unbindApplications(numbers.rows(account), ids))

export const methods: Methods = {
  GetWABPhoneNumbers(params, account) {
    const page = pageOf(
      numbers.where(account, {
        wabPhoneNumber: params.text('wabPhoneNumber'),
        countryCode: params.text('countryCode')?.toUpperCase(),
        applicationId: selectApplications(account, params)?.[0]?.applicationId
      }),
      params
    )
    return { ...page, result: page.result.map((row): WhatsappNumber => ({ ...row, ...bindingNames(account, row) })) }
  }
}

export function seed(account: AccountState): void {
  const applicationId = demoApplicationId(account, 'support')
  const time = '2026-01-15T09:30:00Z'
  numbers.add(account, {
    wabPhoneNumber: '14155550100',
    countryCode: 'US',
    description: 'Help desk',
    applicationId,
    ruleId: rules.where(account, { applicationId })[0]?.ruleId,
    created: time,
    modified: time
  })
  numbers.add(account, { wabPhoneNumber: '493023125001', countryCode: 'DE', created: time, modified: time })
}
