import { maxViolations, type Problem } from './problem.ts'

/** How long the document of a problem can be, in bytes. */
export const maxProblemBytes = 16_384
/** The same for the texts in it that callers and the upstream have a part in. */
const maxTextBytes = { detail: 4_096, message: 3_072, pointer: 512, violation: 2_048 }

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** A text truncated to a maximum number of bytes of JSON; a truncated end is marked. */
export function cut(text: string, maxBytes: number): string {
  const mark = ' ...'
  // A character takes one byte at least, and six as an escape.
  if (text.length * 6 <= maxBytes || (text.length <= maxBytes && bytesOf(text) <= maxBytes)) return text
  let end = Math.min(text.length, maxBytes - mark.length)
  while (bytesOf(text.slice(0, end)) > maxBytes - mark.length) end = Math.floor(end * 0.9)
  return text.slice(0, end).replace(/[\ud800-\udbff]$/, '') + mark
}

/** A problem as the body of a response: `maxProblemBytes` at most, whatever it tells. */
export function problemBody({ type, kind, status, message, errors, upstream, settle }: Problem, requestId: string, base: string) {
  const shown = errors?.slice(0, maxViolations).map(({ in: part, pointer, detail }) => ({
    in: part,
    pointer: cut(pointer, maxTextBytes.pointer),
    detail: cut(detail, maxTextBytes.violation)
  }))
  const body = {
    type: `${base}/problems/${type}`,
    title: kind.title,
    status,
    detail: cut(message, maxTextBytes.detail),
    instance: `urn:request:${requestId}`,
    code: type,
    origin: kind.origin,
    retryable: kind.retryable,
    ...(shown ? { errors: shown } : {}),
    ...(upstream ? { upstream: { ...upstream, message: cut(upstream.message, maxTextBytes.message) } } : {}),
    ...(settle ? { settle } : {})
  }
  // The texts that are left take less than that.
  if (shown) for (let bytes = bytesOf(body); bytes > maxProblemBytes && shown.length > 1; bytes -= bytesOf(shown.pop()) + 1);
  return body
}
