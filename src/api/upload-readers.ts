import type { Readable } from 'node:stream'
import type { Multipart, MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { invalid } from '../problems/invalid-request.ts'
import { Problem, type Violation } from '../problems/problem.ts'
import type { RowsBody } from './body/rows.ts'
import type { UploadPlan } from './upload.ts'
import type { UploadInput } from './upstream.ts'
import type { Check } from './validation.ts'

/** The three forms in which a file comes: as a part of multipart/form-data, as the body, and as rows of a JSON body. */

/** Maximum size of a JSON body that stands for a file, in bytes. */
export const maxRowsBytes = 1_048_576
/** Maximum number of fields beside a file in a multipart body, and the size of each in bytes (64 Ki characters). */
export const maxFields = 100
export const maxFieldBytes = 262_144

type ReadUpload = (request: FastifyRequest, plan: UploadPlan, limit: number) => UploadInput | Promise<UploadInput>

/** Reads the fields and the beginning of the file. Throws Problem. @param limit the maximum size of a file, in bytes */
export async function readUpload(request: FastifyRequest, plan: UploadPlan, limit: number): Promise<UploadInput> {
  const readers: Record<string, ReadUpload> = {
    'multipart/form-data': readParts,
    [plan.declared.type]: readRaw,
    'application/json': readRows
  }
  const read = readers[request.mediaType ?? '']
  if (!read || (request.headers['content-encoding'] ?? 'identity') !== 'identity')
    throw new Problem('unsupported-media-type', `Send ${Object.keys(readers).join(', ')}, without a content encoding.`)
  if (Number(request.headers['content-length']) > limit + maxFields * maxFieldBytes) throw tooLarge(limit)
  // A caller that has disconnected sends nothing any more, and the parser would wait for it for ever.
  if (request.raw.destroyed && !request.raw.readableEnded)
    throw new Problem('caller-gone', 'The caller disconnected before its file was read.')
  return read(request, plan, limit)
}

export const tooLarge = (limit: number) => new Problem('payload-too-large', `A file may have ${limit} bytes at most. Nothing was done.`)
const inBody = (name: string, detail: string): Violation => ({ in: 'body', pointer: `/${name}`, detail })
const noFile = (plan: UploadPlan) => inBody(plan.field, 'is required: a file that is not empty')
const errorsOf = (outcome: ReturnType<Check>): Violation[] => ('error' in outcome ? (outcome.error.errors ?? []) : [])

/** Refuses fields in the query of a body that has a place for them. */
function refuseQuery({ query }: FastifyRequest, { declared: { type } }: UploadPlan): void {
  const names = Object.keys(query as object)
  if (names.length > 0)
    throw invalid(
      names.map(name => ({ in: 'query', pointer: `/${name}`, detail: `belongs into the body; the query has fields only beside ${type}` }))
    )
}

/** The file is the body, its fields are in the query. */
const readRaw: ReadUpload = async (request, plan, limit) => {
  const checked = plan.checkQuery(request.query)
  if ('error' in checked) throw checked.error
  const size = request.headers['content-length'] === undefined ? undefined : Number(request.headers['content-length'])
  if (size !== undefined && size > limit) throw tooLarge(limit)
  const bytes = await notEmpty(rawBytes(request.body as Readable, limit))
  if (!bytes) throw invalid([noFile(plan)])
  return {
    input: checked.value as Record<string, unknown>,
    file: { filename: plan.declared.filename, type: request.headers['content-type'] ?? plan.declared.type, bytes, size },
    fieldLocations: plan.inQuery
  }
}

async function* rawBytes(body: Readable, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0
  try {
    // The stream is the connection: it has to outlive an upload that is broken off, to carry the answer.
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      size += chunk.length
      if (size > limit) throw tooLarge(limit)
      yield chunk
    }
  } catch (error) {
    throw problemOfBody(error)
  }
}

/** The body is JSON, whose rows become the file. */
const readRows: ReadUpload = async (request, plan, limit) => {
  refuseQuery(request, plan)
  const { filename, type } = plan.declared
  const { input, write } = request.body as RowsBody
  const { pieces, bytes } = await write()
  if (bytes > limit) throw tooLarge(limit)
  return {
    input,
    file: {
      filename,
      type,
      bytes: (async function* () {
        yield* pieces
      })(),
      size: bytes
    },
    fieldLocations: plan.inBody
  }
}

/** The file is a part, its fields are other parts, before it or after it. */
const readParts: ReadUpload = async (request, plan, limit) => {
  refuseQuery(request, plan)
  const parts = request.parts()
  const texts: Record<string, unknown> = {}
  const wrong: Violation[] = []
  const next = async (): Promise<Multipart | undefined> => {
    try {
      const { value, done } = await parts.next()
      return done ? undefined : value
    } catch (error) {
      throw problemOfBody(error)
    }
  }
  const take = (part: Multipart) => {
    const name = part.fieldname ?? ''
    const isFile = part.type === 'file'
    if (isFile) part.file.resume()
    if (name === plan.field) {
      // Swagger UI sends a file that was not chosen as an empty text.
      if (isFile) wrong.push(inBody(name, 'is there twice; one file is taken'))
      else if (part.value !== '') wrong.push(inBody(name, 'must be a file: a part with a file name'))
    } else if (!plan.texts.has(name)) texts[name] = ''
    else if (isFile) wrong.push(inBody(name, 'must be text, not a file'))
    else if (Object.hasOwn(texts, name)) wrong.push(inBody(name, 'is there twice'))
    else if (part.valueTruncated) wrong.push(inBody(name, `must have ${maxFieldBytes} bytes at most`))
    // What the parser puts for bytes that are no characters.
    else if (String(part.value).includes('\ufffd')) wrong.push(inBody(name, 'must be UTF-8, or in the charset that the part declares'))
    else texts[name] = part.value
  }

  let part = await next()
  while (part && !(part.type === 'file' && part.fieldname === plan.field)) {
    take(part)
    part = await next()
  }
  if (!part) {
    const known = wrong.some(({ pointer }) => pointer === `/${plan.field}`)
    throw invalid([...wrong, ...errorsOf(plan.checkParts(texts)), ...(known ? [] : [noFile(plan)])])
  }
  const soFar = plan.checkSomeParts(texts)
  if (wrong.length > 0 || 'error' in soFar) throw invalid([...wrong, ...errorsOf(soFar)])

  const file = part as MultipartFile
  const before = new Set(Object.keys(texts))
  const bytes = await notEmpty(partBytes(file, limit))
  if (!bytes) {
    // Swagger UI sends a file that was not chosen as an empty text: the fields behind it are of interest too.
    for (let later = await next(); later; later = await next()) take(later)
    throw invalid([...wrong, ...errorsOf(plan.checkParts(texts)), noFile(plan)])
  }
  const upload: UploadInput = {
    input: soFar.value as Record<string, unknown>,
    file: {
      filename: file.filename || plan.declared.filename,
      type: file.mimetype,
      bytes
    },
    async after() {
      for (let later = await next(); later; later = await next()) take(later)
      const all = plan.checkParts(texts)
      if (wrong.length > 0 || 'error' in all) throw invalid([...wrong, ...errorsOf(all)])
      const came = Object.entries(all.value as object).filter(([name]) => !before.has(name))
      Object.assign(upload.input, Object.fromEntries(came))
      return Object.fromEntries(came)
    },
    fieldLocations: plan.inBody
  }
  return upload
}

function partBytes({ file }: MultipartFile, limit: number): AsyncGenerator<Uint8Array> {
  // At the limit the stream would merely end; for a body that arrived before it was read, the parser has already reported it.
  if (file.truncated) file.destroy(tooLarge(limit))
  else file.once('limit', () => file.destroy(tooLarge(limit)))
  return (async function* () {
    try {
      for await (const chunk of file) yield chunk
    } catch (error) {
      throw problemOfBody(error)
    }
  })()
}

/** The same bytes; undefined when there are none, which is known before the upstream is called. */
async function notEmpty(bytes: AsyncGenerator<Uint8Array>): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const first = await bytes.next()
  if (first.done) return undefined
  return (async function* () {
    yield first.value
    yield* bytes
  })()
}

const unreadable: Record<string, string> = {
  FST_FILES_LIMIT: 'The body has more parts than this endpoint has fields.',
  FST_FIELDS_LIMIT: 'The body has more parts than this endpoint has fields.',
  FST_PARTS_LIMIT: 'The body has more parts than this endpoint has fields.',
  FST_PROTO_VIOLATION: 'A part has a name that no field can have.',
  FST_INVALID_JSON_FIELD_ERROR: 'A part says that it is JSON, but is not.',
  FST_MP_PREMATURE_CLOSE: 'The connection closed before the whole body had come.',
  ECONNRESET: 'The connection closed before the whole body had come.'
}

/** A body that cannot be read to its end. */
const problemOfBody = (error: unknown): Problem =>
  error instanceof Problem
    ? error
    : new Problem(
        'malformed-body',
        unreadable[(error as { code?: string }).code ?? ''] ?? 'The body is not well-formed for its content type.',
        {
          cause: error
        }
      )
