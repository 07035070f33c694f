import type { CallerId } from '../../../schemas/caller-id.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { pageOf } from '../query.ts'
import { resource } from '../resource.ts'
import { type AccountState, table } from '../state.ts'

const callerIds = table<CallerId, 'calleridId'>('callerIds', 'calleridId')
const accountCallerIds = resource({
  table: callerIds,
  id: 'calleridId',
  name: 'calleridNumber',
  notFound: 'INVALID_CALLERID_ID',
  nameNotFound: 'INVALID_CALLERID_NUMBER'
})

/** Ascending; rows without a value come last. */
const orders: Record<string, (a: CallerId, b: CallerId) => number> = {
  caller_number: (a, b) => String(a.calleridNumber).localeCompare(String(b.calleridNumber)),
  verified_until: (a, b) => (a.verifiedUntil ?? '9999').localeCompare(b.verifiedUntil ?? '9999')
}

export const methods: Methods = {
  GetCallerIDs(params, account) {
    const order = params.text('orderBy')
    const rows = callerIds.where(account, {
      calleridId: params.number('calleridId'),
      calleridNumber: params.text('calleridNumber'),
      active: params.flag('active')
    })
    if (order !== undefined) rows.sort(orders[order] ?? reject('INVALID_ARGUMENTS', 'orderBy'))
    return pageOf(rows, params)
  },

  DelCallerID: accountCallerIds.remove
}

export function seed(account: AccountState): void {
  callerIds.add(account, { calleridNumber: '14155550100', active: true, verifiedUntil: '2027-01-15' })
  callerIds.add(account, { calleridNumber: '442079460018', active: true, verifiedUntil: '2026-11-30' })
  callerIds.add(account, {
    calleridNumber: '4930901820',
    active: false,
    codeEnteringAttemptsLeft: 5,
    verificationCallAttemptsLeft: 3
  })
}
