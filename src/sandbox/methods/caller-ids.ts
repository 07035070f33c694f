import type { CallerId } from '../../../schemas/caller-id.ts'
import { refuse } from '../codec.ts'
import { chooseOne, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

const callerIds = table<CallerId>('callerIds', 'calleridId')

/** The order of a list, upwards. What has no value comes last. */
const orders: Record<string, (a: CallerId, b: CallerId) => number> = {
  caller_number: (a, b) => String(a.calleridNumber).localeCompare(String(b.calleridNumber)),
  verified_until: (a, b) => (a.verifiedUntil ?? '9999').localeCompare(b.verifiedUntil ?? '9999')
}

export const methods: Record<string, Method> = {
  GetCallerIDs(params, account) {
    const id = params.number('calleridId')
    const number = params.text('calleridNumber')
    const active = params.flag('active')
    const order = params.text('orderBy')
    const rows = callerIds
      .rows(account)
      .filter(
        row =>
          (id === undefined || row.calleridId === id) &&
          (number === undefined || row.calleridNumber === number) &&
          (active === undefined || row.active === active)
      )
    if (order !== undefined) rows.sort(orders[order] ?? refuse('INVALID_ARGUMENTS', 'orderBy'))
    return pageOf(rows, params)
  },

  DelCallerID(params, account) {
    const { calleridId } = chooseOne(callerIds.rows(account), params, {
      id: 'calleridId',
      name: 'calleridNumber',
      unknownId: 'INVALID_CALLERID_ID',
      unknownName: 'INVALID_CALLERID_NUMBER'
    })
    callerIds.remove(account, row => row.calleridId === calleridId)
    return { result: 1 }
  }
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
