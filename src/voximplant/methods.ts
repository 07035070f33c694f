/** What a method of the upstream does: decides scopes, retries, auditing and the errors that callers get. */
export interface MethodTraits {
  /** Only reads: calling it changes nothing. */
  safe?: true
  /** The tenant's money is spent by a successful call, or by what it starts. */
  costsMoney?: true
  /** The response holds a secret, or an address that gives access to anybody who has it. */
  returnsSecret?: true
  /** Removes or overwrites things that cannot be restored; `destructiveIf` says for which parameters, when not always. */
  destructive?: true
  /** `name=value|value`, or `name|name`: the parameters that make a call destructive, by the upstream's names. */
  destructiveIf?: string
  /** Changes who may act in the account without Voxgate: users and roles of the control panel, keys, addresses. */
  privileged?: true
  /** When a failed attempt may be sent again: after `any` fault, after `transport` faults only, or only when it was provably `unsent`. */
  retry: 'any' | 'transport' | 'unsent'
  /** The method that shows the outcome of a call without a response, and the parameters of either by which it is found. */
  reconcile?: readonly [method: string, by: string]
  /** Starts a session; the upstream limits the sessions that an account has in flight. */
  startsSession?: true
  /** The tenant's own account id is sent along as `account_id`. */
  ownAccount?: true
}

/** Changes nothing. */
const read: MethodTraits = { safe: true, retry: 'any' }
/** Sent twice, it may do its work twice. */
const create: MethodTraits = { retry: 'unsent' }
/** Sent twice, it leaves the same state as sent once. */
const update: MethodTraits = { retry: 'transport' }
/** Removes what cannot be restored, always or for the parameters of `destructiveIf`. */
const remove: MethodTraits = { destructive: true, retry: 'unsent' }
/** Costs money. */
const spend: MethodTraits = { costsMoney: true, retry: 'unsent' }

/** The methods of the upstream that Voxgate calls. Source: the API reference and the official client 4.11.0. */
export const methods = {
  A2PGetSmsHistory: read,
  A2PSendSms: { ...spend, reconcile: ['A2PGetSmsHistory', 'source_number+destination_number+from_date'] },
  ActivateOutboundTestPhoneNumber: create,
  AddAdminRole: { ...create, privileged: true, reconcile: ['GetAdminRoles', 'admin_role_name'] },
  AddAdminUser: { ...create, privileged: true, returnsSecret: true, reconcile: ['GetAdminUsers', 'admin_user_name'] },
  AddApplication: { ...create, reconcile: ['GetApplications', 'application_name'] },
  AddAuthorizedAccountIP: { ...create, destructive: true, privileged: true, reconcile: ['GetAuthorizedAccountIPs', 'authorized_ip'] },
  AddOutboundTestPhoneNumber: { ...create, reconcile: ['GetOutboundTestPhoneNumbers', 'phone_number'] },
  AddPstnBlackListItem: { ...create, reconcile: ['GetPstnBlackList', 'pstn_blacklist_phone'] },
  AddQueue: { ...create, reconcile: ['GetQueues', 'acd_queue_name'] },
  AddSecret: { ...create, reconcile: ['GetSecrets', 'application_id+secret_name'] },
  AddSipWhiteListItem: { ...create, reconcile: ['GetSipWhiteList', 'sip_whitelist_network'] },
  AddSkill: { ...create, reconcile: ['GetSkills', 'skill_name'] },
  AddUser: { ...create, reconcile: ['GetUsers', 'application_id+user_name'] },
  AppendToCallList: spend,
  AttachAdminRole: { ...remove, privileged: true, destructiveIf: 'mode=del|set' },
  BindSipRegistration: { ...remove, destructiveIf: 'bind=false' },
  BindSkill: { ...remove, destructiveIf: 'bind=false' },
  BindUserToQueue: { ...remove, destructiveIf: 'bind=false' },
  CancelCallListBatch: remove,
  CancelCallListTask: { ...remove, ownAccount: true },
  CheckAuthorizedAccountIP: read,
  ControlSms: { ...spend, destructive: true, destructiveIf: 'command=disable' },
  CreateCallList: { ...spend, reconcile: ['GetCallLists', 'name'] },
  DelAdminRole: { ...remove, privileged: true },
  DelAdminUser: { ...remove, privileged: true },
  DelApplication: remove,
  DelAuthorizedAccountIP: { ...remove, privileged: true },
  DelCallerID: remove,
  DelKeyValueItem: remove,
  DelOutboundTestPhoneNumber: remove,
  DelPstnBlackListItem: remove,
  DelQueue: remove,
  DelSecret: remove,
  DelSipWhiteListItem: remove,
  DelSkill: remove,
  DelUser: remove,
  DeleteCallList: { ...remove, ownAccount: true },
  DownloadHistoryReport: { ...read, returnsSecret: true },
  DownloadInvoice: read,
  EditCallList: spend,
  EditCallListTasksPriority: update,
  GetACDState: read,
  GetAccountInfo: { ...read, returnsSecret: true },
  GetAccountInvoices: read,
  GetAdminRoles: read,
  GetAdminUsers: read,
  GetApplications: read,
  GetAuthorizedAccountIPs: read,
  GetAvailableAdminRoleEntries: read,
  GetBriefCallHistory: create,
  GetCallHistory: read,
  GetCallHistoryAsync: create,
  GetCallLists: read,
  GetCallerIDs: read,
  GetCurrencyRate: read,
  GetHistoryReports: read,
  GetKeyRoles: read,
  GetKeyValueItem: read,
  GetKeyValueItems: read,
  GetKeyValueKeys: read,
  GetOutboundTestPhoneNumbers: read,
  GetPhoneNumberReports: read,
  GetPhoneNumbers: read,
  GetPhoneNumbersAsync: create,
  GetPstnBlackList: read,
  GetQueues: read,
  GetRecordStorages: read,
  GetRoleGroups: read,
  GetSQState: read,
  GetSecretValue: { ...read, returnsSecret: true },
  GetSecrets: read,
  GetSipRegistrations: read,
  GetSipWhiteList: read,
  GetSkills: read,
  GetSmartQueueDayHistory: read,
  GetSmartQueueRealtimeMetrics: read,
  GetSmsHistory: read,
  GetTransactionHistory: read,
  GetTransactionHistoryAsync: create,
  GetUsers: read,
  GetWABPhoneNumbers: read,
  IsAccountPhoneNumber: read,
  RequestSmartQueueHistory: create,
  SQ_AddQueue: { ...create, reconcile: ['SQ_GetQueues', 'application_id+sq_queue_name'] },
  SQ_AddSkill: { ...create, reconcile: ['SQ_GetSkills', 'application_id+sq_skill_name'] },
  SQ_BindAgent: { ...remove, destructiveIf: 'bind_mode=replace_agents' },
  SQ_BindSkill: { ...remove, destructiveIf: 'bind_mode=replace_skills' },
  SQ_DelQueue: remove,
  SQ_DelSkill: remove,
  SQ_DeleteAgentCustomStatusMapping: remove,
  SQ_GetAgentCustomStatusMapping: read,
  SQ_GetAgents: read,
  SQ_GetQueues: read,
  SQ_GetSkills: read,
  SQ_SetAgentCustomStatusMapping: update,
  SQ_SetAgentInfo: update,
  SQ_SetQueueInfo: update,
  SQ_SetSkillInfo: update,
  SQ_UnbindAgent: remove,
  SQ_UnbindSkill: remove,
  SendSmsMessage: { ...spend, reconcile: ['GetSmsHistory', 'source_number+destination_number+from_date'] },
  SetAdminRoleInfo: { ...remove, privileged: true, destructiveIf: 'entry_modification_mode=del|set' },
  SetAdminUserInfo: { ...remove, privileged: true, destructiveIf: 'admin_user_active=false' },
  SetApplicationInfo: update,
  SetDialogflowKey: update,
  SetKeyValueItem: update,
  SetPstnBlackListItem: update,
  SetQueueInfo: update,
  SetSecretInfo: update,
  SetSipWhiteListItem: update,
  SetSkillInfo: update,
  SetUserInfo: { ...remove, destructiveIf: 'user_active=false' },
  StartConference: {
    ...spend,
    startsSession: true,
    returnsSecret: true,
    reconcile: ['GetCallHistory', 'rule_name+call_session_history_custom_data']
  },
  VerifyOutboundTestPhoneNumber: spend
} satisfies Record<string, MethodTraits>

/** The name of a method that Voxgate calls. */
export type Method = keyof typeof methods

/** The traits of a method. */
export const traitsOf = (method: Method): MethodTraits => methods[method]
