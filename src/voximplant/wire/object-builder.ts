import type { Decode, Drift } from './drift.ts'

/** A field of an object in a response. */
export interface ResponseField {
  /** Its REST name. */
  name: string
  /** Its upstream name. */
  wire: string
  decode: Decode
}

/** Adds the members of `source` that are not declared. */
export type AddOthers = (out: Record<string, unknown>, source: Record<string, unknown>, drift: Drift) => void

type Build = (source: Record<string, unknown>, drift: Drift, addOthers: AddOthers) => Record<string, unknown>

/**
 * The body of an object's decoder, as a function with every name written out (as Ajv does it): properties that are named in the code cost a
 * third of those that are looked up, and responses are made of nothing else. The names are those of our own declarations.
 */
export function compileBuilder(fields: readonly ResponseField[], open: boolean): Build {
  const lines = fields.map(({ name, wire }, i) => {
    const [from, to] = [JSON.stringify(wire), JSON.stringify(name)]
    return `if ((value = source[${from}]) !== undefined) { seen++; if ((value = decode${i}(value, drift)) !== undefined) out[${to}] = value }`
  })
  const body = `return (source, drift, addOthers) => {
    const out = {}
    let seen = 0, present = 0, value
    ${lines.join('\n    ')}
    ${open ? '' : 'for (const _ in source) present++\n    if (present !== seen) addOthers(out, source, drift)'}
    return out
  }`
  return new Function(...fields.map((_, i) => `decode${i}`), body)(...fields.map(field => field.decode))
}
