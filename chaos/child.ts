import { operations } from '../src/app.ts'
import { startControl } from './control.ts'
import { startChaos } from './upstream.ts'

/** The upstream in a process of its own, for the report: it tells where it is, and ends with its parent. */

const upstream = await startChaos({ operations })
const control = await startControl(upstream)
process.on('disconnect', () => process.exit())
process.send?.({ origin: upstream.origin, control: control.url })
