import { type Static, Type } from '@sinclair/typebox'
import { formattedName, id, maybe, text, timestamp } from './common.ts'

export const SecretName = formattedName(
  'The name of the secret; scenarios read the secret by it.',
  '[A-Za-z][A-Za-z0-9_]{0,63}',
  'A Latin letter, then up to 63 Latin letters, digits or underscores.',
  { examples: ['CRM_TOKEN'] }
)
export const SecretValue = text('What is kept secret; up to 8,192 characters.', {
  writeOnly: true,
  minLength: 1,
  maxLength: 8192,
  examples: ['sk-4f9a1c']
})
export const SecretDescription = text('A note on the secret. The upstream keeps the first 200 characters.', {
  examples: ['Token of the CRM']
})

const shown = {
  secretId: id('The id of the secret.'),
  secretName: maybe(text('The name of the secret.', { examples: ['CRM_TOKEN'] })),
  description: maybe(text('The note on the secret.', { examples: ['Token of the CRM'] })),
  created: maybe(timestamp('When the secret was made.')),
  modified: maybe(timestamp('When the secret was last changed.'))
}

export const Secret = Type.Object(shown, {
  $id: 'Secret',
  description: 'A value that the scenarios of an application can read by name, without the value itself.'
})
export type Secret = Static<typeof Secret>

export const SecretWithValue = Type.Object(
  { ...shown, secretValue: maybe(text('What is kept secret.', { examples: ['sk-4f9a1c'] })) },
  { $id: 'SecretWithValue', description: 'A value that the scenarios of an application can read by name, with the value itself.' }
)
export type SecretWithValue = Static<typeof SecretWithValue>
