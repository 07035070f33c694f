import type { Methods } from '../../method.ts'
import { demoRow } from '../../query.ts'
import type { AccountState } from '../../state.ts'
import { demoApplicationId, users } from '../../tables.ts'
import * as agents from './agents.ts'
import * as metrics from './metrics.ts'
import * as queues from './queues.ts'
import * as skills from './skills.ts'
import { type AgentSkill, changeAgent, smartQueueSkills, smartQueues, statusNames, tasks } from './tables.ts'

export const methods: Methods = { ...queues.methods, ...skills.methods, ...agents.methods, ...metrics.methods }

export function seed(account: AccountState): void {
  const time = '2026-01-15T09:30:00Z'
  const support = demoApplicationId(account, 'support')
  const sales = demoApplicationId(account, 'sales')
  const idOf = (userName: string): number => demoRow(users.where(account, { userName })[0], userName).userId
  const ada = idOf('ada')
  const grace = idOf('grace')
  const linus = idOf('linus')
  const margaret = idOf('margaret')
  const addSkill = (applicationId: number, sqSkillName: string, note: string) =>
    smartQueueSkills.add(account, { applicationId, sqSkillName, description: note, created: time, modified: time }).sqSkillId
  const billing = addSkill(support, 'billing', 'Invoices and refunds')
  const english = addSkill(support, 'english', 'Speaks English')
  const negotiation = addSkill(sales, 'negotiation', 'Closes deals')

  const addQueue = (applicationId: number, sqQueueName: string, note: string, userIds: number[]) =>
    smartQueues.add(account, {
      applicationId,
      sqQueueName,
      description: note,
      agentSelection: 'MOST_QUALIFIED',
      taskSelection: 'MAX_PRIORITY',
      imAgentSelection: 'MOST_QUALIFIED',
      imTaskSelection: 'MAX_PRIORITY',
      holdCallsIfInactiveAgents: false,
      holdImIfInactiveAgents: true,
      callMaxQueueSize: 50,
      callMaxWaitingTime: 10,
      callMaxWaitingTimeInSeconds: 600,
      imMaxQueueSize: 100,
      imMaxWaitingTime: 30,
      imMaxWaitingTimeInSeconds: 1800,
      priority: 1,
      userIds,
      created: time,
      modified: time
    }).sqQueueId
  const invoices = addQueue(support, 'billing', 'Questions about invoices', [ada, grace])
  const technical = addQueue(support, 'technical', 'Everything that does not work', [ada, linus])
  addQueue(sales, 'orders', 'New orders', [margaret])

  const levels: [number, AgentSkill[]][] = [
    [
      ada,
      [
        { sqSkillId: billing, sqSkillLevel: 5 },
        { sqSkillId: english, sqSkillLevel: 4 }
      ]
    ],
    [grace, [{ sqSkillId: billing, sqSkillLevel: 2 }]],
    [linus, [{ sqSkillId: english, sqSkillLevel: 3 }]],
    [margaret, [{ sqSkillId: negotiation, sqSkillLevel: 5 }]]
  ]
  for (const [userId, skills] of levels)
    changeAgent(account, userId, { skills, handleCalls: userId !== linus, maxSimultaneousConversations: 3 })

  statusNames.add(account, { applicationId: support, sqStatusName: 'CUSTOM_1', customStatusName: 'Training' })
  tasks.add(account, {
    sqQueueId: invoices,
    taskType: 'CALL',
    status: 'IN_QUEUE',
    skills: [{ sqSkillId: billing, sqSkillLevel: 3 }],
    waitingTime: 12_000,
    processingTime: 0
  })
  tasks.add(account, {
    sqQueueId: invoices,
    taskType: 'IM',
    status: 'IN_PROCESSING',
    userId: ada,
    skills: [{ sqSkillId: english, sqSkillLevel: 1 }],
    waitingTime: 4_000,
    processingTime: 45_000,
    customData: 'order 1042'
  })
  tasks.add(account, { sqQueueId: technical, taskType: 'CALL', status: 'IN_QUEUE', skills: [], waitingTime: 31_000, processingTime: 0 })
}
