import type { SecretWithValue } from '../../../schemas/secret.ts'
import { seeded } from '../../../schemas/seeded.ts'
import { type Params, refuse } from '../codec.ts'
import { choose, holdsPart, now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, theApplication, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

interface SecretRow extends SecretWithValue {
  applicationId: number
}

const secrets = table<SecretRow>('secrets', 'secretId', seeded.secret.id)
whenDeleted('applications', (account, ids) => secrets.remove(account, row => ids.includes(row.applicationId)))

const maxValue = 8192
/** The upstream cuts a description without a word. */
const keptDescription = 200

const ofApplication = (account: AccountState, applicationId: number): SecretRow[] =>
  secrets.rows(account).filter(row => row.applicationId === applicationId)

/** The secrets a call names, within the application it names. */
const chosenSecrets = (account: AccountState, params: Params): SecretRow[] =>
  choose(ofApplication(account, theApplication(account, params).applicationId), params, {
    id: 'secretId',
    name: 'secretName',
    unknownId: 'INVALID_RESOURCE_ID'
  })

function checkName(account: AccountState, name: string, applicationId: number, field: string, self?: SecretRow): string {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) refuse('INVALID', field)
  if (ofApplication(account, applicationId).some(row => row !== self && row.secretName === name)) refuse('VALUE_NOT_UNIQUE', field)
  return name
}

const checkValue = (value: string): string => (value.length > maxValue ? refuse('TOO_LONG', 'secretValue') : value)

export const methods: Record<string, Method> = {
  AddSecret(params, account) {
    const { applicationId } = theApplication(account, params)
    const time = now()
    const { secretId } = secrets.add(account, {
      applicationId,
      secretName: checkName(account, params.need('secretName', params.text('secretName')), applicationId, 'secretName'),
      secretValue: checkValue(params.need('secretValue', params.text('secretValue'))),
      description: params.text('description')?.slice(0, keptDescription),
      created: time,
      modified: time
    })
    return { result: [{ secretId }] }
  },

  GetSecrets(params, account) {
    const { applicationId } = theApplication(account, params)
    const part = params.text('secretNamePart')
    return pageOf(
      ofApplication(account, applicationId).filter(row => holdsPart(row.secretName, part)),
      params
    )
  },

  GetSecretValue(params, account) {
    return { result: chosenSecrets(account, params)[0]! }
  },

  SetSecretInfo(params, account) {
    const row = chosenSecrets(account, params)[0]!
    const name = params.text('newSecretName')
    const value = params.text('secretValue')
    if (name !== undefined) checkName(account, name, row.applicationId, 'newSecretName', row)
    if (value !== undefined) checkValue(params.need('secretValue', value))
    Object.assign(row, {
      secretName: name ?? row.secretName,
      secretValue: value ?? row.secretValue,
      description: params.text('description')?.slice(0, keptDescription) ?? row.description,
      modified: now()
    })
    return { result: 1 }
  },

  DelSecret(params, account) {
    const ids = chosenSecrets(account, params).map(row => row.secretId)
    secrets.remove(account, row => ids.includes(row.secretId))
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  const [support, sales] = applications.rows(account)
  const time = '2026-01-15T09:30:00Z'
  for (const [application, secretName, secretValue, description] of [
    [support, seeded.secret.name, 'sandbox-crm-token', 'Token of the CRM'],
    [support, 'WEBHOOK_SALT', 'sandbox-webhook-salt', 'Signs calls to the help desk'],
    [sales, 'CRM_TOKEN', 'sandbox-sales-crm-token', 'Token of the CRM']
  ] as const)
    secrets.add(account, {
      applicationId: application!.applicationId,
      secretName,
      secretValue,
      description,
      created: time,
      modified: time
    })
}
