import { type TSchema, Type } from '@sinclair/typebox'
import { Ajv } from 'ajv'
import { isNetwork, proxyNetworks } from './config/networks.ts'
import { type Setting, settings } from './config/settings.ts'
import { misnamedVariables } from './config/variables.ts'
import { OperatorError } from './problems/operator-error.ts'

type Settings = typeof settings
type ValueOf<S> = S extends Setting<infer T> ? T : never

/** The configuration in groups: typed, checked and frozen. */
export type Config = {
  readonly [Group in keyof Settings]: { readonly [Name in keyof Settings[Group]]: ValueOf<Settings[Group][Name]> }
}

/** All that is wrong with an environment. */
export class ConfigError extends OperatorError {
  readonly problems: string[]
  constructor(problems: string[]) {
    super(`The configuration is not valid:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

const schemas: Record<string, TSchema> = Object.fromEntries(
  Object.values(settings).flatMap(group => Object.values<Setting<unknown>>(group).map(({ variable, schema }) => [variable, schema]))
)
const validate = new Ajv({ allErrors: true, useDefaults: true, coerceTypes: true }).compile(Type.Object(schemas))

/** Reads the configuration from an environment. Throws ConfigError with everything that is wrong. */
export function readConfig(env: Record<string, string | undefined>): Config {
  // An empty variable counts as unset, as in compose files.
  const set = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[0] in schemas && entry[1] !== undefined && entry[1] !== '')
  )
  const values: Record<string, unknown> = { ...set }
  const problems = [...misnamedVariables(env, Object.keys(schemas)), ...invalidValues(values), ...conflicts(set)]
  if (problems.length > 0) throw new ConfigError(problems)
  if (!set.VOXIMPLANT_API) values.VOXIMPLANT_API = 'sandbox'
  const groups = Object.entries(settings).map(([name, group]) => [
    name,
    Object.freeze(Object.fromEntries(Object.entries<Setting<unknown>>(group).map(([field, { variable }]) => [field, values[variable]])))
  ])
  return Object.freeze(Object.fromEntries(groups)) as Config
}

/** Converts texts to values and fills in defaults. Returns the values that their schemas reject. */
function invalidValues(values: Record<string, unknown>): string[] {
  if (validate(values)) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const variable = instancePath.slice(1)
    const allowed = Array.isArray(params.allowedValues) ? ` (${params.allowedValues.join(', ')})` : ''
    return `${variable} ${message}${allowed}. Its meaning: ${schemas[variable]?.description}`
  })
}

const exclusive = [
  ['ADMIN_TOKEN', 'ADMIN_TOKEN_FILE'],
  ['MASTER_KEY', 'MASTER_KEY_FILE'],
  ['TRANSIT_TOKEN', 'TRANSIT_TOKEN_FILE']
] as const

/** Values that are wrong together, or that no schema can check. */
function conflicts(set: Readonly<Record<string, string>>): string[] {
  const problems: string[] = []
  const production = set.NODE_ENV === 'production'
  const transit = set.MASTER_KEY_PROVIDER === 'transit'
  const keyed = ['MASTER_KEY', 'MASTER_KEY_FILE', 'DATABASE_URL'].find(name => set[name])
  const beside = keyed ?? (transit ? 'MASTER_KEY_PROVIDER' : undefined)
  // The sandbox creates a tenant whose key allows everything, and prints it: never where real secrets are stored.
  if (!set.VOXIMPLANT_API && (production || beside))
    problems.push(
      `VOXIMPLANT_API is required ${production ? 'in production' : `beside ${beside}`}: set VOXIMPLANT_API=https://api.voximplant.com, or VOXIMPLANT_API=sandbox for the embedded sandbox and its demo tenant`
    )
  if (production) {
    for (const name of ['VOXIMPLANT_API', 'TRANSIT_ADDRESS'])
      if (isPlainHttp(set[name] ?? ''))
        problems.push(
          `${name} has to be https in production, except on the loopback interface: credentials and keys would be sent unencrypted; set ${name}=https://...`
        )
    if (!set.MASTER_KEY && !set.MASTER_KEY_FILE && !transit)
      problems.push('MASTER_KEY or MASTER_KEY_FILE is required in production: 32 random bytes in base64 (`openssl rand -base64 32`)')
  }
  for (const [name, file] of exclusive) if (set[name] && set[file]) problems.push(`${name} and ${file} are both set: set only one`)
  if (transit && !set.TRANSIT_ADDRESS) problems.push('TRANSIT_ADDRESS is required with MASTER_KEY_PROVIDER=transit')
  if (set.TRANSIT_ADDRESS && !set.TRANSIT_TOKEN && !set.TRANSIT_TOKEN_FILE)
    problems.push('TRANSIT_TOKEN or TRANSIT_TOKEN_FILE is required with TRANSIT_ADDRESS')
  for (const item of proxyNetworks(set.TRUST_PROXY ?? 'false'))
    if (!isNetwork(item)) problems.push(`TRUST_PROXY: ${item} is neither an address nor a network in CIDR notation such as 10.0.0.0/8`)
  for (const origin of parseOrigins(set.CORS_ORIGINS ?? ''))
    if (origin !== '*' && !isOrigin(origin))
      problems.push(`CORS_ORIGINS: \`${origin}\` is not an origin: a scheme and a host, such as https://app.example.com, without a path`)
  return problems
}

/** Whether a text is an origin as browsers send it: `scheme://host[:port]`. */
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

/** Whether a URL is unencrypted HTTP to another machine. */
function isPlainHttp(url: string): boolean {
  if (!url.startsWith('http://') || !URL.canParse(url)) return false
  const { hostname } = new URL(url)
  return hostname !== 'localhost' && hostname !== '[::1]' && !/^127(\.\d{1,3}){3}$/.test(hostname)
}

/** CORS_ORIGINS as a list: origins with scheme and authority, or `*`. */
export const parseOrigins = (text: string): string[] =>
  text
    .split(',')
    .map(origin => origin.trim())
    .filter(origin => origin !== '')
