import type { ParseArgsOptionsConfig } from 'node:util'
import { KeyRotation, NewApiKey } from '../../schemas/api-key.ts'
import { AuditFilter } from '../../schemas/audit-entry.ts'
import { NewTenant, TenantChanges } from '../../schemas/tenant.ts'
import type { AdminService } from '../admin/service.ts'
import { parseCredentials } from '../tenants/credentials.ts'
import { type CommandInput, checked, numberOf, operator, settingsOf, type Terminal, textOf, UsageError } from './input.ts'
import { confirmed, fieldsOf, table } from './output.ts'

/** A command: what it takes, what it does, and how it is explained. */
export interface Command {
  /** The argument that has to follow the name. */
  takes?: 'tenant' | 'key id'
  /** Its options, as in `--name <name>`. */
  usage?: string
  options?: ParseArgsOptionsConfig
  description: string
  example: string
  /** Returns the result as JSON and as text. `left`: what is still to be done; then the exit status is 1. */
  run(admin: AdminService, input: CommandInput): Promise<{ json: unknown; text: string; left?: number }>
}

const text = { type: 'string' } as const
const many = { type: 'string', multiple: true } as const
export const flag = { type: 'boolean' } as const

const setEnabled = (admin: AdminService, tenantId: string, enabled: boolean) =>
  confirmed(admin.updateTenant(operator, tenantId, { enabled }), `${tenantId} is ${enabled ? 'enabled' : 'disabled'}.`)

/** A new key: alone on standard output, for `KEY=$(...)`; the rest goes to standard error. */
const keyOf = async ({ err }: Terminal, created: Promise<{ key: string; keyId: string }>) => {
  const json = await created
  err(`The key ${json.keyId}. This is the only time that it is shown.`)
  return { json, text: json.key }
}

const childAccountsOf = (ids: unknown): unknown => {
  if (!Array.isArray(ids)) return undefined
  return ids.length === 1 && ids[0] === 'any' ? 'any' : ids.map(numberOf)
}

/** All commands by name. */
export const commands: Record<string, Command> = {
  'tenants create': {
    takes: 'tenant',
    usage: '--account <id> [--name <name>] [--api-host <host>] [--settings <file>]',
    options: { account: text, name: text, 'api-host': text, settings: text },
    description: 'Makes a tenant for an account of the upstream.',
    example: "tenants create acme --name 'Acme Inc.' --account 1234567",
    run(admin, input) {
      const { subject, values } = input
      return fieldsOf(
        admin.createTenant(
          operator,
          checked(NewTenant, {
            tenantId: subject,
            accountId: numberOf(values.account),
            name: values.name,
            apiHost: values['api-host'],
            settings: settingsOf(input)
          })
        )
      )
    }
  },
  'tenants list': {
    description: 'Lists all tenants.',
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
    description: 'Shows a tenant with its settings.',
    example: 'tenants show acme',
    run: (admin, { subject }) => fieldsOf(admin.tenant(subject))
  },
  'tenants update': {
    takes: 'tenant',
    usage: '[--name <name>] [--api-host <host>|none] [--settings <file>]',
    options: { name: text, 'api-host': text, settings: text },
    description:
      'Changes a tenant. The file of --settings is a JSON object: rateLimit, concurrency, defaultHeaders, allowedCidrs; null removes one.',
    example: `tenants update acme --settings - <<< '{"rateLimit": {"perSecond": 20, "burst": 40}}'`,
    run(admin, input) {
      const { subject, values } = input
      return fieldsOf(
        admin.updateTenant(
          operator,
          subject,
          checked(TenantChanges, {
            name: values.name,
            apiHost: values['api-host'] === 'none' ? null : values['api-host'],
            settings: settingsOf(input)
          })
        )
      )
    }
  },
  'tenants enable': {
    takes: 'tenant',
    description: 'Lets the keys of a tenant work again.',
    example: 'tenants enable acme',
    run: (admin, { subject }) => setEnabled(admin, subject, true)
  },
  'tenants disable': {
    takes: 'tenant',
    description: 'Has every call of a tenant answered 403.',
    example: 'tenants disable acme',
    run: (admin, { subject }) => setEnabled(admin, subject, false)
  },
  'tenants delete': {
    takes: 'tenant',
    usage: '--yes',
    options: { yes: flag },
    description: 'Deletes a tenant, its keys, its credentials and the key that these are sealed with. There is no way back.',
    example: 'tenants delete acme --yes',
    run(admin, { subject, values }) {
      if (!values.yes) throw new UsageError(`--yes is missing: ${subject} and all that it has would be gone for good`)
      return confirmed(admin.deleteTenant(operator, subject), `${subject} is deleted.`)
    }
  },
  'credentials put': {
    takes: 'tenant',
    usage: '--file <credentials.json>|- [--no-verify]',
    options: { file: text, 'no-verify': flag },
    description:
      'Checks credentials, asks the upstream about them unless --no-verify says otherwise, and takes them into use: a credentials.json as downloaded, or {"accountId": ..., "apiKey": ...}.',
    example: 'credentials put acme --file credentials.json',
    async run(admin, input) {
      const { subject, values } = input
      const file = parseCredentials(textOf(input, 'file'))
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
    description: "Shows a tenant's credentials, without their secrets.",
    example: 'credentials status acme',
    run: (admin, { subject }) => fieldsOf(admin.credentials(subject))
  },
  'credentials delete': {
    takes: 'tenant',
    description: "Destroys a tenant's credentials immediately.",
    example: 'credentials delete acme',
    run: (admin, { subject }) => confirmed(admin.deleteCredentials(operator, subject), `The credentials of ${subject} are destroyed.`)
  },
  'keys create': {
    takes: 'tenant',
    usage: '--name <name> --scope <scope> [--scope ...] [--expires <RFC 3339>] [--allow <network> ...] [--child-account <id>|any ...]',
    options: { name: text, scope: many, expires: text, allow: many, 'child-account': many },
    description: 'Makes an API key and prints it, this once.',
    example: 'keys create acme --name billing-service --scope users:read --scope applications:read --allow 10.0.0.0/8',
    run: (admin, { subject, values, terminal }) =>
      keyOf(
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
    description: 'Lists the API keys of a tenant, newest first.',
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
    description: 'Revokes an API key for good.',
    example: 'keys revoke Ya9KVgo2q6zU',
    run: (admin, { subject }) => confirmed(admin.revokeKey(operator, undefined, subject), `${subject} is revoked.`)
  },
  'keys rotate': {
    takes: 'key id',
    usage: '[--grace <seconds>] [--expires <RFC 3339>]',
    options: { grace: text, expires: text },
    description: 'Makes a key with the same rights and prints it; the old one still works for the grace, an hour by default.',
    example: 'keys rotate Ya9KVgo2q6zU --grace 86400',
    run: (admin, { subject, values, terminal }) =>
      keyOf(
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
    usage:
      '[--tenant <tenant>] [--actor <id>] [--action <action>] [--outcome <outcome>] [--since <RFC 3339>] [--until <RFC 3339>] [--before <id>] [--limit <n>]',
    options: { tenant: text, actor: text, action: text, outcome: text, since: text, until: text, before: text, limit: text },
    description: 'Reads the audit log, newest first; --before goes on where the page before ended.',
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
    description:
      'Wraps all data keys with the current master key, while the service goes on; MASTER_KEY_PREVIOUS has to name the one before. Started again, it goes on where it was stopped.',
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
    description: 'Lists what keys can be allowed.',
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
