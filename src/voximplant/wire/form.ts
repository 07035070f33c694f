import type { TObject, TSchema } from '@sinclair/typebox'
import { codecs } from './codecs.ts'
import { kindOf, marked, resolved } from './marks.ts'
import { toSnake, wireNameOf } from './names.ts'
import type { Param, ParamEncoder, ParamKind } from './params.ts'

/** Forms of the upstream, `application/x-www-form-urlencoded`: compiled once from an endpoint's input. */

/** One field of a declaration, compiled: the parameters it can become, and how it is written. */
export interface FormField extends ParamEncoder {
  /** The REST name. */
  name: string
}

/** A declaration's input, compiled. */
export interface Form {
  fields: FormField[]
  /** Every parameter this declaration can send, the fixed ones included. */
  params: Param[]
  /** The upstream's parameter name -> the REST field that sends it. */
  fieldOf: Map<string, string>
  /** The upstream's name of a REST field. Throws on a field that the input does not have. */
  wireOf(field: string): string
  /** The input -> an `application/x-www-form-urlencoded` body that begins with `cmd=`. Throws Unencodable. */
  encode(input: Record<string, unknown>): string
}

/** How a declaration departs from the rule "the REST name in snake_case". */
export interface FormOptions {
  /** Parameters the caller never sees, by the upstream's name in camelCase. */
  fixed?: Record<string, string | number | boolean>
  /** REST field -> the upstream's name in camelCase; `~field` names what the field's `~name` form becomes. */
  rename?: Record<string, string>
  /** Fields in whose place the upstream's word `all` is sent when the caller leaves them out. */
  everyWhenAbsent?: readonly string[]
}

/** Compiles the encoder of one declaration. Throws, naming the field, on a kind the dialect has no form for and on a rename of nothing. */
export function compileForm(cmd: string, input: TObject, { fixed = {}, rename = {}, everyWhenAbsent = [] }: FormOptions = {}): Form {
  for (const name of everyWhenAbsent)
    if (!input.properties[name] || input.required?.includes(name))
      throw new Error(`everyWhenAbsent names ${name}, which is no optional field`)
  for (const key of Object.keys(rename)) {
    const schema = input.properties[key.replace('~', '')]
    if (!schema) throw new Error(`rename names ${key}, which is not a field of the input`)
    if (key.startsWith('~') && !takesName(schema)) throw new Error(`rename names ${key}, but that field takes no name`)
  }
  const fields = Object.entries(input.properties).map(([name, schema]) => compileField(name, schema, rename))
  const constants = Object.entries(fixed).map(([name, value]) => ({
    wire: toSnake(name),
    kind: kindOfConstant(value),
    text: `&${toSnake(name)}=${encodeURIComponent(String(value))}`
  }))
  const prefix = `cmd=${encodeURIComponent(cmd)}${constants.map(constant => constant.text).join('')}`
  const params = [...fields.flatMap(field => field.params), ...constants.map(({ wire, kind }) => ({ wire, kind }))]
  const wires = params.map(param => param.wire)
  const twice = wires.find((wire, i) => wires.indexOf(wire) !== i)
  if (twice) throw new Error(`two fields are sent as ${twice}`)
  return {
    fields,
    params,
    fieldOf: new Map(fields.flatMap(field => field.params.map(param => [param.wire, field.name] as const))),
    wireOf(name) {
      const field = fields.find(field => field.name === name)
      if (!field) throw new Error(`${name} is not a field of the input`)
      return field.params[0].wire
    },
    encode(input) {
      let form = prefix
      for (const field of fields) {
        const value = input[field.name]
        if (value !== undefined) form += field.write(value)
        else if (everyWhenAbsent.includes(field.name)) form += `&${field.params[0].wire}=all`
      }
      return form
    }
  }
}

/** Whether a field takes a `~name`. */
const takesName = (schema: TSchema): boolean => ['reference', 'references'].includes(marked(schema, 'kind') ?? '')

const kindOfConstant = (value: string | number | boolean): ParamKind =>
  typeof value === 'string' ? 'text' : typeof value === 'number' ? 'number' : 'boolean'

function compileField(name: string, schema: TSchema, rename: Record<string, string>): FormField {
  const kind = kindOf(schema, name)
  const { encodeParam } = codecs[kind]
  if (!encodeParam) throw new Error(`${name}: the upstream's forms have no parameter of kind ${kind}`)
  const wire = rename[name] ? toSnake(rename[name]) : wireNameOf(name, schema)
  const named = rename[`~${name}`]
  const nameWire = named ? toSnake(named) : wire.replace(/_id$/, '_name')
  return { name, ...encodeParam({ name, schema: resolved(schema), wire, nameWire }) }
}
