import { sections } from '../routes/index.ts'
import { compileAll, type Operation } from './endpoint.ts'

/** Every endpoint, ready for requests: made once, shared by the service, its document and the sandbox. Throws on a contradictory declaration. */
export const operations: readonly Operation[] = compileAll(sections)
