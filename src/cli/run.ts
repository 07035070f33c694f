import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { Problem } from '../problems/problem.ts'
import { type Command, commands, flag } from './commands.ts'
import { type CommandInput, type Terminal, UsageError, usageErrorOf } from './input.ts'

/**
 * The command line: what the admin API does, on the database itself. Secrets come from files or standard input, never from arguments, which
 * other users of a machine can see. Exit status 0; 1 when it was refused or failed; 2 when the command was not understood.
 */

const usageLine = (name: string, { takes, usage }: Command): string => [name, takes && `<${takes}>`, usage].filter(Boolean).join(' ')

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

${command.description}

  npx voxgate ${command.example}`

/** The longest command that what was typed begins with. */
const nameIn = (words: string[]): string | undefined =>
  [words.slice(0, 2).join(' '), words[0] ?? ''].find(name => Object.hasOwn(commands, name))

/** Runs one command. @returns the exit status */
export async function commandLine(args: string[], env: Record<string, string | undefined>, terminal: Terminal): Promise<number> {
  try {
    return await run(args, env, terminal)
  } catch (error) {
    const usage = error instanceof Problem && error.type === 'invalid-request' ? usageErrorOf(error) : error
    terminal.err((usage as Error).message)
    return usage instanceof UsageError ? 2 : 1
  }
}

async function run(args: string[], env: Record<string, string | undefined>, terminal: Terminal): Promise<number> {
  const asksForHelp = args.includes('--help') || args.includes('-h')
  const name = nameIn(args)
  const command = name === undefined ? undefined : commands[name]
  if (name === undefined || !command) {
    if (!asksForHelp) throw new UsageError(args.length === 0 ? help : `There is no such command.\n${help}`)
    terminal.out(help)
    return 0
  }
  if (asksForHelp) {
    terminal.out(helpOf(name, command))
    return 0
  }
  const usage = (complaint: string) => new UsageError(`${complaint}\n${helpOf(name, command)}`)
  let input: { values: CommandInput['values']; positionals: string[] }
  try {
    input = parseArgs({ args: args.slice(name.split(' ').length), allowPositionals: true, options: { ...command.options, json: flag } })
  } catch (error) {
    throw usage((error as Error).message)
  }
  const { positionals, values } = input
  if (positionals.length !== (command.takes ? 1 : 0))
    throw usage(positionals.length === 0 ? `The ${command.takes} is missing.` : `There is too much: ${positionals.at(-1)}`)

  const config = readConfig(env)
  // The modules of a database and an upstream take time to load: help does not wait for them.
  const [{ createAdminService }, { operations, catalogue }, { openStoreOf }, { upstreamCa }] = await Promise.all([
    import('../admin/service.ts'),
    import('../../routes/catalogue.ts'),
    import('../tenants/open.ts'),
    import('../voximplant/upstream-ca.ts')
  ])
  const store = await openStoreOf(config, { print: line => terminal.err(line) })
  try {
    const admin = createAdminService({
      config,
      store,
      operations,
      getAccount: catalogue.account.getAccount,
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
