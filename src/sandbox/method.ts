import type { SandboxAccount } from './auth.ts'
import type { Params } from './codec.ts'
import type { FileResponse } from './file-response.ts'
import type { AccountState } from './state.ts'

/** What a method may need besides its parameters. */
export interface Context {
  /** The account's entry in the sandbox's list. */
  caller: SandboxAccount
  /** Whether the caller authenticated with the account's API key, not with a token. */
  byApiKey: boolean
}

/**
 * Executes a call on an account's state. Returns the response in REST names, which the codec writes in the upstream's, or a file;
 * nothing stands for `{ result: 1 }`. Throws SandboxError.
 */
export type Method = (params: Params, account: AccountState, context: Context) => Record<string, unknown> | FileResponse | undefined

/** Methods by the upstream's names. */
export type Methods = Record<string, Method>

/** A section of the upstream: its methods, and the rows that a demonstration account starts with. */
export interface Section {
  methods: Methods
  seed?: (account: AccountState, caller: SandboxAccount) => void
}
