import { type TProperties, Type } from '@sinclair/typebox'
import type { Operation } from '../api/operation.ts'
import { codeOf, type UpstreamErrorName } from '../voximplant/error-codes.ts'
import { compileEncoder, decodeParam } from '../voximplant/wire/codecs.ts'
import { toCamel, toSnake } from '../voximplant/wire/names.ts'
import type { ParamKind } from '../voximplant/wire/params.ts'

/** An error of the upstream: thrown by a method, sent as `{error: {code, msg, field_name}}` in HTTP 200. */
export class SandboxError extends Error {
  readonly code: number
  readonly fieldName: string | undefined
  constructor(name: UpstreamErrorName, fieldName?: string, message?: string) {
    super(message ?? `${name.toLowerCase().replaceAll('_', ' ')}${fieldName ? ` (${toSnake(fieldName)})` : ''}`)
    this.code = codeOf[name]
    this.fieldName = fieldName && toSnake(fieldName)
  }
}

/** Rejects a call by the upstream's name of the error; `field` is the parameter at fault, in camelCase. Throws SandboxError. */
export const reject = (name: UpstreamErrorName, field?: string, message?: string): never => {
  throw new SandboxError(name, field, message)
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

  /** The same for code that several methods share: a parameter that this method does not have reads as absent. */
  shared(): Params {
    const shared = new Params(this.method, this.#kinds, this.#values, this.sent)
    shared.#lenient = true
    return shared
  }

  #get(name: string, ...kinds: ParamKind[]): unknown {
    const kind = this.#kinds.get(name)
    if (!kind && this.#lenient) return undefined
    // A name that no endpoint sends, or of another kind, is a mistake of the sandbox's author.
    if (!kind || !kinds.includes(kind))
      throw new Error(`${this.method}: no endpoint declares ${name} as ${kinds.join(' or ')}${kind ? `, but as ${kind}` : ''}`)
    return this.#values.get(name)
  }

  /** Whether the call has any of the parameters. */
  has(...names: string[]): boolean {
    return names.some(name => this.#values.has(name))
  }
  number(name: string): number | undefined {
    const value = this.#get(name, 'number')
    return typeof value === 'number' ? value : undefined
  }
  /** Text, a calendar day or an instant (RFC 3339). */
  text(name: string): string | undefined {
    const value = this.#get(name, 'text', 'date', 'timestamp')
    return typeof value === 'string' ? value : undefined
  }
  flag(name: string): boolean | undefined {
    const value = this.#get(name, 'boolean')
    return typeof value === 'boolean' ? value : undefined
  }
  /** Ids, or the word `all`. One id counts as a list. */
  ids(name: string): number[] | 'all' | undefined {
    const value = this.#get(name, 'id-list', 'number')
    if (typeof value === 'number') return [value]
    return Array.isArray(value) || value === 'all' ? value : undefined
  }
  /** One id, the first of a list. The word `all` reads as NaN, which equals no id. */
  id(name: string): number | undefined {
    const ids = this.ids(name)
    return ids === 'all' ? Number.NaN : ids?.[0]
  }
  texts(name: string): string[] | undefined {
    const value = this.#get(name, 'text-list', 'text')
    if (typeof value === 'string') return [value]
    return Array.isArray(value) ? value : undefined
  }
  /** JSON text, parsed, with its keys in camelCase. */
  json(name: string): unknown {
    return camelKeys(this.#get(name, 'json-text'))
  }
  file(name: string): SandboxFile | undefined {
    return this.#get(name, 'file') as SandboxFile | undefined
  }
  /** Text that is there and not empty. Like the other required ones it rejects a call without it. */
  required(name: string): string {
    return this.text(name) || reject('REQUIRED_IS_EMPTY', name)
  }
  requiredNumber(name: string): number {
    return this.number(name) ?? reject('REQUIRED_IS_EMPTY', name)
  }
  requiredTexts(name: string): string[] {
    return this.texts(name) ?? reject('REQUIRED_IS_EMPTY', name)
  }
}

const camelKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(camelKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [toCamel(key), camelKeys(field)]))
}

/** Reads the parameters of one method and writes its response, as the endpoints that call it declare them. */
export interface MethodCodec {
  read(texts: Map<string, string>, files: Map<string, SandboxFile>): Params
  write(response: Record<string, unknown>): Record<string, unknown>
}

const listKinds: Partial<Record<ParamKind, ParamKind>> = { number: 'id-list', text: 'text-list' }

/** The codec of every method that the endpoints call, by name. */
export function codecsOf(operations: readonly Operation[]): Map<string, MethodCodec> {
  const codecs = new Map<string, MethodCodec>()
  for (const method of new Set(operations.map(operation => operation.endpoint.rpc))) {
    const endpoints = operations.filter(operation => operation.endpoint.rpc === method)
    const kinds = new Map<string, ParamKind>()
    for (const { wire, kind } of endpoints.flatMap(caller => caller.form.params)) {
      const before = kinds.get(wire)
      // One endpoint sends one id, another a list of them: a list reads both.
      kinds.set(wire, before !== undefined && listKinds[kind] === before ? before : kind)
    }
    const byName = new Map([...kinds].map(([wire, kind]) => [toCamel(wire), kind]))
    const shape: TProperties = {}
    for (const { endpoint } of endpoints) {
      for (const [name, schema] of Object.entries(endpoint.reply.response.properties)) {
        if (!shape[name] || Object.keys(shape[name]).length < Object.keys(schema).length) shape[name] = schema
      }
    }
    const write = compileEncoder(Type.Object(shape), method)
    codecs.set(method, {
      read(texts, files) {
        const values = new Map<string, unknown>()
        for (const [wire, kind] of kinds) {
          const name = toCamel(wire)
          const file = files.get(wire)
          if (file) values.set(name, kind === 'file' ? file : file.bytes.toString())
          const text = texts.get(wire)
          // PHP writes false as an empty text, other clients a parameter that is absent.
          if (text === undefined || (text === '' && kind !== 'text' && kind !== 'text-list')) continue
          if (kind === 'file') {
            values.set(name, { name: undefined, type: '', bytes: Buffer.from(text) } satisfies SandboxFile)
            continue
          }
          const value = decodeParam(kind, text)
          if (value === undefined) reject(kind === 'timestamp' || kind === 'date' ? 'INVALID_DATE_FORMAT' : 'INVALID_ARGUMENTS', name)
          values.set(name, value)
        }
        return new Params(method, byName, values, Object.fromEntries([...texts].filter(([wire]) => kinds.has(wire))))
      },
      write(response) {
        // Members beside the result that no endpoint reads are written nevertheless: other clients read them.
        const beside = Object.entries(response).filter(([name, value]) => !shape[name] && typeof value !== 'object' && value !== undefined)
        return {
          ...Object.fromEntries(beside.map(([name, value]) => [toSnake(name), value])),
          ...(write(response) as Record<string, unknown>)
        }
      }
    })
  }
  return codecs
}
