import { type TProperties, Type } from '@sinclair/typebox'
import { integer, maybe, oneOf } from '../../schemas/common.ts'

/** The fields that `all` adds to an endpoint. */
export const selectAllFieldNames: readonly string[] = ['all', 'expectedCount']

/** The fields by which a caller selects everything, and proves to know how much that is. */
export const selectAllFields = (selectors: string[]): TProperties =>
  selectors.length === 0
    ? {}
    : {
        all:
          selectors.length === 1
            ? maybe(
                Type.Boolean({
                  enum: [true],
                  description: `Selects everything, in place of \`${selectors[0]}\`. Needs \`expectedCount\`, and a key with the scope \`bulk\`.`,
                  examples: [true]
                })
              )
            : maybe(
                oneOf(
                  selectors,
                  'The selector that shall stand for everything; its own field is then left out. Needs `expectedCount`, and a key with the scope `bulk`.'
                )
              ),
        expectedCount: maybe(
          integer('With `all`: how many things that must be. The call is refused with 412 when another number is counted now.', {
            minimum: 0,
            examples: [3]
          })
        )
      }
