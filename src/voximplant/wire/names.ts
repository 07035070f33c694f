/** `userId` -> `user_id`. A word all in capitals (`USD`, `CALL`) is data and stays. */
export const toSnake = (name: string): string =>
  /^[A-Z0-9_]+$/.test(name) ? name : name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** `user_id` -> `userId`; the inverse of `toSnake`. */
export const toCamel = (wire: string): string =>
  /^[A-Z0-9_]+$/.test(wire) ? wire : wire.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
