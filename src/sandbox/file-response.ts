/** A file that a method returns in place of JSON; its bytes are sent unchanged. */
export class FileResponse {
  readonly bytes: Buffer
  readonly headers: Record<string, string>
  /** `gzipped`: the bytes are compressed, and the response says so in `content-encoding`. */
  constructor(bytes: Buffer, { type, name, gzipped = false }: { type: string; name: string; gzipped?: boolean }) {
    this.bytes = bytes
    this.headers = {
      'content-type': type,
      'content-length': String(bytes.length),
      'content-disposition': `attachment; filename="${name}"`,
      ...(gzipped ? { 'content-encoding': 'gzip' } : {})
    }
  }
}
