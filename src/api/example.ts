import type { TObject, TProperties, TSchema } from '@sinclair/typebox'
import { targetOf } from '../voximplant/wire/marks.ts'

/** Examples of calls: the one that the document shows, and that Swagger UI sends as it comes up. */

/** On a field of a URL in a schema for Fastify: it is part of the example call although it can be left out. */
export const triedKeyword = 'x-voxgate-tried'

const isObject = (schema: TSchema): schema is TObject => schema.type === 'object'

/** A schema's first example, or a value made from its rules. Throws when neither is to be had: the schema needs an example. */
export function exampleOf(given: TSchema): unknown {
  const schema = targetOf(given)
  if (schema.examples?.length > 0) return schema.examples[0]
  if (schema.enum) return schema.enum[0]
  if (schema.anyOf) return exampleOf(schema.anyOf[0])
  if (schema.type === 'boolean') return true
  if (schema.type === 'array') return [exampleOf(schema.items)]
  if (isObject(schema)) return exampleOfObject(schema, { fields: schema.required ?? [], values: {} })
  throw new Error(`there is no example for ${JSON.stringify(given.description ?? given.type)}`)
}

/** A call that the document shows. */
export interface ExampleCall {
  /** The fields that it has. */
  fields: readonly string[]
  /** Their values, where they are not the fields' own examples. */
  values: Readonly<Record<string, unknown>>
}

/** An object with the fields of the example call that its schema has. */
export const exampleOfObject = (schema: TObject, { fields, values }: ExampleCall): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(schema.properties)
      .filter(([name]) => fields.includes(name))
      .map(([name, field]) => [name, name in values ? values[name] : exampleOf(field)])
  )

/** Fields of a URL, with the example call's values first; those that can be left out are marked where the call has them. */
export const triedInUrl = (properties: TProperties, { fields, values }: ExampleCall): TProperties =>
  Object.fromEntries(
    Object.entries(properties).map(([name, field]) => {
      if (!fields.includes(name)) return [name, field]
      const own = name in values ? { examples: [values[name]] } : {}
      return [name, { ...field, ...own, [triedKeyword]: true }]
    })
  )
