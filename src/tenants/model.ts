import type { ActorKind } from '../database/tables.ts'
import { OperatorError } from '../problems/operator-error.ts'
import type { Credential } from '../voximplant/account.ts'

/** What the store keeps, as the rest of the service sees it. Times are RFC 3339 text. */

/** Who does something. */
export interface Actor {
  kind: ActorKind
  id: string
  /** The network address it came from. */
  address?: string
  requestId?: string
}

/** Settings of a tenant's own. */
export interface TenantSettings {
  /** Requests per second, and the burst beyond that. Absent: the configured default. */
  rateLimit?: { perSecond: number; burst: number }
  /** Maximum concurrent upstream calls, per process. */
  concurrency?: number
  /** Headers that go to the upstream with every call of this tenant. */
  defaultHeaders?: Record<string, string>
  /** Networks that its keys may be used from (CIDR); empty or absent: any. */
  allowedCidrs?: string[]
}

/** One Voximplant account, and those who share it. */
export interface Tenant {
  /** The slug it is known by. */
  tenantId: string
  /** Never another tenant's, also not that of one that is created again under the same slug. */
  uid: string
  name: string
  enabled: boolean
  /** The account's id at the upstream. */
  accountId: number
  /** The upstream's host for this account, when not the configured one. */
  apiHost: string | undefined
  settings: TenantSettings
  createdAt: string
  updatedAt: string
  /** The version of the credential in use; undefined while there is none. */
  credentialVersion: number | undefined
}

/** A tenant to be made. */
export interface NewTenant {
  tenantId: string
  name: string
  accountId: number
  apiHost?: string
  settings?: TenantSettings
}

/** What to change of a tenant. Settings are replaced as a whole; `apiHost: null` goes back to the configured upstream. */
export interface TenantPatch {
  name?: string
  enabled?: boolean
  apiHost?: string | null
  settings?: TenantSettings
}

/** Which child accounts a key may name; `'any'` for every one. */
export type ChildAccounts = number[] | 'any'

/** What is kept of an API key. */
export interface ApiKey {
  keyId: string
  /** The same for a key and those that it is rotated to. */
  lineage: string
  tenantId: string
  name: string
  /** SHA-256 of the secret part. */
  hash: Buffer
  scopes: string[]
  /** Absent: none. */
  childAccounts: ChildAccounts | undefined
  /** Networks it may be used from, beside the tenant's; absent: any. */
  allowedCidrs: string[] | undefined
  createdAt: string
  expiresAt: string | undefined
  revokedAt: string | undefined
  /** To within some seconds: it is written in batches. */
  lastUsedAt: string | undefined
  /** The key that takes its place. */
  rotatedTo: string | undefined
}

/** A key to be made. */
export interface NewKey {
  name: string
  scopes: string[]
  expiresAt?: string
  childAccounts?: ChildAccounts
  allowedCidrs?: string[]
}

/** A credential as an administrator hands it over. */
export type CredentialInput =
  | { kind: 'key'; accountId: number; keyId: string; privateKey: string }
  | { kind: 'api-key'; accountId: number; apiKey: string }

/** The public part of a stored credential. */
export interface CredentialStatus {
  version: number
  kind: Credential['kind']
  accountId: number
  keyId: string | undefined
  /** SHA-256 of the public key, or of the API key. */
  fingerprint: string
  createdAt: string
  /** When the upstream has accepted it; undefined when it was stored without asking. */
  verifiedAt: string | undefined
  /** Another version took its place, or it was deleted. */
  retiredAt: string | undefined
  /** Its secret is gone. */
  destroyedAt: string | undefined
  /** To within some seconds. */
  lastUsedAt: string | undefined
}

/** What a tenant's calls go out with, proven to be what an administrator stored. */
export interface StoredAccount {
  credential: Credential
  version: number
  apiHost: string | undefined
  /** Headers that go out with every call. */
  defaultHeaders: TenantSettings['defaultHeaders']
}

/** One line of the audit log. */
export interface AuditEntry {
  /** Later entries have greater ids. */
  id: string
  at: string
  actor: Actor
  /** Such as `tenant.create`, or the operation of a call. */
  action: string
  tenantId: string | undefined
  /** What it was done to: a key id, a version, a selector. */
  target: string | undefined
  outcome: string
  detail: Record<string, unknown> | undefined
}

/** An entry to be written. `outcome`: `done` by default. */
export interface NewAuditEntry {
  actor: Actor
  action: string
  tenantId?: string
  target?: string
  outcome?: string
  detail?: Record<string, unknown>
}

/** Which entries, newest first. `before`: the id of an entry, for the page after it. */
export interface AuditQuery {
  tenantId?: string
  /** The actor's id. */
  actor?: string
  action?: string
  outcome?: string
  /** Instants: from, and up to but not including. */
  since?: string
  until?: string
  before?: string
  limit?: number
}

/** The store refuses a change, for a reason that an administrator can act on. */
export class StoreRefusal extends Error {
  readonly reason: 'tenant-exists' | 'tenant-missing' | 'account-differs' | 'key-missing' | 'key-ended'
  constructor(reason: StoreRefusal['reason'], message: string) {
    super(message)
    this.name = 'StoreRefusal'
    this.reason = reason
  }
}

/** The database was encrypted with a master key that this process was not given. */
export class WrongMasterKey extends OperatorError {
  constructor(message = 'the master key is not the one this database was sealed with') {
    super(message)
  }
}
