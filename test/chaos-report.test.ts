import t from 'tap'
import { series } from '../chaos/series.ts'

/** The report's own series, in small, on real processes: `npm run chaos:report` runs them in full. */

for (const name of ['faults', 'strays'])
  t.test(series[name]!.title, async t => {
    const lines = await series[name]!.run({ quick: true, say: () => {} })
    for (const { what, figure, bound, kept } of lines) t.ok(kept, `${what}: ${figure}${bound && ` (${bound})`}`)
  })
