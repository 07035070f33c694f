import type { Credential } from '../voximplant/account.ts'

/** Who makes a change: an admin token, a tenant's API key, the command line, or the service itself. */
export type ActorKind = 'admin' | 'key' | 'cli' | 'service'

/** The tables as Kysely knows them. `migrations.ts` creates them. */
export interface Tables {
  /** One key check value per master key that wraps anything, named `canary:<master key id>`. */
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
    /** The integrity tag: proves with the data key that account, host and credential in use are what was stored. */
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
    actor_kind: ActorKind
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
