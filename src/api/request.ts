import type { RequestTrace } from '../telemetry/request-trace.ts'
import type { Caller } from '../tenants/caller.ts'
import type { Operation } from './operation.ts'

/** What hooks set on a request, for the code in `src/` that handles it. */
declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `plugins/request-trace.ts`. */
    trace: RequestTrace
    /** Set by `plugins/auth.ts`: the caller, by its API key. */
    tenant: Caller
    /** Set by `plugins/auth.ts`: the child account that the call is made for; undefined for the tenant's own. */
    childAccount: number | undefined
    /** Set by `plugins/caller-address.ts`: the canonical address of the caller, or `unknown`. */
    callerAddress: string
  }
  interface FastifyContextConfig {
    /** The operation behind a route of the catalogue. */
    operation?: Operation
  }
}
