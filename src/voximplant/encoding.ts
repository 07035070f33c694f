import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib'

/** The upstream is asked for none, but a gateway in front of it may compress all the same. */
const decoders = new Map<string, (body: Buffer, maxOutputLength: number) => Buffer>(
  Object.entries({
    identity: (body: Buffer) => body,
    gzip: (body: Buffer, maxOutputLength: number) => gunzipSync(body, { maxOutputLength }),
    'x-gzip': (body: Buffer, maxOutputLength: number) => gunzipSync(body, { maxOutputLength }),
    // By RFC 9110 with a header of zlib, which some leave out.
    deflate: (body: Buffer, maxOutputLength: number) =>
      (body[0]! & 0x0f) === 8 ? inflateSync(body, { maxOutputLength }) : inflateRawSync(body, { maxOutputLength }),
    br: (body: Buffer, maxOutputLength: number) => brotliDecompressSync(body, { maxOutputLength }),
    zstd: (body: Buffer, maxOutputLength: number) => zstdDecompressSync(body, { maxOutputLength })
  })
)

/** Every further coding would be decoded again, at the upstream's will. */
const maxCodings = 2

/**
 * The text of a body, its `Content-Encoding` undone. Empty, which is no response of the API, where the encoding is unknown or broken, or the text
 * longer than `maxBytes`.
 */
export function textOf(body: Buffer, encoding: string | string[] | undefined, maxBytes: number): string {
  if (encoding === undefined) return body.toString()
  const codings = String(encoding)
    .toLowerCase()
    .split(',')
    .map(coding => coding.trim())
    .filter(coding => coding !== '')
  if (codings.length > maxCodings) return ''
  try {
    return codings.reduceRight((bytes, coding) => decoders.get(coding)!(bytes, maxBytes), body).toString()
  } catch {
    return ''
  }
}
