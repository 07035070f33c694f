import { refuse } from '../codec.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

const dialogflowKeys = table<{ dialogflowKeyId: number; description?: string }>('dialogflowKeys', 'dialogflowKeyId')

export const methods: Record<string, Method> = {
  SetDialogflowKey(params, account) {
    const id = params.need('dialogflowKeyId', params.number('dialogflowKeyId'))
    const row = dialogflowKeys.find(account, id) ?? refuse('INVALID_DIALOGFLOW_KEY_ID', 'dialogflowKeyId')
    // Blank text takes the description away.
    row.description = params.text('description')?.trim() || undefined
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  dialogflowKeys.add(account, { description: 'Booking agent' })
}
