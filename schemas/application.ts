import { type Static, Type } from '@sinclair/typebox'
import { flag, formattedName, id, maybe, text, timestamp } from './common.ts'

/** The short name of an application. */
export const ApplicationName = formattedName(
  'The short name of the application.',
  '[a-z][a-z0-9-]{1,64}',
  'Starts with a lower-case letter, then 1 to 64 lower-case letters, digits or hyphens.',
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
    modified: maybe(timestamp('When the application was last changed.')),
    secureRecordStorage: maybe(SecureRecordStorage)
  },
  { $id: 'Application', description: 'An application: the room that users, rules and secrets belong to.' }
)
export type Application = Static<typeof Application>

/** Whether a name addresses an application: its full name, or the part before the first dot. */
export const bearsApplicationName = (row: Record<string, unknown>, name: string): boolean =>
  row.applicationName === name || (typeof row.applicationName === 'string' && row.applicationName.split('.', 1)[0] === name)
