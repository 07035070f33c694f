import account from './account.ts'
import adminRoles from './admin-roles.ts'
import adminUsers from './admin-users.ts'
import applications from './applications.ts'
import authorizedIps from './authorized-ips.ts'
import callLists from './call-lists.ts'
import callerIds from './caller-ids.ts'
import conferences from './conferences.ts'
import dialogflowKeys from './dialogflow-keys.ts'
import history from './history.ts'
import historyReports from './history-reports.ts'
import invoices from './invoices.ts'
import keyValues from './key-values.ts'
import outboundTestNumber from './outbound-test-number.ts'
import phoneNumbers from './phone-numbers.ts'
import pstnBlacklist from './pstn-blacklist.ts'
import queues from './queues.ts'
import recordStorages from './record-storages.ts'
import roles from './roles.ts'
import secrets from './secrets.ts'
import sipRegistrations from './sip-registrations.ts'
import sipWhitelist from './sip-whitelist.ts'
import skills from './skills.ts'
import smartQueues from './smart-queues.ts'
import sms from './sms.ts'
import users from './users.ts'
import whatsappNumbers from './whatsapp-numbers.ts'

/** The catalogue: every section of the service, in the order of the document. */
export const catalogue = {
  account,
  applications,
  users,
  secrets,
  keyValues,
  callLists,
  conferences,
  history,
  historyReports,
  invoices,
  phoneNumbers,
  callerIds,
  outboundTestNumber,
  pstnBlacklist,
  sipWhitelist,
  authorizedIps,
  sipRegistrations,
  queues,
  skills,
  smartQueues,
  sms,
  whatsappNumbers,
  dialogflowKeys,
  recordStorages,
  roles,
  adminUsers,
  adminRoles
}

/** What each tag of the document is about. */
export const tags = [
  { name: 'Account', description: "The tenant's Voximplant account." },
  { name: 'Applications', description: 'Applications: the rooms that users, rules and secrets belong to.' },
  { name: 'Users', description: 'Users who log in to an application.' },
  { name: 'Secrets', description: 'Values that scenarios read and people do not.' },
  { name: 'Key-value storage', description: 'Small values with an end, kept for the scenarios of an application.' },
  { name: 'Call lists', description: 'Lists of numbers that the upstream dials by itself.' },
  { name: 'Conferences', description: 'Conference calls.' },
  { name: 'History', description: 'Past calls and movements of money.' },
  { name: 'History reports', description: 'Reports on the past, made in the background and downloaded as files.' },
  { name: 'Invoices', description: 'Invoices of the account.' },
  { name: 'Phone numbers', description: 'Rented phone numbers.' },
  { name: 'Caller ids', description: 'Verified numbers that calls can be shown to come from.' },
  { name: 'Outbound test number', description: 'The one number that an account without money can call.' },
  { name: 'PSTN blacklist', description: 'Numbers whose calls are refused.' },
  { name: 'SIP whitelist', description: 'Networks whose SIP calls are taken.' },
  { name: 'Authorized IPs', description: 'Addresses from which the account may be managed.' },
  { name: 'SIP registrations', description: 'Registrations at other SIP servers.' },
  { name: 'Queues', description: 'Queues of incoming calls and their operators (ACD version 1).' },
  { name: 'Skills', description: 'Skills that operators have and queues ask for (ACD version 1).' },
  { name: 'Smart queues', description: 'SmartQueue: queues, agents, their skills and statuses, state and metrics.' },
  { name: 'SMS', description: 'Text messages, two-way and one-way (A2P).' },
  { name: 'WhatsApp numbers', description: 'WhatsApp Business numbers.' },
  { name: 'Dialogflow keys', description: 'Credentials for Dialogflow.' },
  { name: 'Record storages', description: 'Where recordings are kept.' },
  { name: 'Roles', description: 'Roles of service accounts and subusers.' },
  { name: 'Admin users', description: 'Administrators of the account, the old way; service accounts and subusers have replaced them.' },
  { name: 'Admin roles', description: 'Roles of admin users, the old way.' }
]
