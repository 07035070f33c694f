import { type Static, Type } from '@sinclair/typebox'
import { flag, formattedName, id, maybe, ref, text, timestamp } from './common.ts'
import { Rule } from './rule.ts'

/** The short name of an application. */
export const ApplicationName = formattedName(
  'The short name of the application.',
  '[a-z][a-z0-9-]{1,64}',
  'Starts with a lower-case letter, then 1 to 64 lower-case letters, digits or hyphens.',
  {
    examples: ['support']
  }
)

/** The short name that an application gets instead of its own: the upstream takes a longer one here. */
export const NewApplicationName = formattedName(
  'The new short name of the application.',
  '[a-z][a-z0-9-]{1,79}',
  'Starts with a lower-case letter, then 1 to 79 lower-case letters, digits or hyphens.',
  {
    examples: ['support']
  }
)

/** Whether recordings and logs are kept apart. */
export const SecureRecordStorage = flag(
  'Whether logs and recordings of the application are kept in secure storage, where reading them needs authorization.'
)

export const Application = Type.Object(
  {
    applicationId: id('The id of the application.'),
    applicationName: maybe(
      text('The full name, with the account and its node: the short name is the part before the first dot.', {
        examples: ['support.acme.n1.voximplant.com']
      })
    ),
    extendedApplicationName: maybe(
      text('The full name with the domain, where the upstream tells it apart from `applicationName`.', {
        examples: ['support.acme.n1.voximplant.com']
      })
    ),
    created: maybe(timestamp('When the application was created.')),
    modified: maybe(timestamp('When the application was last changed.')),
    secureRecordStorage: maybe(SecureRecordStorage),
    rules: maybe(Type.Array(ref(Rule), { description: 'The rules of the application; with `withRules`.' })),
    imEnabled: maybe(flag('Whether instant messages were enabled. Only older applications have it.', { examples: [false] })),
    imRosterType: maybe(
      text('How contact lists of instant messages were kept. Only older applications have it.', { examples: ['personal'] })
    ),
    busyOnCall: maybe(flag('Whether users in a call are busy to other callers. Only older applications have it.', { examples: [false] }))
  },
  { $id: 'Application', description: 'An application: the room that users, rules and secrets belong to.' }
)
export type Application = Static<typeof Application>

/** Whether a name addresses an application: its full name, or the part before the first dot. */
export const bearsApplicationName = (row: Record<string, unknown>, name: string): boolean =>
  row.applicationName === name || (typeof row.applicationName === 'string' && row.applicationName.split('.', 1)[0] === name)
