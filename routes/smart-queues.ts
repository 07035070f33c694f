import {
  flag,
  id,
  idOrName,
  idsOrNames,
  inQuery,
  list,
  listItem,
  maybe,
  paging,
  ref,
  strict,
  TimezoneOfResponse,
  text,
  timestamp
} from '../schemas/common.ts'
import { seeded } from '../schemas/seeded.ts'
import {
  AgentBindMode,
  CallAgentSelection,
  CallMaxQueueSize,
  CallMaxWaitingTime,
  CallMaxWaitingTimeInSeconds,
  CallTaskSelection,
  CustomStatusName,
  FallbackAgentSelection,
  HandleCalls,
  HoldCallsIfInactiveAgents,
  HoldImIfInactiveAgents,
  ImAgentSelection,
  ImMaxQueueSize,
  ImMaxWaitingTime,
  ImMaxWaitingTimeInSeconds,
  ImTaskSelection,
  MaxSimultaneousConversations,
  MaxWaitingSec,
  SkillBindMode,
  SkillFilter,
  SkillsToBind,
  SmartQueue,
  SmartQueueAgent,
  SmartQueueDescription,
  SmartQueueGroupBy,
  SmartQueueInterval,
  SmartQueueMetric,
  SmartQueueName,
  SmartQueuePriority,
  SmartQueueReportType,
  SmartQueueSkill,
  SmartQueueSkillName,
  SmartQueueState,
  SmartQueueStatusName,
  SqStatusName,
  StatusFilter
} from '../schemas/smart-queue.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, list as listed, page } from '../src/api/replies.ts'
import users from './users.ts'

const tag = 'Smart queues'
const applicationId = idOrName('The application', 'support')
// The methods of status names know applications by id only.
const applicationById = id('The id of the application.')
const sqQueueId = idOrName('The smart queue', 'billing', 401)
const sqSkillId = idOrName('The skill', seeded.smartQueueSkill.name, seeded.smartQueueSkill.id)
const userId = idOrName('The agent', seeded.user.name, seeded.user.id)
const someQueues = idsOrNames('The smart queues', 'billing', { example: 401 })
const someAgents = idsOrNames('The agents', seeded.user.name, { example: seeded.user.id })
const someSkills = idsOrNames('The skills', seeded.smartQueueSkill.name, { example: seeded.smartQueueSkill.id })
const unchanged = 'Fields that are left out stay as they are.'
const settings = {
  callMaxQueueSize: maybe(CallMaxQueueSize),
  callMaxWaitingTime: maybe(CallMaxWaitingTime),
  callMaxWaitingTimeInSeconds: maybe(CallMaxWaitingTimeInSeconds),
  imAgentSelection: maybe(ImAgentSelection),
  imTaskSelection: maybe(ImTaskSelection),
  imMaxQueueSize: maybe(ImMaxQueueSize),
  imMaxWaitingTime: maybe(ImMaxWaitingTime),
  imMaxWaitingTimeInSeconds: maybe(ImMaxWaitingTimeInSeconds),
  fallbackAgentSelection: maybe(FallbackAgentSelection),
  holdCallsIfInactiveAgents: maybe(HoldCallsIfInactiveAgents),
  holdImIfInactiveAgents: maybe(HoldImIfInactiveAgents),
  priority: maybe(SmartQueuePriority),
  description: maybe(SmartQueueDescription)
}
const withAgentcount = maybe(flag('Whether the number of bound agents is answered.'))
const shownOfAgents = {
  withSqQueues: maybe(flag("Whether the agents' queues are answered.")),
  withSqSkills: maybe(flag("Whether the agents' skills are answered.")),
  withSqStatuses: maybe(flag('Whether the statuses that the agents have now are answered.'))
}
const agentSettings = { handleCalls: maybe(HandleCalls), maxSimultaneousConversations: maybe(MaxSimultaneousConversations) }
/** What is measured, of whom and how finely; `span` and `interval` are what holds without `fromDate` and `interval`. */
export const measured = (span: string, interval: string) => ({
  reportType: list(
    SmartQueueReportType,
    'What is measured. Names that begin with `im_` are about chats, the others about calls and agents.',
    { examples: [['service_level', 'occupancy_rate']] }
  ),
  userId: maybe(
    idsOrNames(
      'Only these agents, for measures of agents, handling and after-call work (`occupancy_rate`, `sum_agents_*`, `*_handle_time`, `count_handled_calls`, `*_after_call_worktime`)',
      seeded.user.name,
      { example: seeded.user.id, max: 5 }
    )
  ),
  groupBy: maybe(SmartQueueGroupBy),
  interval: maybe(SmartQueueInterval(interval)),
  maxWaitingSec: maybe(MaxWaitingSec),
  fromDate: maybe(timestamp(`When the time that is measured begins. Without it, ${span} ago.`)),
  toDate: maybe(timestamp('When the time that is measured ends. Without it, now.', { examples: ['2026-01-15T10:00:00Z'] }))
})
// Times are read and answered in a time zone of the caller's choice.
const inUtc = { timezone: 'Etc/GMT' }
const metricsInUtc = listed(ref(SmartQueueMetric), { beside: { timezone: TimezoneOfResponse } })

const listSmartQueues = endpoint({
  http: 'GET /applications/:applicationId/smart-queues',
  rpc: 'SQ_GetQueues',
  summary: 'List the smart queues of an application',
  tag,
  input: strict({
    applicationId,
    sqQueueId: maybe(idsOrNames('Only these smart queues', 'billing', { example: 401 })),
    sqQueueNameTemplate: maybe(text('Only smart queues whose name holds this text.', { minLength: 1, maxLength: 100, examples: ['bill'] })),
    userId: maybe(idOrName('Only smart queues that this user serves', seeded.user.name, seeded.user.id)),
    excludedUserId: maybe(idOrName('Only smart queues that this user does not serve', 'linus', 1003)),
    withAgentcount,
    ...paging
  }),
  reply: page(ref(SmartQueue))
})

const listSmartQueueSkills = endpoint({
  http: 'GET /applications/:applicationId/smart-queue-skills',
  rpc: 'SQ_GetSkills',
  summary: "List the skills of an application's agents",
  tag,
  input: strict({
    applicationId,
    sqSkillId: maybe(idsOrNames('Only these skills', seeded.smartQueueSkill.name, { example: seeded.smartQueueSkill.id })),
    sqSkillNameTemplate: maybe(
      text('Only skills whose name holds this text, in capitals or not.', { minLength: 1, maxLength: 512, examples: ['bill'] })
    ),
    userId: maybe(idsOrNames('Only skills of these users', seeded.user.name, { example: seeded.user.id })),
    excludedUserId: maybe(idOrName('Only skills that this user does not have', 'linus', 1003)),
    ...paging
  }),
  reply: page(ref(SmartQueueSkill))
})

export default {
  createSmartQueue: endpoint({
    http: 'POST /applications/:applicationId/smart-queues',
    rpc: 'SQ_AddQueue',
    summary: 'Create a smart queue',
    tag,
    input: strict({
      applicationId,
      sqQueueName: SmartQueueName,
      callAgentSelection: CallAgentSelection,
      callTaskSelection: CallTaskSelection,
      ...settings
    }),
    reply: created({ sqQueueId: id('The id of the new smart queue.') }, '/applications/:applicationId/smart-queues/:sqQueueId', {
      within: true
    })
  }),
  listSmartQueues,
  getSmartQueue: endpoint({
    http: 'GET /applications/:applicationId/smart-queues/:sqQueueId',
    rpc: 'SQ_GetQueues',
    summary: 'Get a smart queue',
    tag,
    input: strict({ applicationId, sqQueueId, withAgentcount }),
    reply: first(ref(SmartQueue), 'sqQueueId')
  }),
  updateSmartQueue: endpoint({
    http: 'PATCH /applications/:applicationId/smart-queues/:sqQueueId',
    rpc: 'SQ_SetQueueInfo',
    summary: 'Change a smart queue',
    description: unchanged,
    tag,
    input: strict({
      applicationId,
      sqQueueId,
      sqQueueName: maybe(SmartQueueName),
      callAgentSelection: maybe(CallAgentSelection),
      callTaskSelection: maybe(CallTaskSelection),
      ...settings
    }),
    rename: { sqQueueName: 'newSqQueueName' },
    example: { callMaxQueueSize: 30 },
    reply: done
  }),
  deleteSmartQueue: endpoint({
    http: 'DELETE /applications/:applicationId/smart-queues/:sqQueueId',
    rpc: 'SQ_DelQueue',
    summary: 'Delete a smart queue',
    tag,
    input: strict({ applicationId, sqQueueId }),
    reply: done
  }),
  deleteSmartQueues: endpoint({
    http: 'DELETE /applications/:applicationId/smart-queues',
    rpc: 'SQ_DelQueue',
    summary: 'Delete several smart queues',
    tag,
    input: strict({ applicationId, sqQueueId: someQueues }),
    all: { sqQueueId: listSmartQueues },
    example: { sqQueueId: [402] },
    reply: done
  }),
  bindSmartQueueAgent: endpoint({
    http: 'PUT /applications/:applicationId/smart-queues/:sqQueueId/agents/:userId',
    rpc: 'SQ_BindAgent',
    summary: 'Bind an agent to a smart queue',
    tag,
    input: strict({ applicationId, sqQueueId, userId, bindMode: maybe(inQuery(AgentBindMode)) }),
    reply: done
  }),
  unbindSmartQueueAgent: endpoint({
    http: 'DELETE /applications/:applicationId/smart-queues/:sqQueueId/agents/:userId',
    rpc: 'SQ_UnbindAgent',
    summary: 'Unbind an agent from a smart queue',
    tag,
    input: strict({ applicationId, sqQueueId, userId }),
    reply: done
  }),
  bindSmartQueueAgents: endpoint({
    http: 'PUT /applications/:applicationId/smart-queue-agents',
    rpc: 'SQ_BindAgent',
    summary: 'Bind several agents to several smart queues',
    description: 'Every named agent is bound to every named smart queue.',
    tag,
    input: strict({ applicationId, sqQueueId: someQueues, userId: someAgents, bindMode: maybe(AgentBindMode) }),
    all: { userId: users.listUsers, sqQueueId: listSmartQueues },
    reply: done
  }),
  unbindSmartQueueAgents: endpoint({
    http: 'DELETE /applications/:applicationId/smart-queue-agents',
    rpc: 'SQ_UnbindAgent',
    summary: 'Unbind several agents from several smart queues',
    description: 'Every named agent is unbound from every named smart queue.',
    tag,
    input: strict({ applicationId, sqQueueId: someQueues, userId: someAgents }),
    all: { userId: users.listUsers, sqQueueId: listSmartQueues },
    example: { sqQueueId: [402], userId: [1003] },
    reply: done
  }),
  getSmartQueueStates: endpoint({
    http: 'GET /applications/:applicationId/smart-queues-state',
    rpc: 'GetSQState',
    summary: 'See what goes on in smart queues',
    description: 'Agents, calls and chats of the smart queues now: of those that are named, or of all.',
    tag,
    input: strict({ applicationId, sqQueueId: maybe(someQueues) }),
    everyWhenAbsent: ['sqQueueId'],
    fixed: inUtc,
    reply: listed(ref(SmartQueueState))
  }),
  createSmartQueueSkill: endpoint({
    http: 'POST /applications/:applicationId/smart-queue-skills',
    rpc: 'SQ_AddSkill',
    summary: 'Create a skill for smart queues',
    tag,
    input: strict({ applicationId, sqSkillName: SmartQueueSkillName, description: maybe(SmartQueueDescription) }),
    reply: created({ sqSkillId: id('The id of the new skill.') }, '/applications/:applicationId/smart-queue-skills/:sqSkillId', {
      within: true
    })
  }),
  listSmartQueueSkills,
  getSmartQueueSkill: endpoint({
    http: 'GET /applications/:applicationId/smart-queue-skills/:sqSkillId',
    rpc: 'SQ_GetSkills',
    summary: 'Get a skill for smart queues',
    tag,
    input: strict({ applicationId, sqSkillId }),
    reply: first(ref(SmartQueueSkill), 'sqSkillId')
  }),
  updateSmartQueueSkill: endpoint({
    http: 'PATCH /applications/:applicationId/smart-queue-skills/:sqSkillId',
    rpc: 'SQ_SetSkillInfo',
    summary: 'Change a skill for smart queues',
    description: unchanged,
    tag,
    input: strict({ applicationId, sqSkillId, sqSkillName: maybe(SmartQueueSkillName), description: maybe(SmartQueueDescription) }),
    rename: { sqSkillName: 'newSqSkillName' },
    example: { description: 'Invoices, refunds and reminders' },
    reply: done
  }),
  deleteSmartQueueSkill: endpoint({
    http: 'DELETE /applications/:applicationId/smart-queue-skills/:sqSkillId',
    rpc: 'SQ_DelSkill',
    summary: 'Delete a skill for smart queues',
    description: 'The skill is taken from all agents who have it.',
    tag,
    input: strict({ applicationId, sqSkillId }),
    reply: done
  }),
  deleteSmartQueueSkills: endpoint({
    http: 'DELETE /applications/:applicationId/smart-queue-skills',
    rpc: 'SQ_DelSkill',
    summary: 'Delete several skills for smart queues',
    description: 'The skills are taken from all agents who have them.',
    tag,
    input: strict({ applicationId, sqSkillId: someSkills }),
    all: { sqSkillId: listSmartQueueSkills },
    example: { sqSkillId: [502] },
    reply: done
  }),
  listSmartQueueAgents: endpoint({
    http: 'GET /applications/:applicationId/agents',
    rpc: 'SQ_GetAgents',
    summary: 'List the agents of an application',
    tag,
    input: strict({
      applicationId,
      userId: maybe(idsOrNames('Only these agents', seeded.user.name, { example: seeded.user.id })),
      userNameTemplate: maybe(text('Only agents whose login holds this text.', { minLength: 1, maxLength: 50, examples: ['ad'] })),
      sqQueueId: maybe(idsOrNames('Only agents of these smart queues', 'billing', { example: 401 })),
      excludedSqQueueId: maybe(idOrName('Only agents who do not serve this smart queue', 'technical', 402)),
      sqSkills: maybe(SkillFilter),
      sqStatuses: maybe(StatusFilter),
      handleCalls: maybe(flag('Only agents who take calls, or only those who do not.')),
      ...shownOfAgents,
      ...paging
    }),
    reply: page(ref(SmartQueueAgent))
  }),
  getSmartQueueAgent: endpoint({
    http: 'GET /applications/:applicationId/agents/:userId',
    rpc: 'SQ_GetAgents',
    summary: 'Get an agent',
    tag,
    input: strict({ applicationId, userId, ...shownOfAgents }),
    reply: first(ref(SmartQueueAgent), 'userId')
  }),
  updateSmartQueueAgent: endpoint({
    http: 'PATCH /applications/:applicationId/agents/:userId',
    rpc: 'SQ_SetAgentInfo',
    summary: "Change an agent's settings",
    description: unchanged,
    tag,
    input: strict({ applicationId, userId, ...agentSettings }),
    example: { handleCalls: true },
    reply: done
  }),
  updateSmartQueueAgents: endpoint({
    http: 'PATCH /applications/:applicationId/agents',
    rpc: 'SQ_SetAgentInfo',
    summary: 'Change the settings of several agents',
    description: unchanged,
    tag,
    input: strict({ applicationId, userId: inQuery(someAgents), ...agentSettings }),
    all: { userId: users.listUsers },
    example: { handleCalls: true },
    reply: done
  }),
  bindSmartQueueAgentSkills: endpoint({
    http: 'PUT /applications/:applicationId/agents/:userId/skills',
    rpc: 'SQ_BindSkill',
    summary: 'Give skills to an agent',
    tag,
    input: strict({ applicationId, userId, sqSkills: SkillsToBind, bindMode: maybe(inQuery(SkillBindMode)) }),
    reply: done
  }),
  bindSmartQueueSkills: endpoint({
    http: 'PUT /applications/:applicationId/agent-skills',
    rpc: 'SQ_BindSkill',
    summary: 'Give skills to several agents',
    description: 'Every named agent is given every named skill.',
    tag,
    input: strict({ applicationId, userId: someAgents, sqSkills: SkillsToBind, bindMode: maybe(SkillBindMode) }),
    all: { userId: users.listUsers },
    reply: done
  }),
  unbindSmartQueueAgentSkill: endpoint({
    http: 'DELETE /applications/:applicationId/agents/:userId/skills/:sqSkillId',
    rpc: 'SQ_UnbindSkill',
    summary: 'Take a skill from an agent',
    tag,
    input: strict({ applicationId, userId, sqSkillId }),
    reply: done
  }),
  unbindSmartQueueSkills: endpoint({
    http: 'DELETE /applications/:applicationId/agent-skills',
    rpc: 'SQ_UnbindSkill',
    summary: 'Take skills from several agents',
    description: 'Every named skill is taken from every named agent.',
    tag,
    input: strict({ applicationId, userId: someAgents, sqSkillId: someSkills }),
    all: { userId: users.listUsers, sqSkillId: listSmartQueueSkills },
    example: { userId: [1003], sqSkillId: [502] },
    reply: done
  }),
  listSmartQueueStatusNames: endpoint({
    http: 'GET /applications/:applicationId/agent-statuses',
    rpc: 'SQ_GetAgentCustomStatusMapping',
    summary: "List the statuses of agents and the application's names for them",
    description: 'Statuses without a name of their own are listed too.',
    tag,
    input: strict({ applicationId: applicationById }),
    reply: listed(ref(SmartQueueStatusName), { orOne: true })
  }),
  setSmartQueueStatusName: endpoint({
    http: 'PUT /applications/:applicationId/agent-statuses/:sqStatusName',
    rpc: 'SQ_SetAgentCustomStatusMapping',
    summary: "Set the application's name for a status of agents",
    description: 'Gives the status a name, or another name when it has one.',
    tag,
    input: strict({ applicationId: applicationById, sqStatusName: SqStatusName, customStatusName: CustomStatusName }),
    reply: done
  }),
  deleteSmartQueueStatusName: endpoint({
    http: 'DELETE /applications/:applicationId/agent-statuses/:sqStatusName',
    rpc: 'SQ_DeleteAgentCustomStatusMapping',
    summary: "Delete the application's name for a status of agents",
    description: 'A status that has no such name is left as it is.',
    tag,
    input: strict({ applicationId: applicationById, sqStatusName: SqStatusName }),
    reply: done
  }),
  getSmartQueueRealtimeMetrics: endpoint({
    http: 'GET /applications/:applicationId/smart-queue-metrics/realtime',
    rpc: 'GetSmartQueueRealtimeMetrics',
    summary: 'Measure smart queues over the last 30 minutes',
    description: 'Smart queues must be named for all measures but those of agents alone.',
    tag,
    input: strict({
      applicationId,
      sqQueueName: maybe(
        list(listItem({ maxLength: 100 }), 'The names of the smart queues that are measured; up to 5.', { examples: [['billing']], max: 5 })
      ),
      ...measured('30 minutes', '30 minutes')
    }),
    fixed: inUtc,
    example: { reportType: ['service_level'], sqQueueName: ['billing'], maxWaitingSec: 20 },
    reply: metricsInUtc
  }),
  getSmartQueueDayMetrics: endpoint({
    http: 'GET /applications/:applicationId/smart-queue-metrics/days',
    rpc: 'GetSmartQueueDayHistory',
    summary: 'Measure smart queues over the last two days',
    description: 'Smart queues must be named for all measures but those of agents alone.',
    tag,
    input: strict({
      applicationId,
      sqQueueId: maybe(idsOrNames('The smart queues that are measured', 'billing', { example: 401, max: 5 })),
      ...measured('a day', 'a day')
    }),
    fixed: inUtc,
    example: { reportType: ['service_level'], sqQueueId: [401], maxWaitingSec: 20 },
    reply: metricsInUtc
  })
}
