import { hash } from 'node:crypto'
import type { ApiKey as ApiKeyView } from '../../schemas/api-key.ts'
import type { AuditEntry as AuditEntryView } from '../../schemas/audit-entry.ts'
import type { Credentials } from '../../schemas/credentials.ts'
import type { Tenant as TenantView } from '../../schemas/tenant.ts'
import type { ApiKey, AuditEntry, CredentialStatus, Tenant } from '../tenants/model.ts'

/** What administrators see of what the store holds. */

/** The ETag of a tenant in responses. */
export const etagOf = (tenant: TenantView): string => `"${hash('sha256', JSON.stringify(tenant), 'base64url').slice(0, 22)}"`

/** Without the fields that have no value. */
const compact = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value))

export const viewOfTenant = ({
  tenantId,
  name,
  enabled,
  accountId,
  apiHost,
  settings,
  credentialVersion,
  createdAt,
  updatedAt
}: Tenant): TenantView => compact({ tenantId, name, enabled, accountId, apiHost, settings, credentialVersion, createdAt, updatedAt })

export const viewOfCredentials = ({
  version,
  kind,
  accountId,
  keyId,
  fingerprint,
  createdAt,
  verifiedAt,
  lastUsedAt
}: CredentialStatus): Credentials => compact({ version, kind, accountId, keyId, fingerprint, createdAt, verifiedAt, lastUsedAt })

export const viewOfKey = (key: ApiKey, now: number): ApiKeyView => {
  const { keyId, tenantId, name, scopes, childAccounts, allowedCidrs, createdAt, expiresAt, revokedAt, lastUsedAt, rotatedTo } = key
  const state = revokedAt ? 'revoked' : expiresAt && Date.parse(expiresAt) <= now ? 'expired' : 'active'
  return compact({
    keyId,
    tenantId,
    name,
    scopes,
    childAccounts,
    allowedCidrs,
    state,
    createdAt,
    expiresAt,
    revokedAt,
    lastUsedAt,
    rotatedTo
  })
}

export const viewOfEntry = ({ id, at, actor, action, tenantId, target, outcome, detail }: AuditEntry): AuditEntryView =>
  compact({ id, at, actor, action, tenantId, target, outcome, detail })
