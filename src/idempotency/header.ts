import { createHash, hash } from 'node:crypto'
import { type TObject, Type } from '@sinclair/typebox'
import { maybe } from '../../schemas/common.ts'
import type { Problem, ProblemType } from '../problems/problem.ts'
import { marks } from '../voximplant/wire/marks.ts'

/**
 * What an `Idempotency-Key` is and stands for (draft-ietf-httpapi-idempotency-key-header): pure functions. `plugins/idempotency.ts` acts on
 * them, `src/idempotency/records.ts` keeps the records.
 */

/** The header, as Node spells it. */
export const keyHeader = 'idempotency-key'
/** Says that an answer is the one of an earlier request. */
export const replayedHeader = 'idempotency-replayed'

const longest = 255
// Bare, as most clients send it, or as the draft has it: a string of structured fields (RFC 8941), in quotes.
const shape = `^(?:[!#-~][!-~]{0,${longest - 1}}|"(?:[!#-\\[\\]-~]|\\\\["\\\\]){1,${longest}}")$`

/** The header of an operation, for the document and the validator. */
export function keyHeaders(required: boolean): TObject {
  const key = Type.String({
    minLength: 1,
    pattern: shape,
    description: `A name of your own for this request, best a fresh UUID. Sent again with the same key, the request has its effect once, and is answered as it was at first, with \`Idempotency-Replayed: true\`. ${required ? 'Required, because this costs money. ' : ''}1 to ${longest} visible ASCII characters, which may stand in double quotes.`,
    examples: ['8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ...marks({
      expects: `1 to ${longest} visible ASCII characters, such as a UUID; they may stand in double quotes, in which \`\\"\` and \`\\\\\` are a quote and a backslash`
    })
  })
  return Type.Object({ 'Idempotency-Key': required ? key : maybe(key) })
}

/** The key in a valid header: in quotes or bare, it is the same. */
export const readKey = (header: string): string => (header.startsWith('"') ? header.slice(1, -1).replace(/\\(["\\])/g, '$1') : header)

/** JSON with its members in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part
  )

/** A hash of what a request asks for: the order of members and the spelling of its JSON do not matter. */
export const fingerprintOf = (...parts: unknown[]): string => hash('sha256', canonical(parts), 'base64url')

/** Passes bytes through unchanged and calls `done` with their hash at their end, which may never come. */
export async function* hashing(bytes: AsyncIterable<Uint8Array>, done: (hash: string) => void): AsyncGenerator<Uint8Array> {
  const sha256 = createHash('sha256')
  for await (const chunk of bytes) {
    sha256.update(chunk)
    yield chunk
  }
  done(sha256.digest('base64url'))
}

/** What becomes of a key whose request has failed. */
export type Verdict =
  /** Nothing was done, and the next attempt may go better: the key is free again. */
  | 'free'
  /** The upstream said no: said again to those who ask again. */
  | 'answered'
  /** It may have had its effect. */
  | 'unknown'

const open: readonly ProblemType[] = ['outcome-unknown', 'upstream-fault', 'upstream-answer-invalid', 'internal-error']
/** Found in an answer by us, without a word of the upstream's. */
const found: readonly ProblemType[] = ['state-conflict', 'not-found']

/** Judges a failure. `sent`: the call may have left. */
export function verdictOn({ type, kind, upstream }: Problem, sent: boolean): Verdict {
  if (!sent) return 'free'
  if (open.includes(type)) return 'unknown'
  // A limit, an outage or the tenant's credentials: others mend that, and the request stays the same.
  return kind.origin === 'caller' && !kind.retryable && (upstream !== undefined || found.includes(type)) ? 'answered' : 'free'
}
