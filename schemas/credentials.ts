import { type Static, Type } from '@sinclair/typebox'
import { flag, id, integer, maybe, oneOf, strict, text, timestamp } from './common.ts'

export const Credentials = Type.Object(
  {
    version: integer('The version; each that is stored has the next number.', { examples: [1] }),
    kind: oneOf(['key', 'api-key'], "A service account's key, or the account's own API key (the old way)."),
    accountId: id('The account they are of.', 1234567),
    keyId: maybe(text("The id of the service account's key.", { examples: ['6f1c0b0a-8d5e-4a51-9d7e-0d6f0d0f7a11'] })),
    fingerprint: text('SHA-256 of the public key in DER form, or of the API key.', {
      examples: ['SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU']
    }),
    roles: maybe(
      Type.Array(Type.String(), {
        description: 'The roles of the service account, as the upstream returned them when the credentials were set; absent otherwise.',
        examples: [['Owner']]
      })
    ),
    createdAt: timestamp('When they were stored.'),
    verifiedAt: maybe(timestamp('When the upstream accepted them. Left out: they were stored without a check.')),
    lastUsedAt: maybe(timestamp('When they were last used, to within a minute.'))
  },
  { $id: 'Credentials', description: "A tenant's credentials, without their secrets, which are never returned." }
)
export type Credentials = Static<typeof Credentials>

const pem = '-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n'
const file = {
  account_id: id('The account.', 1234567),
  key_id: text('The id of the key.', { minLength: 1, examples: ['6f1c0b0a-8d5e-4a51-9d7e-0d6f0d0f7a11'] }),
  private_key: text('The private key (RSA, 2,048 bits or more) in PEM form.', { examples: [pem] })
}

/** The forms in which credentials come. Downloaded files may hold more; that is not kept. */
export const NewCredentials = Type.Union(
  [
    Type.Object(file, { title: 'credentials.json', description: 'The file of a service account as it was downloaded.' }),
    Type.Object(
      { result: Type.Object(file, { description: 'The service account.' }) },
      { title: 'credentials.json, older layout', description: 'The same as the upstream answered it earlier.' }
    ),
    strict(
      {
        accountId: id('The account.', 1234567),
        apiKey: text("The account's API key.", { minLength: 1, maxLength: 200, examples: ['...'] })
      },
      { title: 'API key', description: "The account's own API key: the old way, with all rights. A service account is better." }
    )
  ],
  { description: 'A service account as its credentials.json has it, or an account id with its API key.' }
)

export const CredentialOptions = strict({
  verify: maybe(
    flag(
      'Whether the upstream is asked if it accepts them. With `false` they are stored unseen: for when it cannot be reached, or must not be.',
      { examples: [true] }
    )
  )
})
