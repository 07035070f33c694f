/**
 * Stands in for the types that `test/clients.test.ts` generates from openapi.json, so that `tsc` can read the scenario where there are none.
 * The test leaves this file out.
 */
declare module 'voxgate-api' {
  // biome-ignore lint/suspicious/noExplicitAny: nothing is known here; the types that count are generated
  export type paths = any
}
