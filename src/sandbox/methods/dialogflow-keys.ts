import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { type AccountState, table } from '../state.ts'

const dialogflowKeys = table<{ dialogflowKeyId: number; description?: string }, 'dialogflowKeyId'>('dialogflowKeys', 'dialogflowKeyId')

export const methods: Methods = {
  SetDialogflowKey(params, account) {
    const id = params.requiredNumber('dialogflowKeyId')
    const row = dialogflowKeys.find(account, id) ?? reject('INVALID_DIALOGFLOW_KEY_ID', 'dialogflowKeyId')
    // Blank text removes the description.
    row.description = params.text('description')?.trim() || undefined
  }
}

export function seed(account: AccountState): void {
  dialogflowKeys.add(account, { description: 'Booking agent' })
}
