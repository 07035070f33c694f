import type { PstnBlacklistItem } from '../../../schemas/pstn-blacklist-item.ts'
import { type Params, refuse } from '../codec.ts'
import { chooseOne, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import type { Method } from './index.ts'

const items = table<PstnBlacklistItem>('pstnBlacklist', 'pstnBlacklistId')
const selector = { id: 'pstnBlacklistId', unknownId: 'INVALID_PSTN_BLACKLIST_ID' } as const

/** Whether a text is a number, or a regular expression that speaks of digits. */
function isPattern(text: string): boolean {
  if (/^\+?\d{1,20}$/.test(text)) return true
  if (text.length > 255 || /[a-z\s]/i.test(text.replace(/\\[dDwWsSbB]/g, ''))) return false
  try {
    // Only its form matters: the sandbox takes no calls.
    return new RegExp(text).source.length > 0
  } catch {
    return false
  }
}

function phoneOf(account: AccountState, params: Params, self?: PstnBlacklistItem): string {
  const phone = params.need('pstnBlacklistPhone', params.text('pstnBlacklistPhone'))
  if (!isPattern(phone)) refuse('INVALID_PSTN_BLACKLIST_PHONE', 'pstnBlacklistPhone')
  if (items.rows(account).some(row => row !== self && row.pstnBlacklistPhone === phone)) refuse('VALUE_NOT_UNIQUE', 'pstnBlacklistPhone')
  return phone
}

export const methods: Record<string, Method> = {
  AddPstnBlackListItem(params, account) {
    const { pstnBlacklistId } = items.add(account, { pstnBlacklistPhone: phoneOf(account, params) })
    return { result: 1, pstnBlacklistId }
  },

  GetPstnBlackList(params, account) {
    const id = params.number('pstnBlacklistId')
    const phone = params.text('pstnBlacklistPhone')
    return pageOf(
      items
        .rows(account)
        .filter(row => (id === undefined || row.pstnBlacklistId === id) && (phone === undefined || row.pstnBlacklistPhone === phone)),
      params
    )
  },

  SetPstnBlackListItem(params, account) {
    const row = chooseOne(items.rows(account), params, selector)
    row.pstnBlacklistPhone = phoneOf(account, params, row)
    return { result: 1 }
  },

  DelPstnBlackListItem(params, account) {
    const { pstnBlacklistId } = chooseOne(items.rows(account), params, selector)
    items.remove(account, row => row.pstnBlacklistId === pstnBlacklistId)
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  for (const pstnBlacklistPhone of ['14155550199', '4930.*']) items.add(account, { pstnBlacklistPhone })
}
