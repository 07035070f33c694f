import { readFileSync } from 'node:fs'
import type { Config } from '../config.ts'

/** Additional certificate authorities for the upstream (PEM), from the file that is configured. */
export const upstreamCa = ({ caFile }: Config['upstream']): string | undefined => (caFile ? readFileSync(caFile, 'utf8') : undefined)
