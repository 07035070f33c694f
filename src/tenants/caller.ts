import type { Networks } from '../config/networks.ts'
import type { TenantSettings } from './model.ts'

/** The caller of a request, by its API key: `request.tenant`. */
export interface Caller {
  tenantId: string
  /** Never another tenant's, also not that of one that is created again under the same id. */
  tenantUid: string
  keyId: string
  /** The same for a key and those that it is rotated to. */
  lineage: string
  scopes: readonly string[]
  enabled: boolean
  /** The tenant's own settings. */
  settings: TenantSettings
  /** Child accounts that the key may name; undefined for none. */
  childAccounts: ReadonlySet<number> | 'any' | undefined
  /** Networks that the key may be used from: every list must hold the caller's address. None by default. */
  networks: readonly Networks[]
  /** Why the key, which was right, does not work any more. */
  ended?: 'key-expired' | 'key-revoked'
}
