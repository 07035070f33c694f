import { type EncryptionContext, open, SealError, seal } from './vault.ts'

/** The row that holds the key check value of a master key. */
export const keyCheckName = (masterKeyId: string): string => `canary:${masterKeyId}`

/** The columns of a tenant's row that decide where its credentials go. */
export interface ProtectedRow {
  tenant_id: string
  account_id: number
  api_host: string | null
  credential_version: number | null
  /** JSON. */
  settings: string
}

/**
 * Where credentials go, with which headers, and which one is in use: with a row that was changed past the service, no secret leaves it.
 * Throws SealError when its settings cannot be read.
 */
const contextOf = ({ tenant_id, account_id, api_host, credential_version, settings }: ProtectedRow): EncryptionContext => [
  'tenant',
  tenant_id,
  account_id,
  api_host ?? '',
  credential_version ?? 0,
  headersIn(settings)
]

/** The default headers in a tenant's settings as one text, in whichever order they stand there. */
function headersIn(settings: string): string {
  let parsed: { defaultHeaders?: Record<string, string> }
  try {
    parsed = JSON.parse(settings)
    return JSON.stringify(Object.entries(parsed.defaultHeaders ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  } catch {
    throw new SealError()
  }
}

/** The integrity tag of a tenant's row: an envelope that holds nothing and authenticates the row. */
export const sealRow = (dataKey: Buffer, row: ProtectedRow): string => seal(dataKey, 'head', Buffer.alloc(0), contextOf(row))

/** Throws SealError when a tenant's row is not as the service wrote it. `head`: its integrity tag. */
export function verifyRow(dataKey: Buffer, row: ProtectedRow & { head: string }): void {
  open(dataKey, 'head', row.head, contextOf(row))
}
