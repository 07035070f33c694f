import type { MethodTraits } from '../voximplant/methods.ts'
import { marked, targetOf } from '../voximplant/wire/marks.ts'
import type { Reply } from './reply.ts'

/** What keys may do. Scopes follow from the declarations: the section's name and whether a method changes anything, and what it is apart from that. */

/** Scopes that no other scope grants, `*` included. */
export const standaloneScopes = {
  bulk: 'Calls with `all`, which select everything.',
  spend: "Calls that cost the tenant's money.",
  secrets: 'Calls whose answers hold secrets, and the addresses of recordings, transcriptions and logs in other answers.',
  privileged: 'Calls that change who may act in the account past Voxgate: users and roles of the control panel, authorized addresses.'
} as const

const isStandalone = (scope: string): scope is keyof typeof standaloneScopes => scope in standaloneScopes

/** Scopes that grant others. */
const wildcards = {
  '*': `Every call, but for those that need one of ${Object.keys(standaloneScopes)
    .map(scope => `\`${scope}\``)
    .join(', ')} too.`,
  '*:read': 'Every call that only reads, with the same exceptions.'
} as const

const kebab = (words: string): string => words.toLowerCase().replace(/[^a-z0-9]+/g, '-')

/** The scopes that an operation needs: all of them. */
export function scopesOf(tag: string, traits: MethodTraits, reply: Reply): string[] {
  // A method whose secret never leaves the service needs no scope for it.
  const result = reply.response.properties.result
  const hidden = result && marked(targetOf(result), 'hidden')
  const special: (keyof typeof standaloneScopes)[] = []
  if (traits.costsMoney) special.push('spend')
  if (traits.returnsSecret && !hidden) special.push('secrets')
  if (traits.privileged) special.push('privileged')
  return [`${kebab(tag)}:${traits.safe ? 'read' : 'write'}`, ...special]
}

/** Whether scopes grant one that is needed: itself, or through `*`, `*:read`, or `write` where `read` is needed. */
export function grants(scopes: readonly string[], needed: string): boolean {
  if (scopes.includes(needed)) return true
  const [section, action] = needed.split(':')
  if (action === undefined) return false
  return scopes.includes('*') || (action === 'read' && (scopes.includes('*:read') || scopes.includes(`${section}:write`)))
}

/** A scope that a key can be given. */
export interface Scope {
  scope: string
  description: string
  /** The operations that need it, or answer more with it, by their operationIds; empty for wildcards. */
  operations: string[]
}

interface Scoped {
  id: string
  scopes: readonly string[]
  endpoint: { tag: string; all?: object }
  withhold?: unknown
}

/** Every scope there is, with what needs it. */
export function scopeTable(operations: readonly Scoped[]): Scope[] {
  const needing = new Map<string, Scope>()
  const add = (scope: string, description: string, id: string) => {
    const known = needing.get(scope) ?? { scope, description, operations: [] }
    known.operations.push(id)
    needing.set(scope, known)
  }
  for (const { id, scopes, endpoint, withhold } of operations) {
    for (const scope of scopes) {
      const reads = scope.endsWith(':read')
      add(scope, isStandalone(scope) ? standaloneScopes[scope] : `${endpoint.tag}: ${reads ? 'calls that only read' : 'every call'}.`, id)
    }
    if (endpoint.all) add('bulk', standaloneScopes.bulk, id)
    if (withhold) add('secrets', standaloneScopes.secrets, id)
  }
  const named = [...needing.values()].toSorted((a, b) => (a.scope < b.scope ? -1 : 1))
  return [
    ...Object.entries(wildcards).map(([scope, description]) => ({ scope, description, operations: [] })),
    ...named.filter(({ scope }) => !isStandalone(scope)),
    ...named.filter(({ scope }) => isStandalone(scope))
  ]
}
