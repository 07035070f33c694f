import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * API keys: `vg_<id>_<secret>_<check>`. The id finds the row, the secret is stored as its SHA-256 only, and the check (CRC-32 of what
 * stands before it) lets a mistyped or invented key be refused before anything is looked up, and secret scanners recognize a real one.
 */

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const idLength = 12
const secretLength = 43
const checkLength = 6
const shape = new RegExp(`^vg_([0-9A-Za-z]{${idLength}})_([0-9A-Za-z]{${secretLength}})_([0-9A-Za-z]{${checkLength}})$`)

/** Uniformly random base-62 text. */
function randomText(length: number): string {
  let text = ''
  while (text.length < length) {
    // 248 is the largest multiple of 62 in a byte: the rest would favour the first letters.
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += alphabet[byte % 62]
  }
  return text
}

function checkOf(text: string): string {
  let rest = crc32(text)
  let check = ''
  for (let i = 0; i < checkLength; i++) {
    check = alphabet[rest % 62] + check
    rest = Math.floor(rest / 62)
  }
  return check
}

/** A new key: the text to hand out once, and what is kept of it. */
export function createKey(): { key: string; keyId: string; hash: Buffer } {
  const keyId = randomText(idLength)
  const secret = randomText(secretLength)
  const body = `vg_${keyId}_${secret}`
  return { key: `${body}_${checkOf(body)}`, keyId, hash: hashOf(secret) }
}

const hashOf = (secret: string): Buffer => hash('sha256', secret, 'buffer')

/** The parts of a key, or undefined when it is none: wrong shape or wrong check. */
export function parseKey(key: string): { keyId: string; hash: Buffer } | undefined {
  const match = shape.exec(key)
  if (!match) return undefined
  const [, keyId = '', secret = '', check] = match
  return checkOf(key.slice(0, -checkLength - 1)) === check ? { keyId, hash: hashOf(secret) } : undefined
}

/** The bearer token of an `Authorization` header; undefined when it holds none. */
export const bearerToken = (authorization: string | undefined): string | undefined => bearer.exec(authorization ?? '')?.[1]
const bearer = /^Bearer +([\x21-\x7e]+)$/i

/** Whether two hashes are equal, in constant time. */
export const sameHash = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)
