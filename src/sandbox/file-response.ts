/** A file in place of an answer: a method returns it, and its bytes go out as they are. */
export class FileAnswer {
  readonly bytes: Buffer
  readonly headers: Record<string, string>
  /** `gzipped`: the bytes are compressed, and the caller is told so. */
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
