import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Tables } from '../database/tables.ts'
import type { CredentialInput, TenantSettings } from '../tenants/model.ts'
import type { Credential } from '../voximplant/account.ts'
import { open, type Place, SealError, seal, type Vault } from './vault.ts'

/** What is sealed where: the places of the tenants' secrets, and the data keys that open them. */

/** The row of a master key's canary. */
export const canaryName = (masterKeyId: string): string => `canary:${masterKeyId}`

type Head = Pick<Tables['tenants'], 'tenant_id' | 'account_id' | 'api_host' | 'credential_version' | 'settings'>

/**
 * Where credentials go, with which headers, and which one is in use: with a row that was changed past the service, no secret leaves it.
 * Throws SealError when its settings cannot be read.
 */
const headPlace = ({ tenant_id, account_id, api_host, credential_version, settings }: Head): Place => [
  'tenant',
  tenant_id,
  account_id,
  api_host ?? '',
  credential_version ?? 0,
  headersIn(settings)
]

/** The default headers in a tenant's settings as one text, in whichever order they stand there. */
function headersIn(settings: string): string {
  let headers: TenantSettings['defaultHeaders']
  try {
    headers = (JSON.parse(settings) as TenantSettings).defaultHeaders
  } catch {
    throw new SealError()
  }
  return JSON.stringify(Object.entries(headers ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Proves a tenant's row; it holds nothing. */
export const sealHead = (dataKey: Buffer, row: Head): string => seal(dataKey, 'head', Buffer.alloc(0), headPlace(row))

/** Throws SealError when a tenant's row is not as the service wrote it. */
export function checkHead(dataKey: Buffer, row: Head & Pick<Tables['tenants'], 'head'>): void {
  open(dataKey, 'head', row.head, headPlace(row))
}

type CredentialRow = Pick<Tables['credentials'], 'version' | 'kind' | 'account_id' | 'key_id' | 'fingerprint' | 'sealed'>

/** Everything a sealed credential is bound to: moved to another tenant, version, kind, account or key it does not open. */
const credentialPlace = (tenantId: string, { version, kind, account_id, key_id }: Omit<CredentialRow, 'sealed' | 'fingerprint'>): Place => [
  'credential',
  tenantId,
  version,
  kind,
  account_id,
  key_id ?? ''
]

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
  return { ...row, sealed: seal(dataKey, `c${version}`, Buffer.from(secret), credentialPlace(tenantId, row)) }
}

/** Opens a credential's row. Throws SealError. */
export function openCredential(dataKey: Buffer, tenantId: string, row: CredentialRow): Credential {
  const secret = open(dataKey, `c${row.version}`, row.sealed, credentialPlace(tenantId, row)).toString()
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
  // The fingerprint follows from the secret: one that was exchanged must not vouch for it.
  if (fingerprintOf(input) !== row.fingerprint) throw new SealError()
  return credential
}

/** SHA-256 of the public key, or of the API key: tells credentials apart without telling them. */
export function fingerprintOf(credential: CredentialInput): string {
  const material =
    credential.kind === 'key' ? createPublicKey(credential.privateKey).export({ type: 'spki', format: 'der' }) : credential.apiKey
  return `SHA256:${createHash('sha256').update(material).digest('base64url')}`
}

/** Data keys in memory. */
const maxDataKeys = 10_000

/** Data keys, unwrapped once: asking a key server for every credential would take its time. */
export function createDataKeys(vault: Vault) {
  const keys = new LRUCache<string, { wrapped: string; key: Buffer }>({ max: maxDataKeys })
  return {
    /** The data key that a tenant's row wraps. Throws UnknownMasterKey, SealError. */
    async open(tenantId: string, wrapped: string): Promise<Buffer> {
      const cached = keys.get(tenantId)
      if (cached?.wrapped === wrapped) return cached.key
      const key = await vault.openDataKey(tenantId, wrapped)
      keys.set(tenantId, { wrapped, key })
      return key
    },
    forget(tenantId: string): void {
      keys.delete(tenantId)
    }
  }
}

export type DataKeys = ReturnType<typeof createDataKeys>
