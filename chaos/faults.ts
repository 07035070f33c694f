import { createHash } from 'node:crypto'
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Ajv } from 'ajv'

/** What can go wrong at the upstream, and when: the rules of the fault-injecting upstream. */

const fault = <K extends string, P extends Record<string, TSchema>>(kind: K, description: string, fields: P) =>
  Type.Object({ kind: Type.Literal(kind), ...fields }, { additionalProperties: false, description })
const maybe = Type.Optional
const count = (description: string, options = {}) => Type.Integer({ minimum: 0, description, ...options })

/** Faults of a connection, before any request. */
const connectionFaults = [
  fault('connect-reset', 'Resets the connection immediately.', {}),
  fault('connect-black-hole', 'Takes the connection and is silent.', {}),
  fault('tls', 'Shows a bad certificate.', {
    certificate: Type.Union([Type.Literal('expired'), Type.Literal('wrong-name'), Type.Literal('self-signed')])
  }),
  fault('tls-cut', 'Cuts the handshake after some bytes of its own.', { at: maybe(count('Bytes; none by default.')) })
] as const

/** Faults that go together with others: what they do, and the answer still comes. */
const gentleFaults = [
  fault('latency', 'Waits before the answer.', {
    ms: count('Milliseconds.'),
    jitter: maybe(count('Maximum random addition, in milliseconds.'))
  }),
  fault('clock-skew', 'Tells another time in `Date`.', { seconds: Type.Integer({ description: 'Ahead, or behind when negative.' }) })
] as const

/** Faults that end the request: the first that strikes wins. */
const endingFaults = [
  fault('reset', 'Resets the connection in the middle of the answer.', {
    at: maybe(count('After this number of bytes; anywhere by default.'))
  }),
  fault('half-close', 'Closes its side in the middle of the answer.', {
    at: maybe(count('After this number of bytes; anywhere by default.'))
  }),
  fault('black-hole', 'Takes the request and is silent.', {}),
  fault('drip', 'Sends the answer slowly.', {
    bytes: maybe(count('Bytes per chunk; 1 by default.', { minimum: 1 })),
    everyMs: maybe(count('Milliseconds between them; 1000 by default.', { minimum: 1 }))
  }),
  fault('garbage', 'Sends random bytes that are no HTTP, and closes.', { bytes: maybe(count('How many; 1000 by default.')) }),
  fault('garbage-body', 'Answers 200 with random bytes for JSON.', { bytes: maybe(count('How many; 1000 by default.')) }),
  fault('truncated', 'Answers 200 with JSON that is cut; the HTTP is whole.', { at: maybe(count('Bytes; anywhere by default.')) }),
  fault('huge', 'Answers JSON of endless length, streamed.', { bytes: maybe(count('How many; 1 GiB by default.')) }),
  fault('content-type', 'Answers 200 with a page instead of JSON.', {
    type: maybe(Type.String({ description: '`text/html` by default.' }))
  }),
  fault('gzip', 'Compresses the answer, although nobody asked for it.', {}),
  fault('second-answer', 'Sends the answer, and others that nobody asked for.', {
    count: maybe(count('How many; 1 by default.')),
    afterMs: maybe(count('Milliseconds after it; immediately by default.'))
  }),
  fault('status', 'Answers an HTTP error.', {
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    retryAfter: maybe(count('Seconds, as `Retry-After`.'))
  }),
  fault('refusal', "Answers an error of the upstream's API, such as the token faults 447, 454, 455 and 456.", { code: count('Its code.') })
] as const

export const Fault = Type.Union([...connectionFaults, ...gentleFaults, ...endingFaults])
export type Fault = Static<typeof Fault>
export type FaultKind = Fault['kind']

const kindsOf = (faults: readonly TSchema[]): ReadonlySet<string> => new Set(faults.map(schema => schema.properties.kind.const))
const connectionKinds = kindsOf(connectionFaults)
const gentleKinds = kindsOf(gentleFaults)

/** Every kind of fault with what it does, for people. */
export const faultKinds: readonly { kind: string; does: string }[] = [...connectionFaults, ...gentleFaults, ...endingFaults].map(
  ({ properties, description }) => ({ kind: properties.kind.const, does: description! })
)

export const Rule = Type.Object(
  {
    fault: Fault,
    probability: maybe(Type.Number({ minimum: 0, maximum: 1, description: 'How often it strikes; always by default.' })),
    methods: maybe(Type.Array(Type.String(), { description: 'Only these methods of the upstream.' })),
    calls: maybe(Type.Union([Type.Literal('reads'), Type.Literal('writes')], { description: 'Only these.' })),
    accounts: maybe(Type.Array(Type.Integer(), { description: 'Only calls for these accounts.' })),
    from: maybe(Type.Number({ minimum: 0, description: 'Seconds after the rules were set.' })),
    until: maybe(Type.Number({ minimum: 0, description: 'Seconds after the rules were set.' })),
    every: maybe(Type.Number({ exclusiveMinimum: 0, description: 'Bursts: a period, in seconds; `during` says for how much of it.' })),
    during: maybe(Type.Number({ minimum: 0, description: 'The first seconds of each period.' })),
    times: maybe(count('Maximum number of times.')),
    when: maybe(
      Type.Union([Type.Literal('before'), Type.Literal('after')], {
        description: 'Whether a write has its effect before the fault strikes (`after`), or none; either by default.'
      })
    )
  },
  { additionalProperties: false }
)
export type Rule = Static<typeof Rule>

/** What the control port takes. */
export const Plan = Type.Object(
  {
    seed: maybe(Type.Integer({ description: 'The same seed and the same calls meet the same faults.' })),
    rules: maybe(Type.Array(Rule)),
    listening: maybe(Type.Boolean({ description: 'Whether the port is open at all.' }))
  },
  { additionalProperties: false }
)
export type Plan = Static<typeof Plan>

const ajv = new Ajv({ allErrors: true, discriminator: false })
const isPlan = ajv.compile<Plan>(Plan)
const kinds = faultKinds.map(({ kind }) => kind)

/** The plan that a JSON value is. Throws an Error that says what is wrong. */
export function readPlan(value: unknown): Plan {
  const rules = (value as Plan | undefined)?.rules
  for (const rule of Array.isArray(rules) ? rules : []) {
    const kind = rule?.fault?.kind
    if (!kinds.includes(kind)) throw new Error(`there is no fault ${JSON.stringify(kind)}; there are ${kinds.join(', ')}`)
  }
  if (!isPlan(value)) {
    // The alternatives that were not meant only confuse.
    const errors = isPlan.errors!.filter(error => error.keyword !== 'const' && error.keyword !== 'anyOf')
    throw new Error(
      errors
        .map(
          error =>
            `${error.instancePath || '/'} ${error.message}${error.params.additionalProperty ? ` (${error.params.additionalProperty})` : ''}`
        )
        .join('; ')
    )
  }
  return value
}

/** What a rule is looked at for. */
export interface Occasion {
  /** A stable name of this very attempt: the same one rolls the same numbers. */
  id: string
  stage: 'connection' | 'request'
  method?: string
  safe?: boolean
  account?: number
  /** Seconds since the rules were set. */
  time: number
}

/** What was decided for an occasion: gentle faults, and at most one that ends it. */
export interface Verdict {
  gentle: Fault[]
  ending?: Fault
  /** For a write: whether it has its effect although a fault strikes. */
  effect: boolean
  /** Between 0 and 1, new each time: for what a fault leaves open. */
  random(): number
}

/** Random numbers from a text: the same text, the same numbers (mulberry32). */
export function randomOf(text: string): () => number {
  let state = createHash('sha256').update(text).digest().readUInt32LE(0)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Faults after which the caller can still read the whole answer. */
export const answersWhole = ({ kind }: Fault): boolean => kind === 'second-answer' || kind === 'drip' || kind === 'gzip'

/** The upstream's own error document means that nothing was done: no effect, whatever a rule says. A bare HTTP status may come of a proxy. */
const refuses = (fault: Fault): boolean => fault.kind === 'refusal'

const applies = (rule: Rule, { stage, method, safe, account, time }: Occasion): boolean => {
  if (connectionKinds.has(rule.fault.kind) !== (stage === 'connection')) return false
  if (time < (rule.from ?? 0) || time >= (rule.until ?? Number.POSITIVE_INFINITY)) return false
  if (rule.every !== undefined && time % rule.every >= (rule.during ?? rule.every)) return false
  if (stage === 'connection') return true
  if (rule.methods && !rule.methods.includes(method!)) return false
  if (rule.calls && (rule.calls === 'reads') !== safe) return false
  return !rule.accounts || rule.accounts.includes(account!)
}

/** Decides by rules. `struck` counts how often each rule has struck, and is kept up to date. */
export function judge(rules: readonly Rule[], struck: number[], seed: number, occasion: Occasion): Verdict {
  const random = randomOf(`${seed} ${occasion.id}`)
  const verdict: Verdict = { gentle: [], effect: true, random }
  for (const [i, rule] of rules.entries()) {
    // Rolled whether it applies or not: another rule's window does not shift the numbers of the next.
    const roll = random()
    const coin = random()
    if (!applies(rule, occasion) || roll >= (rule.probability ?? 1)) continue
    if ((struck[i] ?? 0) >= (rule.times ?? Number.POSITIVE_INFINITY)) continue
    const gentle = gentleKinds.has(rule.fault.kind)
    if (!gentle && verdict.ending) continue
    struck[i] = (struck[i] ?? 0) + 1
    if (gentle) {
      verdict.gentle.push(rule.fault)
      continue
    }
    verdict.ending = rule.fault
    verdict.effect = !refuses(rule.fault) && (rule.when === undefined ? coin < 0.5 : rule.when === 'after')
    // An answer that is whole tells of an effect.
    if (answersWhole(rule.fault)) verdict.effect = true
  }
  return verdict
}
