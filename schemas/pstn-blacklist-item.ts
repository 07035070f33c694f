import { type Static, Type } from '@sinclair/typebox'
import { id, maybe, text } from './common.ts'

export const PstnBlacklistPhone = text(
  'The calling number that is rejected: with country code (E.164), or a regular expression that matches many numbers.',
  { minLength: 1, maxLength: 255, examples: ['14155550100'] }
)

export const PstnBlacklistItem = Type.Object(
  {
    pstnBlacklistId: id('The id of the entry.'),
    pstnBlacklistPhone: maybe(text('The number, or the regular expression, that is rejected.', { examples: ['14155550100'] }))
  },
  {
    $id: 'PstnBlacklistItem',
    description: "A number from the public telephone network whose calls to the account's numbers are rejected."
  }
)
export type PstnBlacklistItem = Static<typeof PstnBlacklistItem>
