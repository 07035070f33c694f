import { parseArgs } from 'node:util'
import { series } from './series.ts'

/**
 * `npm run chaos:report`: the service as real processes under faults, and figures with their bounds. `-- reads slow` runs only these;
 * `--quick` smaller counts. Exit status 1 when a figure misses its bound.
 */

const { positionals, values } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean', default: false } } })
const unknown = positionals.filter(name => !series[name])
if (unknown.length > 0) {
  process.stderr.write(`There is no ${unknown.join(', ')}; there are ${Object.keys(series).join(', ')}\n`)
  process.exit(2)
}

let missed = 0
const say = (text = '') => process.stdout.write(`${text}\n`)
for (const [name, { title, run }] of Object.entries(series)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const begun = performance.now()
  say(`\n${title} (${name})\n`)
  try {
    const lines = await run({ quick: values.quick, say: text => process.stderr.write(`  ... ${text}\n`) })
    const width = Math.max(...lines.map(({ what }) => what.length))
    for (const { what, figure, bound, kept } of lines) {
      if (!kept) missed++
      say(`  ${kept ? (bound ? 'ok  ' : '    ') : 'MISS'} ${what.padEnd(width)}  ${figure}${bound ? `  (${bound})` : ''}`)
    }
  } catch (error) {
    missed++
    say(`  MISS ${(error as Error).stack}`)
  }
  say(`\n  ${((performance.now() - begun) / 1000).toFixed(0)} s`)
}
say(missed === 0 ? '\nEvery figure keeps its bound.' : `\n${missed} missed.`)
process.exitCode = missed === 0 ? 0 : 1
