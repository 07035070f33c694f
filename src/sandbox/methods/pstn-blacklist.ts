import type { PstnBlacklistItem } from '../../../schemas/pstn-blacklist-item.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { resource } from '../resource.ts'
import { type AccountState, table } from '../state.ts'

const items = table<PstnBlacklistItem, 'pstnBlacklistId'>('pstnBlacklist', 'pstnBlacklistId')

/** Whether a text is a number, or a regular expression of digits. */
function isPattern(text: string): boolean {
  if (/^\+?\d{1,20}$/.test(text)) return true
  if (text.length > 255 || /[a-z\s]/i.test(text.replace(/\\[dDwWsSbB]/g, ''))) return false
  try {
    // Only its form matters: the sandbox receives no calls.
    return new RegExp(text).source.length > 0
  } catch {
    return false
  }
}

const blacklist = resource({
  table: items,
  id: 'pstnBlacklistId',
  name: 'pstnBlacklistPhone',
  byName: false,
  notFound: 'INVALID_PSTN_BLACKLIST_ID',
  unique: 'VALUE_NOT_UNIQUE',
  checkName: (phone, param) => isPattern(phone) || reject('INVALID_PSTN_BLACKLIST_PHONE', param)
})

export const methods: Methods = {
  AddPstnBlackListItem: (params, account) =>
    blacklist.add(account, { pstnBlacklistPhone: blacklist.requiredName(account, params, 'pstnBlacklistPhone') }),

  GetPstnBlackList: (params, account) =>
    blacklist.page(account, params, {
      pstnBlacklistId: params.number('pstnBlacklistId'),
      pstnBlacklistPhone: params.text('pstnBlacklistPhone')
    }),

  SetPstnBlackListItem(params, account) {
    const row = blacklist.one(account, params)
    row.pstnBlacklistPhone = blacklist.requiredName(account, params, 'pstnBlacklistPhone', row)
  },

  DelPstnBlackListItem: blacklist.remove
}

export function seed(account: AccountState): void {
  for (const pstnBlacklistPhone of ['14155550199', '4930.*']) items.add(account, { pstnBlacklistPhone })
}
