import { type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { maybe, strict } from '../../schemas/common.ts'
import type { Violation } from '../problems/problem.ts'
import { marked } from '../voximplant/wire/marks.ts'
import { compileRowsReader, type RowFile, type RowsReader } from './body/rows.ts'
import { type ExampleCall, exampleOf, exampleOfObject } from './example.ts'
import { type Check, compileCheck } from './validation.ts'

/**
 * An operation that takes a file: as a part of multipart/form-data with the other fields beside it, as a body of its own with the fields in the
 * query, or as rows in a JSON body. What is declared of it, and what becomes of that for Fastify and for `plugins/uploads.ts`.
 */
export interface Upload {
  /** The media type of the file as a body of its own. */
  type: string
  /** What the file is called where the caller gives it no name. */
  filename: string
  /** A small file of the kind, for the document. */
  example: string
  /** The field of a JSON body that stands in the file's place. */
  rows: {
    name: string
    schema: TSchema
    /** Fields that mean something narrower where they come with rows. */
    fields?: TProperties
    /** An empty file for the rows of a JSON body whose other fields are these. Throws Problem. */
    createFile(body: Record<string, unknown>): RowFile
  }
}

/** An upload made ready for requests. */
export interface UploadPlan {
  declared: Upload
  /** The REST field that is the file, and the upstream's name of it. */
  field: string
  wire: string
  /** The REST fields that stand beside it, in the body or in the query. */
  texts: ReadonlySet<string>
  /** REST field -> where it travels, in a body that has a place for it, and where the file is the whole body. */
  inBody: Map<string, Violation['in']>
  inQuery: Map<string, Violation['in']>
  /** The fields in the query of a raw body; of all fields of a multipart; and of those of its fields that have come so far. */
  checkQuery: Check
  checkParts: Check
  checkSomeParts: Check
  /** Reads a JSON body. */
  rows: RowsReader
  /** For Fastify. */
  querystring: TObject
  body: { content: Record<string, { schema: TSchema }> }
}

const isFile = (schema: TSchema): boolean => marked(schema, 'kind') === 'file'
const optional = (fields: TProperties): TProperties =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, maybe(field)]))

/** Compiles an upload from the fields that do not stand in the path. Throws when none of them is a file. */
export function compileUpload(
  declared: Upload,
  fields: TProperties,
  inBody: Map<string, Violation['in']>,
  wireOf: (field: string) => string,
  call: ExampleCall
): UploadPlan {
  const [field, file] = Object.entries(fields).find(([, schema]) => isFile(schema)) ?? []
  if (!field || !file) throw new Error('an upload needs a field that is a file')
  const { [field]: _, ...texts } = fields
  const { rows, type } = declared
  if (fields[rows.name]) throw new Error(`the rows of an upload need a name of their own, not ${rows.name}`)
  const json = compileRowsReader({ ...rows, fields: { ...texts, ...rows.fields } })
  const queried = Object.fromEntries(
    Object.entries(texts).map(([name, schema]) => [
      name,
      { ...maybe(schema), description: `${schema.description} (In the query only beside a \`${type}\` body.)` }
    ])
  )
  return {
    declared,
    field,
    wire: wireOf(field),
    texts: new Set(Object.keys(texts)),
    inBody,
    inQuery: new Map([...inBody].map(([name, part]) => [name, part === 'body' && name !== field ? 'query' : part])),
    checkQuery: compileCheck(strict(texts), 'query', false),
    checkParts: compileCheck(strict(texts), 'body', true),
    checkSomeParts: compileCheck(strict(optional(texts)), 'body', true),
    rows: json,
    querystring: strict(queried),
    body: {
      content: {
        'multipart/form-data': { schema: strict(fields) },
        [type]: { schema: Type.String({ description: file.description ?? '', examples: [declared.example] }) },
        'application/json': {
          schema: {
            ...json.schema,
            examples: [{ [rows.name]: call.values[rows.name] ?? exampleOf(rows.schema), ...exampleOfObject(Type.Object(texts), call) }]
          }
        }
      }
    }
  }
}
