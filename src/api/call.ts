import type { Static, TObject } from '@sinclair/typebox'
import type { Endpoint } from './endpoint.ts'
import type { Operation } from './operation.ts'
import type { UpstreamResponse } from './reply.ts'

/** Sends an operation to the upstream, and decodes the response. Throws Problem. @param form the form, where it is encoded already */
export type SendOperation = (operation: Operation, input: Record<string, unknown>, form?: string) => Promise<UpstreamResponse>

/** Calls an endpoint of the catalogue and returns the body of its response; the compiler checks the input and knows the body. Throws Problem. */
export type Call = <Input extends TObject, Body>(endpoint: Endpoint<Input, Body>, input: Static<Input>) => Promise<Body>

/** Typed calls of these operations, through whatever sends them. */
export function createCalls(operations: readonly Operation[]): (send: SendOperation) => Call {
  const operationOf = new Map<Endpoint, Operation>(operations.map(operation => [operation.endpoint, operation]))
  return send => async (endpoint, input) => {
    const operation = operationOf.get(endpoint)
    if (!operation) throw new Error(`${endpoint.http} is not in the catalogue`)
    const fields: Record<string, unknown> = { ...input }
    return endpoint.reply.read(await send(operation, fields), { input: fields, url: '', base: '' }).body
  }
}
