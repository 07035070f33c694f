import { type Static, Type } from '@sinclair/typebox'
import { day, flag, id, integer, maybe, text } from './common.ts'

export const CallerId = Type.Object(
  {
    calleridId: id('The id of the caller id.'),
    calleridNumber: maybe(text('The number that is shown to those who are called.', { examples: ['14155550100'] })),
    active: maybe(flag('Whether the number can be used.')),
    verifiedUntil: maybe(day('The day until which the number counts as verified, where it is.')),
    codeEnteringAttemptsLeft: maybe(
      integer('How many more times the code may be entered, where the number is not verified.', { examples: [5] })
    ),
    verificationCallAttemptsLeft: maybe(
      integer('How many more times a call with the code may be asked for, where the number is not verified.', { examples: [3] })
    )
  },
  { $id: 'CallerId', description: 'A telephone number of your own that outgoing calls show as the caller.' }
)
export type CallerId = Static<typeof CallerId>

/** Whether a number addresses a caller id. */
export const bearsCallerNumber = (row: Record<string, unknown>, number: string): boolean => row.calleridNumber === number
