import type { SecretWithValue } from '../../../schemas/secret.ts'
import { seeded } from '../../../schemas/seeded.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing, now } from '../query.ts'
import { resource } from '../resource.ts'
import { type AccountState, table } from '../state.ts'
import { demoApplicationId, onDelete, requireApplication } from '../tables.ts'

interface SecretRow extends SecretWithValue {
  applicationId: number
}

const secrets = table<SecretRow, 'secretId'>('secrets', 'secretId', seeded.secret.id)
onDelete('applications', (account, ids) => secrets.remove(account, secrets.where(account, { applicationId: ids })))

const maxValue = 8192
/** The upstream truncates longer descriptions without an error. */
const maxDescription = 200

const applicationSecrets = resource({
  table: secrets,
  id: 'secretId',
  name: 'secretName',
  notFound: 'INVALID_RESOURCE_ID',
  unique: 'VALUE_NOT_UNIQUE',
  checkName: (name, param) => /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name) || reject('INVALID', param),
  within(account, params) {
    const { applicationId } = requireApplication(account, params)
    return secrets.where(account, { applicationId })
  }
})

function requireValue(params: Params): string {
  const value = params.required('secretValue')
  return value.length > maxValue ? reject('TOO_LONG', 'secretValue') : value
}

export const methods: Methods = {
  AddSecret(params, account) {
    const { applicationId } = requireApplication(account, params)
    const time = now()
    const { secretId } = secrets.add(account, {
      applicationId,
      secretName: applicationSecrets.requiredName(account, params, 'secretName'),
      secretValue: requireValue(params),
      description: params.text('description')?.slice(0, maxDescription),
      created: time,
      modified: time
    })
    return { result: [{ secretId }] }
  },

  GetSecrets: (params, account) => applicationSecrets.page(account, params, { secretName: containing(params.text('secretNamePart')) }),

  GetSecretValue: (params, account) => ({ result: applicationSecrets.one(account, params) }),

  SetSecretInfo(params, account) {
    const row = applicationSecrets.one(account, params)
    return applicationSecrets.update(row, {
      secretName: applicationSecrets.newName(account, params, 'newSecretName', row),
      secretValue: params.has('secretValue') ? requireValue(params) : undefined,
      description: params.text('description')?.slice(0, maxDescription),
      modified: now()
    })
  },

  DelSecret: applicationSecrets.remove
}

export function seed(account: AccountState): void {
  const time = '2026-01-15T09:30:00Z'
  for (const [application, secretName, secretValue, description] of [
    ['support', seeded.secret.name, 'sandbox-crm-token', 'Token of the CRM'],
    ['support', 'WEBHOOK_SALT', 'sandbox-webhook-salt', 'Signs calls to the help desk'],
    ['sales', 'CRM_TOKEN', 'sandbox-sales-crm-token', 'Token of the CRM']
  ] as const)
    secrets.add(account, {
      applicationId: demoApplicationId(account, application),
      secretName,
      secretValue,
      description,
      created: time,
      modified: time
    })
}
