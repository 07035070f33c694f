import { type TProperties, Type } from '@sinclair/typebox'
import type { Operation } from '../api/operation.ts'
import { codeOf, type UpstreamErrorName } from '../voximplant/error-codes.ts'
import { compileEncoder, decodeParam } from '../voximplant/wire/codecs.ts'
import { toCamel, toSnake } from '../voximplant/wire/names.ts'
import type { ParamKind } from '../voximplant/wire/params.ts'

/** The upstream's no: thrown by a method, answered as `{error: {code, msg, field_name}}` in HTTP 200. */
export class Refused extends Error {
  readonly code: number
  readonly fieldName: string | undefined
  constructor(name: UpstreamErrorName, fieldName?: string, message?: string) {
    super(message ?? `${name.toLowerCase().replaceAll('_', ' ')}${fieldName ? ` (${toSnake(fieldName)})` : ''}`)
    this.code = codeOf[name]
    this.fieldName = fieldName && toSnake(fieldName)
  }
}

/** Refuses a call by the upstream's name of the error; `field` is the parameter at fault, in camelCase. */
export const refuse = (name: UpstreamErrorName, field?: string, message?: string): never => {
  throw new Refused(name, field, message)
}

/** A file that came as a multipart part. */
export interface SandboxFile {
  name: string | undefined
  type: string
  bytes: Buffer
}

/** A call's parameters, read by the kinds the endpoints declare, under the upstream's names in camelCase. */
export class Params {
  readonly #values: Map<string, unknown>
  readonly #kinds: Map<string, ParamKind>
  readonly method: string
  /** The parameters as they were sent, by the upstream's names. */
  readonly sent: Readonly<Record<string, string>>
  #lenient = false
  constructor(method: string, kinds: Map<string, ParamKind>, values: Map<string, unknown>, sent: Record<string, string> = {}) {
    this.method = method
    this.#kinds = kinds
    this.#values = values
    this.sent = sent
  }

  /** The same for code that several methods share: a parameter that this one does not have reads as left out. */
  shared(): Params {
    const shared = new Params(this.method, this.#kinds, this.#values, this.sent)
    shared.#lenient = true
    return shared
  }

  #get(name: string, ...kinds: ParamKind[]): unknown {
    const kind = this.#kinds.get(name)
    if (!kind && this.#lenient) return undefined
    // A name that no endpoint sends, or of another kind, is a slip of the sandbox's author.
    if (!kind || !kinds.includes(kind))
      throw new Error(`${this.method}: no endpoint declares ${name} as ${kinds.join(' or ')}${kind ? `, but as ${kind}` : ''}`)
    return this.#values.get(name)
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }
  number(name: string): number | undefined {
    return this.#get(name, 'number') as number | undefined
  }
  /** Text, a calendar day or an instant (RFC 3339). */
  text(name: string): string | undefined {
    return this.#get(name, 'text', 'date', 'timestamp') as string | undefined
  }
  flag(name: string): boolean | undefined {
    return this.#get(name, 'boolean') as boolean | undefined
  }
  /** Ids, or the word `all`. One id counts as a list. */
  ids(name: string): number[] | 'all' | undefined {
    const value = this.#get(name, 'id-list', 'number')
    return typeof value === 'number' ? [value] : (value as number[] | 'all' | undefined)
  }
  texts(name: string): string[] | undefined {
    const value = this.#get(name, 'text-list', 'text')
    return typeof value === 'string' ? [value] : (value as string[] | undefined)
  }
  /** JSON text, parsed, with its keys in camelCase. */
  json(name: string): unknown {
    return camelKeys(this.#get(name, 'json-text'))
  }
  file(name: string): SandboxFile | undefined {
    return this.#get(name, 'file') as SandboxFile | undefined
  }
  /** Refuses the call unless the parameter is there. */
  need<T>(name: string, value: T | undefined): T {
    return value === undefined || value === '' ? refuse('REQUIRED_IS_EMPTY', name) : value
  }
}

const camelKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(camelKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [toCamel(key), camelKeys(field)]))
}

/** How one method is spoken: what its parameters are, and how its answer is written. Drawn from the endpoints that call it. */
export interface Speech {
  read(texts: Map<string, string>, files: Map<string, SandboxFile>): Params
  write(answer: Record<string, unknown>): Record<string, unknown>
}

const listKinds: Partial<Record<ParamKind, ParamKind>> = { number: 'id-list', text: 'text-list' }

/** Every method the endpoints speak, by name. */
export function speechOf(operations: readonly Operation[]): Map<string, Speech> {
  const speeches = new Map<string, Speech>()
  for (const method of new Set(operations.map(operation => operation.endpoint.rpc))) {
    const speakers = operations.filter(operation => operation.endpoint.rpc === method)
    const kinds = new Map<string, ParamKind>()
    for (const { wire, kind } of speakers.flatMap(speaker => speaker.form.params)) {
      const before = kinds.get(wire)
      // One endpoint sends one id, another a list of them: a list reads both.
      kinds.set(wire, before !== undefined && listKinds[kind] === before ? before : kind)
    }
    const byName = new Map([...kinds].map(([wire, kind]) => [toCamel(wire), kind]))
    const shape: TProperties = {}
    for (const { endpoint } of speakers) {
      for (const [name, schema] of Object.entries(endpoint.reply.response.properties)) {
        if (!shape[name] || Object.keys(shape[name]).length < Object.keys(schema).length) shape[name] = schema
      }
    }
    const write = compileEncoder(Type.Object(shape), method)
    speeches.set(method, {
      read(texts, files) {
        const values = new Map<string, unknown>()
        for (const [wire, kind] of kinds) {
          const name = toCamel(wire)
          const file = files.get(wire)
          if (file) values.set(name, kind === 'file' ? file : file.bytes.toString())
          const text = texts.get(wire)
          // An empty text is how PHP writes false, and how others leave a parameter out.
          if (text === undefined || (text === '' && kind !== 'text' && kind !== 'text-list')) continue
          if (kind === 'file') {
            values.set(name, { name: undefined, type: '', bytes: Buffer.from(text) } satisfies SandboxFile)
            continue
          }
          const value = decodeParam(kind, text)
          if (value === undefined) refuse(kind === 'timestamp' || kind === 'date' ? 'INVALID_DATE_FORMAT' : 'INVALID_ARGUMENTS', name)
          values.set(name, value)
        }
        return new Params(method, byName, values, Object.fromEntries([...texts].filter(([wire]) => kinds.has(wire))))
      },
      write(answer) {
        // What stands beside the result and no endpoint reads is written all the same: other clients do read it.
        const beside = Object.entries(answer).filter(([name, value]) => !shape[name] && typeof value !== 'object' && value !== undefined)
        return {
          ...Object.fromEntries(beside.map(([name, value]) => [toSnake(name), value])),
          ...(write(answer) as Record<string, unknown>)
        }
      }
    })
  }
  return speeches
}
