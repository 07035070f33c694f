import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Operation } from '../src/endpoint.ts'
import { Problem, type Violation } from '../src/problem.ts'
import type { Answer } from '../src/reply.ts'
import { invalid } from '../src/validation.ts'
import { type Client, type ClientOptions, createClient, Refusal } from '../src/voximplant/client.ts'
import { meaningOf } from '../src/voximplant/errors.ts'
import { Unencodable } from '../src/voximplant/wire.ts'

export interface VoximplantOptions {
  client: Omit<ClientOptions, 'drift'>
}

/** Differences between the upstream's answers and what is declared: `<noun>.<field>` -> how often. Bounded: the names are the upstream's. */
export interface DriftCounts {
  unknown: ReadonlyMap<string, number>
  unreadable: ReadonlyMap<string, number>
}

const maxDriftNames = 1000

/** `request.voximplant(operation, input)`: one call of the upstream with the credentials of the request's tenant. */
export default fp(
  async (app: FastifyInstance, options: VoximplantOptions) => {
    const unknown = new Map<string, number>()
    const unreadable = new Map<string, number>()
    const count = (counts: Map<string, number>, field: string) => {
      const before = counts.get(field)
      if (before !== undefined || counts.size < maxDriftNames) counts.set(field, (before ?? 0) + 1)
    }
    const client: Client = createClient({
      ...options.client,
      drift: { unknown: field => count(unknown, field), unreadable: field => count(unreadable, field) }
    })
    app.decorate('drift', { unknown, unreadable })
    app.tenants.onForget(tenantId => client.forget(tenantId))
    app.addHook('onClose', () => client.close())

    app.decorateRequest(
      'voximplant',
      async function (this: FastifyRequest, operation: Operation, input: Record<string, unknown>, encoded?: string): Promise<Answer> {
        const form = encoded ?? encode(operation, input)
        const found = app.tenants.account(this.tenant.tenantId)
        const account = found instanceof Promise ? await found : found
        if (!account) throw new Problem('credentials-missing', 'No Voximplant credentials are stored for this tenant.')
        try {
          return (await client.call(account, {
            method: operation.endpoint.rpc,
            form,
            decode: operation.decode,
            safe: operation.class.safe === true
          })) as Answer
        } catch (error) {
          throw error instanceof Refusal ? problemOfRefusal(error, operation) : error
        }
      }
    )
  },
  { name: 'voximplant', dependencies: ['tenants'] }
)

function encode(operation: Operation, input: Record<string, unknown>): string {
  try {
    return operation.form.encode(input)
  } catch (error) {
    if (error instanceof Unencodable)
      throw invalid([{ in: operation.partOf.get(error.field) ?? 'body', pointer: `/${error.field}`, detail: error.message }])
    throw error
  }
}

/** What a refusal means here: the field the upstream names, or that its code is about, is found among those that were sent. */
function problemOfRefusal({ code, message, fieldName, retryAfter }: Refusal, { endpoint, form, partOf }: Operation): Problem {
  const about = fieldName ?? /^INVALID_(\w+)$/.exec(meaningOf(code).name)?.[1]?.toLowerCase()
  const field = about === undefined ? undefined : form.fieldOf.get(about)
  const part = field === undefined ? undefined : partOf.get(field)
  const { name, type } = meaningOf(code, part === undefined ? undefined : part !== 'body')
  const errors: Violation[] | undefined =
    field !== undefined && part !== undefined ? [{ in: part, pointer: `/${field}`, detail: message || name }] : undefined
  const detail = type === 'not-found' ? 'There is no such thing in this account.' : `The upstream says: ${message || name}`
  return new Problem(type, detail, {
    errors: type === 'not-found' ? undefined : errors,
    upstream: { method: endpoint.rpc, code, name, message },
    ...(type === 'rate-limited' || type === 'upstream-unavailable' ? { headers: { 'retry-after': retryAfter ?? '1' } } : {})
  })
}

declare module 'fastify' {
  interface FastifyInstance {
    drift: DriftCounts
  }
  interface FastifyRequest {
    /** Calls the upstream for the request's tenant: the operation's input, or its form already encoded. Throws Problem. */
    voximplant(operation: Operation, input: Record<string, unknown>, encoded?: string): Promise<Answer>
  }
}
