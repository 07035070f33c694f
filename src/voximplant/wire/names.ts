import type { TSchema } from '@sinclair/typebox'
import { marked } from './marks.ts'

/** `userId` -> `user_id`. A word all in capitals (`USD`, `CALL`) is data and stays. */
export const toSnake = (name: string): string =>
  /^[A-Z0-9_]+$/.test(name) ? name : name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** `user_id` -> `userId`; the inverse of `toSnake`. */
export const toCamel = (wire: string): string =>
  /^[A-Z0-9_]+$/.test(wire) ? wire : wire.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** The upstream's name of a field, where an endpoint does not rename it. */
export const wireNameOf = (name: string, schema: TSchema): string => toSnake(marked(schema, 'name') ?? name)
