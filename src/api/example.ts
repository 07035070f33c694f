import type { TObject, TProperties, TSchema } from '@sinclair/typebox'
import { targetOf } from '../voximplant/wire/marks.ts'

/** Examples of calls: the one that the document shows, and that Swagger UI sends as it comes up. */

/** On a field of a URL in a schema for Fastify: it is part of the example call although it can be left out. */
export const triedKeyword = 'x-voxgate-tried'

/** A schema's first example, or a value made from its rules. Throws when neither is to be had: the schema needs an example. */
export function exampleOf(given: TSchema): unknown {
  const schema = targetOf(given)
  if (schema.examples?.length > 0) return schema.examples[0]
  if (schema.enum) return schema.enum[0]
  if (schema.anyOf) return exampleOf(schema.anyOf[0])
  if (schema.type === 'boolean') return true
  if (schema.type === 'array') return [exampleOf(schema.items)]
  if (schema.type === 'object') return exampleOfObject(schema as TObject, schema.required ?? [])
  throw new Error(`there is no example for ${JSON.stringify(given.description ?? given.type)}`)
}

/** An object with the fields named: each as in `values`, or as the field's own example has it. */
export const exampleOfObject = (schema: TObject, fields: readonly string[], values: Readonly<Record<string, unknown>> = {}) =>
  Object.fromEntries(
    Object.entries(schema.properties)
      .filter(([name]) => fields.includes(name))
      .map(([name, field]) => [name, name in values ? values[name] : exampleOf(field)])
  )

/** Fields of a URL, with the example call's values first; those that can be left out are marked where the call has them. */
export const triedInUrl = (fields: TProperties, tried: readonly string[], values: Readonly<Record<string, unknown>>): TProperties =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      if (!tried.includes(name)) return [name, field]
      const own = name in values ? { examples: [values[name]] } : {}
      return [name, { ...field, ...own, [triedKeyword]: true }]
    })
  )
