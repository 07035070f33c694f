import type { TObject } from '@sinclair/typebox'
import type { Method } from '../voximplant/methods.ts'
import type { FormOptions } from '../voximplant/wire/form.ts'
import type { Reply } from './reply.ts'
import type { Upload } from './upload.ts'

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * One endpoint, said once. Validation, the OpenAPI operation, the wire, the sandbox's reading of it and the coverage count follow.
 * The key it stands under in its section is the operationId.
 */
export interface Endpoint<Input extends TObject = TObject, Body = unknown> extends FormOptions {
  http: `${Verb} /${string}`
  /** The upstream's method. */
  rpc: Method
  summary: string
  description?: string
  /** The section it is shown under; also the section of its scope. */
  tag: string
  /** All fields. Those named in the path go there; of the rest GET and DELETE take a query, others a JSON body. */
  input: Input
  reply: Reply<Body>
  /** For an operation of whose fields one is a file: how the file comes. */
  upload?: Upload
  deprecated?: true
  /** Fields of which a call has exactly one. */
  exactlyOne?: readonly string[]
  /** Fields that the upstream ignores, or refuses, without another one: field -> the other; `~field` where that is so of its names only. */
  requires?: Record<string, string>
  /** Selectors that can be the upstream's word `all`: field -> the list that counts what it selects. */
  all?: Readonly<Record<string, ListEndpoint>>
  /**
   * The example call, beyond the first example of each field that a call cannot do without: fields that one would usually add, and values that
   * the sandbox's demonstration account takes.
   */
  example?: Readonly<Record<string, unknown>>
}

/** An endpoint that returns a list. */
export type ListEndpoint = Endpoint<TObject, { items: unknown[]; total?: number }>

/** Declares an endpoint; the types are kept. */
export const endpoint = <const E extends Endpoint>(declaration: E): E => declaration
