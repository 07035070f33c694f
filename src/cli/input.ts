import { userInfo } from 'node:os'
import type { TSchema } from '@sinclair/typebox'
import { compileCheck } from '../api/validation.ts'
import type { Problem } from '../problems/problem.ts'
import type { Actor } from '../tenants/model.ts'

/** The command was not understood: exit status 2. */
export class UsageError extends Error {}

/** Where a command reads and writes. */
export interface Terminal {
  /** A file's text; `-` is standard input. */
  read(file: string): string
  out(line: string): void
  err(line: string): void
}

/** A command's arguments. */
export interface CommandInput {
  /** The argument after the command's name. */
  subject: string
  values: Record<string, string | boolean | string[] | undefined>
  terminal: Terminal
}

/** A container may have no user name. */
function username(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}

/** Who makes changes, for the audit log. */
export const operator: Actor = { kind: 'cli', id: username() }

/** The option of a request's field. */
const optionNames: Record<string, string> = {
  tenantId: '<tenant>',
  accountId: '--account',
  apiHost: '--api-host',
  scopes: '--scope',
  expiresAt: '--expires',
  childAccounts: '--child-account',
  allowedCidrs: '--allow',
  graceSeconds: '--grace',
  settings: '--settings'
}

/** Validates a value by the admin API's schema. Throws UsageErrorError in the words of the command line. */
export function checked<T>(schema: TSchema, value: object): T {
  const outcome = compileCheck(schema, 'body')(JSON.parse(JSON.stringify(value)))
  if ('error' in outcome) throw usageErrorOf(outcome.error)
  return outcome.value as T
}

export const usageErrorOf = ({ errors = [] }: Problem): UsageError =>
  new UsageError(
    errors
      .map(({ pointer, detail }) => {
        const [, field = '', ...rest] = pointer.split('/')
        return `${[optionNames[field] ?? `--${field}`, ...rest].join('/')} ${detail}`
      })
      .join('\n')
  )

export const numberOf = (value: unknown): unknown => (typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value)

/** The text of the file that an option names. */
export function textOf({ values, terminal }: CommandInput, option: string): string {
  const file = values[option]
  if (typeof file !== 'string') throw new UsageError(`--${option} is missing: the name of a file, or - for standard input`)
  return terminal.read(file)
}

/** The settings in the file that `--settings` names. */
export function settingsOf(input: CommandInput): unknown {
  if (input.values.settings === undefined) return undefined
  try {
    return JSON.parse(textOf(input, 'settings'))
  } catch (error) {
    throw error instanceof SyntaxError ? new UsageError('--settings is not JSON') : error
  }
}
