import type { ApiKey, AuditEntry, CredentialStatus, Tenant } from '../tenants/model.ts'
import type { Credential } from '../voximplant/account.ts'

/** The tables as Kysely knows them, and how their rows become what the service sees. `migrations.ts` makes them. */
export interface Tables {
  /** One canary per master key that wraps anything: `canary:<master key id>`. */
  vault: { name: string; sealed: string }
  tenants: {
    tenant_id: string
    /** Random, and never another tenant's: one that is created again under the same id gets another. Empty for those of older versions. */
    uid: string
    name: string
    enabled: number
    account_id: number
    api_host: string | null
    settings: string
    /** The tenant's data key, wrapped by a master key. */
    data_key: string
    /** The credential in use, and how many versions there have been. */
    credential_version: number | null
    credential_versions: number
    /** Proves with the data key that account, host and credential in use are what was stored. */
    head: string
    created_at: string
    updated_at: string
  }
  credentials: {
    tenant_id: string
    version: number
    kind: Credential['kind']
    account_id: number
    key_id: string | null
    fingerprint: string
    /** Empty once it is destroyed. */
    sealed: string
    created_at: string
    verified_at: string | null
    retired_at: string | null
    destroyed_at: string | null
    last_used_at: string | null
  }
  api_keys: {
    key_id: string
    /** What a key and those that it is rotated to have in common: the id of one of them. Empty for those of older versions. */
    lineage: string
    tenant_id: string
    name: string
    hash: string
    scopes: string
    child_accounts: string | null
    allowed_cidrs: string | null
    created_at: string
    expires_at: string | null
    revoked_at: string | null
    last_used_at: string | null
    rotated_to: string | null
  }
  audit_log: {
    id: string
    at: string
    actor_kind: AuditEntry['actor']['kind']
    actor_id: string
    address: string | null
    request_id: string | null
    action: string
    tenant_id: string | null
    target: string | null
    outcome: string
    detail: string | null
  }
  idempotency: {
    id: string
    /** The hash of tenant, lineage of the API key, operation and the caller's key, which is stored nowhere. */
    slot: string
    tenant_id: string
    key_id: string
    operation: string
    state: 'started' | 'sent' | 'done' | 'unknown'
    /** The attempt that holds it. */
    owner: string
    fingerprint: string | null
    sealed: string | null
    created_at: string
    lease_until: string
    expires_at: string | null
  }
}

const parsed = (text: string | null) => (text === null ? undefined : JSON.parse(text))

export const tenantOf = (row: Tables['tenants']): Tenant => ({
  tenantId: row.tenant_id,
  uid: row.uid || row.created_at,
  name: row.name,
  enabled: row.enabled === 1,
  accountId: row.account_id,
  apiHost: row.api_host ?? undefined,
  settings: JSON.parse(row.settings),
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  credentialVersion: row.credential_version ?? undefined
})

export const keyOf = (row: Tables['api_keys']): ApiKey => ({
  keyId: row.key_id,
  lineage: row.lineage || row.key_id,
  tenantId: row.tenant_id,
  name: row.name,
  hash: Buffer.from(row.hash, 'base64url'),
  scopes: JSON.parse(row.scopes),
  childAccounts: parsed(row.child_accounts),
  allowedCidrs: parsed(row.allowed_cidrs),
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined,
  rotatedTo: row.rotated_to ?? undefined
})

export const statusOf = (row: Omit<Tables['credentials'], 'sealed'>): CredentialStatus => ({
  version: row.version,
  kind: row.kind,
  accountId: row.account_id,
  keyId: row.key_id ?? undefined,
  fingerprint: row.fingerprint,
  createdAt: row.created_at,
  verifiedAt: row.verified_at ?? undefined,
  retiredAt: row.retired_at ?? undefined,
  destroyedAt: row.destroyed_at ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined
})

export const entryOf = (row: Tables['audit_log']): AuditEntry => ({
  id: row.id,
  at: row.at,
  actor: {
    kind: row.actor_kind,
    id: row.actor_id,
    ...(row.address === null ? {} : { address: row.address }),
    ...(row.request_id === null ? {} : { requestId: row.request_id })
  },
  action: row.action,
  tenantId: row.tenant_id ?? undefined,
  target: row.target ?? undefined,
  outcome: row.outcome,
  detail: parsed(row.detail)
})
