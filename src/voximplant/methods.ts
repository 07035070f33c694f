/** What a method of the upstream is: the facts that decide scopes, retries, auditing and what a caller is told. */
export interface MethodClass {
  /** The upstream's documentation section. */
  section: string
  /** Reads only: calling it changes nothing. */
  safe?: true
  /** Sending it twice leaves the same state as sending it once. */
  idempotent?: true
  /** The tenant's money is spent by a successful call, or by what it starts. */
  costsMoney?: true
  /** The answer holds a secret, or an address that opens something to whoever has it. */
  returnsSecret?: true
  /** Removes or overwrites things that cannot be had back; `destructiveIf` says under which parameters, when not always. */
  destructive?: true
  destructiveIf?: string
  /** Changes who may act in the account past Voxgate: users and roles of the control panel, keys, addresses, the account's own password. */
  privileged?: true
  /** When a failed attempt may be sent again: `any` fault, `transport` faults only, or only when provably `unsent`. */
  retry: 'any' | 'transport' | 'unsent'
  /** The method, and its parameters, by which the outcome of a cut call can be settled. */
  reconcile?: readonly [method: string, by: string]
  /** Starts a session, of which the upstream runs only so many at once per account. */
  startsSession?: true
  /** The tenant's own account id is sent along as `account_id`. */
  ownAccount?: true
  /** The spelling to send as `cmd`, when the name the clients know is misspelt. */
  cmd?: string
}

/** Every method of the upstream, by name. Source: the API reference and the official client 4.11.0. */
export const methods = {
  A2PGetSmsHistory: { section: 'SMS', safe: true, idempotent: true, retry: 'any' },
  A2PSendSms: {
    section: 'SMS',
    costsMoney: true,
    retry: 'unsent',
    reconcile: ['A2PGetSmsHistory', 'source_number+destination_number+from_date']
  },
  ActivateOutboundTestPhoneNumber: { section: 'OutboundTestNumbers', retry: 'unsent' },
  AddAdminRole: { section: 'AdminRoles', privileged: true, retry: 'unsent', reconcile: ['GetAdminRoles', 'admin_role_name'] },
  AddAdminUser: {
    section: 'AdminUsers',
    returnsSecret: true,
    privileged: true,
    retry: 'unsent',
    reconcile: ['GetAdminUsers', 'admin_user_name']
  },
  AddApplication: { section: 'Applications', retry: 'unsent', reconcile: ['GetApplications', 'application_name'] },
  AddAuthorizedAccountIP: {
    section: 'AuthorizedIPs',
    destructive: true,
    privileged: true,
    retry: 'unsent',
    reconcile: ['GetAuthorizedAccountIPs', 'authorized_ip']
  },
  AddDialogflowKey: { section: 'DialogflowCredentials', retry: 'unsent', reconcile: ['GetDialogflowKeys', 'application_id'] },
  AddOutboundTestPhoneNumber: {
    section: 'OutboundTestNumbers',
    retry: 'unsent',
    reconcile: ['GetOutboundTestPhoneNumbers', 'phone_number']
  },
  AddPstnBlackListItem: { section: 'PSTNBlacklist', retry: 'unsent', reconcile: ['GetPstnBlackList', 'pstn_blacklist_phone'] },
  AddPushCredential: { section: 'PushCredentials', retry: 'unsent', reconcile: ['GetPushCredential', 'application_id+push_provider_name'] },
  AddQueue: { section: 'Queues', retry: 'unsent', reconcile: ['GetQueues', 'acd_queue_name'] },
  AddRule: { section: 'Rules', retry: 'unsent', reconcile: ['GetRules', 'application_id+rule_name'] },
  AddScenario: {
    section: 'Scenarios',
    destructive: true,
    destructiveIf: 'rewrite=true',
    retry: 'unsent',
    reconcile: ['GetScenarios', 'scenario_name']
  },
  AddSecret: { section: 'Secrets', retry: 'unsent', reconcile: ['GetSecrets', 'application_id+secret_name'] },
  AddSipWhiteListItem: { section: 'SIPWhiteList', retry: 'unsent', reconcile: ['GetSipWhiteList', 'sip_whitelist_network'] },
  AddSkill: { section: 'Skills', retry: 'unsent', reconcile: ['GetSkills', 'skill_name'] },
  AddSubUser: { section: 'RoleSystem', privileged: true, retry: 'unsent', reconcile: ['GetSubUsers', 'subuser_name'] },
  AddUser: { section: 'Users', retry: 'unsent', reconcile: ['GetUsers', 'application_id+user_name'] },
  AddWABPhoneNumber: { section: 'WABPhoneNumbers', retry: 'unsent', reconcile: ['GetWABPhoneNumbers', 'wab_phone_number'] },
  AppendToCallList: { section: 'CallLists', costsMoney: true, retry: 'unsent' },
  AttachAdminRole: {
    section: 'AdminUsers',
    idempotent: true,
    destructive: true,
    privileged: true,
    destructiveIf: 'mode=del|set',
    retry: 'unsent'
  },
  AttachPhoneNumber: { section: 'PhoneNumbers', costsMoney: true, retry: 'unsent', reconcile: ['GetPhoneNumbers', 'phone_number'] },
  BindDialogflowKeys: {
    section: 'DialogflowCredentials',
    idempotent: true,
    destructive: true,
    destructiveIf: 'bind=false',
    retry: 'unsent'
  },
  BindPhoneNumberToApplication: {
    section: 'PhoneNumbers',
    idempotent: true,
    destructive: true,
    destructiveIf: 'bind=false',
    retry: 'unsent'
  },
  BindPushCredential: { section: 'PushCredentials', idempotent: true, destructive: true, destructiveIf: 'bind=false', retry: 'unsent' },
  BindScenario: { section: 'Scenarios', idempotent: true, destructive: true, destructiveIf: 'bind=false', retry: 'unsent' },
  BindSipRegistration: { section: 'SIPRegistration', idempotent: true, destructive: true, destructiveIf: 'bind=false', retry: 'unsent' },
  BindSkill: { section: 'Skills', idempotent: true, destructive: true, destructiveIf: 'bind=false', retry: 'unsent' },
  BindUserToQueue: { section: 'Queues', idempotent: true, destructive: true, destructiveIf: 'bind=false', retry: 'unsent' },
  CancelCallListBatch: { section: 'CallLists', idempotent: true, destructive: true, retry: 'unsent' },
  CancelCallListTask: { section: 'CallLists', idempotent: true, destructive: true, ownAccount: true, retry: 'unsent' },
  ChangeAccountPlan: { section: 'Accounts', costsMoney: true, retry: 'unsent', reconcile: ['GetAccountPlans', 'plan_type'] },
  CheckAuthorizedAccountIP: { section: 'AuthorizedIPs', safe: true, idempotent: true, retry: 'any' },
  ControlSms: { section: 'SMS', idempotent: true, costsMoney: true, destructive: true, destructiveIf: 'command=disable', retry: 'unsent' },
  CreateCallList: { section: 'CallLists', costsMoney: true, retry: 'unsent', reconcile: ['GetCallLists', 'name'] },
  CreateKey: { section: 'RoleSystem', returnsSecret: true, privileged: true, retry: 'unsent', reconcile: ['GetKeys', 'key_name'] },
  CreateSipRegistration: {
    section: 'SIPRegistration',
    costsMoney: true,
    retry: 'unsent',
    reconcile: ['GetSipRegistrations', 'sip_username+proxy']
  },
  DeactivatePhoneNumber: { section: 'PhoneNumbers', idempotent: true, destructive: true, retry: 'unsent' },
  DelAdminRole: { section: 'AdminRoles', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  DelAdminUser: { section: 'AdminUsers', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  DelApplication: { section: 'Applications', idempotent: true, destructive: true, retry: 'unsent' },
  DelAuthorizedAccountIP: { section: 'AuthorizedIPs', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  DelCallerID: { section: 'CallerIDs', idempotent: true, destructive: true, retry: 'unsent' },
  DelDialogflowKey: { section: 'DialogflowCredentials', idempotent: true, destructive: true, retry: 'unsent' },
  DelKeyValueItem: { section: 'KeyValueStorage', idempotent: true, destructive: true, retry: 'unsent' },
  DelOutboundTestPhoneNumber: { section: 'OutboundTestNumbers', idempotent: true, destructive: true, retry: 'unsent' },
  DelPstnBlackListItem: { section: 'PSTNBlacklist', idempotent: true, destructive: true, retry: 'unsent' },
  DelPushCredential: { section: 'PushCredentials', idempotent: true, destructive: true, retry: 'unsent' },
  DelQueue: { section: 'Queues', idempotent: true, destructive: true, retry: 'unsent' },
  DelRule: { section: 'Rules', idempotent: true, destructive: true, retry: 'unsent' },
  DelScenario: { section: 'Scenarios', idempotent: true, destructive: true, retry: 'unsent' },
  DelSecret: { section: 'Secrets', idempotent: true, destructive: true, retry: 'unsent' },
  DelSipWhiteListItem: { section: 'SIPWhiteList', idempotent: true, destructive: true, retry: 'unsent' },
  DelSkill: { section: 'Skills', idempotent: true, destructive: true, retry: 'unsent' },
  DelSubUser: { section: 'RoleSystem', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  DelUser: { section: 'Users', idempotent: true, destructive: true, retry: 'unsent' },
  DeleteCallList: { section: 'CallLists', idempotent: true, destructive: true, ownAccount: true, retry: 'unsent' },
  DeleteKey: { section: 'RoleSystem', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  DeleteRecord: { section: 'History', idempotent: true, destructive: true, retry: 'unsent' },
  DeleteSipRegistration: { section: 'SIPRegistration', idempotent: true, destructive: true, retry: 'unsent' },
  DeleteWABPhoneNumber: { section: 'WABPhoneNumbers', idempotent: true, destructive: true, retry: 'unsent' },
  DownloadHistoryReport: { section: 'History', safe: true, idempotent: true, returnsSecret: true, retry: 'any' },
  DownloadInvoice: { section: 'Invoices', safe: true, idempotent: true, retry: 'any' },
  EditCallList: { section: 'CallLists', idempotent: true, costsMoney: true, retry: 'unsent' },
  EditCallListTask: { section: 'CallLists', idempotent: true, costsMoney: true, retry: 'unsent' },
  EditCallListTasksPriority: { section: 'CallLists', idempotent: true, retry: 'transport' },
  GetACDHistory: { section: 'History', safe: true, idempotent: true, retry: 'any' },
  GetACDOperatorStatistics: { section: 'Queues', safe: true, idempotent: true, retry: 'any' },
  GetACDOperatorStatusStatistics: { section: 'Queues', safe: true, idempotent: true, retry: 'any' },
  GetACDQueueStatistics: { section: 'Queues', safe: true, idempotent: true, retry: 'any' },
  GetACDState: { section: 'Queues', safe: true, idempotent: true, retry: 'any' },
  GetAccountDocuments: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetAccountInfo: { section: 'Accounts', safe: true, idempotent: true, returnsSecret: true, retry: 'any' },
  GetAccountInvoices: { section: 'Invoices', safe: true, idempotent: true, retry: 'any' },
  GetAccountPhoneNumberCountries: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetAccountPlans: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetAccountVerifications: { section: 'Accounts', safe: true, idempotent: true, ownAccount: true, retry: 'any' },
  GetActualPhoneNumberRegion: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetAdminRoles: { section: 'AdminRoles', safe: true, idempotent: true, retry: 'any' },
  GetAdminUsers: { section: 'AdminUsers', safe: true, idempotent: true, retry: 'any' },
  GetApplications: { section: 'Applications', safe: true, idempotent: true, retry: 'any' },
  GetAuditLog: { section: 'History', safe: true, idempotent: true, retry: 'any' },
  GetAuditLogAsync: { section: 'History', retry: 'unsent' },
  GetAuthorizedAccountIPs: { section: 'AuthorizedIPs', safe: true, idempotent: true, retry: 'any' },
  GetAvailableAdminRoleEntries: { section: 'AdminRoles', safe: true, idempotent: true, retry: 'any' },
  GetAvailablePlans: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetAvailableRegulations: { section: 'RegulationAddress', safe: true, idempotent: true, retry: 'any' },
  GetBriefCallHistory: { section: 'History', retry: 'unsent' },
  GetCallHistory: { section: 'History', safe: true, idempotent: true, retry: 'any' },
  GetCallHistoryAsync: { section: 'History', retry: 'unsent' },
  GetCallListDetails: { section: 'CallLists', safe: true, idempotent: true, retry: 'any' },
  GetCallLists: { section: 'CallLists', safe: true, idempotent: true, retry: 'any' },
  GetCallerIDs: { section: 'CallerIDs', safe: true, idempotent: true, retry: 'any' },
  GetChildrenAccounts: { section: 'Accounts', safe: true, idempotent: true, returnsSecret: true, retry: 'any' },
  GetCountries: { section: 'RegulationAddress', safe: true, idempotent: true, retry: 'any' },
  GetCurrencyRate: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetDialogflowKeys: { section: 'DialogflowCredentials', safe: true, idempotent: true, retry: 'any' },
  GetHistoryReports: { section: 'History', safe: true, idempotent: true, retry: 'any' },
  GetKeyRoles: { section: 'RoleSystem', safe: true, idempotent: true, retry: 'any' },
  GetKeyValueItem: { section: 'KeyValueStorage', safe: true, idempotent: true, retry: 'any' },
  GetKeyValueItems: { section: 'KeyValueStorage', safe: true, idempotent: true, retry: 'any' },
  GetKeyValueKeys: { section: 'KeyValueStorage', safe: true, idempotent: true, retry: 'any' },
  GetKeys: { section: 'RoleSystem', safe: true, idempotent: true, retry: 'any' },
  GetMoneyAmountToCharge: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetNewPhoneNumbers: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetOutboundTestPhoneNumbers: { section: 'OutboundTestNumbers', safe: true, idempotent: true, retry: 'any' },
  GetPhoneNumberCategories: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetPhoneNumberCountryStates: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetPhoneNumberRegions: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetPhoneNumberReports: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetPhoneNumbers: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetPhoneNumbersAsync: { section: 'PhoneNumbers', retry: 'unsent' },
  GetPstnBlackList: { section: 'PSTNBlacklist', safe: true, idempotent: true, retry: 'any' },
  GetPushCredential: { section: 'PushCredentials', safe: true, idempotent: true, returnsSecret: true, retry: 'any' },
  GetQueues: { section: 'Queues', safe: true, idempotent: true, retry: 'any' },
  GetRecordStorages: { section: 'RecordStorages', safe: true, idempotent: true, retry: 'any' },
  GetRegions: { section: 'RegulationAddress', safe: true, idempotent: true, retry: 'any' },
  GetRegulationsAddress: { section: 'RegulationAddress', safe: true, idempotent: true, retry: 'any' },
  GetResourcePrice: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetRoleGroups: { section: 'RoleSystem', safe: true, idempotent: true, retry: 'any' },
  GetRoles: { section: 'RoleSystem', safe: true, idempotent: true, retry: 'any' },
  GetRules: { section: 'Rules', safe: true, idempotent: true, retry: 'any' },
  GetSQState: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  GetScenarios: { section: 'Scenarios', safe: true, idempotent: true, retry: 'any' },
  GetSecretValue: { section: 'Secrets', safe: true, idempotent: true, returnsSecret: true, retry: 'any' },
  GetSecrets: { section: 'Secrets', safe: true, idempotent: true, retry: 'any' },
  GetSipRegistrations: { section: 'SIPRegistration', safe: true, idempotent: true, retry: 'any' },
  GetSipWhiteList: { section: 'SIPWhiteList', safe: true, idempotent: true, retry: 'any' },
  GetSkills: { section: 'Skills', safe: true, idempotent: true, retry: 'any' },
  GetSmartQueueDayHistory: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  GetSmartQueueRealtimeMetrics: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  GetSmsHistory: { section: 'SMS', safe: true, idempotent: true, retry: 'any' },
  GetSubUserRoles: { section: 'RoleSystem', safe: true, idempotent: true, retry: 'any' },
  GetSubUsers: { section: 'RoleSystem', safe: true, idempotent: true, retry: 'any' },
  GetSubscriptionPrice: { section: 'Accounts', safe: true, idempotent: true, retry: 'any' },
  GetTransactionHistory: { section: 'History', safe: true, idempotent: true, retry: 'any' },
  GetTransactionHistoryAsync: { section: 'History', retry: 'unsent' },
  GetUsers: { section: 'Users', safe: true, idempotent: true, retry: 'any' },
  GetWABPhoneNumbers: { section: 'WABPhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  GetZIPCodes: { section: 'RegulationAddress', safe: true, idempotent: true, retry: 'any' },
  IsAccountPhoneNumber: { section: 'PhoneNumbers', safe: true, idempotent: true, retry: 'any' },
  LinkregulationAddress: { section: 'RegulationAddress', idempotent: true, retry: 'transport', cmd: 'LinkRegulationAddress' },
  RecoverCallList: { section: 'CallLists', costsMoney: true, retry: 'unsent' },
  RemoveKeyRoles: { section: 'RoleSystem', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  RemoveSubUserRoles: { section: 'RoleSystem', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  ReorderRules: { section: 'Rules', idempotent: true, retry: 'transport' },
  ReorderScenarios: { section: 'Scenarios', idempotent: true, retry: 'transport' },
  RequestSmartQueueHistory: { section: 'SmartQueue', retry: 'unsent' },
  SQ_AddQueue: { section: 'SmartQueue', retry: 'unsent', reconcile: ['SQ_GetQueues', 'application_id+sq_queue_name'] },
  SQ_AddSkill: { section: 'SmartQueue', retry: 'unsent', reconcile: ['SQ_GetSkills', 'application_id+sq_skill_name'] },
  SQ_BindAgent: { section: 'SmartQueue', idempotent: true, destructive: true, destructiveIf: 'bind_mode=replace_agents', retry: 'unsent' },
  SQ_BindSkill: { section: 'SmartQueue', idempotent: true, destructive: true, destructiveIf: 'bind_mode=replace_skills', retry: 'unsent' },
  SQ_DelQueue: { section: 'SmartQueue', idempotent: true, destructive: true, retry: 'unsent' },
  SQ_DelSkill: { section: 'SmartQueue', idempotent: true, destructive: true, retry: 'unsent' },
  SQ_DeleteAgentCustomStatusMapping: { section: 'SmartQueue', idempotent: true, destructive: true, retry: 'unsent' },
  SQ_GetAgentCustomStatusMapping: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  SQ_GetAgents: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  SQ_GetQueues: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  SQ_GetSkills: { section: 'SmartQueue', safe: true, idempotent: true, retry: 'any' },
  SQ_SetAgentCustomStatusMapping: { section: 'SmartQueue', idempotent: true, retry: 'transport' },
  SQ_SetAgentInfo: { section: 'SmartQueue', idempotent: true, retry: 'transport' },
  SQ_SetQueueInfo: { section: 'SmartQueue', idempotent: true, retry: 'transport' },
  SQ_SetSkillInfo: { section: 'SmartQueue', idempotent: true, retry: 'transport' },
  SQ_UnbindAgent: { section: 'SmartQueue', idempotent: true, destructive: true, retry: 'unsent' },
  SQ_UnbindSkill: { section: 'SmartQueue', idempotent: true, destructive: true, retry: 'unsent' },
  SendSmsMessage: {
    section: 'SMS',
    costsMoney: true,
    retry: 'unsent',
    reconcile: ['GetSmsHistory', 'source_number+destination_number+from_date']
  },
  SetAccountInfo: {
    section: 'Accounts',
    idempotent: true,
    destructive: true,
    privileged: true,
    destructiveIf: 'new_account_password|new_account_email',
    retry: 'unsent'
  },
  SetAdminRoleInfo: {
    section: 'AdminRoles',
    idempotent: true,
    destructive: true,
    privileged: true,
    destructiveIf: 'entry_modification_mode=del|set',
    retry: 'unsent'
  },
  SetAdminUserInfo: {
    section: 'AdminUsers',
    idempotent: true,
    destructive: true,
    privileged: true,
    destructiveIf: 'admin_user_active=false',
    retry: 'unsent'
  },
  SetApplicationInfo: { section: 'Applications', idempotent: true, retry: 'transport' },
  SetChildAccountInfo: {
    section: 'Accounts',
    idempotent: true,
    destructive: true,
    privileged: true,
    destructiveIf: 'active=false',
    retry: 'unsent'
  },
  SetDialogflowKey: { section: 'DialogflowCredentials', idempotent: true, retry: 'transport' },
  SetKeyRoles: { section: 'RoleSystem', idempotent: true, destructive: true, privileged: true, retry: 'unsent' },
  SetKeyValueItem: { section: 'KeyValueStorage', idempotent: true, retry: 'transport' },
  SetPhoneNumberInfo: { section: 'PhoneNumbers', idempotent: true, retry: 'transport' },
  SetPstnBlackListItem: { section: 'PSTNBlacklist', idempotent: true, retry: 'transport' },
  SetPushCredential: { section: 'PushCredentials', idempotent: true, retry: 'transport' },
  SetQueueInfo: { section: 'Queues', idempotent: true, retry: 'transport' },
  SetRuleInfo: { section: 'Rules', idempotent: true, retry: 'transport' },
  SetScenarioInfo: { section: 'Scenarios', idempotent: true, retry: 'transport' },
  SetSecretInfo: { section: 'Secrets', idempotent: true, retry: 'transport' },
  SetSipWhiteListItem: { section: 'SIPWhiteList', idempotent: true, retry: 'transport' },
  SetSkillInfo: { section: 'Skills', idempotent: true, retry: 'transport' },
  SetSubUserInfo: { section: 'RoleSystem', idempotent: true, privileged: true, retry: 'unsent' },
  SetSubUserRoles: { section: 'RoleSystem', idempotent: true, privileged: true, retry: 'transport' },
  SetUserInfo: { section: 'Users', idempotent: true, destructive: true, destructiveIf: 'user_active=false', retry: 'unsent' },
  SetWABPhoneNumberInfo: { section: 'WABPhoneNumbers', idempotent: true, retry: 'transport' },
  StartConference: {
    section: 'Scenarios',
    startsSession: true,
    costsMoney: true,
    returnsSecret: true,
    retry: 'unsent',
    reconcile: ['GetCallHistory', 'rule_name+call_session_history_custom_data']
  },
  StartScenarios: {
    section: 'Scenarios',
    startsSession: true,
    costsMoney: true,
    returnsSecret: true,
    retry: 'unsent',
    reconcile: ['GetCallHistory', 'rule_name+call_session_history_custom_data']
  },
  StopCallListProcessing: { section: 'CallLists', idempotent: true, destructive: true, retry: 'unsent' },
  UpdateKey: { section: 'RoleSystem', idempotent: true, privileged: true, retry: 'transport' },
  UpdateSipRegistration: { section: 'SIPRegistration', idempotent: true, retry: 'transport' },
  VerifyOutboundTestPhoneNumber: { section: 'OutboundTestNumbers', costsMoney: true, retry: 'unsent' }
} as const satisfies Record<string, MethodClass>

/** The name of an upstream method. */
export type Method = keyof typeof methods

/** The facts of one method. */
export const methodClass = (method: Method): MethodClass => methods[method]
