import { id, idOrName, idsOrNames, maybe, paging, ref, strict, text } from '../schemas/common.ts'
import { Secret, SecretDescription, SecretName, SecretValue, SecretWithValue } from '../schemas/secret.ts'
import { seeded } from '../schemas/seeded.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, page, value } from '../src/api/replies.ts'

const tag = 'Secrets'
const applicationId = idOrName('The application', 'support')
const secretId = idOrName('The secret', seeded.secret.name, seeded.secret.id)

const listSecrets = endpoint({
  http: 'GET /applications/:applicationId/secrets',
  rpc: 'GetSecrets',
  summary: 'List the secrets of an application',
  description: 'Names and notes only: a value is answered with its own secret.',
  tag,
  input: strict({
    applicationId,
    secretNamePart: maybe(text('Only secrets whose name holds this text.', { minLength: 1, maxLength: 64, examples: ['CRM'] })),
    ...paging
  }),
  reply: page(ref(Secret))
})

export default {
  createSecret: endpoint({
    http: 'POST /applications/:applicationId/secrets',
    rpc: 'AddSecret',
    summary: 'Create a secret',
    tag,
    input: strict({ applicationId, secretName: SecretName, secretValue: SecretValue, description: maybe(SecretDescription) }),
    example: { secretName: 'PAYMENT_TOKEN', description: 'Token of the payment service' },
    reply: created({ secretId: id('The id of the new secret.') }, '/applications/:applicationId/secrets/:secretId', { within: true })
  }),
  listSecrets,
  getSecret: endpoint({
    http: 'GET /applications/:applicationId/secrets/:secretId',
    rpc: 'GetSecretValue',
    summary: 'Get a secret with its value',
    tag,
    input: strict({ applicationId, secretId }),
    reply: value(ref(SecretWithValue))
  }),
  updateSecret: endpoint({
    http: 'PATCH /applications/:applicationId/secrets/:secretId',
    rpc: 'SetSecretInfo',
    summary: 'Change a secret',
    description: 'Fields that are left out stay as they are.',
    tag,
    input: strict({
      applicationId,
      secretId,
      secretName: maybe(SecretName),
      secretValue: maybe(SecretValue),
      description: maybe(SecretDescription)
    }),
    rename: { secretName: 'newSecretName' },
    example: { description: 'Token of the new CRM' },
    reply: done
  }),
  deleteSecret: endpoint({
    http: 'DELETE /applications/:applicationId/secrets/:secretId',
    rpc: 'DelSecret',
    summary: 'Delete a secret',
    tag,
    input: strict({ applicationId, secretId }),
    reply: done
  }),
  deleteSecrets: endpoint({
    http: 'DELETE /applications/:applicationId/secrets',
    rpc: 'DelSecret',
    summary: 'Delete several secrets',
    tag,
    input: strict({ applicationId, secretId: idsOrNames('The secrets', seeded.secret.name, { example: seeded.secret.id }) }),
    all: { secretId: listSecrets },
    example: { secretId: [402] },
    reply: done
  })
}
