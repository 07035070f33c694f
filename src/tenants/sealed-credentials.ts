import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import type { Tables } from '../database/tables.ts'
import { type EncryptionContext, open, SealError, seal } from '../vault/vault.ts'
import type { Credential } from '../voximplant/account.ts'
import type { CredentialInput } from './model.ts'

type CredentialRow = Pick<Tables['credentials'], 'version' | 'kind' | 'account_id' | 'key_id' | 'fingerprint' | 'sealed'>

/** Everything a sealed credential is bound to: moved to another tenant, version, kind, account or key it does not open. */
const contextOf = (
  tenantId: string,
  { version, kind, account_id, key_id }: Omit<CredentialRow, 'sealed' | 'fingerprint'>
): EncryptionContext => ['credential', tenantId, version, kind, account_id, key_id ?? '']

/** A credential as its row holds it. */
export function sealCredential(dataKey: Buffer, tenantId: string, version: number, credential: CredentialInput): CredentialRow {
  const row = {
    version,
    kind: credential.kind,
    account_id: credential.accountId,
    key_id: credential.kind === 'key' ? credential.keyId : null,
    fingerprint: fingerprintOf(credential)
  }
  const secret = credential.kind === 'key' ? credential.privateKey : credential.apiKey
  return { ...row, sealed: seal(dataKey, `c${version}`, Buffer.from(secret), contextOf(tenantId, row)) }
}

/** Opens a credential's row. Throws SealError. */
export function openCredential(dataKey: Buffer, tenantId: string, row: CredentialRow): Credential {
  const secret = open(dataKey, `c${row.version}`, row.sealed, contextOf(tenantId, row)).toString()
  const accountId = row.account_id
  const keyId = row.key_id ?? ''
  const [input, credential]: [CredentialInput, Credential] =
    row.kind === 'key'
      ? [
          { kind: 'key', accountId, keyId, privateKey: secret },
          { kind: 'key', accountId, keyId, privateKey: createPrivateKey(secret) }
        ]
      : [
          { kind: 'api-key', accountId, apiKey: secret },
          { kind: 'api-key', accountId, apiKey: secret }
        ]
  // The fingerprint follows from the secret: one that was replaced must not vouch for it.
  if (fingerprintOf(input) !== row.fingerprint) throw new SealError()
  return credential
}

/** SHA-256 of the public key, or of the API key: identifies a credential without revealing it. */
export function fingerprintOf(credential: CredentialInput): string {
  const material =
    credential.kind === 'key' ? createPublicKey(credential.privateKey).export({ type: 'spki', format: 'der' }) : credential.apiKey
  return `SHA256:${createHash('sha256').update(material).digest('base64url')}`
}
