import type { TSchema } from '@sinclair/typebox'
import * as account from './account.ts'
import * as adminRole from './admin-role.ts'
import * as adminUser from './admin-user.ts'
import * as apiKey from './api-key.ts'
import * as application from './application.ts'
import * as auditEntry from './audit-entry.ts'
import * as authorizedIp from './authorized-ip.ts'
import * as callList from './call-list.ts'
import * as callSession from './call-session.ts'
import * as callerId from './caller-id.ts'
import * as credentials from './credentials.ts'
import * as historyReport from './history-report.ts'
import * as idempotencyRecord from './idempotency-record.ts'
import * as invoice from './invoice.ts'
import * as keyValue from './key-value.ts'
import * as masterKey from './master-key.ts'
import * as outboundTestNumber from './outbound-test-number.ts'
import * as phoneNumber from './phone-number.ts'
import * as problem from './problem.ts'
import * as pstnBlacklistItem from './pstn-blacklist-item.ts'
import * as queue from './queue.ts'
import * as recordStorage from './record-storage.ts'
import * as role from './role.ts'
import * as rule from './rule.ts'
import * as scope from './scope.ts'
import * as secret from './secret.ts'
import * as sipRegistration from './sip-registration.ts'
import * as sipWhitelistItem from './sip-whitelist-item.ts'
import * as skill from './skill.ts'
import * as smartQueue from './smart-queue.ts'
import * as sms from './sms.ts'
import * as tenant from './tenant.ts'
import * as transaction from './transaction.ts'
import * as user from './user.ts'
import * as whatsappNumber from './whatsapp-number.ts'

const files: Record<string, unknown>[] = [
  account,
  adminRole,
  adminUser,
  application,
  authorizedIp,
  callList,
  callSession,
  callerId,
  historyReport,
  invoice,
  keyValue,
  outboundTestNumber,
  phoneNumber,
  problem,
  pstnBlacklistItem,
  queue,
  recordStorage,
  role,
  rule,
  secret,
  sipRegistration,
  sipWhitelistItem,
  skill,
  smartQueue,
  sms,
  transaction,
  user,
  whatsappNumber
]

const adminFiles: Record<string, unknown>[] = [apiKey, auditEntry, credentials, idempotencyRecord, masterKey, problem, scope, tenant]

const named = (files: Record<string, unknown>[]): TSchema[] =>
  files.flatMap(file => Object.values(file).filter((noun): noun is TSchema => typeof noun === 'object' && noun !== null && '$id' in noun))

/** Every noun with a name (`$id`): the document's components. */
export const nouns: TSchema[] = named(files)

/** Those of the admin API; the problem is one of both. */
export const adminNouns: TSchema[] = named(adminFiles)
