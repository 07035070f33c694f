import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

/**
 * `npm run openapi:compare -- OLD.json [NEW.json]`: what differs between two OpenAPI documents besides their texts
 * (descriptions, summaries, titles, examples) and their `x-` fields. NEW is openapi.json. Exits with 1 at a difference.
 */

const texts = new Set(['description', 'summary', 'title', 'example', 'examples'])
/** Objects whose keys are names that the document gives: a property may be called `description`. */
const maps = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'paths',
  'responses',
  'headers',
  'content',
  'callbacks',
  'scopes',
  'mapping'
])
/** Values of the API, not of the document. */
const literals = new Set(['default', 'const', 'enum'])
const componentKinds = 'components'

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A document without its texts. */
export function withoutTexts(node: unknown, keysAre: 'keywords' | 'names' | 'maps' = 'keywords'): unknown {
  if (Array.isArray(node)) return node.map(item => withoutTexts(item))
  if (!isObject(node)) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => keysAre !== 'keywords' || (!texts.has(key) && !key.startsWith('x-')))
      .map(([key, value]) => {
        if (keysAre === 'maps') return [key, withoutTexts(value, 'names')]
        if (keysAre === 'names') return [key, withoutTexts(value)]
        if (literals.has(key)) return [key, value]
        return [key, withoutTexts(value, key === componentKinds ? 'maps' : maps.has(key) ? 'names' : 'keywords')]
      })
  )
}

/** The JSON pointers at which two values differ, with what stands there. */
export function differences(before: unknown, after: unknown, pointer = ''): string[] {
  if (isDeepStrictEqual(before, after)) return []
  const descend = (keys: string[], from: Record<string, unknown>, to: Record<string, unknown>): string[] =>
    keys.flatMap(key => differences(from[key], to[key], `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`))
  if (isObject(before) && isObject(after)) return descend([...new Set([...Object.keys(before), ...Object.keys(after)])], before, after)
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return descend(Object.keys(before), { ...before }, { ...after })
  const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100)
  return [`${pointer}: ${shown(before)} -> ${shown(after)}`]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [old, current = 'openapi.json'] = process.argv.slice(2)
  if (!old) throw new Error('usage: npm run openapi:compare -- OLD.json [NEW.json]')
  const [before, after] = [old, current].map(file => withoutTexts(JSON.parse(readFileSync(file, 'utf8'))))
  const changes = differences(before, after)
  for (const difference of changes) console.log(difference)
  console.log(changes.length === 0 ? 'Only texts and x- fields differ.' : `${changes.length} differences besides texts and x- fields`)
  if (changes.length > 0) process.exitCode = 1
}
