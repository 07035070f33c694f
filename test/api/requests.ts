import Fastify, { type InjectOptions } from 'fastify'
import { operations } from '../../routes/catalogue.ts'
import type { RequestStage, RespondNext } from '../../src/api/context.ts'
import type { Operation } from '../../src/api/operation.ts'
import { problemOf } from '../../src/problems/from-error.ts'
import type { Caller } from '../../src/tenants/caller.ts'

/** Requests for the tests of single stages: through Fastify, but with nothing around the stage, and a next stage that the test gives. */

export const caller: Caller = {
  tenantId: 'acme',
  tenantUid: 'uid-1',
  keyId: 'key-1',
  lineage: 'line-1',
  scopes: ['*', 'secrets', 'privileged', 'spend'],
  enabled: true,
  settings: {},
  childAccounts: undefined,
  networks: []
}

export function operationOf(id: string): Operation {
  const operation = operations.find(candidate => candidate.id === id)
  if (!operation) throw new Error(`there is no operation ${id}`)
  return operation
}

export interface StageResponse {
  status: number
  headers: Record<string, unknown>
  body: unknown
}

/** Sends one request through a stage. A failure becomes a response with its status and `{ code }`. */
export async function requestThrough(
  stage: RequestStage,
  next: RespondNext,
  operation: Operation,
  options: Pick<InjectOptions, 'headers' | 'payload'> & { childAccount?: number } = {}
): Promise<StageResponse> {
  const app = Fastify({ genReqId: () => 'request-1' })
  app.decorateRequest('tenant')
  app.decorateRequest('childAccount')
  app.decorateRequest('callerAddress', '192.0.2.1')
  app.addHook('onRequest', async request => {
    request.tenant = caller
    request.childAccount = options.childAccount
  })
  app.setErrorHandler((error, _request, reply) => {
    const { status, type, settle } = problemOf(error)
    return reply.code(status).send({ code: type, settle })
  })
  app.route({
    method: operation.method,
    url: operation.url,
    handler: (request, reply) => stage({ operation, request, reply, attempt: undefined }, next)
  })
  const { headers, payload } = options
  const {
    statusCode,
    headers: received,
    body
  } = await app.inject({
    method: operation.method,
    url: operation.url.replaceAll(/:\w+/g, '7'),
    ...(headers ? { headers } : {}),
    ...(payload ? { payload } : {})
  })
  await app.close()
  return { status: statusCode, headers: received, body: body === '' ? undefined : JSON.parse(body) }
}
