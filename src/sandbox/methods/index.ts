import type { SandboxAccount } from '../auth.ts'
import type { Section } from '../method.ts'
import type { AccountState } from '../state.ts'
import * as account from './account.ts'
import * as adminRoles from './admin-roles.ts'
import * as adminUsers from './admin-users.ts'
import * as applications from './applications.ts'
import * as authorizedIps from './authorized-ips.ts'
import * as callLists from './call-lists.ts'
import * as callerIds from './caller-ids.ts'
import * as conferences from './conferences.ts'
import * as dialogflowKeys from './dialogflow-keys.ts'
import * as history from './history.ts'
import * as historyReports from './history-reports.ts'
import * as invoices from './invoices.ts'
import * as keyValues from './key-values.ts'
import * as outboundTestNumber from './outbound-test-number.ts'
import * as phoneNumbers from './phone-numbers.ts'
import * as pstnBlacklist from './pstn-blacklist.ts'
import * as queues from './queues.ts'
import * as recordStorages from './record-storages.ts'
import * as roles from './roles.ts'
import * as rules from './rules.ts'
import * as secrets from './secrets.ts'
import * as sipRegistrations from './sip-registrations.ts'
import * as sipWhitelist from './sip-whitelist.ts'
import * as skills from './skills.ts'
import * as smartQueues from './smart-queues/index.ts'
import * as sms from './sms.ts'
import * as users from './users.ts'
import * as whatsappNumbers from './whatsapp-numbers.ts'

const sections: Section[] = [
  account,
  applications,
  users,
  queues,
  skills,
  smartQueues,
  rules,
  adminRoles,
  adminUsers,
  authorizedIps,
  callLists,
  callerIds,
  outboundTestNumber,
  phoneNumbers,
  pstnBlacklist,
  sipRegistrations,
  sipWhitelist,
  conferences,
  dialogflowKeys,
  history,
  historyReports,
  invoices,
  keyValues,
  recordStorages,
  roles,
  secrets,
  sms,
  whatsappNumbers
]

export const methods = new Map(sections.flatMap(section => Object.entries(section.methods)))

/** Fills a new account with demonstration data, always the same. */
export function seed(account: AccountState, caller: SandboxAccount): void {
  for (const section of sections) section.seed?.(account, caller)
}
