import { type Static, Type } from '@sinclair/typebox'
import { anything, decimal, flag, formattedName, id, integer, json, maybe, name, oneOf, ref, strict, text, timestamp } from './common.ts'

const agentStrategy = (means: string) =>
  oneOf(
    ['MOST_QUALIFIED', 'LEAST_QUALIFIED', 'MAX_WAITING_TIME'],
    `${means}: the one with the highest skill levels (\`MOST_QUALIFIED\`), with the lowest (\`LEAST_QUALIFIED\`), or idle for the longest time (\`MAX_WAITING_TIME\`).`
  )
const taskStrategy = (means: string) =>
  oneOf(
    ['MAX_PRIORITY', 'MAX_WAITING_TIME'],
    `${means}: the one of the highest priority (\`MAX_PRIORITY\`), or waiting the longest (\`MAX_WAITING_TIME\`).`
  )

export const SmartQueueName = name('The name of the smart queue; unique in the application.', { maxLength: 100, examples: ['support'] })
export const CallAgentSelection = agentStrategy('Which free agent a call goes to')
export const ImAgentSelection = agentStrategy('Which free agent a chat goes to (as for calls, when it is not given)')
export const CallTaskSelection = taskStrategy('Which waiting call is served first')
export const ImTaskSelection = taskStrategy('Which waiting chat is served first (as for calls, when it is not given)')
export const FallbackAgentSelection = text(
  'Which agent a task goes to when no suitable one can be waited for: an agent selection strategy. The upstream takes it and makes no use of it so far.',
  {
    minLength: 1,
    maxLength: 64,
    pattern: '^[A-Z_]+$',
    expects: 'a strategy in capital letters, such as MAX_WAITING_TIME',
    examples: ['MAX_WAITING_TIME']
  }
)
export const SmartQueuePriority = integer('The priority of the queue: 1 to 100.', { minimum: 1, maximum: 100, examples: [1] })
export const HoldCallsIfInactiveAgents = flag(
  'Whether calls stay in the queue while no agent is active, that is, while all are OFFLINE, BANNED or in DND.'
)
export const HoldImIfInactiveAgents = flag('Whether chats are taken into the queue while no agent is available.')
export const CallMaxQueueSize = integer('How many calls may wait.', { minimum: 0, examples: [50] })
export const ImMaxQueueSize = integer('How many chats may wait.', { minimum: 0, examples: [50] })
export const CallMaxWaitingTime = integer(
  'How long a call may wait for an agent, in minutes. Give this or `callMaxWaitingTimeInSeconds`, not both.',
  { minimum: 0, examples: [10] }
)
export const CallMaxWaitingTimeInSeconds = integer(
  'How long a call may wait for an agent, in seconds. Give this or `callMaxWaitingTime`, not both.',
  { minimum: 0, examples: [600] }
)
export const ImMaxWaitingTime = integer(
  'How long a chat may wait for an agent, in minutes. Give this or `imMaxWaitingTimeInSeconds`, not both.',
  { minimum: 0, examples: [10] }
)
export const ImMaxWaitingTimeInSeconds = integer(
  'How long a chat may wait for an agent, in seconds. Give this or `imMaxWaitingTime`, not both.',
  { minimum: 0, examples: [600] }
)

export const SmartQueueSkillName = name('The name of the skill; unique in the application.', { maxLength: 512, examples: ['spanish'] })

/** A note on a smart queue or on a skill. */
export const SmartQueueDescription = text('A note of your own; up to 200 characters.', { maxLength: 200, examples: ['Weekdays only'] })

export const SmartQueue = Type.Object(
  {
    sqQueueId: id('The id of the smart queue.'),
    sqQueueName: maybe(text('The name of the smart queue.', { examples: ['support'] })),
    description: maybe(text('The note given with the queue.', { examples: ['Weekdays only'] })),
    agentSelection: maybe(text('Which free agent a task goes to.', { examples: ['MOST_QUALIFIED'] })),
    taskSelection: maybe(text('Which waiting task is served first.', { examples: ['MAX_PRIORITY'] })),
    holdCallsIfInactiveAgents: maybe(flag('Whether calls stay in the queue while no agent is active.')),
    holdImIfInactiveAgents: maybe(flag('Whether chats are taken into the queue while no agent is available.')),
    callMaxQueueSize: maybe(integer('How many calls may wait.', { examples: [50] })),
    callMaxWaitingTime: maybe(integer('How long a call may wait, in minutes; rounded up when it was set in seconds.', { examples: [10] })),
    callMaxWaitingTimeInSeconds: maybe(integer('How long a call may wait, in seconds.', { examples: [600] })),
    imMaxQueueSize: maybe(integer('How many chats may wait.', { examples: [50] })),
    imMaxWaitingTime: maybe(integer('How long a chat may wait, in minutes; rounded up when it was set in seconds.', { examples: [10] })),
    imMaxWaitingTimeInSeconds: maybe(integer('How long a chat may wait, in seconds.', { examples: [600] })),
    agentcount: maybe(integer('How many agents are bound to the queue; with `withAgentcount`.', { examples: [3] })),
    created: maybe(timestamp('When the queue was made.')),
    modified: maybe(timestamp('When the queue was last changed.'))
  },
  { $id: 'SmartQueue', description: 'A queue of calls and chats that are given to agents by skill (ACD version 2).' }
)
export type SmartQueue = Static<typeof SmartQueue>

export const SmartQueueSkill = Type.Object(
  {
    sqSkillId: id('The id of the skill.'),
    sqSkillName: maybe(text('The name of the skill.', { examples: ['billing'] })),
    description: maybe(text('The note given with the skill.', { examples: ['Invoices and refunds'] })),
    created: maybe(timestamp('When the skill was made.')),
    modified: maybe(timestamp('When the skill was last changed.'))
  },
  { $id: 'SmartQueueSkill', description: 'A skill that agents have and tasks of smart queues ask for (ACD version 2).' }
)
export type SmartQueueSkill = Static<typeof SmartQueueSkill>

// ------------------------------------------------------------------------------------------------------------------------ binding

/** What becomes of the bindings that agents and queues have. */
export const AgentBindMode = oneOf(
  ['add_queues', 'replace_agents', 'add', 'replace'],
  "What becomes of older bindings. `add_queues` (the upstream's default) keeps them; `replace_agents` unbinds the queues' other agents; `add`, by the upstream's reference, takes the agents out of their other queues; `replace` does both."
)

/** What becomes of the skills that agents have. */
export const SkillBindMode = oneOf(
  ['add', 'replace_skills', 'replace_agents'],
  "What happens to earlier bindings. `add` keeps them; `replace_skills` removes the agents' other skills; `replace_agents` removes the skills from all other agents."
)

const skillLevel = (description: string) => integer(description, { minimum: 1, maximum: 5, examples: [3] })
const skillById = {
  sqSkillId: maybe(id('The id of the skill. Give this or `sqSkillName`.', 501)),
  sqSkillName: maybe(name('The name of the skill. Give this or `sqSkillId`.', { maxLength: 512, examples: ['billing'] }))
}

/** The skills that agents are given. */
export const SkillsToBind = json(
  Type.Array(strict({ ...skillById, sqSkillLevel: skillLevel('How well the agents have the skill: 1 to 5.') }), {
    minItems: 1,
    maxItems: 100,
    description: 'The skills, each by id or by name, and their levels.',
    examples: [[{ sqSkillId: 501, sqSkillLevel: 3 }]]
  })
)

/** A filter of agents by skill. */
export const SkillFilter = json(
  Type.Array(
    strict({
      ...skillById,
      minSqSkillLevel: maybe(skillLevel('The lowest level that counts: 1 to 5.')),
      maxSqSkillLevel: maybe(skillLevel('The highest level that counts: 1 to 5.'))
    }),
    {
      minItems: 1,
      maxItems: 100,
      description: 'Only agents with these skills, each by id or by name, and at these levels.',
      examples: [[{ sqSkillId: 501, minSqSkillLevel: 3 }]]
    }
  )
)

/** A filter of agents by status. */
export const StatusFilter = json(
  Type.Array(
    strict({
      sqStatusType: oneOf(['CALL', 'IM'], 'The kind of task the status is for: calls, or chats.'),
      sqStatusName: oneOf(['OFFLINE', 'ONLINE', 'READY', 'IN_SERVICE', 'AFTER_SERVICE', 'DND'], 'The status.', { examples: ['READY'] })
    }),
    {
      minItems: 1,
      maxItems: 100,
      description: 'Only agents in one of these statuses.',
      examples: [[{ sqStatusType: 'CALL', sqStatusName: 'READY' }]]
    }
  )
)

// ------------------------------------------------------------------------------------------------------------------------- agents

export const HandleCalls = flag('Whether the agent takes calls; one who does not is left out when calls are given to agents.')
export const MaxSimultaneousConversations = integer('How many chats the agent may have at the same time.', { minimum: 0, examples: [3] })

const agent = {
  userId: id('The id of the user who is the agent.'),
  userName: maybe(text('The login of the user.', { examples: ['ada'] })),
  userDisplayName: maybe(text('The name that others see.', { examples: ['Ada Lovelace'] }))
}

const level = integer('The level: 1 to 5.', { examples: [3] })

export const SmartQueueAgentSkill = Type.Object(
  {
    sqSkillId: id('The id of the skill.'),
    sqSkillName: maybe(text('The name of the skill.', { examples: ['billing'] })),
    sqSkillLevel: maybe(level)
  },
  { $id: 'SmartQueueAgentSkill', description: 'A skill of an agent and how well the agent has it.' }
)

export const SmartQueueOfAgent = Type.Object(
  {
    sqQueueId: maybe(id('The id of the smart queue.')),
    sqQueueName: maybe(text('The name of the smart queue.', { examples: ['support'] }))
  },
  { $id: 'SmartQueueOfAgent', description: 'A smart queue that an agent serves.' }
)

const status = (tasks: string) =>
  maybe(
    Type.Object(
      {
        sqStatusName: maybe(text('The status.', { examples: ['READY'] })),
        fromDate: maybe(timestamp('Since when the agent has had it.'))
      },
      { description: `The status for ${tasks}.` }
    )
  )

export const SmartQueueAgentStatus = Type.Object(
  { CALL: status('calls'), IM: status('chats') },
  { $id: 'SmartQueueAgentStatus', description: 'What an agent does now, by kind of task.' }
)

export const SmartQueueAgent = Type.Object(
  {
    ...agent,
    maxSimultaneousConversations: maybe(integer('How many chats the agent may have at the same time.', { examples: [3] })),
    sqQueues: maybe(Type.Array(ref(SmartQueueOfAgent), { description: 'The queues the agent serves; with `withSqQueues`.' })),
    sqSkills: maybe(Type.Array(ref(SmartQueueAgentSkill), { description: "The agent's skills; with `withSqSkills`." })),
    sqStatuses: maybe(Type.Array(ref(SmartQueueAgentStatus), { description: "The agent's statuses now; with `withSqStatuses`." }))
  },
  { $id: 'SmartQueueAgent', description: 'A user who serves smart queues.' }
)
export type SmartQueueAgent = Static<typeof SmartQueueAgent>

/** The upstream's name of a status: those of the filter, and ones of its own for custom statuses. */
export const SqStatusName = formattedName(
  "The upstream's name of the status.",
  '[A-Za-z][A-Za-z0-9_]{0,63}',
  'Starts with a letter, then up to 63 letters, digits or underscores.',
  { examples: ['DND'] }
)
export const CustomStatusName = name('The name that the application gives to the status.', { examples: ['Lunch'] })

export const SmartQueueStatusName = Type.Object(
  {
    sqStatusName: text("The upstream's name of the status.", { examples: ['DND'] }),
    customStatusName: maybe(text('The name that the application gives to it; left out where it gives none.', { examples: ['Lunch'] }))
  },
  { $id: 'SmartQueueStatusName', description: "A status of agents and the application's own name for it." }
)

// -------------------------------------------------------------------------------------------------------------------------- state

export const SmartQueueTask = Type.Object(
  {
    taskType: maybe(text('The kind of task: `CALL` or `IM` (a chat).', { examples: ['CALL'] })),
    status: maybe(
      text('How far the task is: `IN_QUEUE`, `DISTRIBUTED` (given to an agent) or `IN_PROCESSING`.', { examples: ['IN_QUEUE'] })
    ),
    userId: maybe(id('The id of the agent the task was given to.')),
    sqSkills: maybe(
      Type.Array(
        Type.Object({
          sqSkillName: maybe(text('The name of the skill.', { examples: ['billing'] })),
          sqSkillLevel: maybe(level)
        }),
        { description: 'The skills the task asks for.' }
      )
    ),
    waitingTime: maybe(integer('How long the task has waited, in milliseconds.', { examples: [12000] })),
    processingTime: maybe(integer('How long the task has been served, in milliseconds.', { examples: [45000] })),
    customData: maybe({ ...anything('What the scenario gave the task as its custom data.'), examples: ['order 1042'] })
  },
  { $id: 'SmartQueueTask', description: 'A call or a chat in a smart queue.' }
)

export const SmartQueueState = Type.Object(
  {
    sqQueueId: id('The id of the smart queue.'),
    sqQueueName: maybe(text('The name of the smart queue.', { examples: ['support'] })),
    sqAgents: maybe(
      Type.Array(
        Type.Object({
          ...agent,
          sqSkills: maybe(Type.Array(ref(SmartQueueAgentSkill), { description: "The agent's skills." })),
          sqStatuses: maybe(Type.Array(ref(SmartQueueAgentStatus), { description: "The agent's statuses now." }))
        }),
        { description: 'The agents who are logged in.' }
      )
    ),
    tasks: maybe(Type.Array(ref(SmartQueueTask), { description: 'The calls and chats in the queue.' }))
  },
  { $id: 'SmartQueueState', description: 'What goes on in a smart queue now.' }
)
export type SmartQueueState = Static<typeof SmartQueueState>

// ------------------------------------------------------------------------------------------------------------------------ metrics

/** What is measured in smart queues and of their agents. */
export const SmartQueueReportType = oneOf([
  'calls_blocked_percentage',
  'count_blocked_calls',
  'im_blocked_chats_percentage',
  'im_count_blocked_chats',
  'im_answered_chats_rate',
  'average_abandonment_rate',
  'count_abandonment_calls',
  'service_level',
  'im_service_level',
  'occupancy_rate',
  'im_agent_occupancy_rate',
  'agent_utilization_rate',
  'im_agent_utilization_rate',
  'sum_agents_online_time',
  'sum_agents_ready_time',
  'sum_agents_dialing_time',
  'sum_agents_in_service_time',
  'sum_agents_in_service_incoming_time',
  'sum_agents_in_service_outcoming_time',
  'sum_agents_afterservice_time',
  'sum_agents_dnd_time',
  'sum_agents_custom_1_time',
  'sum_agents_custom_2_time',
  'sum_agents_custom_3_time',
  'sum_agents_custom_4_time',
  'sum_agents_custom_5_time',
  'sum_agents_custom_6_time',
  'sum_agents_custom_7_time',
  'sum_agents_custom_8_time',
  'sum_agents_custom_9_time',
  'sum_agents_custom_10_time',
  'sum_agents_banned_time',
  'im_sum_agents_online_time',
  'im_sum_agents_ready_time',
  'im_sum_agents_in_service_time',
  'im_sum_agents_dnd_time',
  'im_sum_agents_custom_1_time',
  'im_sum_agents_custom_2_time',
  'im_sum_agents_custom_3_time',
  'im_sum_agents_custom_4_time',
  'im_sum_agents_custom_5_time',
  'im_sum_agents_custom_6_time',
  'im_sum_agents_custom_7_time',
  'im_sum_agents_custom_8_time',
  'im_sum_agents_custom_9_time',
  'im_sum_agents_custom_10_time',
  'im_sum_agents_banned_time',
  'average_agents_idle_time',
  'max_agents_idle_time',
  'min_agents_idle_time',
  'percentile_0_25_agents_idle_time',
  'percentile_0_50_agents_idle_time',
  'percentile_0_75_agents_idle_time',
  'min_time_in_queue',
  'max_time_in_queue',
  'average_time_in_queue',
  'min_answer_speed',
  'max_answer_speed',
  'average_answer_speed',
  'im_min_answer_speed',
  'im_max_answer_speed',
  'im_average_answer_speed',
  'min_handle_time',
  'max_handle_time',
  'average_handle_time',
  'count_handled_calls',
  'min_after_call_worktime',
  'max_after_call_worktime',
  'average_after_call_worktime',
  'count_agent_unanswered_calls',
  'im_count_agent_unanswered_chats',
  'min_reaction_time',
  'max_reaction_time',
  'average_reaction_time',
  'im_min_reaction_time',
  'im_max_reaction_time',
  'im_average_reaction_time',
  'im_count_abandonment_chats',
  'im_count_lost_chats',
  'im_lost_chats_rate',
  'call_count_assigned_to_queue',
  'im_count_assigned_to_queue'
])

/** By what metrics are split. */
export const SmartQueueGroupBy = oneOf(
  ['agent', 'queue'],
  'Split the values by agent or by queue. By agent works for one queue only, and for measures of agents, handling and after-call work; by queue for measures of calls in queues.',
  { examples: ['queue'] }
)

/** The length of a period. */
export const SmartQueueInterval = (otherwise: string) =>
  text(`The length of the periods the values are given for: years-months-days hours:minutes:seconds. Without it, ${otherwise}.`, {
    pattern: '^\\d{1,4}-\\d{1,2}-\\d{1,2} \\d{1,2}:\\d{1,2}:\\d{1,2}$',
    expects: 'years-months-days hours:minutes:seconds, such as 0-0-0 0:30:0 for half an hour',
    examples: ['0-0-0 0:30:0']
  })

/** The wait that a service level is measured by. */
export const MaxWaitingSec = integer('The longest wait, in seconds, that counts as good service. Needed for `service_level`.', {
  minimum: 0,
  examples: [20]
})

export const SmartQueueMetric = Type.Object(
  {
    reportType: text('What is measured.', { examples: ['service_level'] }),
    groups: maybe(
      Type.Array(
        Type.Object({
          sqQueueId: maybe(id('The id of the smart queue, when values are split by queue.')),
          sqQueueName: maybe(text('The name of the smart queue, when values are split by queue.', { examples: ['support'] })),
          userId: maybe(id('The id of the agent, when values are split by agent.')),
          userName: maybe(text('The login of the agent, when values are split by agent.', { examples: ['ada'] })),
          userDisplayName: maybe(
            text('The name of the agent that others see, when values are split by agent.', { examples: ['Ada Lovelace'] })
          ),
          values: maybe(
            Type.Array(
              Type.Object({
                fromDate: maybe(timestamp('When the period begins.')),
                toDate: maybe(timestamp('When the period ends.', { examples: ['2026-01-15T10:00:00Z'] })),
                value: maybe(decimal('The value of the period.', { examples: [87.5] }))
              }),
              { description: 'The values, period by period.' }
            )
          )
        }),
        { description: 'The values by agent or by queue; one group when they are not split.' }
      )
    )
  },
  { $id: 'SmartQueueMetric', description: 'A measure of smart queues or of their agents, over time.' }
)
export type SmartQueueMetric = Static<typeof SmartQueueMetric>
