import type { TSchema } from '@sinclair/typebox'
import { marked, targetOf } from '../voximplant/wire/marks.ts'
import { isObject } from '../voximplant/wire/undeclared.ts'

/** Removes fields from a decoded response, in place. */
export type Withhold = (body: unknown) => void

/** What removes the fields that only keys with the scope `secrets` get; undefined where the schema has none. */
export function compileWithhold(schema: TSchema | undefined): Withhold | undefined {
  if (!schema) return undefined
  const target = targetOf(schema)
  if (target.type === 'array') {
    const item = compileWithhold(target.items)
    return (
      item &&
      (body => {
        if (Array.isArray(body)) for (const row of body) item(row)
      })
    )
  }
  if (target.type !== 'object' || !target.properties) return undefined
  const properties: Readonly<Record<string, TSchema>> = target.properties
  const fields = Object.entries(properties)
  const secret = fields.flatMap(([name, field]) => (marked(field, 'secret') ? [name] : []))
  const nested = fields.flatMap(([name, field]) => {
    const withhold = compileWithhold(field)
    return withhold ? [{ name, withhold }] : []
  })
  if (secret.length === 0 && nested.length === 0) return undefined
  return body => {
    if (!isObject(body)) return
    for (const name of secret) body[name] = undefined
    // The upstream adds fields: another address beside a declared one is as good as that.
    if (secret.length > 0) for (const name of Object.keys(body)) if (!(name in properties) && /url$/i.test(name)) body[name] = undefined
    for (const { name, withhold } of nested) withhold(body[name])
  }
}
