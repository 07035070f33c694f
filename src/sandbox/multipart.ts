import { Busboy } from '@fastify/busboy'
import type { SandboxFile } from './codec.ts'

/** What a multipart body holds, by the names of its parts. */
export interface MultipartForm {
  texts: [name: string, value: string][]
  files: [name: string, file: SandboxFile][]
}

const maxField = 1_048_576

/**
 * Reads a `multipart/form-data` body as the clients of all languages write it: names without quotes (.NET), files without a file name (Go, Java,
 * .NET), no line break before the closing delimiter (PHP). Rejects a body that is not well-formed.
 * @param fileNames parts that are files, whatever their headers say
 */
export function readMultipart(contentType: string, body: Buffer, fileNames: ReadonlySet<string>): Promise<MultipartForm> {
  const form: MultipartForm = { texts: [], files: [] }
  return new Promise((resolve, reject) => {
    const parser = new Busboy({
      headers: { 'content-type': contentType },
      limits: { fieldSize: maxField },
      isPartAFile: (name, type, fileName) => type === 'application/octet-stream' || fileName !== undefined || fileNames.has(name ?? '')
    })
    parser.on('field', (name, value) => form.texts.push([name, value]))
    parser.on('file', (name, stream, fileName, _encoding, type) => {
      const chunks: Buffer[] = []
      stream.on('data', chunk => chunks.push(chunk))
      stream.on('end', () => form.files.push([name, { name: fileName, type, bytes: Buffer.concat(chunks) }]))
      stream.on('error', reject)
    })
    parser.on('finish', () => resolve(form))
    parser.on('error', reject)
    parser.end(withClosingLine(contentType, body))
  })
}

/** The body with the line break that belongs before its closing delimiter. */
function withClosingLine(contentType: string, body: Buffer): Buffer {
  const [, quoted, bare] = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType) ?? []
  const closing = body.lastIndexOf(`--${quoted ?? bare}--`)
  if (closing < 2 || body.toString('latin1', closing - 2, closing) === '\r\n') return body
  return Buffer.concat([body.subarray(0, closing), Buffer.from('\r\n'), body.subarray(closing)])
}
