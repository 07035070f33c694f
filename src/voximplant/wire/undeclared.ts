import type { Drift } from './drift.ts'
import { ExactNumber, exact } from './exact-numbers.ts'
import { toCamel } from './names.ts'

/**
 * Members of upstream responses that no schema declares: they come through under camelCase names, their values as they are, except what may be a
 * secret. The rule is in docs/decisions/0020-undeclared-members-are-passed-on.md.
 */

/** Levels of nesting; what lies deeper is left out, as serializing it could exhaust the stack. */
const maxDepth = 64

const anywhere = /password|passwd|passcode|passphrase|secret|credential|apikey|privatekey|accesskey/
const wholeWord = /^(?:tokens?|salt|jwt|pwd|cookies?|bearer|pem)$/
const lastWord = /^(?:keys?|pass|pin|otp|auth|authorization|signature|cert|certificate)$/
const address = /^(?:ur[il]s?|link|links)$/
/** What can be digits only; keys, tokens and the like are always text. */
const numeric = /password|passwd|passcode|secret|credential|(?:pin|otp|pass)$/
/** A token, a private key, or a URL or form that carries one. */
const secretText =
  /\beyJ[\w-]{5,}\.[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY|(?:^|[?&;])(?:api_?key|access_?token|token|password|secret|sig|signature|x-amz-signature)=/i

/** A name in letters and digits only: all spellings of `api_key` are `apikey`. */
export const squash = (name: string): string => name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase()

interface Name {
  camel: string
  squashed: string
  secret: boolean
}

function examine(key: string): Name {
  const squashed = squash(key)
  const words = key
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(word => word !== '')
  const secret =
    anywhere.test(squashed) ||
    words.some(word => wholeWord.test(word)) ||
    lastWord.test(words.at(-1) ?? '') ||
    (words.includes('access') && words.some(word => address.test(word)))
  return { camel: toCamel(key), squashed, secret }
}

const maxNames = 2000
const names = new Map<string, Name>()
/** The same few names come with every row. */
function nameOf(key: string): Name {
  const known = names.get(key)
  if (known) return known
  const name = examine(key)
  if (names.size < maxNames) names.set(key, name)
  return name
}

/** Whether a value has members. */
export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Whether a value under a name that says "secret" may be one: true and false are not. */
const mayBeSecret = (value: unknown, squashed: string): boolean =>
  typeof value === 'string' || (typeof value === 'object' && value !== null) || (typeof value === 'number' && numeric.test(squashed))

/** A declared object, for members that differ from its fields only in how their names are written. */
export interface Declared {
  /** Decoders by REST name. */
  decoders: ReadonlyMap<string, (raw: unknown, drift: Drift) => unknown>
  /** Squashed names that never leave the service. */
  hidden: ReadonlySet<string>
}

/**
 * Adds the members `keys` of an object to its decoded form. A name that is taken is never overwritten: the member keeps the upstream's spelling, or is left out.
 * @param where the object's path, for the drift
 */
export function addUndeclared(
  out: Record<string, unknown>,
  source: Record<string, unknown>,
  keys: readonly string[],
  where: string,
  drift: Drift,
  { depth = 0, declared }: { depth?: number; declared?: Declared } = {}
): void {
  for (const key of keys) {
    const { camel, squashed, secret } = nameOf(key)
    const raw = source[key]
    if (key === '__proto__' || declared?.hidden.has(squashed)) continue
    const decode = declared?.decoders.get(camel)
    const keepsCamel = decode !== undefined || camel === key || !(Object.hasOwn(source, camel) || Object.hasOwn(out, camel))
    const name = keepsCamel ? camel : key
    if (Object.hasOwn(out, name) || (!decode && secret && mayBeSecret(raw, squashed))) {
      drift.unreadable(`${where}.${key}`)
      continue
    }
    const value = decode ? decode(raw, drift) : passOn(raw, `${where}.${key}`, drift, depth + 1)
    if (value !== undefined) out[name] = value
  }
}

/**
 * A value that no schema describes. Undefined, and counted, where it cannot be passed on.
 * @param renames whether the keys of objects become camelCase
 */
export function passOn(value: unknown, where: string, drift: Drift, depth = 0, renames = true): unknown {
  if (typeof value === 'number') return exact(value)
  if (typeof value === 'string') return renames && secretText.test(value) ? drift.unreadable(where) : value
  if (!isObject(value)) return value
  if (value instanceof ExactNumber) return Number.isFinite(Number(value.source)) ? value.source : drift.unreadable(where)
  if (depth >= maxDepth) return drift.unreadable(where)
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (const item of value) {
      const passed = passOn(item, where, drift, depth + 1, renames)
      if (passed !== undefined) items.push(passed)
    }
    return items
  }
  const out: Record<string, unknown> = {}
  if (renames) addUndeclared(out, value, Object.keys(value), where, drift, { depth })
  else
    for (const [key, field] of Object.entries(value)) {
      const passed = passOn(field, where, drift, depth + 1, false)
      if (passed !== undefined && key !== '__proto__') out[key] = passed
    }
  return out
}
