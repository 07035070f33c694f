import t from 'tap'
import { operations } from '../../routes/catalogue.ts'
import { type MethodTraits, methods } from '../../src/voximplant/methods.ts'
import catalogue from '../fixtures/catalogue.json' with { type: 'json' }

/** The upstream's own description of its methods. */
const described: Readonly<Record<string, { params: readonly { wire: string }[] } | undefined>> = catalogue
const traits: readonly [string, MethodTraits][] = Object.entries(methods)
const failing = (isWrong: (traits: MethodTraits, method: string) => boolean) =>
  traits.filter(([method, traits]) => isWrong(traits, method)).map(([method]) => method)

t.test('holds the methods of the endpoints and the one that verifies credentials, and no other', async t => {
  const served = new Set<string>(operations.map(({ endpoint }) => endpoint.rpc))
  t.strictSame(Object.keys(methods), [...served.add('GetKeyRoles')].toSorted())
  t.strictSame(
    failing((_, method) => !described[method]),
    [],
    'each is in the catalogue of the upstream'
  )
})

t.test('a method that changes something is not repeated after its response was lost, unless the same state results', async t => {
  t.strictSame(
    failing(({ safe, retry }) => (safe === true) !== (retry === 'any')),
    [],
    'reads, and only they, are repeated after any fault'
  )
  t.strictSame(
    failing(
      ({ retry }, method) => (retry === 'transport') !== (/^(SQ_)?Set|^EditCallListTasksPriority$/.test(method) && retry !== 'unsent')
    ),
    [],
    'only methods that set a state are repeated after a transport fault'
  )
  t.strictSame(
    failing(({ safe, destructive, costsMoney, privileged, retry }) =>
      destructive || costsMoney || privileged ? safe === true || retry !== 'unsent' : false
    ),
    [],
    'what destroys, costs or changes rights is repeated only where it was not sent'
  )
})

t.test('a lost outcome is looked up with a read, by what one of the two methods takes', async t => {
  let lookups = 0
  for (const [method, { reconcile, safe }] of traits) {
    if (!reconcile) continue
    lookups++
    const [reader, by] = reconcile
    const params = [method, reader].flatMap(name => described[name]?.params.map(({ wire }) => wire.replace(/^new_/, '')) ?? [])
    t.not(safe, true, `${method} changes something`)
    t.match(traits.find(([name]) => name === reader)?.[1], { safe: true }, `${reader} reads`)
    t.strictSame(
      by.split('+').filter(name => !params.includes(name)),
      [],
      `${by} are parameters of ${method} or ${reader}`
    )
  }
  t.ok(lookups > 0)
})
