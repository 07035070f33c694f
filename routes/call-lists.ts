import { Type } from '@sinclair/typebox'
import {
  CallList,
  CallListIpAddress,
  CallListName,
  CallListPriority,
  CallListTaskCancellation,
  dialingStatistics,
  IntervalSeconds,
  IsPersonalCampaign,
  ListCustomData,
  MaximumErrorRate,
  MaxSimultaneous,
  MinimumBusyFactor,
  NumAttempts,
  PersonalCampaignType,
  ServerLocation,
  StartAt,
  TaskMultiplier,
  TaskPriority,
  TaskPriorityStrategy
} from '../schemas/call-list.ts'
import {
  anything,
  flag,
  id,
  idList,
  idOrName,
  idsOrNames,
  json,
  list,
  listItem,
  maybe,
  name,
  oneOf,
  paging,
  ref,
  strict,
  text,
  timestamp
} from '../schemas/common.ts'
import { endpoint } from '../src/endpoint.ts'
import { done, fields, first, outcomes, page } from '../src/reply.ts'

const tag = 'Call lists'
const listId = id('The call list.')
const listByName = idOrName('The call list', 'Spring campaign')
const types = ['automatic', 'manual', 'predictive', 'progressive']
const byTask = { taskId: 'tasksIds', '~taskId': 'tasksUuids' } as const
const byBatch = { batchId: 'batchIds' } as const

export default {
  listCallLists: endpoint({
    http: 'GET /call-lists',
    rpc: 'GetCallLists',
    summary: 'List call lists',
    tag,
    input: strict({
      listId: maybe(idList('Only the call lists with these ids.')),
      name: maybe(text('Only call lists found by this name.', { minLength: 1, maxLength: 255, examples: ['Spring'] })),
      status: maybe(oneOf(['In progress', 'Completed', 'Canceled', 'Suspended'], 'Only call lists with this status.')),
      isActive: maybe(flag('Only call lists that are being worked on, or only the others.')),
      typeList: maybe(oneOf(['AUTOMATIC', 'MANUAL'], 'Only call lists of this type.')),
      applicationId: maybe(idsOrNames('Only call lists of these applications', 'support')),
      ruleId: maybe(idsOrNames('Only call lists of these rules', 'outgoing')),
      fromDate: maybe(timestamp('Only call lists of this time or later.')),
      toDate: maybe(timestamp('Only call lists of this time or earlier.', { examples: ['2026-02-15T09:30:00Z'] })),
      ...paging
    }),
    reply: page(ref(CallList))
  }),
  getCallList: endpoint({
    http: 'GET /call-lists/:listId',
    rpc: 'GetCallLists',
    summary: 'Get a call list',
    tag,
    input: strict({ listId }),
    reply: first(ref(CallList), 'listId')
  }),
  updateCallList: endpoint({
    http: 'PATCH /call-lists/:listId',
    rpc: 'EditCallList',
    summary: 'Change a call list',
    description:
      'Fields that are left out stay as they are, but where `callListType` is set: `predictive` then means a `maximumErrorRate` of 0.02 and a `minimumBusyFactor` of 0.8, `progressive` a `taskMultiplier` of 1 and no `predictiveType`, unless they are given too.',
    tag,
    input: strict({
      listId,
      name: maybe(CallListName),
      priority: maybe(CallListPriority),
      maxSimultaneous: maybe(MaxSimultaneous),
      numAttempts: maybe(NumAttempts),
      intervalSeconds: maybe(IntervalSeconds),
      startAt: maybe(StartAt),
      taskPriorityStrategy: maybe(TaskPriorityStrategy),
      serverLocation: maybe(ServerLocation),
      ipAddress: maybe(CallListIpAddress),
      listCustomData: maybe(ListCustomData),
      callListType: maybe(oneOf(types, 'How the tasks are dialed.')),
      callType: maybe(oneOf(types, 'Another name of `callListType`, which counts only where that one is left out.')),
      predictiveType: maybe(
        oneOf(
          ['AR_OPTIMIZED', 'BF_OPTIMIZED', 'AR_SMALL_GROUP', 'AR_AUTO_BALANCED'],
          'The way of predicting: `AR_OPTIMIZED` when it is left out while `callListType` becomes `predictive`.'
        )
      ),
      maximumErrorRate: maybe(MaximumErrorRate),
      minimumBusyFactor: maybe(MinimumBusyFactor),
      taskMultiplier: maybe(TaskMultiplier),
      isPersonalCampaign: maybe(IsPersonalCampaign),
      personalCampaignType: maybe(PersonalCampaignType),
      ...dialingStatistics
    }),
    reply: done
  }),
  deleteCallList: endpoint({
    http: 'DELETE /call-lists/:listId',
    rpc: 'DeleteCallList',
    summary: 'Delete a call list',
    tag,
    input: strict({ listId }),
    reply: done
  }),
  updateCallListTaskPriorities: endpoint({
    http: 'PATCH /call-lists/:listId/tasks',
    rpc: 'EditCallListTasksPriority',
    summary: 'Change the priorities of tasks',
    tag,
    input: strict({
      listId,
      tasks: json(
        Type.Array(TaskPriority, {
          minItems: 1,
          maxItems: 1000,
          description: 'The tasks and their new priorities.',
          examples: [[{ taskId: 501, taskPriority: 1 }]]
        })
      )
    }),
    reply: fields(
      {
        results: maybe(
          json(
            Type.Array(anything('What the upstream says of one task; its form is not documented.'), {
              description: 'What became of each task.',
              examples: [[{ task_id: 501, result: true }]]
            })
          )
        )
      },
      { description: 'What became of each task.' }
    )
  }),
  cancelCallListTask: endpoint({
    http: 'DELETE /call-lists/:listId/tasks/:taskId',
    rpc: 'CancelCallListTask',
    summary: 'Cancel a task',
    tag,
    input: strict({
      listId,
      taskId: { ...idOrName('The task', 'order-4711', 501), description: 'The task: its id, or its UUID after a tilde.' }
    }),
    rename: byTask,
    reply: outcomes(CallListTaskCancellation, { one: true })
  }),
  cancelCallListTasks: endpoint({
    http: 'DELETE /call-lists/:listId/tasks',
    rpc: 'CancelCallListTask',
    summary: 'Cancel several tasks',
    description: 'Answers what became of each task.',
    tag,
    input: strict({
      listId,
      taskId: {
        ...idsOrNames('The tasks', 'order-4711', { example: 501, max: 1000 }),
        description: 'The tasks: up to 1000 ids, or as many UUIDs each after a tilde; not both in one call.'
      }
    }),
    rename: byTask,
    reply: outcomes(CallListTaskCancellation)
  }),
  cancelCallListBatch: endpoint({
    http: 'DELETE /call-lists/:listId/batches/:batchId',
    rpc: 'CancelCallListBatch',
    summary: 'Cancel the tasks of a batch',
    tag,
    input: strict({
      listId: listByName,
      batchId: name('The UUID of the batch: of tasks that were added together.', { examples: ['6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f'] })
    }),
    rename: byBatch,
    reply: done
  }),
  cancelCallListBatches: endpoint({
    http: 'DELETE /call-lists/:listId/batches',
    rpc: 'CancelCallListBatch',
    summary: 'Cancel the tasks of several batches',
    tag,
    input: strict({
      listId: listByName,
      batchId: list(listItem(), 'The UUIDs of the batches.', { examples: [['6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f']] })
    }),
    rename: byBatch,
    reply: done
  })
}
