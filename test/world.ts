import { createPublicKey } from 'node:crypto'
import type { Operation } from '../src/api/operation.ts'
import { operations } from '../src/app.ts'
import {
  type Choose,
  type Field,
  fieldsOf,
  type Input,
  inputOf,
  isReference,
  isReferences,
  isValid,
  requestOf,
  target
} from './generate.ts'
import { allScopes, type Service, type TestAnswer, tester } from './support.ts'

/** What an account of the sandbox holds, found out over HTTP by reading every list and making one of everything; and calls with what was found. */

/** Values found in answers, by the name of their field, first found first. */
export type Pool = Map<string, unknown[]>

export function harvest(pool: Pool, value: unknown): void {
  if (Array.isArray(value)) for (const item of value) harvest(pool, item)
  else if (typeof value === 'object' && value !== null)
    for (const [name, field] of Object.entries(value)) {
      if (typeof field === 'object') harvest(pool, field)
      else {
        const values = pool.get(name) ?? []
        if (!values.includes(field)) pool.set(name, [...values, field])
      }
    }
}

/** `showingSkillId` -> showingSkillId, skillId: the names under which a value for a field may have been found. */
export function namesFor(name: string): string[] {
  const words = name.split(/(?=[A-Z])/)
  const endings = words.map((_, i) => words.slice(i).join('')).map(ending => ending[0]!.toLowerCase() + ending.slice(1))
  return endings.slice(0, Math.max(1, endings.length - 1))
}

/** Ids and whatever stands in a path name things that exist; the rest may be as in the examples. */
const namesThings = ({ name, part, schema }: Field): boolean =>
  part === 'path' || isReference(target(schema)) || isReferences(target(schema)) || /Ids?$/.test(name)

export const chooseFrom =
  (pool: Pool): Choose =>
  field => {
    if (!namesThings(field)) return undefined
    for (const name of namesFor(field.name)) {
      for (const value of pool.get(name) ?? []) {
        for (const candidate of [value, [value], Number(value)]) if (isValid(field.schema, candidate)) return candidate
      }
    }
    return undefined
  }

let renewals = 0
/** An input of which the texts that may already be taken are others. */
const renew = (operation: Operation, input: Input): Input => {
  const by = (renewals++ % 100) + 1
  const fresh = fieldsOf(operation).flatMap(field => {
    const value = input[field.name]
    if (namesThings(field) || typeof value !== 'string') return []
    const dotted = /^\d+(\.\d+){3}/.test(value)
    const counted = [...value.matchAll(/\d+/g)].map(({ 0: digits, index }) => {
      const next = Number(digits) + by
      return `${value.slice(0, index)}${dotted ? next % 256 : next}${value.slice(index + digits.length)}`
    })
    const candidates = [...(/^\d+$/.test(value) ? [] : [`${value}-${by}`, `${value}${by}`]), ...counted]
    const candidate = candidates.find(text => isValid(field.schema, text))
    return candidate ? [[field.name, candidate]] : []
  })
  return { ...input, ...Object.fromEntries(fresh) }
}

let freshTenants = 0
/** A tenant whose account has just begun, with the sandbox's small world in it. All are called alike and share a key pair, for making one takes long. */
export async function freshTenant({ store, sandbox, tenants }: Service, { demo = true } = {}): Promise<{ key: string }> {
  const accountId = 600_001 + freshTenants
  const tenantId = `fresh-${++freshTenants}`
  const { keyId, privateKey } = tenants[0]!.credential
  await store.by(tester).createTenant({ tenantId, name: tenantId, accountId })
  await store.by(tester).putCredential(tenantId, { kind: 'key', accountId, keyId, privateKey })
  sandbox.sandbox.addAccount({ accountId, name: 'fresh', keys: { [keyId]: createPublicKey(privateKey) }, demo })
  return { key: (await store.by(tester).createKey(tenantId, { name: 'test', scopes: allScopes })).key }
}

export type Caller = (operation: Operation, input: Input) => Promise<TestAnswer>

export const callerOf =
  (service: Service, { key }: { key: string }): Caller =>
  (operation, input) => {
    const { method, url, body } = requestOf(operation, input)
    return service.call(method, url, body, { headers: { authorization: `Bearer ${key}` } })
  }

/** A call, and another one with other names where the first finds its names taken. */
export async function make(call: Caller, operation: Operation, input: Input): Promise<{ input: Input; answer: TestAnswer }> {
  const answer = await call(operation, input)
  if (operation.traits.safe || answer.body?.code !== 'already-exists') return { input, answer }
  const renewed = renew(operation, input)
  return { input: renewed, answer: await call(operation, renewed) }
}

/** What an account holds at its beginning, read through every list and item. */
export async function explore(call: Caller): Promise<Pool> {
  const pool: Pool = new Map()
  const read = new Set<string>()
  // Twice: what the first round finds is what other lists are asked with.
  for (const operation of [...operations, ...operations]) {
    if (!operation.traits.safe || read.has(operation.id)) continue
    const answer = await call(operation, inputOf(operation, 'minimal', chooseFrom(pool)))
    if (answer.status !== 200) continue
    read.add(operation.id)
    harvest(pool, answer.body)
  }
  return pool
}

/** Makes one of everything that can be made, and answers what there is then. Each operation has a turn of its own: failures do not matter here. */
export async function populate(call: Caller, beginning: Pool): Promise<Pool> {
  const pool: Pool = new Map(beginning)
  for (const operation of operations) {
    if (!['created', 'accepted'].includes(operation.endpoint.reply.kind)) continue
    const { input, answer } = await make(call, operation, inputOf(operation, 'minimal', chooseFrom(pool)))
    if (answer.status === operation.endpoint.reply.status) harvest(pool, { ...answer.body, ...input })
  }
  return pool
}
