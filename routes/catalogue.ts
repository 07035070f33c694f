import { compileAll, type Operation } from '../src/api/operation.ts'
import { catalogue } from './index.ts'

export { catalogue }

/** Every endpoint, ready for requests: made once, shared by the service, its document and the sandbox. Throws on a contradictory declaration. */
export const operations: readonly Operation[] = compileAll(Object.values(catalogue))
