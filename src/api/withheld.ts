import type { TSchema } from '@sinclair/typebox'
import { marked, targetOf } from '../voximplant/wire/marks.ts'

/** Removes fields from a decoded response, in place. */
export type Withhold = (body: unknown) => void

/** What removes the fields that only keys with the scope `secrets` get; undefined where the schema has none. */
export function compileWithhold(schema: TSchema | undefined): Withhold | undefined {
  if (!schema) return undefined
  const target = targetOf(schema)
  if (target.type === 'array') {
    const item = compileWithhold(target.items as TSchema)
    return (
      item &&
      (body => {
        if (Array.isArray(body)) for (const row of body) item(row)
      })
    )
  }
  if (target.type !== 'object' || !target.properties) return undefined
  const properties = target.properties as Record<string, TSchema>
  const secret = Object.keys(properties).filter(name => marked(properties[name]!, 'secret') === true)
  const nested = Object.keys(properties).flatMap(name => {
    const withhold = compileWithhold(properties[name]!)
    return withhold ? [{ name, withhold }] : []
  })
  if (secret.length === 0 && nested.length === 0) return undefined
  return body => {
    if (typeof body !== 'object' || body === null) return
    const row = body as Record<string, unknown>
    for (const name of secret) row[name] = undefined
    // The upstream adds fields: another address beside a declared one is as good as that.
    if (secret.length > 0) for (const name of Object.keys(row)) if (!(name in properties) && /url$/i.test(name)) row[name] = undefined
    for (const { name, withhold } of nested) withhold(row[name])
  }
}
