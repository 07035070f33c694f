import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, ConfigError } from '../config.ts'
import { readOrCreatePrivate } from '../database/private-files.ts'

/** The tokens of administrators: `id:token`, one or more, so that one can be replaced while the other still works. */
export interface AdminToken {
  /** Who that is, for the audit log. */
  id: string
  /** SHA-256. */
  hash: Buffer
}

const shortest = 32
const soleId = 'admin'
const shape = /^(?:([a-z0-9][a-z0-9._-]{0,31}):)?([A-Za-z0-9._~+/=-]+)$/
const howTo = '`openssl rand -base64 32`'

const hashOf = (token: string): Buffer => hash('sha256', token, 'buffer')

/** Why a token is too easy to guess; undefined when it is not obviously so. */
function weaknessOf(token: string): string | undefined {
  if (token.length < shortest) return `has ${token.length} characters; it needs ${shortest} at least`
  // 32 hexadecimal digits have fewer than 8 different ones about once in ten million.
  if (new Set(token).size < 8) return 'is made of too few different characters'
  for (let period = 1; period <= token.length / 2; period++) if (token.startsWith(token.slice(period))) return 'repeats itself'
  let steps = 0
  for (let i = 1; i < token.length; i++) if (Math.abs(token.charCodeAt(i) - token.charCodeAt(i - 1)) <= 1) steps++
  if (steps > token.length / 2) return 'runs along the alphabet or the keyboard'
  if (/password|passw0rd|changeme|change-me|secret|example|voxgate|admin|qwerty|letmein/i.test(token))
    return 'holds a word that guessers try'
  if (token.startsWith('vg_')) return "is a tenant's API key"
  return undefined
}

/** Reads tokens: `id:token`, separated by commas or white space; a single one may go without its id. Throws, without showing any, with all that is wrong. */
export function readAdminTokens(text: string): AdminToken[] {
  const items = text.split(/[\s,]+/).filter(Boolean)
  const problems: string[] = []
  const tokens: AdminToken[] = []
  for (const [i, item] of items.entries()) {
    const match = shape.exec(item)
    const which = match?.[1] === undefined ? (items.length > 1 ? `token ${i + 1}` : 'the token') : `the token of ${match[1]}`
    if (!match) problems.push(`token ${i + 1} is not of the form id:token (lower-case id; letters, digits and ._~+/=- in the token)`)
    else {
      const [, id = soleId, token = ''] = match
      const weakness = weaknessOf(token)
      if (weakness) problems.push(`${which} ${weakness}; make one with ${howTo}`)
      if (match[1] === undefined && items.length > 1) problems.push(`${which} has no id; of several, each is written id:token`)
      if (tokens.some(other => other.id === id)) problems.push(`two tokens have the id ${id}`)
      tokens.push({ id, hash: hashOf(token) })
    }
  }
  if (items.length === 0) problems.push('holds no token')
  if (problems.length > 0) throw new ConfigError(problems.map(problem => `ADMIN_TOKEN: ${problem}`))
  return tokens
}

/** Whose token it is; undefined for nobody's. Takes the same time for each: hashes are compared, all of them. */
export function administratorOf(tokens: readonly AdminToken[], given: string): string | undefined {
  const hashed = hashOf(given)
  let id: string | undefined
  for (const token of tokens) if (timingSafeEqual(token.hash, hashed)) id = token.id
  return id
}

/** The tokens of a configuration; none when it has none. Throws ConfigError. */
export function adminTokensOf({ token, tokenFile }: Config['admin']): AdminToken[] {
  const text = token || (tokenFile && readFileSync(tokenFile, 'utf8'))
  return text ? readAdminTokens(text) : []
}

/** The admin token of the data directory, created where there is none: for a service that nobody has configured. */
export function developmentAdminToken(dataDir: string): { tokens: AdminToken[]; file: string } {
  const file = join(dataDir, 'admin.token')
  return { tokens: readAdminTokens(readOrCreatePrivate(file, () => `${randomBytes(32).toString('hex')}\n`).text), file }
}
