import { type Static, Type } from '@sinclair/typebox'
import { Application } from './application.ts'
import { decimal, flag, formattedName, id, maybe, oneOf, ref, text, timestamp } from './common.ts'
import { Skill } from './skill.ts'

export const UserName = formattedName(
  'The login of the user; unique in the application.',
  '[a-z0-9][a-z0-9_-]{2,49}',
  '3 to 50 lower-case letters, digits, hyphens or underscores, the first a letter or digit.',
  { examples: ['ada'] }
)
export const UserDisplayName = text('The name that others see; up to 255 characters.', {
  minLength: 1,
  maxLength: 255,
  examples: ['Ada Lovelace']
})
export const UserPassword = text(
  'The password: at least 8 characters, with an upper-case and a lower-case letter, a digit and a special character. It is never answered.',
  { writeOnly: true, minLength: 8, maxLength: 255, examples: ['Analytic4l-Engine'] }
)
export const UserActive = flag('Whether the user may log in.')
export const UserCustomData = text('Any text of your own.', { maxLength: 65535, examples: ['{"crm":42}'] })
export const ParentAccounting = flag("Whether the user spends the account's money; false gives the user a balance of its own.")
export const MobilePhone = text("The user's mobile number, with country code.", { maxLength: 50, examples: ['14155550100'] })

/** The state of an operator for ACD version 1. */
export const AcdStatus = oneOf(['OFFLINE', 'ONLINE', 'READY', 'BANNED', 'IN_SERVICE', 'AFTER_SERVICE', 'TIMEOUT', 'DND'])

export const QueueOfUser = Type.Object(
  {
    acdQueueId: id('The id of the queue.'),
    acdQueueName: maybe(text('The name of the queue.', { examples: ['support'] })),
    autoLink: maybe(flag('Whether the binding was made by comparing skills.', { examples: [false] }))
  },
  { $id: 'QueueOfUser', description: 'A queue that a user serves.' }
)

export const User = Type.Object(
  {
    userId: id('The id of the user.'),
    userName: maybe(text('The login of the user.', { examples: ['ada'] })),
    userDisplayName: maybe(text('The name that others see.', { examples: ['Ada Lovelace'] })),
    userActive: maybe(UserActive),
    frozen: maybe(flag('Whether the upstream has blocked the user.', { examples: [false] })),
    twoFactorAuthRequired: maybe(flag('Whether the user has to log in with a second factor.', { examples: [false] })),
    userCustomData: maybe(text('The text given as custom data.', { examples: ['{"crm":42}'] })),
    parentAccounting: maybe(ParentAccounting),
    balance: maybe(
      decimal(
        'The balance of a user with one of its own, in the currency of the account, to four decimal places: as `liveBalance`, or as `fixedBalance` with `returnLiveBalance` false.',
        {
          examples: [0]
        }
      )
    ),
    fixedBalance: maybe(decimal('The balance without running calls, in the currency of the account.', { examples: [0] })),
    liveBalance: maybe(
      decimal('The balance with running calls counted, in the currency of the account; with `returnLiveBalance`.', { examples: [0] })
    ),
    mobilePhone: maybe(text("The user's mobile number.", { examples: ['14155550100'] })),
    acdStatus: maybe(
      text('The operator status: OFFLINE, ONLINE, READY, BANNED, IN_SERVICE, AFTER_SERVICE, TIMEOUT, DND, or another.', {
        examples: ['READY']
      })
    ),
    acdStatusChangeTime: maybe(timestamp('When the operator status last changed.')),
    acdQueues: maybe(Type.Array(ref(QueueOfUser), { description: 'The queues the user serves; with `withQueues`.' })),
    skills: maybe(Type.Array(ref(Skill), { description: "The user's skills; with `withSkills`." })),
    applications: maybe(Type.Array(ref(Application), { description: 'The applications the user belongs to.' })),
    created: maybe(timestamp('When the user was made.')),
    modified: maybe(timestamp('When the user was last changed.'))
  },
  { $id: 'User', description: 'Somebody, or something, that logs in to an application.' }
)
export type User = Static<typeof User>
