import type { Tables } from '../database/tables.ts'
import type { ApiKey, AuditEntry, CredentialStatus, Tenant } from './model.ts'

/** Rows of the database as the model has them. */

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
