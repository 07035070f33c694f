import { userInfo } from 'node:os'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { TSchema } from '@sinclair/typebox'
import { KeyRotation, NewApiKey } from '../../schemas/api-key.ts'
import { AuditFilter } from '../../schemas/audit-entry.ts'
import { NewTenant, TenantChanges } from '../../schemas/tenant.ts'
import type { AdminService } from '../admin/service.ts'
import { compileCheck } from '../api/validation.ts'
import { readConfig } from '../config.ts'
import { Problem } from '../problems/problem.ts'
import { parseCredentials } from '../tenants/credentials.ts'
import type { Actor } from '../tenants/model.ts'

/**
 * The command line: what the admin API does, on the database itself. Secrets come from files or standard input, never from arguments, which
 * other users of a machine can see. Exit status 0; 1 when it was refused or failed; 2 when the command was not understood.
 */

/** The command was not understood: said in a line, exit status 2. */
class Usage extends Error {}

/** Where a command reads and writes. */
export interface Terminal {
  /** A file's text; `-` is standard input. */
  read(file: string): string
  out(line: string): void
  err(line: string): void
}

/** What was typed. */
interface Typed {
  /** What comes after the command's name. */
  subject: string
  values: Record<string, string | boolean | string[] | undefined>
  terminal: Terminal
}

interface Command {
  /** What has to come after the name; nothing without it. */
  takes?: 'tenant' | 'key id'
  /** Options as shown: `--name <name>`. */
  shows?: string
  options?: ParseArgsOptionsConfig
  does: string
  example: string
  /** Its result for programs, and for people. */
  run(admin: AdminService, typed: Typed): Promise<{ json: unknown; text: string; left?: number }>
}

const text = { type: 'string' } as const
const many = { type: 'string', multiple: true } as const
const flag = { type: 'boolean' } as const

/** In a container there may be none. */
function username(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}

/** In the audit log. */
const operator: Actor = { kind: 'cli', id: username() }

/** How the fields of a request are typed. */
const typedAs: Record<string, string> = {
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

/** A value as the admin API takes it. Throws Usage in the words of the command line. */
function checked<T>(schema: TSchema, value: object): T {
  const outcome = compileCheck(schema, 'body')(JSON.parse(JSON.stringify(value)))
  if ('error' in outcome) throw usageOf(outcome.error)
  return outcome.value as T
}

const usageOf = ({ errors = [] }: Problem): Usage =>
  new Usage(
    errors
      .map(({ pointer, detail }) => {
        const [, field = '', ...rest] = pointer.split('/')
        return `${[typedAs[field] ?? `--${field}`, ...rest].join('/')} ${detail}`
      })
      .join('\n')
  )

const numberOf = (value: unknown): unknown => (typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value)

/** The text of the file that an option names. */
function textOf({ values, terminal }: Typed, option: string): string {
  const file = values[option]
  if (typeof file !== 'string') throw new Usage(`--${option} is missing: the name of a file, or - for standard input`)
  return terminal.read(file)
}

/** The settings in the file that `--settings` names. */
function settingsOf(typed: Typed): unknown {
  if (typed.values.settings === undefined) return undefined
  try {
    return JSON.parse(textOf(typed, 'settings'))
  } catch (error) {
    throw error instanceof SyntaxError ? new Usage('--settings is not JSON') : error
  }
}

/** Rows below each other, for people. */
function table(head: string[], rows: (string | number | undefined)[][]): string {
  const lines = [head, ...rows.map(row => row.map(cell => String(cell ?? '-')))]
  const widths = head.map((_, i) => Math.max(...lines.map(line => line[i]!.length)))
  return lines.map(line => line.map((cell, i) => cell.padEnd(i === line.length - 1 ? 0 : widths[i]!)).join('  ')).join('\n')
}

/** A thing with its fields, for people. */
const card = (fields: object): string =>
  table(
    ['FIELD', 'VALUE'],
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)])
  )

const shown = async <T extends object>(value: Promise<T>) => {
  const json = await value
  return { json, text: card(json) }
}

const said = async (done: Promise<unknown>, words: string) => {
  await done
  return { json: { done: words }, text: words }
}

const setEnabled = (admin: AdminService, tenantId: string, enabled: boolean) =>
  said(admin.updateTenant(operator, tenantId, { enabled }), `${tenantId} is ${enabled ? 'enabled' : 'disabled'}.`)

/** A key that was made: alone on standard output, for `KEY=$(...)`; what else there is to say goes to the other. */
const onlyKey = async ({ err }: Terminal, made: Promise<{ key: string; keyId: string }>) => {
  const json = await made
  err(`The key ${json.keyId}. This is the only time that it is shown.`)
  return { json, text: json.key }
}

const childAccountsOf = (given: unknown): unknown => {
  if (!Array.isArray(given)) return undefined
  return given.length === 1 && given[0] === 'any' ? 'any' : given.map(numberOf)
}

/** What each command does. */
const commands: Record<string, Command> = {
  'tenants create': {
    takes: 'tenant',
    shows: '--account <id> [--name <name>] [--api-host <host>] [--settings <file>]',
    options: { account: text, name: text, 'api-host': text, settings: text },
    does: 'Makes a tenant for an account of the upstream.',
    example: "tenants create acme --name 'Acme Inc.' --account 1234567",
    run(admin, typed) {
      const { subject, values } = typed
      return shown(
        admin.createTenant(
          operator,
          checked(NewTenant, {
            tenantId: subject,
            accountId: numberOf(values.account),
            name: values.name,
            apiHost: values['api-host'],
            settings: settingsOf(typed)
          })
        )
      )
    }
  },
  'tenants list': {
    does: 'Lists all tenants.',
    example: 'tenants list --json',
    async run(admin) {
      const items = []
      for (let after: string | undefined; ; ) {
        const page = await admin.tenants({ after, limit: 1000 })
        items.push(...page.items)
        after = page.next
        if (after === undefined) break
      }
      const rows = items.map(({ tenantId, accountId, enabled, credentialVersion, name }) => [
        tenantId,
        accountId,
        enabled ? 'enabled' : 'disabled',
        credentialVersion,
        name
      ])
      return { json: { items }, text: table(['TENANT', 'ACCOUNT', 'STATE', 'CREDENTIALS', 'NAME'], rows) }
    }
  },
  'tenants show': {
    takes: 'tenant',
    does: 'Shows a tenant with its settings.',
    example: 'tenants show acme',
    run: (admin, { subject }) => shown(admin.tenant(subject))
  },
  'tenants update': {
    takes: 'tenant',
    shows: '[--name <name>] [--api-host <host>|none] [--settings <file>]',
    options: { name: text, 'api-host': text, settings: text },
    does: 'Changes a tenant. The file of --settings is a JSON object: rateLimit, concurrency, defaultHeaders, allowedCidrs; null takes one away.',
    example: `tenants update acme --settings - <<< '{"rateLimit": {"perSecond": 20, "burst": 40}}'`,
    run(admin, typed) {
      const { subject, values } = typed
      return shown(
        admin.updateTenant(
          operator,
          subject,
          checked(TenantChanges, {
            name: values.name,
            apiHost: values['api-host'] === 'none' ? null : values['api-host'],
            settings: settingsOf(typed)
          })
        )
      )
    }
  },
  'tenants enable': {
    takes: 'tenant',
    does: 'Lets the keys of a tenant work again.',
    example: 'tenants enable acme',
    run: (admin, { subject }) => setEnabled(admin, subject, true)
  },
  'tenants disable': {
    takes: 'tenant',
    does: 'Has every call of a tenant answered 403.',
    example: 'tenants disable acme',
    run: (admin, { subject }) => setEnabled(admin, subject, false)
  },
  'tenants delete': {
    takes: 'tenant',
    shows: '--yes',
    options: { yes: flag },
    does: 'Deletes a tenant, its keys, its credentials and the key that these are sealed with. There is no way back.',
    example: 'tenants delete acme --yes',
    run(admin, { subject, values }) {
      if (!values.yes) throw new Usage(`--yes is missing: ${subject} and all that it has would be gone for good`)
      return said(admin.deleteTenant(operator, subject), `${subject} is deleted.`)
    }
  },
  'credentials put': {
    takes: 'tenant',
    shows: '--file <credentials.json>|- [--no-verify]',
    options: { file: text, 'no-verify': flag },
    does: 'Checks credentials, asks the upstream about them unless --no-verify says otherwise, and takes them into use: a credentials.json as downloaded, or {"accountId": ..., "apiKey": ...}.',
    example: 'credentials put acme --file credentials.json',
    async run(admin, typed) {
      const { subject, values } = typed
      const file = parseCredentials(textOf(typed, 'file'))
      const json = await admin.putCredentials(operator, subject, file, { verify: !values['no-verify'] })
      const { version, keyId, fingerprint, verifiedAt, roles } = json
      const proof = verifiedAt === undefined ? 'not verified' : 'verified at the upstream'
      return {
        json,
        text: `Version ${version} is in use: ${keyId === undefined ? 'the API key' : `key ${keyId}`}, ${fingerprint}, ${proof}${roles ? `, roles ${roles.join(', ')}` : ''}.`
      }
    }
  },
  'credentials status': {
    takes: 'tenant',
    does: "Shows what may be told of a tenant's credentials.",
    example: 'credentials status acme',
    run: (admin, { subject }) => shown(admin.credentials(subject))
  },
  'credentials delete': {
    takes: 'tenant',
    does: "Destroys a tenant's credentials at once.",
    example: 'credentials delete acme',
    run: (admin, { subject }) => said(admin.deleteCredentials(operator, subject), `The credentials of ${subject} are destroyed.`)
  },
  'keys create': {
    takes: 'tenant',
    shows: '--name <name> --scope <scope> [--scope ...] [--expires <RFC 3339>] [--allow <network> ...] [--child-account <id>|any ...]',
    options: { name: text, scope: many, expires: text, allow: many, 'child-account': many },
    does: 'Makes an API key and prints it, this once.',
    example: 'keys create acme --name billing-service --scope users:read --scope applications:read --allow 10.0.0.0/8',
    run: (admin, { subject, values, terminal }) =>
      onlyKey(
        terminal,
        admin.createKey(
          operator,
          subject,
          checked(NewApiKey, {
            name: values.name,
            scopes: values.scope,
            expiresAt: values.expires,
            allowedCidrs: values.allow,
            childAccounts: childAccountsOf(values['child-account'])
          })
        )
      )
  },
  'keys list': {
    takes: 'tenant',
    does: 'Lists the API keys of a tenant, newest first.',
    example: 'keys list acme',
    async run(admin, { subject }) {
      const json = await admin.keys(subject)
      const rows = json.items.map(({ keyId, state, name, scopes, expiresAt, lastUsedAt }) => [
        keyId,
        state,
        expiresAt,
        lastUsedAt,
        name,
        scopes.join(' ')
      ])
      return { json, text: table(['KEY', 'STATE', 'EXPIRES', 'LAST USED', 'NAME', 'SCOPES'], rows) }
    }
  },
  'keys revoke': {
    takes: 'key id',
    does: 'Revokes an API key for good.',
    example: 'keys revoke Ya9KVgo2q6zU',
    run: (admin, { subject }) => said(admin.revokeKey(operator, undefined, subject), `${subject} is revoked.`)
  },
  'keys rotate': {
    takes: 'key id',
    shows: '[--grace <seconds>] [--expires <RFC 3339>]',
    options: { grace: text, expires: text },
    does: 'Makes a key with the same rights and prints it; the old one still works for the grace, an hour by default.',
    example: 'keys rotate Ya9KVgo2q6zU --grace 86400',
    run: (admin, { subject, values, terminal }) =>
      onlyKey(
        terminal,
        admin.rotateKey(
          operator,
          undefined,
          subject,
          checked(KeyRotation, { graceSeconds: numberOf(values.grace ?? '3600'), expiresAt: values.expires })
        )
      )
  },
  'audit list': {
    shows:
      '[--tenant <tenant>] [--actor <id>] [--action <action>] [--outcome <outcome>] [--since <RFC 3339>] [--until <RFC 3339>] [--before <id>] [--limit <n>]',
    options: { tenant: text, actor: text, action: text, outcome: text, since: text, until: text, before: text, limit: text },
    does: 'Reads the audit log, newest first; --before goes on where the page before ended.',
    example: 'audit list --tenant acme --since 2026-01-01T00:00:00Z --limit 20',
    async run(admin, { values: { tenant, limit, ...filter } }) {
      const json = await admin.auditLog(
        checked(AuditFilter, { ...filter, json: undefined, help: undefined, tenantId: tenant, limit: numberOf(limit) })
      )
      const rows = json.items.map(({ at, actor, action, tenantId, target, outcome, detail }) => [
        at,
        `${actor.kind}:${actor.id}`,
        actor.address,
        action,
        tenantId,
        target,
        outcome,
        detail && JSON.stringify(detail)
      ])
      const more = json.next === undefined ? '' : `\nMore: --before ${json.next}`
      return { json, text: `${table(['AT', 'WHO', 'FROM', 'ACTION', 'TENANT', 'TARGET', 'OUTCOME', 'DETAIL'], rows)}${more}` }
    }
  },
  'rotate-master-key': {
    does: 'Wraps all data keys with the current master key, while the service goes on; MASTER_KEY_PREVIOUS has to name the one before. Started again, it goes on where it was stopped.',
    example: 'rotate-master-key',
    async run(admin, { terminal }) {
      const { done } = admin.rotateMasterKey(operator, ({ rewrapped, total }) => {
        terminal.err(`${rewrapped} of ${total} data keys`)
      })
      await done
      const json = await admin.masterKey()
      const { rewrapped = 0, left = 0, current, counts } = json
      const others = Object.entries(counts).filter(([id, count]) => id !== current && count > 0)
      const rest = left === 0 ? 'None is left.' : `${left} are left: ${others.map(([id, count]) => `${count} under ${id}`).join(', ')}.`
      return { json, text: `${rewrapped} data keys are now wrapped by ${current}. ${rest}`, left }
    }
  },
  'scopes list': {
    does: 'Lists what keys can be allowed.',
    example: 'scopes list',
    async run(admin) {
      const json = admin.scopes()
      return {
        json,
        text: table(
          ['SCOPE', 'OPERATIONS', 'ALLOWS'],
          json.items.map(({ scope, operations, description }) => [scope, operations.length || undefined, description])
        )
      }
    }
  }
}

const usageLine = (name: string, { takes, shows }: Command): string => [name, takes && `<${takes}>`, shows].filter(Boolean).join(' ')

const help = `Usage: npx voxgate <command> [--json]     (in a container: node src/cli/main.ts <command>)

${Object.entries(commands)
  .map(([name, command]) => `  ${usageLine(name, command)}`)
  .join('\n')}

  --json    prints what programs can read
  --help    tells more of a command: npx voxgate keys create --help

It works on the database in DATABASE_URL, or in DATA_DIR, with the master key in MASTER_KEY or MASTER_KEY_FILE, as the service does.
A running service hears of changes within a second on PostgreSQL, and within CACHE_TTL on SQLite.
Exit status: 0; 1 when it was refused or failed; 2 when the command was not understood.`

const helpOf = (name: string, command: Command): string => `Usage: npx voxgate ${usageLine(name, command)} [--json]

${command.does}

  npx voxgate ${command.example}`

/** The longest command that what was typed begins with. */
const nameIn = (words: string[]): string | undefined =>
  [words.slice(0, 2).join(' '), words[0] ?? ''].find(name => Object.hasOwn(commands, name))

/** Runs one command. @returns the exit status */
export async function commandLine(args: string[], env: Record<string, string | undefined>, terminal: Terminal): Promise<number> {
  try {
    return await run(args, env, terminal)
  } catch (error) {
    const usage = error instanceof Problem && error.type === 'invalid-request' ? usageOf(error) : error
    terminal.err((usage as Error).message)
    return usage instanceof Usage ? 2 : 1
  }
}

async function run(args: string[], env: Record<string, string | undefined>, terminal: Terminal): Promise<number> {
  const asksForHelp = args.includes('--help') || args.includes('-h')
  const name = nameIn(args)
  const command = name === undefined ? undefined : commands[name]
  if (name === undefined || !command) {
    if (!asksForHelp) throw new Usage(args.length === 0 ? help : `There is no such command.\n${help}`)
    terminal.out(help)
    return 0
  }
  if (asksForHelp) {
    terminal.out(helpOf(name, command))
    return 0
  }
  const usage = (complaint: string) => new Usage(`${complaint}\n${helpOf(name, command)}`)
  let typed: { values: Typed['values']; positionals: string[] }
  try {
    typed = parseArgs({ args: args.slice(name.split(' ').length), allowPositionals: true, options: { ...command.options, json: flag } })
  } catch (error) {
    throw usage((error as Error).message)
  }
  const { positionals, values } = typed
  if (positionals.length !== (command.takes ? 1 : 0))
    throw usage(positionals.length === 0 ? `The ${command.takes} is missing.` : `There is too much: ${positionals.at(-1)}`)

  const config = readConfig(env)
  // What a database and an upstream need takes its time to load: help comes at once.
  const [{ createAdminService }, { operations }, { openStoreOf }, { upstreamCa }] = await Promise.all([
    import('../admin/service.ts'),
    import('../../routes/catalogue.ts'),
    import('../tenants/open.ts'),
    import('../voximplant/client-options.ts')
  ])
  const store = await openStoreOf(config, { print: line => terminal.err(line) })
  try {
    const admin = createAdminService({
      config,
      store,
      operations,
      origin: config.upstream.url.replace(/\/$/, ''),
      ca: upstreamCa(config.upstream)
    })
    const { json, text, left = 0 } = await command.run(admin, { subject: positionals[0] ?? '', values, terminal })
    terminal.out(values.json ? JSON.stringify(json, null, 2) : text)
    return left > 0 ? 1 : 0
  } finally {
    await store.close()
  }
}
