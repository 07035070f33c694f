import { Type } from '@sinclair/typebox'
import {
  CallList,
  CallListIpAddress,
  CallListName,
  CallListPriority,
  CallListTaskCancellation,
  CallListTaskChange,
  CallListTasks,
  csvFormat,
  dialingStatistics,
  FirstNumAttempts,
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
  TaskPriorityStrategy,
  WritableEncoding
} from '../schemas/call-list.ts'
import {
  decimal,
  file,
  flag,
  id,
  idList,
  idOrName,
  idsOrNames,
  integer,
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
import type { Row } from '../src/api/body/rows.ts'
import { CsvFile } from '../src/api/csv.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, listBeside, outcome, outcomes, page } from '../src/api/replies.ts'
import type { Upload } from '../src/api/upload.ts'
import { invalid } from '../src/problems/invalid-request.ts'
import { toUnixSeconds } from '../src/voximplant/wire/times.ts'

const tag = 'Call lists'
const listId = id('The call list.')
const listByName = idOrName('The call list', 'Spring campaign')
const types = ['automatic', 'manual', 'predictive', 'progressive']
const byTask = { taskId: 'tasksIds', '~taskId': 'tasksUuids' } as const
const byBatch = { batchId: 'batchIds' } as const

const fileContent = file(
  'The tasks as CSV: a line of column names, then a line for each task. The columns `__start_execution_time` and `__end_execution_time` (HH:mm:ss, UTC), `__start_at` (Unix seconds) and `__task_uuid` are read by the upstream; the others are what the scenario gets.'
)
const bodies =
  'Send the tasks as a part of `multipart/form-data` with the other fields beside it, before or after; as a `text/csv` body with the other fields in the query; or as JSON. A file goes on byte by byte, in whatever encoding `encoding` names.'

function unixSeconds(instant: string, pointer: string): number {
  const seconds = toUnixSeconds(instant)
  if (seconds === undefined) throw invalid([{ in: 'body', pointer, detail: 'is not an instant between the years 0000 and 9999 in UTC' }])
  return seconds
}

const tasksUpload: Upload = {
  type: 'text/csv',
  filename: 'tasks.csv',
  example: 'phone;name;__task_uuid\n14155550101;Ada;order-4711\n',
  rows: {
    name: 'tasks',
    schema: CallListTasks,
    fields: { encoding: WritableEncoding },
    createFile: format =>
      new CsvFile(format, '/tasks', ({ __start_at: startAt, ...row }: Row, pointer) =>
        startAt === undefined ? row : { ...row, __start_at: unixSeconds(String(startAt), `${pointer}/__start_at`) }
      )
  }
}
const batch = {
  listId: id('The id of the call list.'),
  batchId: maybe(
    text('The UUID of the batch: of the tasks that were added together.', { examples: ['6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f'] })
  ),
  count: maybe(integer('How many tasks were added.', { examples: [2] }))
}

export default {
  createCallList: endpoint({
    http: 'POST /call-lists',
    rpc: 'CreateCallList',
    summary: 'Create a call list',
    description: `Calling begins at \`startAt\`, or immediately, and costs money. ${bodies}`,
    tag,
    input: strict({
      ruleId: id('The rule whose scenarios make the calls.'),
      priority: CallListPriority,
      maxSimultaneous: MaxSimultaneous,
      numAttempts: FirstNumAttempts,
      name: CallListName,
      intervalSeconds: maybe(IntervalSeconds),
      startAt: maybe(StartAt),
      isCancelled: maybe(flag('Whether the call list is made in the cancelled state.')),
      taskPriorityStrategy: maybe(TaskPriorityStrategy),
      serverLocation: maybe(ServerLocation),
      ipAddress: maybe(CallListIpAddress),
      referenceIp: maybe({ ...CallListIpAddress, description: 'An older name of `ipAddress`.' }),
      listCustomData: maybe(ListCustomData),
      callListType: maybe(oneOf(['automatic', 'predictive', 'progressive'], 'How the tasks are dialed: `automatic` when it is left out.')),
      queueId: maybe(id('The queue whose operators take the calls. Needed for `predictive` and `progressive` dialing.', 201)),
      acdVersion: maybe(
        oneOf(['V1', 'V2'], 'Which kind of queue `queueId` names: a queue (`V1`) or a smart queue (`V2`).', { examples: ['V1'] })
      ),
      predictiveType: maybe(
        oneOf(
          ['DEFAULT_PREDICTIVE_TYPE', 'AR_OPTIMIZED', 'BF_OPTIMIZED', 'AR_SMALL_GROUP', 'AR_AUTO_BALANCED'],
          'The way of predicting, for `predictive` dialing.'
        )
      ),
      maximumErrorRate: maybe(MaximumErrorRate),
      minimumBusyFactor: maybe(MinimumBusyFactor),
      taskMultiplier: maybe(TaskMultiplier),
      isPersonalCampaign: maybe(IsPersonalCampaign),
      personalCampaignType: maybe(PersonalCampaignType),
      bufferSizeTarget: maybe(
        oneOf(
          ['VALUE', 'OPERATOR', 'AGENT'],
          'What the dialer keeps ready: a number of tasks (`VALUE`, see `bufferSizeValue`), or as many as there are operators or agents.'
        )
      ),
      bufferSizeValue: maybe(
        integer('How many tasks the dialer keeps ready, with the target `VALUE`.', { minimum: 20, maximum: 500, examples: [50] })
      ),
      bufferThresholdFactor: maybe(
        decimal('At which share of its size the buffer is filled again; with `bufferSizeTarget`.', { minimum: 0, examples: [0.5] })
      ),
      ...dialingStatistics,
      ...csvFormat,
      fileContent
    }),
    upload: tasksUpload,
    reply: created(batch, '/call-lists/:listId')
  }),
  appendCallListTasks: endpoint({
    http: 'POST /call-lists/:listId/tasks',
    rpc: 'AppendToCallList',
    summary: 'Add tasks to a call list',
    description: bodies,
    tag,
    input: strict({ listId: listByName, ...csvFormat, fileContent }),
    upload: tasksUpload,
    example: { tasks: [{ phone: '14155550115', name: 'Katherine', __task_uuid: 'order-4715' }] },
    reply: created(batch, '/call-lists/:listId')
  }),
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
    example: { maxSimultaneous: 5 },
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
    reply: listBeside('results', ref(CallListTaskChange), 'What became of each task.')
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
    reply: outcome(CallListTaskCancellation)
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
